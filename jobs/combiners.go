package jobs

import "github.com/windrow-mr/windrow/jobs/internal/encoded"

// First keeps the least value of each key, by compare, which is as for Top. To
// remove duplicates and keep the oldest of each, give every record its identity
// as the key and compare times. Of values that compare as equal it keeps the one
// that Top puts first.
func (a Pairs[K, V]) First(compare func(a, b V) int) Records[Pair[K, V]] {
	return Records[Pair[K, V]](greatest(pairing[K, V](a), "First", compare, func(a, b V) int { return compare(b, a) }))
}

// Last keeps the greatest value of each key, by compare, which is as for Top. To
// remove duplicates and keep the newest of each, give every record its identity
// as the key and compare times. Of values that compare as equal it keeps the one
// that Top puts first.
func (a Pairs[K, V]) Last(compare func(a, b V) int) Records[Pair[K, V]] {
	return Records[Pair[K, V]](greatest(pairing[K, V](a), "Last", compare, compare))
}

// greatest keeps the greatest value of each key by ascending.
func greatest[K, V any](a pairing[K, V], kind string, compare, ascending func(a, b V) int) records[Pair[K, V]] {
	symbol := a.p.symbol(kind, compare)
	order, err := rank(ascending)
	if err != nil || compare == nil {
		if err != nil {
			a.p.fail("%s %s: %w", kind, symbol, err)
		}
		return records[Pair[K, V]]{p: a.p, n: a.n}
	}
	return folded(a, operation{kind, symbol}, func(a, b V) V {
		if order(b, a) > 0 {
			return b
		}
		return a
	})
}

// operation names the nodes of an operation, for pipeline texts and errors. Where it is
// made of others, they all have its name: their functions are in this package, so that
// names of their own would say nothing.
type operation struct{ kind, detail string }

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
	o := operation{kind: "Distinct"}
	found := mapped(records[T](in), o, typeName[T]()+" as "+keys.Name(), func(_ *Context, rec T, emit Emit[[]byte, struct{}]) error {
		return keys.Lend(rec, func(b []byte) { emit(b, struct{}{}) })
	})
	once := folded(found, o, func(a, _ struct{}) struct{} { return a })
	return Records[T](flatMapped(once, o, func(_ *Context, rec Pair[[]byte, struct{}], emit func(T)) error {
		return keys.View(rec.Key, emit)
	}))
}

// Count passes on one record, the number of records. If there are none, it
// passes on nothing. As a method it would be in every job's program.
func Count[T any](in Records[T]) Records[int64] {
	o := operation{kind: "Count"}
	ones := mapped(records[T](in), o, typeName[struct{}]()+" to "+typeName[int64](), func(_ *Context, _ T, emit Emit[struct{}, int64]) error {
		emit(struct{}{}, 1)
		return nil
	})
	sum := folded(ones, o, Sum[int64])
	return Records[int64](converted(sum, o, func(rec Pair[struct{}, int64]) int64 { return rec.Value }))
}

// CountBy counts the records of each key.
func CountBy[T, K any](in Records[T], key func(rec T) K) Records[Pair[K, int64]] {
	o := operation{"CountBy", in.p.symbol("CountBy", key)}
	ones := mapped(records[T](in), o, typeName[K]()+" to "+typeName[int64](), func(_ *Context, rec T, emit Emit[K, int64]) error {
		emit(key(rec), 1)
		return nil
	})
	return Records[Pair[K, int64]](folded(ones, o, Sum[int64]))
}
