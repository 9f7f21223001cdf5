package jobs

import (
	"fmt"
	"slices"

	"github.com/windrow-mr/windrow/jobs/codec"
	"github.com/windrow-mr/windrow/plan"
)

// Emit passes one pair to the shuffle. It encodes or combines the pair before
// it returns, so key and value may alias a buffer. It does not fail: if the
// engine cannot take a pair, the task stops after the current record, and its
// output is discarded. Only the goroutine that received an Emit may call it.
type Emit[K, V any] func(key K, value V)

// Pairs are the keys with values that the shuffle carries: the result of a step
// in a pipeline. The Go value is a description; it holds no data.
type Pairs[K, V any] struct {
	p         *Pipeline
	n         *node
	branches  []branch[K, V]
	partition func(key K, n int) int
	fold      func(a, b V) V // of Combine
}

// branch is one way in which pairs are made from records.
type branch[K, V any] struct {
	root   *node // the Read or shuffle that the records come from
	from   *node // of the records that attach attaches to
	attach func(r *run, emit Emit[K, V])
}

// Map maps each record to any number of pairs. An error or panic of f becomes a
// RecordError with object, offset and stack.
func Map[T, K, V any](in Records[T], f func(ctx *Context, rec T, emit Emit[K, V]) error) Pairs[K, V] {
	n := in.p.add("Map", in.p.symbol("Map", f), typeName[K]()+" to "+typeName[V](), in.n)
	return mapped(in, n, func(r *run, emit Emit[K, V]) {
		ctx := r.ctx
		in.attach(r, func(rec T) {
			ctx.node = n
			if err := f(ctx, rec, emit); err != nil {
				ctx.reject(n, err)
			}
		})
	})
}

// KeyBy gives each record a key.
func KeyBy[T, K any](in Records[T], key func(rec T) K) Pairs[K, T] {
	n := in.p.add("KeyBy", in.p.symbol("KeyBy", key), typeName[K]()+" to "+typeName[T](), in.n)
	return mapped(in, n, func(r *run, emit Emit[K, T]) {
		ctx := r.ctx
		in.attach(r, func(rec T) {
			ctx.node = n
			emit(key(rec), rec)
		})
	})
}

func mapped[T, K, V any](in Records[T], n *node, attach func(r *run, emit Emit[K, V])) Pairs[K, V] {
	return Pairs[K, V]{p: in.p, n: n, branches: []branch[K, V]{{in.n.root, in.n, attach}}}
}

// taken notes that something takes the pairs. From the second time on, their functions
// are attached again to the records that they come from: see Records.attach.
func (a Pairs[K, V]) taken() {
	if a.n.taken++; a.n.taken == 1 {
		return
	}
	for _, b := range a.branches {
		b.from.used++
	}
}

// Combine folds values of equal keys before the shuffle, where that saves
// something, for the Reduce or ReduceBy that follows. fold must be associative
// and commutative. It may change and return a, but must not change b.
func (a Pairs[K, V]) Combine(fold func(a, b V) V) Pairs[K, V] {
	if a.fold != nil {
		a.p.fail("Combine: the pairs have a combiner already")
	}
	a.taken()
	a.n = a.p.add("Combine", a.p.symbol("Combine", fold), "", a.n)
	a.fold = fold
	return a
}

// Partition sends a pair to partition f(key, n) of n. Without it, the hash of
// the key decides. f must depend on its arguments alone; before a ReduceBy,
// only on the Key of the By.
func (a Pairs[K, V]) Partition(f func(key K, n int) int) Pairs[K, V] {
	if a.partition != nil {
		a.p.fail("Partition: the pairs have a Partition already")
	}
	a.taken()
	a.n = a.p.add("Partition", a.p.symbol("Partition", f), "", a.n)
	a.partition = f
	return a
}

// Merge joins the pairs of a and b: several inputs, one reduce.
func (a Pairs[K, V]) Merge(b Pairs[K, V]) Pairs[K, V] {
	if a.partition != nil || a.fold != nil || b.partition != nil || b.fold != nil {
		a.p.fail("Merge of pairs that have a Combine or Partition: call these after Merge, for all pairs alike")
	}
	a.taken()
	b.taken()
	return Pairs[K, V]{
		p:        a.p,
		n:        a.p.add("Merge", "", "", a.n, b.n),
		branches: append(append([]branch[K, V](nil), a.branches...), b.branches...),
	}
}

// exchange is a shuffle under construction. Pairs of K and V go in, K and W
// come out. W is V, or the accumulator of an Aggregate.
type exchange[K, V, W any] struct {
	in    Pairs[K, V]
	n     *node
	key   codec.Key[K]
	value codec.Value[W]
	group func(key []byte) []byte // leading part by which pairs are grouped; nil: all of it
}

// newExchange adds a shuffle to the pipeline. ok is false when the types cannot
// be shuffled, which is an error of the pipeline.
func newExchange[K, V, W any](in Pairs[K, V], kind, detail, result string) (e exchange[K, V, W], ok bool) {
	e.in = in
	in.taken()
	e.n = in.p.add(kind, detail, "", in.n)
	e.n.root = e.n
	e.n.shuffle = &shuffleRole{}
	var keyErr, valueErr error
	e.key, keyErr = codec.KeyOf[K]()
	e.value, valueErr = codec.ValueOf[W]()
	for _, err := range []error{keyErr, valueErr} {
		if err != nil {
			in.p.fail("%s: %w", e.n.stage(), err)
		}
	}
	e.n.shuffle.exchange.SampledBy = plan.None
	for _, b := range in.branches {
		if !slices.Contains(e.n.shuffle.roots, b.root) {
			e.n.shuffle.roots = append(e.n.shuffle.roots, b.root)
		}
	}
	if keyErr != nil || valueErr != nil {
		return e, false
	}
	e.n.types = fmt.Sprintf("%s as %s to %s as %s, then %s", typeName[K](), e.key.Name(), typeName[W](), e.value.Name(), result)
	e.n.shuffle.exchange.Layout = layoutOf(e.key, e.value)
	return e, true
}

// emitted sets how a task takes pairs: emitter is called once per task.
func (e *exchange[K, V, W]) emitted(emitter func(r *run) Emit[K, V]) {
	branches := e.in.branches
	e.n.shuffle.mapSide = func(r *run, root *node) {
		emit := emitter(r)
		for _, b := range branches {
			if b.root == root {
				b.attach(r, emit)
			}
		}
	}
}
