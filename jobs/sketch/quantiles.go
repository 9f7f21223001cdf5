package sketch

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"

	"github.com/windrow-mr/windrow/jobs"
)

// accuracy is the relative error of a quantile.
const accuracy = 0.01

// Quantiles estimates quantiles of each key's values, in the order of qs: 0.5 is the
// median, 0 the least value and 1 the greatest. Of n values, quantile q is the one
// with rank q(n-1), rounded down, in ascending order. Up to 32 values the result is
// exact. Beyond, it is within 1 % of that value, whatever the distribution: a
// median of 200 is reported as 198 to 202. A key takes about 6 KiB for values within
// a factor of a million, and 1.2 MiB at most.
//
// A value that is NaN or infinite fails the task.
func Quantiles[K any, V jobs.Number](in jobs.Pairs[K, V], qs ...float64) jobs.Records[jobs.Pair[K, []float64]] {
	for _, q := range qs {
		if !(q >= 0 && q <= 1) {
			must(fmt.Errorf("sketch.Quantiles: %v is no quantile: use 0 to 1", q))
		}
	}
	qs = slices.Clone(qs)
	numbers := jobs.Aggregate(in, func(acc *Numbers, v V) { must(acc.Add(float64(v))) }, (*Numbers).Merge)
	return jobs.Convert(numbers, func(p jobs.Pair[K, Numbers]) jobs.Pair[K, []float64] {
		values := make([]float64, len(qs))
		for i, q := range qs {
			values[i] = p.Value.Quantile(q)
		}
		return jobs.Pair[K, []float64]{Key: p.Key, Value: values}
	})
}

// Numbers estimates quantiles of numbers: a DDSketch with a relative error of 1 %. The
// zero Numbers has none. It is an accumulator for jobs.Aggregate.
type Numbers struct {
	few  []float64 // until they are too many
	many *ddsketch.DDSketch
}

// logarithmic maps numbers to bins. Bins grow with the numbers, so that the error is
// relative.
var logarithmic = func() *mapping.LogarithmicMapping {
	m, err := mapping.NewLogarithmicMapping(accuracy)
	must(err)
	return m
}()

// Add adds a number. It fails for NaN, for infinities, and within 2 % of the greatest
// float64.
func (n *Numbers) Add(v float64) error {
	if !(math.Abs(v) <= logarithmic.MaxIndexableValue()) {
		return fmt.Errorf("quantiles of numbers that include %v: leave it out", v)
	}
	if v == 0 {
		v = 0 // -0 is equal, and a sort would leave the two in any order
	}
	if n.many == nil && len(n.few) < few {
		n.few = append(n.few, v)
		return nil
	}
	n.grow()
	return n.many.Add(v)
}

// grow makes a sketch of the numbers, if there is none.
func (n *Numbers) grow() {
	if n.many != nil {
		return
	}
	n.many = ddsketch.NewDDSketchFromStoreProvider(logarithmic, store.BufferedPaginatedStoreConstructor)
	for _, v := range n.few {
		must(n.many.Add(v)) // Add has held the range
	}
	n.few = nil
}

// Merge adds the numbers of o.
func (n *Numbers) Merge(o *Numbers) {
	for _, v := range o.few {
		must(n.Add(v))
	}
	if o.many != nil {
		n.grow()
		must(n.many.MergeWith(o.many)) // fails for another accuracy, and there is one
	}
}

// Quantile returns quantile q, 0 to 1, as Quantiles describes it. It is NaN if there are
// no numbers, or q is no quantile.
func (n *Numbers) Quantile(q float64) float64 {
	if !(q >= 0 && q <= 1) {
		return math.NaN()
	}
	if n.many == nil {
		if len(n.few) == 0 {
			return math.NaN()
		}
		slices.Sort(n.few)
		return n.few[int(q*float64(len(n.few)-1))]
	}
	// The sketch's own method rounds the ranks of negative numbers up.
	rank := math.Floor(q * (n.many.GetCount() - 1))
	below, zeros := n.many.GetNegativeValueStore().TotalCount(), n.many.GetZeroCount()
	switch {
	case rank < below:
		return -logarithmic.Value(n.many.GetNegativeValueStore().KeyAtRank(below - 1 - rank))
	case rank < below+zeros:
		return 0
	}
	return logarithmic.Value(n.many.GetPositiveValueStore().KeyAtRank(rank - below - zeros))
}

// AppendBinary appends an encoding that is the same for the same numbers.
func (n *Numbers) AppendBinary(dst []byte) ([]byte, error) {
	if n.many == nil {
		slices.Sort(n.few)
		dst = append(dst, byte(len(n.few)))
		for _, v := range n.few {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
		}
		return dst, nil
	}
	dst = binary.AppendUvarint(append(dst, sketched), uint64(n.many.GetZeroCount()))
	dst = appendBins(dst, n.many.GetPositiveValueStore())
	return appendBins(dst, n.many.GetNegativeValueStore()), nil
}

// appendBins appends the bins of a store, each by its distance to the one before and
// its count. The counts are whole numbers. A store's own encoding depends on how it
// was filled.
func appendBins(dst []byte, s store.Store) []byte {
	var bins []store.Bin
	s.ForEach(func(index int, count float64) bool {
		bin, err := store.NewBin(index, count)
		must(err)
		bins = append(bins, *bin)
		return false
	})
	slices.SortFunc(bins, func(a, b store.Bin) int { return a.Index() - b.Index() })
	dst = binary.AppendUvarint(dst, uint64(len(bins)))
	before := 0
	for _, bin := range bins {
		dst = binary.AppendVarint(dst, int64(bin.Index()-before))
		dst = binary.AppendUvarint(dst, uint64(bin.Count()))
		before = bin.Index()
	}
	return dst
}

// UnmarshalBinary decodes what AppendBinary appended.
func (n *Numbers) UnmarshalBinary(b []byte) error {
	*n = Numbers{}
	if len(b) == 0 || b[0] != sketched {
		if len(b) == 0 || b[0] > few || len(b) != 1+8*int(b[0]) {
			return errEncoding
		}
		for b = b[1:]; len(b) > 0; b = b[8:] {
			n.few = append(n.few, math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
		return nil
	}
	n.grow()
	zeros, size := binary.Uvarint(b[1:])
	if size <= 0 {
		return errEncoding
	}
	if zeros > 0 {
		if err := n.many.AddWithCount(0, float64(zeros)); err != nil {
			return fmt.Errorf("decode a sketch of numbers: %w", err)
		}
	}
	b, err := addBins(n.many.GetPositiveValueStore(), b[1+size:])
	if err == nil {
		b, err = addBins(n.many.GetNegativeValueStore(), b)
	}
	if err == nil && len(b) > 0 {
		err = errEncoding
	}
	return err
}

// addBins adds the bins at the start of b.
func addBins(s store.Store, b []byte) (rest []byte, err error) {
	bins, size := binary.Uvarint(b)
	if size <= 0 || bins > uint64(len(b)) {
		return nil, errEncoding
	}
	b = b[size:]
	// A store takes memory for the distance between its bins.
	least, most := int64(logarithmic.Index(logarithmic.MinIndexableValue())), int64(logarithmic.Index(logarithmic.MaxIndexableValue()))
	index := int64(0)
	for range bins {
		step, size := binary.Varint(b)
		if size <= 0 {
			return nil, errEncoding
		}
		b = b[size:]
		count, size := binary.Uvarint(b)
		if size <= 0 || step < 2*least || step > 2*most {
			return nil, errEncoding
		}
		if index += step; index < least || index > most {
			return nil, errEncoding
		}
		b = b[size:]
		s.AddWithCount(int(index), float64(count))
	}
	return b, nil
}
