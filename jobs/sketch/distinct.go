package sketch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/axiomhq/hyperloglog"

	"github.com/windrow-mr/windrow/jobs"
)

// CountDistinct estimates how many different values each key has. Up to 32 are
// counted exactly. Beyond, the standard error is 0.81 %: two of three estimates are
// that close, and 997 of 1000 within 2.5 %. Below a few thousand values the error
// is far smaller. A key takes 16 KiB at most.
//
// Values are the same if they are the same key; of a type that is no key, if they
// have the same encoding. A string or a number costs least: Aggregate, on which
// this is built, copies each []byte.
func CountDistinct[K, V any](in jobs.Pairs[K, V]) jobs.Records[jobs.Pair[K, int64]] {
	hash := hasher[V]()
	sets := jobs.Aggregate(in, func(acc *Distinct, v V) { acc.Add(hash(v)) }, (*Distinct).Merge)
	return jobs.Convert(sets, func(p jobs.Pair[K, Distinct]) jobs.Pair[K, int64] {
		return jobs.Pair[K, int64]{Key: p.Key, Value: p.Value.Count()}
	})
}

// Distinct estimates the number of different hashes: a HyperLogLog of precision 14.
// The zero Distinct has none. It is an accumulator for jobs.Aggregate.
type Distinct struct {
	few  []uint64 // hashes, until they are too many
	many *hyperloglog.Sketch
}

// Add adds a value by its hash, of which all 64 bits must look random.
func (d *Distinct) Add(hash uint64) {
	switch {
	case d.many != nil:
		d.many.InsertHash(hash)
	case slices.Contains(d.few, hash):
	case len(d.few) < few:
		d.few = append(d.few, hash)
	default:
		d.grow()
		d.many.InsertHash(hash)
	}
}

// grow makes a sketch of the hashes.
func (d *Distinct) grow() {
	d.many = hyperloglog.New14()
	for _, hash := range d.few {
		d.many.InsertHash(hash)
	}
	d.few = nil
}

// Merge adds the values of o.
func (d *Distinct) Merge(o *Distinct) {
	for _, hash := range o.few {
		d.Add(hash)
	}
	if o.many == nil {
		return
	}
	if d.many == nil {
		d.grow()
	}
	must(d.many.Merge(o.many)) // fails for another precision, and there is one
}

// Count returns the estimate.
func (d *Distinct) Count() int64 {
	if d.many == nil {
		return int64(len(d.few))
	}
	return int64(d.many.Estimate())
}

// AppendBinary appends an encoding that is the same for the same values.
func (d *Distinct) AppendBinary(dst []byte) ([]byte, error) {
	if d.many == nil {
		slices.Sort(d.few)
		dst = append(dst, byte(len(d.few)))
		for _, hash := range d.few {
			dst = binary.LittleEndian.AppendUint64(dst, hash)
		}
		return dst, nil
	}
	d.many.Estimate() // puts the sketch into the one form that depends on its values alone
	return d.many.AppendBinary(append(dst, sketched))
}

var errEncoding = errors.New("this is no encoding of a sketch")

// UnmarshalBinary decodes what AppendBinary appended.
func (d *Distinct) UnmarshalBinary(b []byte) error {
	*d = Distinct{}
	if len(b) > 0 && b[0] == sketched {
		d.many = hyperloglog.New14()
		if err := d.many.UnmarshalBinary(b[1:]); err != nil {
			return fmt.Errorf("decode a sketch of different values: %w", err)
		}
		return nil
	}
	if len(b) == 0 || b[0] > few || len(b) != 1+8*int(b[0]) {
		return errEncoding
	}
	for b = b[1:]; len(b) > 0; b = b[8:] {
		d.few = append(d.few, binary.LittleEndian.Uint64(b))
	}
	return nil
}
