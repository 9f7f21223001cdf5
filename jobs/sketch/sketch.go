// Package sketch has combiners that answer in bounded memory and with a known
// error: how many different values, which quantiles, which frequent records. An
// exact answer would carry every value through the shuffle; these carry a few
// kilobytes for each key.
//
// Jobs import it. Its types are accumulators, for jobs.Aggregate with other keys
// or several questions at once. Each belongs to one goroutine. The result of
// CountDistinct and Quantiles, and the bytes of Distinct and Numbers, depend only
// on the values: not on their order, nor on how the work is divided. HeavyHitters
// says what it promises instead.
//
// The estimates are of one kind of machine: another architecture may round the
// last digit of a logarithm in another way. Sizes are bytes.
//
// An argument that is out of range makes a constructor panic, which the engine
// reports as an error of the job, before anything runs.
package sketch

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"github.com/windrow-mr/windrow/jobs/internal/encoded"
)

// few is how many values an accumulator keeps as they are, before it becomes a
// sketch. Most keys of most data have few, and a sketch of one value would take
// more memory than a task counts for the value.
const few = 32

// sketched begins the encoding of a sketch; another first byte is a number of
// values.
const sketched = 0xFF

// must panics with an error in an argument of a constructor, or of a function that
// cannot return one. The engine recovers.
func must(err error) {
	if err != nil {
		panic(err) //nolint:forbidigo // see above
	}
}

// hasher returns a function that hashes values of type V by their encoding as keys, or
// as values if they have no order. The common types have functions of their own.
func hasher[V any]() func(v V) uint64 {
	var special any
	var zero V
	switch any(zero).(type) {
	case string:
		special = xxhash.Sum64String
	case []byte:
		special = xxhash.Sum64
	case int64:
		special = func(v int64) uint64 { return hashNumber(uint64(v)) }
	case uint64:
		special = hashNumber
	case int:
		special = func(v int) uint64 { return hashNumber(uint64(v)) }
	}
	if hash, ok := special.(func(V) uint64); ok {
		return hash
	}
	c, err := encoded.Keys[V]()
	if err != nil {
		c, err = encoded.Values[V]()
	}
	must(err)
	return func(v V) (hash uint64) {
		must(c.Lend(v, func(b []byte) { hash = xxhash.Sum64(b) }))
		return hash
	}
}

func hashNumber(v uint64) uint64 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return xxhash.Sum64(b[:])
}
