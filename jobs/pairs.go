package jobs

import (
	"slices"

	"github.com/windrow-mr/windrow/jobs/codec"
	"github.com/windrow-mr/windrow/jobs/pipeline"
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

// pairing is Pairs for the functions of this package, as records is Records.
type pairing[K, V any] Pairs[K, V]

// branch is one way in which pairs are made from records.
type branch[K, V any] struct {
	root   *node // the Read or shuffle that the records come from
	from   *node // of the records that attach attaches to
	attach func(r *run, emit Emit[K, V])
}

// Map maps each record to any number of pairs. An error or panic of f becomes a
// RecordError with object, offset and stack.
func Map[T, K, V any](in Records[T], f func(ctx *Context, rec T, emit Emit[K, V]) error) Pairs[K, V] {
	o := operation{"Map", in.p.symbol("Map", f)}
	return Pairs[K, V](mapped(records[T](in), o, typeName[K]()+" to "+typeName[V](), f))
}

func mapped[T, K, V any](in records[T], o operation, types string, f func(ctx *Context, rec T, emit Emit[K, V]) error) pairing[K, V] {
	n := in.p.add(o.kind, o.detail, types, in.n)
	return branched(in, n, func(r *run, emit Emit[K, V]) {
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
	return Pairs[K, T](branched(records[T](in), n, func(r *run, emit Emit[K, T]) {
		ctx := r.ctx
		in.attach(r, func(rec T) {
			ctx.node = n
			emit(key(rec), rec)
		})
	}))
}

// branched are pairs that are made from records in one way.
func branched[T, K, V any](in records[T], n *node, attach func(r *run, emit Emit[K, V])) pairing[K, V] {
	return pairing[K, V]{p: in.p, n: n, branches: []branch[K, V]{{in.n.root, in.n, attach}}}
}

func (a Pairs[K, V]) taken() { pairing[K, V](a).taken() }

// taken notes that something takes the pairs. From the second time on, their functions
// are attached again to the records that they come from: see Records.attach.
func (a pairing[K, V]) taken() {
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
	in    pairing[K, V]
	n     *node
	key   codec.Key[K]
	value codec.Value[W]
	group func(key []byte) []byte // leading part by which pairs are grouped; nil: all of it
}

// newExchange adds a shuffle to the pipeline. ok is false when the types cannot
// be shuffled, which is an error of the pipeline.
func newExchange[K, V, W any](in pairing[K, V], o operation, result string) (e *exchange[K, V, W], ok bool) {
	in.taken()
	e = &exchange[K, V, W]{in: in, n: in.p.addShuffle(o, in.n)}
	for _, b := range in.branches {
		e.n.shuffle.addRoot(b.root)
	}
	var keyErr, valueErr error
	e.key, keyErr = codec.KeyOf[K]()
	e.value, valueErr = codec.ValueOf[W]()
	if in.p.refuse(e.n, keyErr, valueErr) {
		return e, false
	}
	e.n.types = typesOf(typeName[K](), e.key.Name(), typeName[W](), e.value.Name(), result)
	e.n.shuffle.exchange.Layout = layoutOf(e.key, e.value)
	return e, true
}

func typesOf(key, keyCodec, value, valueCodec, result string) string {
	return key + " as " + keyCodec + " to " + value + " as " + valueCodec + ", then " + result
}

// addShuffle appends a node that begins with a shuffle.
func (p *Pipeline) addShuffle(o operation, from ...*node) *node {
	n := p.add(o.kind, o.detail, "", from...)
	n.root = n
	n.shuffle = &shuffleRole{exchange: pipeline.Exchange{SampledBy: plan.None}}
	return n
}

//go:noinline
func (s *shuffleRole) addRoot(root *node) {
	if !slices.Contains(s.roots, root) {
		s.roots = append(s.roots, root)
	}
}

// refuse keeps errors about the types of a node, and reports whether there are any.
func (p *Pipeline) refuse(n *node, errs ...error) bool {
	refused := false
	for _, err := range errs {
		if err != nil {
			p.fail("%s: %w", n.stage(), err)
			refused = true
		}
	}
	return refused
}

// emitted sets how a task takes pairs: emitter is called once per task.
func (e *exchange[K, V, W]) emitted(value codec.Value[V], emitter func(r *run) Emit[K, V]) {
	branches := e.in.branches
	e.n.shuffle.mapSide = func(r *run, root *node) {
		emit := stagedEmit(r, e.key, value, emitter(r))
		for _, b := range branches {
			if b.root == root {
				b.attach(r, emit)
			}
		}
	}
}
