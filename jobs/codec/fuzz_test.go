package codec

import (
	"bytes"
	"testing"
)

// FuzzDecodeKey verifies that a decoder does not panic on any bytes. A key that
// it accepts is encoded to the same bytes again, so that no key has two
// encodings.
func FuzzDecodeKey(f *testing.F) {
	c, err := KeyOf[event]()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var key event
		if c.Decoder()(b, &key) != nil {
			return
		}
		if again := c.Append(nil, &key); !bytes.Equal(again, b) {
			t.Errorf("%x is decoded as %+v, which is encoded as %x", b, key, again)
		}
		p, err := PrefixOf[event]()
		if err != nil {
			t.Fatal(err)
		}
		if n := p.Len(append(bytes.Clone(b), 1, 2, 3)); n != len(b) {
			t.Errorf("Len of %x is %d", b, n)
		}
	})
}

func FuzzDecodeValue(f *testing.F) {
	c, err := ValueOf[everything]()
	if err != nil {
		f.Fatal(err)
	}
	decode := c.Decoder()
	f.Fuzz(func(t *testing.T, b []byte) {
		var value, again everything
		if decode(b, &value) != nil {
			return
		}
		encoded, err := c.Append(nil, &value)
		if err != nil {
			t.Fatalf("%+v was decoded, but cannot be encoded: %v", value, err)
		}
		if err := decode(encoded, &again); err != nil {
			t.Fatalf("%+v does not come back: %v", value, err)
		}
		second, err := c.Append(nil, &again)
		if err != nil || !bytes.Equal(encoded, second) {
			t.Errorf("%x is decoded and encoded as %x, then as %x, %v", b, encoded, second, err)
		}
	})
}
