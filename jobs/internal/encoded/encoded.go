// Package encoded lends values as their encodings, and back. Packages jobs and
// jobs/sketch call it where a step must carry values of any type in one type.
//
// A loan is valid only during the call of the function that receives it: its
// memory is used again. So nothing is allocated per value. A Codec is safe for
// concurrent use. It fails only where a type's own encoding does.
package encoded

import (
	"bytes"
	"fmt"
	"reflect"
	"sync"
	"unsafe"

	"github.com/windrow-mr/windrow/jobs/codec"
)

// Codec lends values of type T.
type Codec[T any] struct {
	name    string
	append  func(dst []byte, v *T) ([]byte, error)
	decoder func() func(b []byte, v *T) error
	pool    sync.Pool
}

// slot is the memory of one loan.
type slot[T any] struct {
	v, w   T // encoders and decoders take pointers
	a, b   []byte
	decode func(b []byte, v *T) error
}

// Keys returns the codec of keys, or an error that says why T has no order.
// Encodings compare as the keys do.
func Keys[T any]() (*Codec[T], error) {
	key, err := codec.KeyOf[T]()
	if err != nil {
		return nil, err
	}
	return made(key.Name(), func(dst []byte, v *T) ([]byte, error) { return key.Append(dst, v), nil }, key.Decoder), nil
}

// Values returns the codec of values, or an error that says what in T cannot be
// encoded.
func Values[T any]() (*Codec[T], error) {
	value, err := codec.ValueOf[T]()
	if err != nil {
		return nil, err
	}
	return made(value.Name(), value.Append, value.Decoder), nil
}

func made[T any](name string, enc func([]byte, *T) ([]byte, error), decoder func() func([]byte, *T) error) *Codec[T] {
	c := &Codec[T]{name: name, append: enc, decoder: decoder}
	c.pool.New = func() any { return &slot[T]{decode: decoder()} }
	return c
}

// Name names the encoding, for pipeline texts.
func (c *Codec[T]) Name() string { return c.name }

func (c *Codec[T]) put(s *slot[T]) {
	var zero T
	s.v, s.w = zero, zero // not to keep what they point to
	c.pool.Put(s)
}

// Lend calls use with the encoding of v. use must keep no part of b, and must
// not change it.
func (c *Codec[T]) Lend(v T, use func(b []byte)) error {
	s := c.pool.Get().(*slot[T])
	s.v = v
	b, err := c.append(s.a[:0], &s.v)
	if err != nil {
		return failed(reflect.TypeFor[T](), err)
	}
	s.a = b
	use(b)
	c.put(s) // after a panic there is one slot less
	return nil
}

func failed(t reflect.Type, err error) error { return fmt.Errorf("encode a %s: %w", t, err) }

// LendText is Lend with a string. Aggregate takes a string as it is, but copies
// each []byte.
func (c *Codec[T]) LendText(v T, use func(text string)) error {
	return c.Lend(v, func(b []byte) { use(unsafe.String(unsafe.SliceData(b), len(b))) })
}

// View calls use with the value that b encodes. Byte slices in the value are
// borrowed from b, or valid until use returns.
func (c *Codec[T]) View(b []byte, use func(v T)) error {
	s := c.pool.Get().(*slot[T])
	defer c.put(s)
	if err := s.decode(b, &s.v); err != nil {
		return err
	}
	use(s.v)
	return nil
}

// Decoder returns a function that decodes one value whose strings and byte slices
// may be kept, the latter as long as b does not change. One task calls it.
func (c *Codec[T]) Decoder() func(b []byte, v *T) error { return c.decoder() }

// Compare compares the encodings of v and w.
func (c *Codec[T]) Compare(v, w T) (int, error) {
	s := c.pool.Get().(*slot[T])
	defer c.put(s)
	s.v, s.w = v, w
	var err, other error
	s.a, err = c.append(s.a[:0], &s.v)
	s.b, other = c.append(s.b[:0], &s.w)
	if err == nil {
		err = other
	}
	if err != nil {
		return 0, failed(reflect.TypeFor[T](), err)
	}
	return bytes.Compare(s.a, s.b), nil
}
