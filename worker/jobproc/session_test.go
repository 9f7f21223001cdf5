package jobproc

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/plan"
)

// frame returns the frame of a message.
func frame(t testing.TB, k kind, message any) []byte {
	t.Helper()
	b, err := msgpack.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return raw(k, uint32(len(b)), b)
}

func raw(k kind, length uint32, payload []byte) []byte {
	return append(append(binary.BigEndian.AppendUint32(nil, length), byte(k)), payload...)
}

// peer sends bytes to a worker, and discards what the worker sends. It closes
// the connection after them.
func peer(t testing.TB, says ...[]byte) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{}, 2)
	go func() {
		_, _ = io.Copy(io.Discard, theirs)
		done <- struct{}{}
	}()
	go func() {
		for _, b := range says {
			_, _ = theirs.Write(b)
		}
		_ = theirs.Close()
		done <- struct{}{}
	}()
	t.Cleanup(func() {
		_ = ours.Close()
		<-done
		<-done
	})
	return ours
}

type host struct {
	granted chan struct{} // nil: never
	bytes   int64
}

var _ Host = (*host)(nil)

func (h *host) Grant(ctx context.Context) ([]plan.AttemptID, error) {
	select {
	case <-h.granted:
		return []plan.AttemptID{own}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (h *host) Progress(bytes, _ int64) { h.bytes = bytes }

var (
	own   = plan.AttemptID{Epoch: 1, N: 2, Rand: 3}
	other = plan.AttemptID{Epoch: 1, N: 3, Rand: 3}
)

// arrayOf returns an array that claims a length.
func arrayOf(n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{0xdd}, n) }

// TestHostileProcess verifies that whatever a process sends, the worker
// continues soon, with an error that says what is wrong, and without allocating
// memory for data that is not there.
func TestHostileProcess(t *testing.T) {
	t.Parallel()
	good := frame(t, kindReady, ready{Version: Version, Plan: "p", Description: someJob()})
	sums := append([]byte{0x81, 0xa4}, "Sums"...)
	found := append([]byte{0x81, 0xa8}, "Sections"...)
	for name, c := range map[string]struct {
		says  [][]byte
		words string
	}{
		"nothing":             {nil, "closed its connection"},
		"half a head":         {[][]byte{{0, 0}}, "closed its connection"},
		"half a frame":        {[][]byte{raw(kindReady, 100, []byte("abc"))}, "closed its connection"},
		"unknown kind":        {[][]byte{raw(99, 0, nil)}, "unknown kind 99"},
		"the worker's kind":   {[][]byte{frame(t, kindHello, Hello{})}, "which is not expected"},
		"4 GiB":               {[][]byte{raw(kindReady, 1<<32-1, nil)}, "at most"},
		"no message":          {[][]byte{raw(kindReady, 3, []byte{0xc1, 0xc1, 0xc1})}, "cannot be read"},
		"too many bytes":      {[][]byte{raw(kindRefused, 3, []byte{0x80, 0x80, 0x80})}, "2 bytes follow it"},
		"other version":       {[][]byte{frame(t, kindReady, ready{Version: 9, Plan: "p"})}, "version 9"},
		"other plan":          {[][]byte{frame(t, kindReady, ready{Version: Version, Plan: "q"})}, "another plan"},
		"refusal":             {[][]byte{frame(t, kindRefused, refused{"no such job"})}, "no such job"},
		"gone after ready":    {[][]byte{good}, "closed its connection"},
		"ready twice":         {[][]byte{good, good}, "which is not expected"},
		"sums without end":    {[][]byte{good, raw(kindEnded, uint32(len(sums)+5), append(bytes.Clone(sums), arrayOf(1<<32-1)...))}, "ends in the middle"},
		"sums of nothing":     {[][]byte{good, frame(t, kindEnded, Ended{Attempt: own, Winner: own, Sums: make([]plan.SectionSum, 3)})}, "sums of 3 sections of 1"},
		"end of another":      {[][]byte{good, frame(t, kindEnded, Ended{Attempt: other, Winner: other})}, "works on 1.2"},
		"winner not granted":  {[][]byte{good, frame(t, kindEnded, Ended{Attempt: own, Winner: other})}, "not granted"},
		"another's grant":     {[][]byte{good, frame(t, kindAsk, ask{other})}, "another attempt's grant"},
		"grant twice":         {[][]byte{good, frame(t, kindAsk, ask{own}), frame(t, kindAsk, ask{own})}, "or twice"},
		"sections for an end": {[][]byte{good, raw(kindSections, uint32(len(found)+5), append(bytes.Clone(found), arrayOf(1<<31)...))}, "which is not expected"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), peer(t, c.says...), Hello{Plan: "p"}, time.Second)
			if err == nil {
				run := Run{Attempt: own, Splits: []plan.Split{{Sections: make([]plan.Section, 1)}}}
				_, err = s.Run(t.Context(), run, &host{})
				if _, again := s.Run(t.Context(), run, &host{}); again == nil {
					t.Error("it is used again")
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%v does not say %q", err, c.words)
			}
		})
	}
}

// TestSectionsAreBounded verifies that a process cannot return too many
// sections.
func TestSectionsAreBounded(t *testing.T) {
	t.Parallel()
	good := frame(t, kindReady, ready{Version: Version, Plan: "p", Description: someJob()})
	found := append(append([]byte{0x81, 0xa8}, "Sections"...), arrayOf(maxList+1)...)
	found = append(found, bytes.Repeat([]byte{0xc0}, maxList+1)...)
	s, err := Open(t.Context(), peer(t, good, raw(kindSections, uint32(len(found)), found)), Hello{Plan: "p"}, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Cut(t.Context(), 0, plan.Object{}, 1); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Error(err)
	}
}

// TestSilentProcess verifies that the worker waits for a silent process no
// longer than its context allows.
func TestSilentProcess(t *testing.T) {
	t.Parallel()
	boom := errors.New("another was faster")
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(10*time.Millisecond, func() { cancel(boom) })
	if _, err := Open(ctx, ours, Hello{}, time.Hour); !errors.Is(err, boom) {
		t.Errorf("Open: %v", err)
	}

	ours, theirs = net.Pipe()
	defer theirs.Close()
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	go func() { _, _ = theirs.Write(frame(t, kindReady, ready{Version: Version, Description: someJob()})) }()
	s, err := Open(t.Context(), ours, Hello{}, 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithCancelCause(t.Context())
	time.AfterFunc(10*time.Millisecond, func() { cancel(boom) })
	if _, err := s.Run(ctx, Run{}, &host{}); !errors.Is(err, boom) {
		t.Errorf("Run: %v", err)
	}
}

// someJob describes a job that only maps.
func someJob() Description {
	return Description{Outputs: []Output{{}}, Graph: plan.OneShuffle(plan.Counts{})}
}

// FuzzSession verifies that no bytes of a process make the worker wait or
// panic.
func FuzzSession(f *testing.F) {
	good := frame(f, kindReady, ready{Version: Version, Plan: "p", Description: Description{Inputs: []Input{{Name: "a"}}, Outputs: []Output{{}}, Graph: plan.OneShuffle(plan.Counts{})}})
	f.Add(append(bytes.Clone(good), frame(f, kindEnded, Ended{Attempt: own, Winner: own, Sums: make([]plan.SectionSum, 1)})...))
	f.Add(append(bytes.Clone(good), frame(f, kindProgress, progress{1, 2})...))
	f.Add(append(bytes.Clone(good), frame(f, kindAsk, ask{own})...))
	f.Add(append(bytes.Clone(good), frame(f, kindEnded, Ended{Attempt: own, Verdict: &Verdict{Failure: plan.Failure{Text: "no"}, Lost: &LostInput{}}})...))
	f.Add(frame(f, kindRefused, refused{"no"}))
	f.Add(raw(kindReady, 1<<20, arrayOf(1<<31)))
	f.Fuzz(func(t *testing.T, says []byte) {
		s, err := Open(t.Context(), peer(t, says), Hello{Plan: "p"}, time.Second)
		if err != nil {
			return
		}
		h := &host{granted: make(chan struct{})}
		close(h.granted)
		e, err := s.Run(t.Context(), Run{Attempt: own, Splits: []plan.Split{{Sections: make([]plan.Section, 1)}}}, h)
		if err == nil && (e.Attempt != own || len(e.Sums) > 1 || e.Verdict == nil && e.Winner != own) {
			t.Errorf("%+v", e)
		}
	})
}

// TestOtherWorker verifies that a process refuses a worker of another protocol
// version, with a text that the worker can show.
func TestOtherWorker(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	storage, _ := net.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- Main(t.Context(), Config{Storage: storage, Control: theirs, Stdout: io.Discard, Stderr: io.Discard})
	}()
	if _, err := ours.Write(frame(t, kindHello, map[string]any{"Version": 7, "Unknown": true})); err != nil {
		t.Fatal(err)
	}
	l := &link{conn: ours}
	k, payload, err := l.receive()
	if err != nil || k != kindRefused {
		t.Fatalf("kind %d, %v", k, err)
	}
	if err := refusal(payload); !strings.Contains(err.Error(), "the worker version 7") {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
