package jobproc_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/relay"
	"github.com/windrow-mr/windrow/worker/jobproc"
)

type none struct{}

// halves divides objects in halves; there are objects that it cannot divide.
type halves struct{}

func (halves) Scan(_ *jobs.Context, s *jobs.Section, yield func([]byte) error) error {
	return yield([]byte(s.Object.Name))
}

func (halves) Split(o jobs.Object, _ int64) ([]jobs.Section, error) {
	switch o.Size {
	case 13:
		return nil, errors.New("thirteen cannot be halved")
	case 17:
		panic("seventeen")
	}
	return []jobs.Section{{Object: o, Length: o.Size / 2}, {Object: o, Offset: o.Size / 2, Length: o.Size - o.Size/2}}, nil
}

// maker makes its input.
type maker struct{ halves }

func (maker) Generate(slots int) ([]jobs.Section, error) {
	return make([]jobs.Section, slots), nil
}

func testJobs() []*jobs.Job {
	return []*jobs.Job{
		jobs.New("words", func(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
			if string(line) == "wait" {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			emit(line, 1)
			return nil
		}, jobs.Sum[int64]),
		jobs.Define("halves", none{}, func(p *jobs.Pipeline, _ none) error {
			jobs.Read(p, halves{}).Write(text.Lines{})
			return nil
		}),
		jobs.Define("maker", none{}, func(p *jobs.Pipeline, _ none) error {
			jobs.Read(p, maker{}).Write(text.Lines{})
			return nil
		}),
	}
}

// output collects the output of a process.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// start starts Main in this process, and opens a session with it.
func start(t *testing.T, name string, root *store.Root) (*jobproc.Session, *output) {
	t.Helper()
	h := jobproc.Hello{Job: name}
	for _, j := range testJobs() {
		if j.Name() == name {
			p, err := j.Build(nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			h.Plan = p.Text
		}
	}
	storage, storageFile, err := relay.Pair()
	if err != nil {
		t.Fatal(err)
	}
	control, controlFile, err := relay.Pair()
	if err != nil {
		t.Fatal(err)
	}
	theirStorage, err := relay.Inherited(storageFile)
	if err != nil {
		t.Fatal(err)
	}
	theirControl, err := relay.Inherited(controlFile)
	if err != nil {
		t.Fatal(err)
	}
	h.Token = bytes.Repeat([]byte("t"), relay.TokenSize)
	var both sync.WaitGroup
	both.Go(func() {
		all := relay.Grant{Scratch: []string{"**"}}
		_ = relay.Serve(context.Background(), storage, relay.Config{Token: h.Token,
			Roots:  map[string]*store.Root{jobproc.ScratchRoot: root.Sub("s"), jobproc.OutputRoot: root.Sub("o"), jobproc.InputRoot + "mem://in": root},
			Policy: relay.NewPolicy(map[string]relay.Grant{jobproc.ScratchRoot: all, jobproc.OutputRoot: all, jobproc.InputRoot + "mem://in": all})})
	})
	out := new(output)
	both.Go(func() {
		if err := jobproc.Main(context.Background(), jobproc.Config{Jobs: testJobs(), Storage: theirStorage, Control: theirControl, Stdout: out, Stderr: out}); err != nil {
			t.Errorf("Main: %v", err)
		}
	})
	s, err := jobproc.Open(t.Context(), control, h, 5*time.Second)
	t.Cleanup(func() {
		_ = control.Close()
		both.Wait()
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, out
}

func memory(t *testing.T) *store.Root {
	t.Helper()
	root, err := store.Open(t.Context(), "mem://", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// TestOwnFunctions verifies that a worker can ask for sections by the job's own
// functions, and that the process reports their errors and continues.
func TestOwnFunctions(t *testing.T) {
	t.Parallel()
	s, out := start(t, "halves", memory(t))
	if in := s.Plan().Inputs; len(in) != 1 || !in[0].Cut || in[0].Generate || len(s.Plan().Graph.Exchanges) > 0 {
		t.Errorf("described as %+v", s.Plan())
	}
	object := plan.Object{Root: "mem://in", Key: "a", Size: 13}
	for _, c := range []struct {
		size  int64
		words string
	}{{13, "thirteen cannot"}, {17, "panicked: seventeen"}} {
		object.Size = c.size
		_, err := s.Cut(t.Context(), 0, object, 4)
		if _, ok := errors.AsType[*jobproc.Refusal](err); !ok || !strings.Contains(err.Error(), c.words) {
			t.Errorf("of %d bytes: %v", c.size, err)
		}
	}
	if !strings.Contains(out.String(), "halves.Split") {
		t.Errorf("the stack is not printed: %s", out)
	}
	object.Size = 9
	got, err := s.Cut(t.Context(), 0, object, 4)
	want := []plan.Section{{Object: object, Length: 4}, {Object: object, Offset: 4, Length: 5}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := s.Generate(t.Context(), 0, 3); err == nil || !strings.Contains(err.Error(), "no such function") {
		t.Errorf("it generates: %v", err)
	}

	s, _ = start(t, "maker", memory(t))
	if got, err := s.Generate(t.Context(), 0, 3); err != nil || len(got) != 3 || !s.Plan().Inputs[0].Generate {
		t.Errorf("%v, %v", got, err)
	}
}

// TestStop verifies that a stopped attempt says so, and that its process works
// on the next one.
func TestStop(t *testing.T) {
	t.Parallel()
	root := memory(t)
	for key, body := range map[string]string{"wait": "wait\n", "go": "hay\n"} {
		if err := root.Put(t.Context(), key, []byte(body), store.Scratch); err != nil {
			t.Fatal(err)
		}
	}
	s, out := start(t, "words", root)
	attempt := func(n uint32, key string, size int64) jobproc.Run {
		object := plan.Object{Root: "mem://in", Key: key, Size: size}
		return jobproc.Run{Job: "01ARZ3NDEKTSV4RRFFQ69G5FAV", Task: plan.TaskID{Phase: plan.Map}, Attempt: plan.AttemptID{Epoch: 1, N: n},
			Splits: []plan.Split{{Sections: []plan.Section{{Object: object, Length: size}}}}, Marker: "the end\n",
			Work:  plan.Work{Writes: []plan.Write{{Partitions: 1}}},
			Facts: jobproc.Facts{Budget: 32 << 20, Share: 32 << 20}}
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	e, err := s.Run(ctx, attempt(1, "wait", 5), refusing{})
	if err != nil || e.Verdict == nil || !e.Verdict.Stopped {
		t.Fatalf("%+v, %v", e, err)
	}
	for n := range uint32(3) {
		e, err = s.Run(t.Context(), attempt(2+n, "go", 4), refusing{})
		if err != nil || e.Verdict != nil || e.Digest.In != 1 || e.Winner.N != 2+n {
			t.Fatalf("%+v, %v", e, err)
		}
	}
	if n := strings.Count(out.String(), "the end\n"); n != 8 {
		t.Errorf("%d markers were printed on two outputs: %s", n, out)
	}
	// The last one is under way when the worker closes the connection: Main
	// ends, see start.
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	time.AfterFunc(100*time.Millisecond, func() { _ = s.Close() })
	if _, err := s.Run(ctx, attempt(9, "wait", 5), refusing{}); err == nil {
		t.Error("it ended")
	}
}

// refusing grants nothing.
type refusing struct{}

func (refusing) Grant(ctx context.Context) ([]plan.AttemptID, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (refusing) Progress(int64, int64) {}
