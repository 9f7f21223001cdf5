package jobproc_test

import (
	"bytes"
	"context"
	"errors"
	"net"
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

const job = plan.JobID("01ARZ3NDEKTSV4RRFFQ69G5FAV")

// upper writes each line in upper case. Some lines are orders.
func upper() *jobs.Job {
	return jobs.Define("upper", none{}, func(p *jobs.Pipeline, _ none) error {
		jobs.FlatMap(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit func([]byte)) error {
			switch string(line) {
			case "panic":
				panic("a bad line")
			case "fail":
				return errors.New("a line that makes no sense")
			}
			emit(bytes.ToUpper(line))
			return nil
		}).Write(text.Lines{})
		return nil
	})
}

// launch starts a process with jobs, and opens a session with it. The change is
// applied to the worker's first message.
func launch(t *testing.T, root *store.Root, change func(*jobproc.Hello), has ...*jobs.Job) (*jobproc.Session, *output, error) {
	t.Helper()
	h := jobproc.Hello{Job: has[0].Name(), Token: bytes.Repeat([]byte("t"), relay.TokenSize)}
	p, err := has[0].Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.Plan = p.Text
	if change != nil {
		change(&h)
	}
	storage, theirStorage := pair(t)
	control, theirControl := pair(t)
	all := relay.Grant{Scratch: []string{"**"}}
	roots := map[string]*store.Root{jobproc.ScratchRoot: root.Sub("s/"), jobproc.OutputRoot: root.Sub("o/"), jobproc.InputRoot + "mem://in": root}
	var both sync.WaitGroup
	both.Go(func() {
		_ = relay.Serve(context.Background(), storage, relay.Config{Token: h.Token, Roots: roots,
			Policy: relay.NewPolicy(map[string]relay.Grant{jobproc.ScratchRoot: all, jobproc.OutputRoot: all, jobproc.InputRoot + "mem://in": all})})
	})
	out := new(output)
	both.Go(func() {
		if err := jobproc.Main(context.Background(), jobproc.Config{Jobs: has, Storage: theirStorage, Control: theirControl, Stdout: out, Stderr: out}); err != nil {
			t.Errorf("Main: %v", err)
		}
	})
	s, err := jobproc.Open(t.Context(), control, h, 5*time.Second)
	t.Cleanup(func() {
		_ = control.Close()
		_ = storage.Close()
		both.Wait()
	})
	return s, out, err
}

// pair returns both ends of a connection to a process.
func pair(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	ours, file, err := relay.Pair()
	if err != nil {
		t.Fatal(err)
	}
	if theirs, err = relay.Inherited(file); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// TestRefusals verifies that a process that cannot work on a job says why.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*jobproc.Hello)
		words  []string
	}{
		"no such job":    {func(h *jobproc.Hello) { h.Job = "uper" }, []string{`no job named "uper"`, `did you mean "upper"?`}},
		"another plan":   {func(h *jobproc.Hello) { h.Plan = "read elsewhere\n" }, []string{"job upper", "another plan", "read elsewhere"}},
		"wrong argument": {func(h *jobproc.Hello) { h.Params = map[string]string{"speed": "9"} }, []string{"speed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := launch(t, memory(t), tt.change, upper())
			if _, ok := errors.AsType[*jobproc.Refusal](err); !ok {
				t.Fatalf("it is %v", err)
			}
			for _, words := range tt.words {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q does not contain %q", err, words)
				}
			}
		})
	}
}

// worker is the host of attempts.
type worker struct {
	mu      sync.Mutex
	refuse  error
	asked   int
	bytes   int64
	records int64
}

func (w *worker) Grant(context.Context) ([]plan.AttemptID, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	return []plan.AttemptID{{Epoch: 1, N: 1}}, w.refuse
}

func (w *worker) Progress(bytes, records int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytes, w.records = bytes, records
}

// mapOf is an attempt at reading an object of root, and at writing a part of it.
func mapOf(t *testing.T, root *store.Root, key, body string) jobproc.Run {
	t.Helper()
	if err := root.Put(t.Context(), key, []byte(body), store.Scratch); err != nil {
		t.Fatal(err)
	}
	object := plan.Object{Root: "mem://in", Key: key, Size: int64(len(body))}
	return jobproc.Run{Job: job, Task: plan.TaskID{Phase: plan.Map}, Attempt: plan.AttemptID{Epoch: 1, N: 1}, Parts: []string{"part-" + key},
		Splits: []plan.Split{{Sections: []plan.Section{{Object: object, Length: object.Size}}}}, Marker: "the end of " + key + "\n",
		Facts: jobproc.Facts{Budget: 32 << 20, Share: 32 << 20}}
}

// TestGrantedAttempt verifies that an attempt writes its part when it has its grant,
// and that the worker learns what the attempt has done.
func TestGrantedAttempt(t *testing.T) {
	t.Parallel()
	root := memory(t)
	s, out, err := launch(t, root, nil, upper())
	if err != nil {
		t.Fatal(err)
	}
	const body = "hay\nstraw\n"
	w := new(worker)
	run := mapOf(t, root, "a", body)
	e, err := s.Run(t.Context(), run, w)
	if err != nil || e.Verdict != nil {
		t.Fatalf("it ends as %+v (%v)", e, err)
	}
	part, err := root.Get(t.Context(), "o/part-a", 100)
	if err != nil || string(part) != "HAY\nSTRAW\n" {
		t.Errorf("the part is %q (%v)", part, err)
	}
	if e.Winner != run.Attempt || e.Digest.In != 2 || e.Digest.Out != 2 || e.Digest.Bytes != int64(len(body)) {
		t.Errorf("its work is %+v by %v", e.Digest, e.Winner)
	}
	if w.asked != 1 || w.bytes != int64(len(body)) || w.records != 2 {
		t.Errorf("it asked for its grant %d times, and read %d bytes, %d records", w.asked, w.bytes, w.records)
	}
	if n := strings.Count(out.String(), run.Marker); n != 2 {
		t.Errorf("its end is printed %d times on two outputs", n)
	}
}

// TestNoGrant verifies that an attempt that cannot have its grant stops without a part,
// and that its process can work on the next one.
func TestNoGrant(t *testing.T) {
	t.Parallel()
	root := memory(t)
	s, _, err := launch(t, root, nil, upper())
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.Run(t.Context(), mapOf(t, root, "a", "hay\n"), &worker{refuse: errors.New("another attempt has it")})
	if err != nil || e.Verdict == nil || !e.Verdict.Stopped {
		t.Errorf("it ends as %+v (%v)", e, err)
	}
	if _, err := root.Stat(t.Context(), "o/part-a"); plan.KindOf(err) != plan.NotFound {
		t.Errorf("its part: %v", err)
	}
	if e, err := s.Run(t.Context(), mapOf(t, root, "b", "hay\n"), new(worker)); err != nil || e.Verdict != nil {
		t.Errorf("the next one ends as %+v (%v)", e, err)
	}
}

// TestVerdicts verifies what a worker learns of attempts that failed, and that the
// process can work on after each.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	root := memory(t)
	s, out, err := launch(t, root, nil, upper())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(*jobproc.Run)
		body   string
		words  []string
		check  func(v *jobproc.Verdict) bool
	}{
		{"error", nil, "hay\nfail\n", []string{"a line that makes no sense", "mem://in/"}, func(v *jobproc.Verdict) bool { return v.Fingerprint != "" && !v.Panic }},
		{"panic", nil, "panic\n", []string{"a bad line"}, func(v *jobproc.Verdict) bool { return v.Panic && v.Fingerprint != "" }},
		{"no object", func(r *jobproc.Run) { r.Splits[0].Sections[0].Object.Key = "other" }, "hay\n", []string{"other"}, func(v *jobproc.Verdict) bool { return v.Fingerprint == v.Text && !v.Final }},
		{"no root", func(r *jobproc.Run) { r.Splits[0].Sections[0].Object.Root = "mem://other" }, "hay\n", []string{"mem://other"}, func(v *jobproc.Verdict) bool { return !v.Panic }},
	} {
		r := mapOf(t, root, tt.name, tt.body)
		if tt.change != nil {
			tt.change(&r)
		}
		e, err := s.Run(t.Context(), r, new(worker))
		if err != nil || e.Verdict == nil {
			t.Errorf("%s: it ends as %+v (%v)", tt.name, e, err)
			continue
		}
		v := e.Verdict
		if v.Stopped || v.Lost != nil || !tt.check(v) {
			t.Errorf("%s: the verdict is %+v", tt.name, v)
		}
		for _, words := range tt.words {
			if !strings.Contains(v.Text, words) {
				t.Errorf("%s: %q does not contain %q", tt.name, v.Text, words)
			}
		}
		if printed := strings.Contains(out.String(), "goroutine"); printed && tt.name == "error" || !printed && tt.name == "panic" {
			t.Errorf("%s: a stack is printed: %v", tt.name, printed)
		}
	}
	if e, err := s.Run(t.Context(), mapOf(t, root, "good", "hay\n"), new(worker)); err != nil || e.Verdict != nil {
		t.Errorf("a good attempt after that ends as %+v (%v)", e, err)
	}
}

// TestLostMap verifies that a reduce that cannot find the output of a map names the
// map, which must run again then.
func TestLostMap(t *testing.T) {
	t.Parallel()
	root := memory(t)
	s, _, err := launch(t, root, nil, testJobs()[0])
	if err != nil {
		t.Fatal(err)
	}
	lost := plan.AttemptID{Epoch: 1, N: 7}
	e, err := s.Run(t.Context(), jobproc.Run{Job: job, Task: plan.TaskID{Phase: plan.Reduce}, Attempt: plan.AttemptID{Epoch: 1, N: 8}, Parts: []string{"part"},
		Work:    plan.Work{Partitions: 1, Reads: []plan.Results{{Group: plan.Group{Phase: plan.Map}, Attempts: []plan.AttemptID{lost}}}},
		Holders: 1, Facts: jobproc.Facts{Budget: 32 << 20, Share: 32 << 20}}, new(worker))
	if err != nil || e.Verdict == nil || e.Verdict.Lost == nil {
		t.Fatalf("it ends as %+v (%v)", e, err)
	}
	if want := (jobproc.LostInput{Task: plan.TaskID{Phase: plan.Map}, Attempt: lost}); *e.Verdict.Lost != want {
		t.Errorf("the lost map is %+v, want %+v", e.Verdict.Lost, want)
	}
}

// TestQuestionThatIsTooLong verifies that a session works on after a question
// that is longer than the process takes.
func TestQuestionThatIsTooLong(t *testing.T) {
	t.Parallel()
	s, _ := start(t, "halves", memory(t))
	if _, err := s.Cut(t.Context(), 0, plan.Object{Key: strings.Repeat("x", 2<<20), Size: 8}, 4); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a question of 2 MiB: %v", err)
	}
	if got, err := s.Cut(t.Context(), 0, plan.Object{Root: "mem://in", Key: "a", Size: 8}, 4); err != nil || len(got) != 2 {
		t.Errorf("the next question: %v (%v)", got, err)
	}
}

// TestProcessThatEnds verifies that a worker distinguishes a process that is gone from
// one that breaks the rules.
func TestProcessThatEnds(t *testing.T) {
	t.Parallel()
	s, _, err := launch(t, memory(t), nil, upper())
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	for range 2 {
		_, err := s.Cut(t.Context(), 0, plan.Object{}, 1)
		if b, ok := errors.AsType[*jobproc.Broken](err); !ok || !b.Gone {
			t.Errorf("it is %v", err)
		}
	}
}
