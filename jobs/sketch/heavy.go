package sketch

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unsafe"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/encoded"
)

// MostHeavy is the greatest n of HeavyHitters.
const MostHeavy = 1000

// Frequent is a record with how often it occurs: at least and at most.
type Frequent[T any] struct {
	Record          T
	AtLeast, AtMost int64
}

// HeavyHitters finds the n records that occur most often, most frequent first, in one
// part. n is 1 to MostHeavy. T must be a type of keys.
//
// If there are at most 20n different records, all counts are exact. Otherwise
// AtMost - AtLeast is less than a tenth of N/n, where N is the number of all records,
// and every record that occurs more than 1.1 N/n times is among the results. Within
// these bounds the result depends on the order of the records and on how the work is
// divided, because a task drops rare records before it knows those of others: runs
// with other splits may report other bounds, and other records below that
// frequency, or fewer of them: none if all are rare. For an exact answer, fold and use Top; that shuffles every different
// record once for each task.
func HeavyHitters[T any](in jobs.Records[T], n int) jobs.Records[Frequent[T]] {
	if n < 1 || n > MostHeavy {
		must(fmt.Errorf("sketch.HeavyHitters: n is %d, but must be 1 to %d", n, MostHeavy))
	}
	keys, err := encoded.Keys[T]()
	if err != nil {
		must(fmt.Errorf("sketch.HeavyHitters: %w", err))
	}
	most := 10 * n
	texts := jobs.Map(in, func(_ *jobs.Context, rec T, emit jobs.Emit[struct{}, string]) error {
		return keys.LendText(rec, func(text string) { emit(struct{}{}, text) })
	})
	found := jobs.Aggregate(texts,
		func(acc *heavy, text string) { acc.add(text, most) },
		func(acc, other *heavy) { acc.merge(other, most) })
	return jobs.FlatMap(found, func(_ *jobs.Context, p jobs.Pair[struct{}, heavy], emit func(Frequent[T])) error {
		for _, f := range p.Value.top(n) {
			b := unsafe.Slice(unsafe.StringData(f.text), len(f.text))
			if err := keys.View(bytes.Clone(b), func(rec T) { emit(Frequent[T]{rec, f.count, f.count + p.Value.missed}) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// heavy is a Misra-Gries summary that is pruned in batches: counts of up to 2m records,
// each too low by missed at most. A prune to m records lowers m+1 counts or more by
// what it adds to missed, so missed is less than N/(m+1), also after merges.
type heavy struct {
	counts map[string]*int64
	missed int64
}

func (h *heavy) add(text string, most int) {
	if n, ok := h.counts[text]; ok {
		*n++
		return
	}
	h.insert(strings.Clone(text), 1, most)
}

func (h *heavy) insert(text string, count int64, most int) {
	if h.counts == nil {
		h.counts = make(map[string]*int64)
	}
	h.counts[text] = &count
	if len(h.counts) > 2*most {
		h.prune(most)
	}
}

// prune lowers all counts so that at most so many remain above zero.
func (h *heavy) prune(most int) {
	counts := make([]int64, 0, len(h.counts))
	for _, n := range h.counts {
		counts = append(counts, *n)
	}
	slices.Sort(counts)
	low := counts[len(counts)-1-most]
	h.missed += low
	for text, n := range h.counts {
		if *n -= low; *n <= 0 {
			delete(h.counts, text)
		}
	}
}

func (h *heavy) merge(o *heavy, most int) {
	h.missed += o.missed
	for _, text := range slices.Sorted(maps.Keys(o.counts)) {
		if n, ok := h.counts[text]; ok {
			*n += *o.counts[text]
		} else {
			h.insert(text, *o.counts[text], most)
		}
	}
}

type counted struct {
	text  string
	count int64
}

// top returns the n records with the highest counts; of equal counts, the least
// records.
func (h *heavy) top(n int) []counted {
	all := make([]counted, 0, len(h.counts))
	for text, count := range h.counts {
		all = append(all, counted{text, *count})
	}
	slices.SortFunc(all, func(a, b counted) int {
		return cmp.Or(cmp.Compare(b.count, a.count), strings.Compare(a.text, b.text))
	})
	return all[:min(n, len(all))]
}

// AppendBinary appends the counts in the order of their records.
func (h *heavy) AppendBinary(dst []byte) ([]byte, error) {
	dst = binary.AppendUvarint(dst, uint64(h.missed))
	for _, text := range slices.Sorted(maps.Keys(h.counts)) {
		dst = binary.AppendUvarint(dst, uint64(*h.counts[text]))
		dst = append(binary.AppendUvarint(dst, uint64(len(text))), text...)
	}
	return dst, nil
}

// UnmarshalBinary decodes what AppendBinary appended.
func (h *heavy) UnmarshalBinary(b []byte) error {
	missed, size := binary.Uvarint(b)
	if size <= 0 {
		return errEncoding
	}
	*h = heavy{counts: make(map[string]*int64), missed: int64(missed)}
	for b = b[size:]; len(b) > 0; {
		count, size := binary.Uvarint(b)
		if size <= 0 {
			return errEncoding
		}
		b = b[size:]
		length, size := binary.Uvarint(b)
		if size <= 0 || length > uint64(len(b)-size) {
			return errEncoding
		}
		n := int64(count)
		h.counts[string(b[size:size+int(length)])] = &n
		b = b[size+int(length):]
	}
	return nil
}
