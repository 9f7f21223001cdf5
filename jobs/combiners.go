package jobs

import "github.com/windrow-mr/windrow/jobs/internal/encoded"

// First keeps the least value of each key, by compare, which is as for Top. To
// remove duplicates and keep the oldest of each, give every record its identity
// as the key and compare times. Of values that compare as equal it keeps the one
// that Top puts first.
func (a Pairs[K, V]) First(compare func(a, b V) int) Records[Pair[K, V]] {
	return a.one("First", compare, func(a, b V) int { return compare(b, a) })
}

// Last keeps the greatest value of each key, by compare, which is as for Top. To
// remove duplicates and keep the newest of each, give every record its identity
// as the key and compare times. Of values that compare as equal it keeps the one
// that Top puts first.
func (a Pairs[K, V]) Last(compare func(a, b V) int) Records[Pair[K, V]] {
	return a.one("Last", compare, compare)
}

// one keeps the greatest value of each key by ascending.
func (a Pairs[K, V]) one(kind string, compare, ascending func(a, b V) int) Records[Pair[K, V]] {
	symbol := a.p.symbol(kind, compare)
	order, err := rank(ascending)
	if err != nil || compare == nil {
		if err != nil {
			a.p.fail("%s %s: %w", kind, symbol, err)
		}
		return Records[Pair[K, V]]{p: a.p, n: a.n}
	}
	kept := a.Fold(func(a, b V) V {
		if order(b, a) > 0 {
			return b
		}
		return a
	})
	kept.n.rename(a.p.operation(kind, symbol), "")
	return kept
}

// operation names the nodes of an operation that is made of others, for pipeline
// texts and errors. The functions of these nodes are in this package, so their own
// names say nothing.
type operation struct{ kind, detail, label string }

func (p *Pipeline) operation(kind, detail string) operation {
	return operation{kind, detail, p.label(detail)}
}

// rename gives a node the name of the operation that it is a part of. An empty
// types leaves the node's own.
func (n *node) rename(o operation, types string) {
	n.kind, n.detail, n.label = o.kind, o.detail, o.label
	if types != "" {
		n.types = types
	}
}

// Distinct passes on each different record once, in order within a part. T must
// be a type of keys. Records are the same if they are the same key: see the
// list of types in the manual. A time then is in UTC, and -0 is 0.
func (in Records[T]) Distinct() Records[T] {
	keys, err := encoded.Keys[T]()
	if err != nil {
		in.p.fail("Distinct: %w", err)
		return in
	}
	// Records travel as their encodings: see Top.
	found := Map(in, func(_ *Context, rec T, emit Emit[[]byte, struct{}]) error {
		return keys.Lend(rec, func(b []byte) { emit(b, struct{}{}) })
	})
	found.n.rename(operation{kind: "Distinct"}, typeName[T]()+" as "+keys.Name())
	once := found.Fold(func(a, _ struct{}) struct{} { return a })
	once.n.rename(operation{kind: "Distinct"}, "")
	distinct := FlatMap(once, func(_ *Context, rec Pair[[]byte, struct{}], emit func(T)) error {
		return keys.View(rec.Key, emit)
	})
	distinct.n.rename(operation{kind: "Distinct"}, "")
	return distinct
}

// Count passes on one record, the number of records. If there are none, it
// passes on nothing.
func (in Records[T]) Count() Records[int64] {
	name := operation{kind: "Count"}
	ones := Map(in, func(_ *Context, _ T, emit Emit[struct{}, int64]) error {
		emit(struct{}{}, 1)
		return nil
	})
	ones.n.rename(name, "")
	sum := ones.Fold(Sum[int64])
	sum.n.rename(name, "")
	count := Convert(sum, func(rec Pair[struct{}, int64]) int64 { return rec.Value })
	count.n.rename(name, "")
	return count
}

// CountBy counts the records of each key.
func CountBy[T, K any](in Records[T], key func(rec T) K) Records[Pair[K, int64]] {
	symbol := in.p.symbol("CountBy", key)
	name := in.p.operation("CountBy", symbol)
	ones := Map(in, func(_ *Context, rec T, emit Emit[K, int64]) error {
		emit(key(rec), 1)
		return nil
	})
	ones.n.rename(name, "")
	counts := ones.Fold(Sum[int64])
	counts.n.rename(name, "")
	return counts
}
