package jobs

import (
	"cmp"

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
// values, so its last digits differ from run to run.
func Sum[N Number](a, b N) N { return a + b }

// Max is the fold that keeps the greatest value.
func Max[T cmp.Ordered](a, b T) T { return max(a, b) }

// Min is the fold that keeps the least value.
func Min[T cmp.Ordered](a, b T) T { return min(a, b) }
