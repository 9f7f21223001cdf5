package relay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

var testToken = bytes.Repeat([]byte{7}, TokenSize)

// frame returns a frame as bytes.
func frame(k kind, id uint32, payload []byte) []byte {
	return append(header{length: uint32(len(payload)), id: id, kind: k}.append(nil), payload...)
}

func hello() []byte {
	return frame(kindHello, 0, new(encoder).uint(version).str(string(testToken)).b)
}

// hostileRoots are a root with an object that may be read, and one that may
// not.
func hostileRoots(t testing.TB) (*store.Root, Config) {
	t.Helper()
	root, err := store.Open(t.Context(), "mem://", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"mine/a", "theirs/a"} {
		if err := root.Put(t.Context(), key, bytes.Repeat([]byte(key), 100_000), store.Scratch); err != nil {
			t.Fatal(err)
		}
	}
	return root, Config{
		Token: testToken, Roots: map[string]*store.Root{"r": root},
		Policy: NewPolicy(map[string]Grant{"r": {Scratch: []string{"mine/**"}}}),
	}
}

// untouched checks that only what the policy allows has changed.
func untouched(t testing.TB, root *store.Root) {
	t.Helper()
	for o, err := range root.List(context.Background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(o.Key, "mine/") && o.Key != "theirs/a" {
			t.Errorf("a hostile process made %q", o.Key)
		}
	}
	if got, err := root.Get(context.Background(), "theirs/a", 1<<20); err != nil || !bytes.Equal(got, bytes.Repeat([]byte("theirs/a"), 100_000)) {
		t.Errorf("another's object: %d bytes, %v", len(got), err)
	}
}

// TestBreaches verifies that every breach of the rules ends the connection with
// an error that names it.
func TestBreaches(t *testing.T) {
	t.Parallel()
	name := func() *encoder { return new(encoder).str("r").str("mine/a") }
	begin := frame(kindBegin, 5, name().uint(1).bool(false).int(-1).bool(false).b)
	for what, c := range map[string]struct {
		send []byte
		want string
	}{
		"garbage":             {bytes.Repeat([]byte{0xff, 3}, 100), "unknown kind"},
		"no hello":            {frame(kindStat, 1, name().b), "did not begin with a hello"},
		"wrong token":         {frame(kindHello, 0, new(encoder).uint(version).str(strings.Repeat("x", TokenSize)).b), "token"},
		"other version":       {frame(kindHello, 0, new(encoder).uint(version+1).str(string(testToken)).b), "version 3"},
		"huge control frame":  {append(hello(), header{length: 1<<32 - 1, id: 1, kind: kindStat}.append(nil)...), "4294967295 bytes"},
		"huge data frame":     {append(hello(), header{length: maxData + 1, id: 1, kind: kindData}.append(nil)...), "the limit is"},
		"unknown kind":        {append(hello(), frame(200, 1, nil)...), "unknown kind 200"},
		"the server's kind":   {append(hello(), frame(kindAnswer, 1, nil)...), "not for the serving side"},
		"reserved bytes":      {append(hello(), 0, 0, 0, 0, 1, 0, 0, 0, byte(kindStat), 0, 1, 0), "unknown flags"},
		"a descriptor":        {append(hello(), 0, 0, 0, 0, 1, 0, 0, 0, byte(kindStat), flagFile, 0, 0), "descriptor"},
		"string too long":     {append(hello(), frame(kindStat, 1, new(encoder).uint(1<<40).b)...), "payload"},
		"bytes too many":      {append(hello(), frame(kindStat, 1, append(name().b, 0))...), "payload"},
		"same upload twice":   {append(append(hello(), begin...), begin...), "two"},
		"data over window":    {append(append(hello(), frame(kindBegin, 5, name().uint(1).bool(false).int(10).bool(false).b)...), frame(kindData, 5, make([]byte, 100_000))...), "window"},
		"unknown class":       {append(hello(), frame(kindBegin, 5, name().uint(9).bool(false).int(-1).bool(false).b)...), "class 9"},
		"unopened handle":     {append(hello(), frame(kindClose, 77, nil)...), "77"},
		"ten thousand calls":  {append(hello(), manyRanges()...), "calls in flight"},
		"more credit than it": {append(append(hello(), frame(kindGet, 6, name().b)...), bytes.Repeat(frame(kindCredit, 6, new(encoder).uint(windowSize).b), 4)...), "credit"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			root, cfg := hostileRoots(t)
			ours, theirs := net.Pipe()
			ended := make(chan error, 1)
			go func() { ended <- Serve(t.Context(), ours, cfg) }()
			go func() { _, _ = theirs.Write(c.send) }()
			if what == "more credit than it" {
				go func() { _, _ = io.CopyN(io.Discard, theirs, headerSize+4) }() // the welcome, and no byte of the body
			} else if what != "ten thousand calls" {
				go func() { _, _ = io.Copy(io.Discard, theirs) }()
			} else {
				go func() { _, _ = io.CopyN(io.Discard, theirs, headerSize+3) }()
			}
			select {
			case err := <-ended:
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("ended with %v, want %q in it", err, c.want)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("the connection continues")
			}
			untouched(t, root)
		})
	}
}

// manyRanges asks for the same bytes ten thousand times.
func manyRanges() []byte {
	var b []byte
	for i := range uint32(10_000) {
		b = append(b, frame(kindGet, i+1, new(encoder).str("r").str("mine/a").b)...)
	}
	return b
}

// TestFloodIsBounded verifies that a process that asks for much and reads
// nothing costs little.
func TestFloodIsBounded(t *testing.T) {
	root, cfg := hostileRoots(t)
	cfg.Limits.Memory = 8 << 20
	if err := root.Put(t.Context(), "mine/a", make([]byte, 4<<20), store.Scratch); err != nil {
		t.Fatal(err)
	}
	ours, file, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := Inherited(file)
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	ended := make(chan error, 1)
	go func() { ended <- Serve(t.Context(), ours, cfg) }()
	flood := hello()
	for i := range uint32(100) { // more uploads than it may have
		flood = append(flood, frame(kindBegin, 1000+i, new(encoder).str("r").str("mine/b").uint(1).bool(false).int(-1).bool(false).b)...)
	}
	for i := range uint32(300) { // more calls than it may have, none of which can end unless its answer is read
		flood = append(flood, frame(kindGet, i+1, new(encoder).str("r").str("mine/a").b)...)
	}
	if _, err := theirs.Write(flood); err != nil && !errors.Is(err, net.ErrClosed) {
		// The server may have closed it already.
		t.Logf("flood: %v", err)
	}
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "in flight") {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the connection continues")
	}
	runtime.ReadMemStats(&now)
	if grown := int64(now.Sys) - int64(before.Sys); grown > 100<<20 {
		t.Errorf("the server took %d MiB", grown>>20)
	}
	untouched(t, root)
}

// TestVersionIsReported verifies that a process of another release learns what
// to do.
func TestVersionIsReported(t *testing.T) {
	t.Parallel()
	_, cfg := hostileRoots(t)
	ours, theirs := net.Pipe()
	go func() { _ = Serve(t.Context(), ours, cfg) }()
	go func() {
		_, _ = theirs.Write(frame(kindHello, 0, new(encoder).uint(version+1).str(string(testToken)).b))
	}()
	h, err := newWire(theirs, false).receive()
	if err != nil || h.kind != kindFailed {
		t.Fatalf("%+v, %v", h, err)
	}
	p := make([]byte, h.length)
	if _, err := io.ReadFull(theirs, p); err != nil {
		t.Fatal(err)
	}
	if err := (&decoder{b: p}).failure(); plan.KindOf(err) != plan.Invalid || !strings.Contains(err.Error(), "build the job") {
		t.Errorf("answered: %v", err)
	}
}

// TestReleaseBefore verifies that a process of the release before is answered in its
// version. It opens objects without their size.
func TestReleaseBefore(t *testing.T) {
	t.Parallel()
	root, cfg := hostileRoots(t)
	if err := root.Put(t.Context(), "mine/a", []byte("abc"), store.Durable); err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	go func() { _ = Serve(t.Context(), ours, cfg) }()
	w := newWire(theirs, false)
	go func() {
		_ = w.send(kindHello, 0, new(encoder).uint(2).str(string(testToken)).b)
		_ = w.send(kindOpen, 1, new(encoder).str("r").str("mine/a").str("").bool(false).b)
	}()
	for _, want := range []kind{kindWelcome, kindAnswer} {
		h, err := w.receive()
		if err != nil || h.kind != want {
			t.Fatalf("%+v, %v, want kind %d", h, err, want)
		}
		p, err := w.payload(h)
		if err != nil {
			t.Fatal(err)
		}
		d := decoder{b: p}
		if want == kindWelcome {
			if v := d.uint(); v != 2 {
				t.Errorf("it is welcome in version %d", v)
			}
		} else if ours, o := d.bool(), d.object("mine/a"); !ours || o.Size != 3 || d.end() != nil {
			t.Errorf("opened is %+v (%v), %v", o, ours, d.err)
		}
	}
}

// TestSilence verifies that Serve does not wait for a process that does not say
// hello.
func TestSilence(t *testing.T) {
	t.Parallel()
	_, cfg := hostileRoots(t)
	cfg.Limits.Hello = 10 * time.Millisecond
	ours, theirs := net.Pipe()
	defer theirs.Close()
	if err := Serve(t.Context(), ours, cfg); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("ended with %v", err)
	}
}

// TestHalfUpload verifies that an object is not made if some of its bytes did
// not arrive.
func TestHalfUpload(t *testing.T) {
	t.Parallel()
	root, cfg := hostileRoots(t)
	ours, theirs := net.Pipe()
	go func() { _ = Serve(t.Context(), ours, cfg) }()
	send := hello()
	send = append(send, frame(kindBegin, 1, new(encoder).str("r").str("mine/b").uint(0).bool(false).int(-1).bool(false).b)...)
	send = append(send, frame(kindData, 1, []byte("false"))...)
	send = append(send, frame(kindCommit, 2, new(encoder).uint(1).int(6).b)...)
	go func() { _, _ = theirs.Write(send) }()
	for in := newWire(theirs, false); ; {
		h, err := in.receive()
		if err != nil {
			t.Fatal(err)
		}
		p, err := in.payload(h)
		if err != nil {
			t.Fatal(err)
		}
		if h.id != 2 {
			continue
		}
		if err := (&decoder{b: p}).failure(); h.kind != kindFailed || plan.KindOf(err) != plan.Corrupt {
			t.Errorf("answer %+v, %v", h, err)
		}
		break
	}
	_ = theirs.Close()
	if _, err := root.Stat(t.Context(), "mine/b"); plan.KindOf(err) != plan.NotFound {
		t.Errorf("it was made: %v", err)
	}
}

// FuzzServe sends a server what a process that knows the token may send. The
// server must end, and change nothing that the policy does not allow.
func FuzzServe(f *testing.F) {
	key := func(k string) *encoder { return new(encoder).str("r").str(k) }
	for _, k := range []string{"mine/a", "theirs/a", "mine/../theirs/a", "/theirs/a", ""} {
		begin := frame(kindBegin, 1, key(k).uint(0).bool(false).int(-1).bool(false).b)
		f.Add(append(append(append(begin, frame(kindData, 1, []byte("false"))...),
			frame(kindCommit, 2, new(encoder).uint(1).int(5).b)...), frame(kindAbort, 3, new(encoder).uint(1).b)...))
		f.Add(append(frame(kindOpen, 1, key(k).str("").bool(true).b), frame(kindRange, 2, new(encoder).uint(1).int(3).int(-1).b)...))
		f.Add(append(frame(kindDelete, 1, key(k).b), frame(kindGet, 2, key(k).b)...))
	}
	f.Add(append(frame(kindCancel, 9, nil), frame(kindCredit, 9, new(encoder).uint(1).b)...))
	f.Fuzz(func(t *testing.T, sent []byte) {
		root, cfg := hostileRoots(t)
		ours, theirs := net.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- Serve(t.Context(), ours, cfg) }()
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		_, _ = theirs.Write(append(hello(), sent...))
		_ = theirs.Close()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Fatal("the connection continues")
		}
		untouched(t, root)
	})
}

// FuzzHeader verifies that a header that is accepted is one, and within its
// bounds.
func FuzzHeader(f *testing.F) {
	f.Add(frame(kindData, 7, make([]byte, 10))[:headerSize])
	f.Add(bytes.Repeat([]byte{0xff}, headerSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != headerSize {
			return
		}
		h, err := parseHeader((*[headerSize]byte)(b))
		if err != nil {
			return
		}
		if h.length > maxData || h.kind != kindData && h.length > maxControl {
			t.Errorf("%+v is over the limit", h)
		}
		again := h.append(nil)
		again[9] = b[9]
		if !bytes.Equal(again, b) {
			t.Errorf("%x became %x", b, again)
		}
	})
}

// TestErrorsTravel verifies that kinds and causes arrive. Operation and object,
// which the asking root knows, do not, and a text has its limit.
func TestErrorsTravel(t *testing.T) {
	t.Parallel()
	for k := plan.Unknown; k <= plan.Interrupted; k++ {
		sent := &store.Error{Op: "get", URL: "s3://bucket/key", Kind: k, Err: errors.New("the cause")}
		got := (&decoder{b: new(encoder).failure(sent).b}).failure()
		if plan.KindOf(got) != k || got.Error() != "the cause" {
			t.Errorf("%v became %v, %q", sent, plan.KindOf(got), got.Error())
		}
	}
	long := (&decoder{b: new(encoder).failure(errors.New(strings.Repeat("ü", 100_000))).b}).failure()
	if n := len(long.Error()); n > maxText+10 || n < maxText-10 {
		t.Errorf("a long text has %d bytes", n)
	}
	if err := (&decoder{b: []byte{99, 1, 'x'}}).failure(); plan.KindOf(err) != plan.Unavailable {
		t.Errorf("an unknown kind: %v", err)
	}
}
