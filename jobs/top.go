package jobs

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"unsafe"

	"github.com/windrow-mr/windrow/jobs/internal/encoded"
)

// MostTop is the greatest n of Top. Each task holds n values, and for Pairs n of
// each key. Sort has no such limit.
const MostTop = 10_000

// ByValue compares pairs by their values. It is for Top: Top(10, jobs.ByValue).
func ByValue[K any, V cmp.Ordered](a, b Pair[K, V]) int { return cmp.Compare(a.Value, b.Value) }

// ByKey compares pairs by their keys. It is for Top: Top(10, jobs.ByKey).
func ByKey[K cmp.Ordered, V any](a, b Pair[K, V]) int { return cmp.Compare(a.Key, b.Key) }

// Top keeps the n greatest records of all, and passes them on in one part,
// greatest first. n is 1 to MostTop. compare returns a positive number if a is
// greater than b, as cmp.Compare does; it must depend on its arguments alone.
// For the least records, swap them: func(a, b T) int { return compare(b, a) }.
//
// Records that compare as equal are in the order of keys of their type, so that
// pairs of equal value are in the order of their keys. If T has no such order,
// they are in the order of their encodings, which has no meaning but is always
// the same. Records that occur several times count as often.
//
// Each map task sends n records at most.
func (in Records[T]) Top(n int, compare func(a, b T) int) Records[T] {
	t, ok := newTop(in.p, n, compare)
	if !ok {
		return in
	}
	// A method of Records cannot make Pairs of T, whose methods make Records of
	// pairs of T, whose methods make Pairs of pairs of T, without end. So the
	// records travel as their encodings.
	types := "struct {} to " + typeName[T]() + " as " + t.values.Name()
	texts := mapped(records[T](in), t.operation, types, func(_ *Context, rec T, emit Emit[struct{}, string]) error {
		return t.values.LendText(rec, func(text string) { emit(struct{}{}, text) })
	})
	lots := aggregated(texts, t.operation,
		func(acc *lot, text string) {
			t.kept(acc).addEncoded(t, unsafe.Slice(unsafe.StringData(text), len(text)))
		},
		func(acc, other *lot) { t.merge(acc, other) })
	return Records[T](flatMapped(lots, t.operation, func(_ *Context, rec Pair[struct{}, lot], emit func(T)) error {
		for _, v := range t.kept(&rec.Value).descending(t) {
			emit(v)
		}
		return nil
	}))
}

// Top keeps the n greatest values of each key, and passes them on as one pair
// for each value: key after key, the greatest value of a key first. n is 1 to
// MostTop. compare returns a positive number if a is greater than b, as
// cmp.Compare does; it must depend on its arguments alone. Values that compare
// as equal are in the order that Top of Records describes.
//
// Each map task sends n values of a key at most, if the keys fit its memory.
func (a Pairs[K, V]) Top(n int, compare func(a, b V) int) Records[Pair[K, V]] {
	t, ok := newTop(a.p, n, compare)
	if !ok {
		return Records[Pair[K, V]]{p: a.p, n: a.n}
	}
	best := aggregated(pairing[K, V](a), t.operation,
		func(acc *kept[V], v V) { acc.add(t, v) },
		func(acc, other *kept[V]) { acc.merge(t, other) })
	return Records[Pair[K, V]](flatMapped(best, t.operation, func(_ *Context, rec Pair[K, kept[V]], emit func(Pair[K, V])) error {
		for _, v := range rec.Value.descending(t) {
			emit(Pair[K, V]{rec.Key, v})
		}
		return nil
	}))
}

// top is what the functions of a Top share. It does not change.
type top[T any] struct {
	operation
	n      int
	order  func(a, b T) int // total: 0 only for values of one encoding
	values *encoded.Codec[T]
}

func newTop[T any](p *Pipeline, n int, compare func(a, b T) int) (*top[T], bool) {
	symbol := p.symbol("Top", compare)
	order, err := rank(compare)
	values, _ := encoded.Values[T]() // the error is that of rank
	if p.refuseTop(symbol, n, err) {
		return nil, false
	}
	return &top[T]{operation{"Top", strconv.Itoa(n) + " " + symbol}, n, order, values}, compare != nil
}

// refuseTop keeps what is wrong with a Top, and reports whether something is.
func (p *Pipeline) refuseTop(symbol string, n int, err error) bool {
	switch {
	case n < 1 || n > MostTop:
		p.fail("Top %s: n is %d, but must be 1 to %d: use Sort for more", symbol, n, MostTop)
	case err != nil:
		p.fail("Top %s: %w", symbol, err)
	default:
		return false
	}
	return true
}

// rank makes a total order of compare: of values that compare as equal, the one
// whose encoding is less is the greater.
func rank[T any](compare func(a, b T) int) (func(a, b T) int, error) {
	values, err := encoded.Values[T]()
	if err != nil {
		return nil, err
	}
	keys, err := encoded.Keys[T]()
	if err != nil {
		keys = nil
	}
	return func(a, b T) int {
		if c := compare(a, b); c != 0 {
			return c
		}
		return -tie(keys, values, a, b)
	}, nil
}

// tie compares the encodings of a and b.
func tie[T any](keys, values *encoded.Codec[T], a, b T) int {
	if keys != nil {
		if c, err := keys.Compare(a, b); c != 0 || err != nil {
			return c
		}
	}
	c, err := values.Compare(a, b)
	check(err)
	return c
}

// check panics with an error of a function that cannot return one, such as the
// add of an Aggregate. The engine recovers, and names the record or the key.
func check(err error) {
	if err != nil {
		panic(err) //nolint:forbidigo // see above
	}
}

// kept are the greatest values of a key. The least of them is apart: most values
// are compared with it alone, and a key with one value needs no more memory.
type kept[T any] struct {
	Some  bool
	Least T
	More  []T // a heap: an element is less than the two below it
}

func (k *kept[T]) add(t *top[T], v T) {
	switch {
	case !k.Some:
		k.Some, k.Least = true, v
	case len(k.More)+1 < t.n:
		if t.order(v, k.Least) < 0 {
			v, k.Least = k.Least, v
		}
		k.push(t, v)
	case t.order(v, k.Least) <= 0:
	case t.n == 1 || t.order(v, k.More[0]) <= 0:
		k.Least = v
	default:
		k.Least, k.More[0] = k.More[0], v
		t.down(k.More)
	}
}

func (k *kept[T]) merge(t *top[T], other *kept[T]) {
	if !other.Some {
		return
	}
	k.add(t, other.Least)
	for _, v := range other.More {
		k.add(t, v)
	}
}

// push adds v to the heap.
func (k *kept[T]) push(t *top[T], v T) {
	k.More = append(k.More, v)
	for i := len(k.More) - 1; i > 0; {
		up := (i - 1) / 2
		if t.order(k.More[i], k.More[up]) >= 0 {
			break
		}
		k.More[i], k.More[up] = k.More[up], k.More[i]
		i = up
	}
}

// down moves the first element of a heap to its place.
func (t *top[T]) down(h []T) {
	for i := 0; ; {
		least := 2*i + 1
		if least >= len(h) {
			return
		}
		if least+1 < len(h) && t.order(h[least+1], h[least]) < 0 {
			least++
		}
		if t.order(h[i], h[least]) <= 0 {
			return
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// descending returns the values, greatest first.
func (k *kept[T]) descending(t *top[T]) []T {
	if !k.Some {
		return nil
	}
	all := append(slices.Clone(k.More), k.Least)
	for h := all[:len(k.More)]; len(h) > 1; { // the least of the heap goes to its end
		last := len(h) - 1
		h[0], h[last] = h[last], h[0]
		h = h[:last]
		t.down(h)
	}
	return all
}

// lot is a kept of any type. It travels as a list of encoded values. Only the
// functions of a Top know the type, so it is decoded when one of them uses it.
type lot struct {
	kept interface {
		appendTo(dst []byte) ([]byte, error)
	}
	list []byte // what to decode if kept is nil
}

// typedLot is the kept of a lot.
type typedLot[T any] struct {
	kept[T]
	values *encoded.Codec[T]
	// view decodes values that are compared, into seen. keep decodes values that
	// are kept: its strings are pieces of chunks, and a kept one keeps its chunk.
	view, keep func(b []byte, v *T) error
	seen       T
}

var errLot = errors.New("a list of values ends early")

// AppendBinary appends the values, each after its length.
func (l lot) AppendBinary(dst []byte) ([]byte, error) {
	if l.kept == nil {
		return append(dst, l.list...), nil
	}
	return l.kept.appendTo(dst)
}

// UnmarshalBinary keeps a copy of b. The values are decoded later.
func (l *lot) UnmarshalBinary(b []byte) error {
	*l = lot{list: slices.Clone(b)}
	return nil
}

func (k *typedLot[T]) appendTo(dst []byte) (_ []byte, err error) {
	one := func(v T) {
		failed := k.values.Lend(v, func(b []byte) {
			dst = append(binary.AppendUvarint(dst, uint64(len(b))), b...)
		})
		if err == nil {
			err = failed
		}
	}
	if k.Some {
		one(k.Least)
	}
	for _, v := range k.More {
		one(v)
	}
	return dst, err
}

// addEncoded adds the value that b encodes. Most values are compared and not
// kept, so b is copied only for one that is.
func (k *typedLot[T]) addEncoded(t *top[T], b []byte) {
	if len(k.More)+1 == t.n && k.Some {
		check(k.view(b, &k.seen))
		if t.order(k.seen, k.Least) <= 0 {
			return
		}
	}
	var v T
	check(k.keep(bytes.Clone(b), &v))
	k.add(t, v)
}

// kept returns the decoded values of a lot.
func (t *top[T]) kept(l *lot) *typedLot[T] {
	if k, ok := l.kept.(*typedLot[T]); ok {
		return k
	}
	k := &typedLot[T]{values: t.values, view: t.values.Decoder(), keep: t.values.Decoder()}
	k.addList(t, l.list)
	*l = lot{kept: k}
	return k
}

func (t *top[T]) merge(acc, other *lot) {
	k := t.kept(acc)
	if o, ok := other.kept.(*typedLot[T]); ok {
		k.merge(t, &o.kept)
		return
	}
	k.addList(t, other.list)
}

// addList adds the values of an encoded list.
func (k *typedLot[T]) addList(t *top[T], list []byte) {
	for len(list) > 0 {
		size, n := binary.Uvarint(list)
		if n <= 0 || size > uint64(len(list)-n) {
			check(errLot)
		}
		end := n + int(size)
		k.addEncoded(t, list[n:end:end])
		list = list[end:]
	}
}
