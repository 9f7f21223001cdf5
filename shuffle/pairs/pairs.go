// Package pairs holds encoded key/value pairs on their way from a job's
// functions to the shuffle, and back.
//
// Package jobs appends to a Collector and reads from a Source. Package shuffle
// sorts, spills and merges the pairs between them. Keys are compared as bytes.
// Nothing here is safe for concurrent use: each value belongs to one attempt.
//
// It is part of the engine, and may change between minor versions.
package pairs

// Layout says how pairs are laid out: the width in bytes of every key and
// every value, or 0 where it varies.
type Layout struct{ Key, Value int }

// Source is a stream of pairs in order of keys.
type Source interface {
	// Next returns the next pair. ok is false at the end and after an error.
	// The slices are valid until the next call.
	Next() (key, value []byte, ok bool)
	// Err returns the error that ended the stream, nil at its end.
	Err() error
}

// Combiner folds the values of one key, in encoded form. Reset comes before a
// key's first value. AppendTo appends the folded value to dst.
type Combiner interface {
	Reset()
	Add(value []byte) error
	AppendTo(dst []byte) ([]byte, error)
}
