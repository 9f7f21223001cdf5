package jobproc

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// text is a message of one string.
type text struct{ Text string }

// textOf returns a message whose payload has a size.
func textOf(t *testing.T, size int) text {
	t.Helper()
	empty, err := msgpack.Marshal(text{})
	if err != nil {
		t.Fatal(err)
	}
	const longer = 4 // bytes of the length of a long string, beside that of an empty one
	m := text{strings.Repeat("x", size-len(empty)-longer)}
	if b, err := msgpack.Marshal(m); err != nil || len(b) != size {
		t.Fatalf("the payload has %d bytes, want %d (%v)", len(b), size, err)
	}
	return m
}

// links returns both ends of a connection.
func links(t *testing.T) (a, b *link) {
	t.Helper()
	one, two := net.Pipe()
	t.Cleanup(func() {
		_ = one.Close()
		_ = two.Close()
	})
	return &link{conn: one}, &link{conn: two}
}

// TestFrames verifies that a frame of every kind arrives as it was sent, also when
// several goroutines send at the same time.
func TestFrames(t *testing.T) {
	t.Parallel()
	a, b := links(t)
	for k := kindHello; k <= kindEnded; k++ {
		go func() {
			if err := a.send(k, text{strings.Repeat("x", 1000+int(k))}); err != nil {
				t.Errorf("send a frame of kind %d: %v", k, err)
			}
		}()
	}
	seen := make(map[kind]bool)
	for range kindEnded {
		k, payload, err := b.receive()
		if err != nil {
			t.Fatal(err)
		}
		var got text
		if err := decode(payload, &got); err != nil || len(got.Text) != 1000+int(k) || seen[k] {
			t.Errorf("a frame of kind %d has a text of %d bytes (%v), seen before: %v", k, len(got.Text), err, seen[k])
		}
		seen[k] = true
	}
}

// TestSenderBoundsFrames verifies that a message of the greatest size is sent, and
// that nothing is sent of a longer one, so that the connection still works.
func TestSenderBoundsFrames(t *testing.T) {
	t.Parallel()
	a, b := links(t)
	long := a.send(kindAsk, textOf(t, limits[kindAsk]+1))
	if _, ok := errors.AsType[*tooLong](long); !ok || !strings.Contains(long.Error(), "1048577 bytes is too long: at most 1048576") {
		t.Errorf("one byte too many: %v", long)
	}
	go func() {
		if err := a.send(kindAsk, textOf(t, limits[kindAsk])); err != nil {
			t.Errorf("the greatest size: %v", err)
		}
	}()
	k, payload, err := b.receive()
	if err != nil || k != kindAsk || len(payload) != limits[kindAsk] {
		t.Errorf("%d bytes of kind %d arrive (%v)", len(payload), k, err)
	}
}

// TestReceiverBoundsFrames verifies, for every kind, that a frame which announces more
// than is allowed is refused by its head alone.
func TestReceiverBoundsFrames(t *testing.T) {
	t.Parallel()
	for k := kindHello; k <= kindEnded; k++ {
		for _, extra := range []int{0, 1} {
			a, b := links(t)
			go func() {
				_, _ = a.conn.Write(raw(k, uint32(limits[k]+extra), nil))
				_ = a.conn.Close()
			}()
			_, _, err := b.receive()
			if extra == 0 && !errors.Is(err, io.ErrUnexpectedEOF) || extra == 1 && (err == nil || !strings.Contains(err.Error(), "at most")) {
				t.Errorf("a frame of kind %d with %d bytes more than allowed: %v", k, extra, err)
			}
		}
	}
	a, b := links(t)
	go func() { _, _ = a.conn.Write(raw(0, 0, nil)) }()
	if _, _, err := b.receive(); err == nil || !strings.Contains(err.Error(), "unknown kind 0") {
		t.Errorf("a frame without a kind: %v", err)
	}
}

// TestLists verifies that a list in a message may be as long as the messages of a job
// need, and that one that announces more is refused before room is made for it.
func TestLists(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		payload []byte
		length  int
		words   string // of the error; "": none
	}{
		"none":        {[]byte{0xc0}, 0, ""},
		"empty":       {[]byte{0x90}, 0, ""},
		"three":       {[]byte{0x93, 1, 2, 3}, 3, ""},
		"most":        {append(arrayOf(maxList), bytes.Repeat([]byte{1}, maxList)...), maxList, ""},
		"too many":    {append(arrayOf(maxList+1), bytes.Repeat([]byte{1}, maxList+1)...), 0, "a list of 262145, and at most 262144"},
		"fewer":       {append(arrayOf(3), 1, 2), 2, "ends in the middle"},
		"not numbers": {[]byte{0x91, 0xa1, 'x'}, 0, "cannot be read"},
		"no list":     {[]byte{1}, 0, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := list[int]{9, 9}
			err := decode(tt.payload, &got)
			switch {
			case tt.words == "" && (err != nil || len(got) != tt.length):
				t.Errorf("a list of %d (%v), want %d", len(got), err, tt.length)
			case tt.words != "" && (err == nil || !strings.Contains(err.Error(), tt.words)):
				t.Errorf("%v does not contain %q", err, tt.words)
			}
		})
	}
}

// TestNestedLists verifies that a message of lists in lists is refused. The decoder
// calls itself for each, and a stack that overflows ends the process, which is a
// worker with all its jobs.
func TestNestedLists(t *testing.T) {
	t.Parallel()
	payload := bytes.Repeat([]byte{0x91}, most-1)
	for _, message := range []any{new(ready), new(sections), new(Ended), new(any), new(Hello)} {
		if err := decode(append(payload, 0xc0), message); err == nil || !strings.Contains(err.Error(), "nested") {
			t.Errorf("%T: %v", message, err)
		}
	}
}

// TestLongTexts verifies that the text of a failure fits a frame, however long it is.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	if got := shorten("short"); got != "short" {
		t.Errorf("a short text becomes %q", got)
	}
	got := shorten(strings.Repeat("x", limits[kindRefused]))
	if len(got) > limits[kindRefused]/2 || !strings.HasSuffix(got, "x…") {
		t.Errorf("a long text becomes one of %d bytes that ends in %q", len(got), got[len(got)-5:])
	}
}
