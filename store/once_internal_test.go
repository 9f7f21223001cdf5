package store

import (
	"bytes"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// TestOnceFrameDamage verifies that every single flipped bit and every cut is
// noticed.
func TestOnceFrameDamage(t *testing.T) {
	t.Parallel()
	body := []byte("the body of a log slot")
	frame := frameOnce(nonce{1, 2, 3}, body)
	for bit := range 8 * len(frame) {
		damaged := bytes.Clone(frame)
		damaged[bit/8] ^= 1 << (bit % 8)
		if _, _, err := parseOnce(damaged); plan.KindOf(err) != plan.Corrupt {
			t.Errorf("bit %d: %v", bit, err)
		}
	}
	for n := range frame {
		if _, _, err := parseOnce(frame[:n]); plan.KindOf(err) != plan.Corrupt {
			t.Errorf("cut to %d: %v", n, err)
		}
	}
	if _, _, err := parseOnce(append(frame, 0)); plan.KindOf(err) != plan.Corrupt {
		t.Errorf("a byte more: %v", err)
	}
	n, got, err := parseOnce(frame)
	if err != nil || n != (nonce{1, 2, 3}) || !bytes.Equal(got, body) {
		t.Errorf("nonce %v, body %q, %v", n, got, err)
	}
}

// FuzzOnceFrame verifies that a frame that parses is framed to the same bytes
// again.
func FuzzOnceFrame(f *testing.F) {
	f.Add(frameOnce(nonce{}, nil))
	f.Add(frameOnce(nonce{9}, []byte("body")))
	f.Add([]byte("WDO1 and not enough"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		n, body, err := parseOnce(frame)
		if err == nil && !bytes.Equal(frameOnce(n, body), frame) {
			t.Errorf("%x parsed as %x and %x", frame, n, body)
		}
	})
}
