package packed_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/plan/packed"
)

// TestCheck verifies that values of every form are valid, and that values that
// are cut off or followed by more are not.
func TestCheck(t *testing.T) {
	t.Parallel()
	for _, v := range []any{
		nil, true, 0, -1, -33, 127, 128, 255, 256, 1 << 16, 1 << 32, int64(-1 << 40), float32(1), 2.5, uint64(1<<64 - 1),
		"", "text", string(make([]byte, 40)), string(make([]byte, 300)), string(make([]byte, 70_000)), []byte{}, make([]byte, 300), make([]byte, 70_000),
		[]int{}, make([]int, 15), make([]int, 16), make([]string, 70_000), map[string]int{}, map[string]any{"a": []any{1, map[string]string{"b": "c"}}},
		slices.Repeat([]map[int8]int8{{1: 2}}, 100), time.Unix(1, 2), time.Unix(1<<40, 2), struct{ A, B any }{1, []any{nil}},
	} {
		b, err := msgpack.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := packed.Check(b); err != nil {
			t.Errorf("%T of %d bytes: %v", v, len(b), err)
		}
		if err := packed.Check(b[:len(b)-1]); err == nil {
			t.Errorf("%T of %d bytes: a missing last byte is accepted", v, len(b))
		}
		if err := packed.Check(append(b, 0)); err == nil {
			t.Errorf("%T of %d bytes: a byte that follows is accepted", v, len(b))
		}
	}
}

// TestBombs verifies that small values that would take all memory or stack are
// errors.
func TestBombs(t *testing.T) {
	t.Parallel()
	deep := bytes.Repeat([]byte{0x91}, packed.MostNested)
	for name, b := range map[string][]byte{
		"a list of 4 G":       {0xdd, 0xff, 0xff, 0xff, 0xff},
		"a map of 4 G":        {0xdf, 0xff, 0xff, 0xff, 0xff},
		"a text of 4 G":       {0xdb, 0xff, 0xff, 0xff, 0xff},
		"a list in a map":     {0x81, 0x01, 0xdd, 0x00, 0x00, 0x00, 0x02, 0x01},
		"a list too short":    append([]byte{0xdc, 0x01, 0x00}, make([]byte, 255)...),
		"a map without value": {0x81, 0x01},
		"a deep list":         append(append([]byte{0x91}, deep...), 0xc0),
		"a bottomless list":   bytes.Repeat([]byte{0x91}, 1<<20),
		"maps all the way":    bytes.Repeat([]byte{0x81, 0x01}, 1<<20),
	} {
		if packed.Check(b) == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if err := packed.Check(append(deep, 0xc0)); err != nil {
		t.Errorf("at the greatest depth: %v", err)
	}
}

// FuzzCheck verifies that Check accepts exactly the values that the library can
// read to the end, except those nested too deep.
func FuzzCheck(f *testing.F) {
	for _, b := range [][]byte{{0xc0}, {0x91, 0x81, 0xa1, 'x', 0xc3}, {0xc7, 1, 2, 3}, {0xd8}, {0xde, 0, 1, 0xcc, 1, 0xca, 1, 2, 3, 4}, {0xdc, 0, 1, 0xc1}} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rest := bytes.NewReader(b)
		walked := msgpack.NewDecoder(rest).Skip()
		err := packed.Check(b)
		if err == nil && (walked != nil || rest.Len() > 0) {
			t.Errorf("%x is accepted; the library says %v, with %d bytes left", b, walked, rest.Len())
		}
		if err != nil && walked == nil && rest.Len() == 0 && len(b) <= packed.MostNested {
			t.Errorf("%x: %v; the library reads it", b, err)
		}
	})
}
