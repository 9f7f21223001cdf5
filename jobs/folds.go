package jobs

import (
	"cmp"
	"fmt"

	"github.com/windrow-mr/windrow/jobs/codec"
)

// Pair is a key with its reduced value.
type Pair[K, V any] struct {
	Key   K
	Value V
}

// By is a key that groups by Key and orders a group's values by Order; see
// ReduceBy. Write its literals with field names.
type By[K, O any] struct {
	Key   K
	Order O
}

// Desc reverses the order of a key or of a part of one, such as a By's Order.
type Desc[T any] = codec.Desc[T]

// KeyEncoder is a key type with an order of its own. AppendKey appends bytes
// that compare as the keys do, and equal bytes for equal keys.
type KeyEncoder = codec.KeyEncoder

// KeyDecoder is the inverse of KeyEncoder, on the pointer. It must copy what it
// keeps of its argument.
type KeyDecoder = codec.KeyDecoder

// Number is the set of types that Sum adds.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 |
		~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr |
		~float32 | ~float64
}

// Sum is the fold that adds. A sum of floats depends on the order of the
// values, so its last digits differ from run to run. A sum of integers that is
// beyond their type panics with an *OverflowError, which ends the job.
func Sum[N Number](a, b N) N {
	sum := a + b
	if b < 0 && sum > a || b > 0 && sum < a { // never of floats
		overflows(a)
	}
	return sum
}

// overflows panics. It is a function of its own so that Sum is inlined.
func overflows(of any) {
	panic(&OverflowError{Sum: "jobs.Sum", Type: fmt.Sprintf("%T", of)}) //nolint:forbidigo // a fold cannot return an error; the engine recovers
}

// An OverflowError says that a sum is beyond the range of its type. No further
// attempt is made at its task.
type OverflowError struct {
	Sum  string // what was added up: "jobs.Sum", or "the counter" with its name
	Type string // "int64"
}

// Error names the sum, its type, and what helps.
func (e *OverflowError) Error() string {
	return fmt.Sprintf("%s is beyond the range of %s: add up smaller numbers, or numbers of a wider type", e.Sum, e.Type)
}

// Max is the fold that keeps the greatest value.
func Max[T cmp.Ordered](a, b T) T { return max(a, b) }

// Min is the fold that keeps the least value.
func Min[T cmp.Ordered](a, b T) T { return min(a, b) }
