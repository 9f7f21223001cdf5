package jobs

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/windrow-mr/windrow/jobs/codec"
	"github.com/windrow-mr/windrow/jobs/internal/table"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

const (
	// leastTable is the least memory for a table. With less, nothing is
	// combined.
	leastTable = 2 << 20
	// A table that is full and holds more than distinct/100 keys per pair saves
	// nothing. Pairs then bypass it until asideFactor times as many have come
	// as it took. After that it is tried again.
	distinct    = 80
	asideFactor = 8
)

// steps are what a combiner does with one value, in a typed accumulator.
type steps[V, A any] struct {
	first func(acc *A, v V) // acc is zero
	next  func(acc *A, v V)
}

func foldSteps[V any](fold func(a, b V) V) steps[V, V] {
	return steps[V, V]{
		first: func(acc *V, v V) { *acc = v },
		next:  func(acc *V, v V) { *acc = fold(*acc, v) },
	}
}

func aggregateSteps[V, A any](add func(acc *A, v V)) steps[V, A] {
	return steps[V, A]{first: add, next: add}
}

// combiner folds the pairs of one map task in a table, by key. It sends the
// accumulators when the table is full and at the end.
type combiner[K, V, A any] struct {
	steps[V, A]
	*sender[K, A]
	tab    *table.Table[A]
	own    func(v V) (V, int) // see owner; nil where there is nothing to do
	added  int64              // pairs since the table was empty
	aside  int64              // pairs that still bypass the table
	never  bool               // there is no memory for a table
	keys   K
	buffer []byte
	acc    A
}

func newCombiner[K, V, A any](r *run, e *exchange[K, V, A], do steps[V, A], value codec.Value[V]) *combiner[K, V, A] {
	c := &combiner[K, V, A]{steps: do, sender: newSender(r, e), own: owner(r.ctx, value, e.value.Varies())}
	limit := r.write(e.n).TableBytes
	if c.never = limit < leastTable || table.Least[A]() > limit/4; !c.never {
		if c.own != nil {
			limit /= 2 // the other half is for memory that accumulators point to
		}
		c.tab = table.New[A](limit)
	}
	r.finish = append(r.finish, func() error {
		c.drain()
		if c.ctx.err != nil {
			return c.ctx.err
		}
		return c.to.Err()
	})
	return c
}

// perValue is what a value costs an accumulator that keeps it, beside its
// bytes: a header, or its share of a map.
const perValue = 32

// owner returns a function that prepares a value for an accumulator that keeps
// it, and returns by how many bytes the accumulator may grow. The value's codec
// copies what the value points to, since accumulators outlive the buffers of
// emitted values. The function is nil if values point to nothing and
// accumulators, whose size does not vary, cannot grow.
func owner[V any](ctx *Context, value codec.Value[V], grows bool) func(V) (V, int) {
	if value.Owned() && !grows {
		return nil
	}
	decode := value.Decoder()
	owned := value.Owned()
	slot := new(V)
	var scratch []byte
	return func(v V) (V, int) {
		*slot = v
		b, err := value.Append(scratch[:0], slot)
		size := len(b) + perValue
		switch {
		case err != nil:
			ctx.fail(ctx.recordError(err))
		case owned:
			scratch = b
		default:
			// The decoded value may point into b, so b is not used again.
			if err := decode(b, slot); err != nil {
				ctx.fail(ctx.recordError(err))
			}
			v = *slot
		}
		return v, size
	}
}

// emit returns the function that mappers call.
func (c *combiner[K, V, A]) emit() Emit[K, V] {
	var special any
	var zero K
	switch any(zero).(type) {
	case []byte:
		special = Emit[[]byte, V](c.addBytes)
	case string:
		special = Emit[string, V](func(key string, value V) {
			c.buffer = append(c.buffer[:0], key...)
			c.addBytes(c.buffer, value)
		})
	case int64:
		special = Emit[int64, V](func(key int64, value V) {
			c.buffer = binary.BigEndian.AppendUint64(c.buffer[:0], uint64(key)^1<<63)
			c.addBytes(c.buffer, value)
		})
	case uint64:
		special = Emit[uint64, V](func(key uint64, value V) {
			c.buffer = binary.BigEndian.AppendUint64(c.buffer[:0], key)
			c.addBytes(c.buffer, value)
		})
	}
	if emit, ok := special.(Emit[K, V]); ok {
		return emit
	}
	return func(key K, value V) {
		c.keys = key
		c.buffer = c.key.Append(c.buffer[:0], &c.keys)
		c.addBytes(c.buffer, value)
	}
}

// addBytes takes a pair with an encoded key.
func (c *combiner[K, V, A]) addBytes(key []byte, value V) {
	hash := pairs.Hash(key)
	if c.own == nil && c.aside == 0 && !c.never {
		if acc := c.tab.Find(hash, key); acc != nil {
			c.added++
			c.next(acc, value)
			return
		}
	}
	c.addSlow(hash, key, value)
}

func (c *combiner[K, V, A]) addSlow(hash uint64, key []byte, value V) {
	if c.ctx.err != nil {
		return
	}
	if c.aside > 0 || c.never || len(key) > table.MaxKey {
		c.aside = max(c.aside-1, 0)
		c.pass(hash, key, value)
		return
	}
	size := 0
	if c.own != nil {
		value, size = c.own(value)
	}
	if acc := c.tab.Find(hash, key); acc != nil {
		c.next(acc, value)
	} else {
		acc, full := c.tab.Insert(hash, key)
		if full {
			c.makeRoom()
			acc, _ = c.tab.Insert(hash, key)
		}
		if acc == nil {
			c.pass(hash, key, value)
			return
		}
		c.first(acc, value)
	}
	c.added++
	if size > 0 && c.tab.Grew(size) {
		c.makeRoom()
	}
}

// pass sends a pair without combining it.
func (c *combiner[K, V, A]) pass(hash uint64, key []byte, value V) {
	var zero A
	c.acc = zero
	c.first(&c.acc, value)
	c.send(hash, key, &c.acc)
}

// makeRoom empties the table. The combiner then bypasses a table that saved
// little.
func (c *combiner[K, V, A]) makeRoom() {
	if int64(c.tab.Len())*100 > c.added*distinct {
		c.aside = c.added * asideFactor
	}
	c.drain()
}

func (c *combiner[K, V, A]) drain() {
	c.added = 0
	if c.never {
		return
	}
	// An error from here on is about a key, not about the record that was read
	// last. The position is restored only after a normal end: code that
	// recovers from a panic must find it as it was then.
	where, text := c.ctx.where, c.ctx.key
	var at []byte
	c.ctx.where, c.ctx.key = Position{}, func() string { return fmt.Sprintf("%q", at) }
	c.tab.Drain(func(hash uint64, key []byte, acc *A) {
		if c.ctx.err == nil {
			at = key
			c.send(hash, key, acc)
		}
	})
	c.ctx.where, c.ctx.key = where, text
}

// encodedCombiner folds encoded values, in the shuffle.
type encodedCombiner[A any] struct {
	n      *node
	value  codec.Value[A]
	decode func(b []byte, v *A) error
	merge  func(acc, other *A)
	acc    A
	other  A
	some   bool
}

// combineEncoded returns the maker of combiners for the shuffle.
func combineEncoded[A any](n *node, value codec.Value[A], merge func(acc, other *A)) func() pairs.Combiner {
	return func() pairs.Combiner {
		return &encodedCombiner[A]{n: n, value: value, decode: value.Decoder(), merge: merge}
	}
}

func mergeByFold[V any](fold func(a, b V) V) func(acc, other *V) {
	return func(acc, other *V) { *acc = fold(*acc, *other) }
}

// combined makes an error of a panic of the job's function. It is deferred.
func combined(n *node, err *error) {
	if p := recover(); p != nil {
		failed := &RecordError{Stage: n.stage() + " while combining"}
		failed.panicked(p)
		*err = failed
	}
}

func uncombinable(n *node, err error) error { return fmt.Errorf("%s: combine: %w", n.stage(), err) }

// Reset begins another key.
func (c *encodedCombiner[A]) Reset() { c.some = false }

// Add folds in a value. It does not keep b.
func (c *encodedCombiner[A]) Add(b []byte) (err error) {
	defer combined(c.n, &err)
	if !c.value.Owned() {
		b = bytes.Clone(b)
	}
	if c.some {
		if err := c.decode(b, &c.other); err != nil {
			return uncombinable(c.n, err)
		}
		c.merge(&c.acc, &c.other)
		return nil
	}
	c.some = true
	if err := c.decode(b, &c.acc); err != nil {
		return uncombinable(c.n, err)
	}
	return nil
}

// AppendTo appends the accumulated value of the key.
func (c *encodedCombiner[A]) AppendTo(dst []byte) (b []byte, err error) {
	defer combined(c.n, &err)
	return c.value.Append(dst, &c.acc)
}
