package codec

import (
	"reflect"
	"unsafe"
)

// A Slot is a variable that holds keys or values of one type, with their codec. Code that
// keeps encoded keys and values of any type uses slots, and need not be generic. A Slot
// belongs to one goroutine.
type Slot struct {
	key   *keyCodec // one of both
	value *valueCodec
	at    unsafe.Pointer
	of    reflect.Type
	arena arena
}

// KeySlot returns the slot that is a variable. It is no method of the codec: every program
// would have it, for each of its types.
func KeySlot[K any](k Key[K], key *K) *Slot {
	return &Slot{key: k.c, at: unsafe.Pointer(key), of: reflect.TypeFor[K]()}
}

// ValueSlot returns the slot that is a variable.
func ValueSlot[V any](v Value[V], value *V) *Slot {
	return &Slot{value: v.c, at: unsafe.Pointer(value), of: reflect.TypeFor[V]()}
}

// Append appends the encoding of what the slot holds to dst. See Value.Append.
func (s *Slot) Append(dst []byte) ([]byte, error) {
	if s.key != nil {
		return s.key.enc(dst, s.at), nil
	}
	return s.value.enc(dst, s.at)
}

// Decode fills the slot. See Key.Decoder and Value.Decoder, whose functions do the same.
func (s *Slot) Decode(b []byte) (err error) {
	var rest []byte
	what := "value"
	if s.key != nil {
		what, s.arena.scratch = "key", s.arena.scratch[:0]
		rest, err = s.key.dec(&s.arena, b, s.at)
	} else {
		rest, err = s.value.dec(&s.arena, b, s.at)
	}
	if err != nil || len(rest) > 0 {
		return misread(what, b, s.of, err)
	}
	return nil
}
