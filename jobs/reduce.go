package jobs

import (
	"iter"

	"github.com/windrow-mr/windrow/jobs/codec"
)

// Fold reduces the values of a key to one. fold must be associative and
// commutative: it is both combiner and reducer. It may change and return a, and
// keep what a and b point to, but must not change b.
func (a Pairs[K, V]) Fold(fold func(a, b V) V) Records[Pair[K, V]] {
	return Records[Pair[K, V]](folded(pairing[K, V](a), operation{"Fold", a.p.symbol("Fold", fold)}, fold))
}

func folded[K, V any](a pairing[K, V], o operation, fold func(a, b V) V) records[Pair[K, V]] {
	e, ok := newExchange[K, V, V](a, o, typeName[Pair[K, V]]())
	if !ok {
		return records[Pair[K, V]]{p: a.p, n: e.n}
	}
	a.p.refuseCombine(e.n, a.fold != nil)
	return accumulated(e, foldSteps(fold), mergeByFold(fold), e.value)
}

// Aggregate gathers values in an accumulator of another type, on both sides of
// the shuffle. The zero A is the empty accumulator. The result must not depend
// on how values are grouped or in which order they come. add and merge may keep
// what their second argument points to, but must not change it.
func Aggregate[K, V, A any](in Pairs[K, V], add func(acc *A, v V), merge func(acc, other *A)) Records[Pair[K, A]] {
	o := operation{"Aggregate", in.p.symbol("Aggregate", add) + " " + in.p.symbol("Aggregate", merge)}
	return Records[Pair[K, A]](aggregated(pairing[K, V](in), o, add, merge))
}

func aggregated[K, V, A any](in pairing[K, V], o operation, add func(acc *A, v V), merge func(acc, other *A)) records[Pair[K, A]] {
	e, ok := newExchange[K, V, A](in, o, typeName[Pair[K, A]]())
	value, err := codec.ValueOf[V]()
	if err != nil {
		in.p.fail("%s: %w", e.n.stage(), err)
	}
	if !ok || err != nil {
		return records[Pair[K, A]]{p: in.p, n: e.n}
	}
	in.p.refuseCombine(e.n, in.fold != nil)
	return accumulated(e, aggregateSteps(add), merge, value)
}

// accumulated is the common part of Fold and Aggregate.
func accumulated[K, V, A any](e *exchange[K, V, A], do steps[V, A], merge func(acc, other *A), value codec.Value[V]) records[Pair[K, A]] {
	e.emitted(value, func(r *run) Emit[K, V] { return newCombiner(r, e, do, value).emit() })
	e.n.shuffle.exchange.Combiner = combineEncoded(e.n, e.value, merge)
	weigh(e.n, e.key, adviceCombined)
	return records[Pair[K, A]]{e.in.p, e.n, func(r *run, next func(Pair[K, A])) {
		r.drive = func() error { return reduceAccumulated(r, e, merge, next) }
	}}
}

// refuseCombine keeps an error if the pairs of a shuffle have a Combine.
func (p *Pipeline) refuseCombine(n *node, has bool) {
	if has {
		p.fail("%s: Combine is for Reduce and ReduceBy; this combines by itself, or cannot", n.stage())
	}
}

// Reduce calls f once per key, in order of keys within a part. f may range over
// values once, and may break off early. The order of the values is not
// specified.
func Reduce[K, V, O any](in Pairs[K, V], f func(ctx *Context, key K, values iter.Seq[V], emit func(O)) error) Records[O] {
	e, ok := newExchange[K, V, V](pairing[K, V](in), operation{"Reduce", in.p.symbol("Reduce", f)}, typeName[O]())
	if !ok {
		return Records[O]{p: in.p, n: e.n}
	}
	uncombined(e)
	weigh(e.n, e.key, adviceOf(in, adviceReduce))
	return Records[O]{in.p, e.n, func(r *run, next func(O)) {
		r.drive = func() error { return reduceGroups(r, e, f, next) }
	}}
}

// ReduceBy is Reduce with the values of a key in the order of By.Order
// (secondary sort). Values of equal Order are in the order of their encoded bytes,
// so that the result does not depend on how the work is divided. For a string and a
// []byte that is the order of their bytes; for another type it is always the same,
// but has no meaning. Values that are wanted in an order of their own belong in Order.
func ReduceBy[K, S, V, O any](in Pairs[By[K, S], V], f func(ctx *Context, key K, values iter.Seq2[S, V], emit func(O)) error) Records[O] {
	e, ok := newExchange[By[K, S], V, V](pairing[By[K, S], V](in), operation{"ReduceBy", in.p.symbol("ReduceBy", f)}, typeName[O]())
	if !ok {
		return Records[O]{p: in.p, n: e.n}
	}
	group, groupErr := codec.PrefixOf[K]()
	order, orderErr := codec.KeyOf[S]()
	if groupErr != nil || orderErr != nil {
		in.p.fail("%s: the parts of its key have no codec of their own: %v, %v", e.n.stage(), groupErr, orderErr)
		return Records[O]{p: in.p, n: e.n}
	}
	e.group = func(key []byte) []byte { return key[:max(group.Len(key), 0)] }
	e.n.shuffle.exchange.Group = e.group
	e.n.shuffle.exchange.SortValues = true
	uncombined(e)
	weigh(e.n, group, adviceOf(in, adviceReduceBy))
	return Records[O]{in.p, e.n, func(r *run, next func(O)) {
		r.drive = func() error { return reduceOrdered(r, e, group, order, f, next) }
	}}
}

// uncombined sets the map side of a reduce, with the combiner of a Combine if
// there is one.
func uncombined[K, V any](e *exchange[K, V, V]) {
	fold := e.in.fold
	if fold == nil {
		e.emitted(e.value, func(r *run) Emit[K, V] { return newSender(r, e).emit() })
		return
	}
	e.emitted(e.value, func(r *run) Emit[K, V] { return newCombiner(r, e, foldSteps(fold), e.value).emit() })
	e.n.shuffle.exchange.Combiner = combineEncoded(e.n, e.value, mergeByFold(fold))
}

// Sort orders pairs by their keys, over all parts: part 0 holds the least.
// Partitions are ranges that end at sampled keys. Pairs of equal keys are in
// the order of their encoded values.
func (a Pairs[K, V]) Sort() Records[Pair[K, V]] {
	e, ok := newExchange[K, V, V](pairing[K, V](a), operation{kind: "Sort"}, typeName[Pair[K, V]]())
	if !ok {
		return Records[Pair[K, V]]{p: a.p, n: e.n}
	}
	e.in.p.refuseCombine(e.n, e.in.fold != nil)
	if a.partition != nil {
		a.p.fail("Sort chooses its own partitions: leave out Partition")
	}
	e.n.shuffle.exchange.Ranges = true
	e.n.shuffle.exchange.SortValues = true
	uncombined(e)
	weigh(e.n, e.key, adviceSort)
	return Records[Pair[K, V]]{a.p, e.n, func(r *run, next func(Pair[K, V])) {
		r.drive = func() error { return reduceSorted(r, e, next) }
	}}
}
