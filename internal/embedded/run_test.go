package embedded_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/library/sort"
	"github.com/windrow-mr/windrow/jobs/library/wordcount"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault"
)

// options returns options with an input of a few words in memory.
func options(t *testing.T, rules ...fault.Rule) embedded.Options {
	t.Helper()
	o := embedded.Options{Input: []string{"mem://in/text"}, Output: "mem://out", Stores: store.Options{Mem: new(store.MemSpace)}}
	root, err := store.Open(t.Context(), "mem://in", o.Stores)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Put(t.Context(), "text", []byte("to be or\nnot to be\n"), store.Scratch); err != nil {
		t.Fatal(err)
	}
	if len(rules) > 0 {
		o.Stores.Wrap = fault.New(rules...).Wrap
		o.Stores.Retry = store.Retry{Attempts: 3, Base: time.Millisecond}
	}
	return o
}

// read returns the committed contents of mem://out, or an error.
func read(t *testing.T, o embedded.Options) (string, error) {
	t.Helper()
	o.Stores.Wrap = nil
	root, err := store.Open(t.Context(), "mem://out", o.Stores)
	if err != nil {
		t.Fatal(err)
	}
	m, err := output.Read(t.Context(), root)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for _, p := range m.Parts {
		b, err := root.Get(t.Context(), p.Name, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(b)
	}
	return text.String(), nil
}

const counted = "be\t2\nnot\t1\nor\t1\nto\t2\n"

// TestFaults verifies that a run survives one fault of its store that passes, and
// that a lasting fault ends it with an error, without contents, and with an output
// that replace recovers.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule   fault.Rule
		passes bool
	}{
		"every answer of the log is lost once": {fault.Rule{Op: fault.Put, Key: "**/_windrow/0*", Do: fault.LoseResponse}, true},
		"the commit's answer is lost":          {fault.Rule{Op: fault.Put, Key: "**/_windrow/0*", Nth: 2, Do: fault.LoseResponse}, true},
		"the commit's answer is lost for good": {fault.Rule{Op: fault.Put, Key: "**/_windrow/0*", Nth: 2, Times: -1, Do: fault.LoseResponse, Kind: plan.Denied}, true},
		"the part's answer is lost":            {fault.Rule{Op: fault.Commit, Key: "**/part-*", Do: fault.LoseResponse}, true},
		"the first part cannot be made":        {fault.Rule{Op: fault.Commit, Key: "**/part-*", Times: 3}, true},
		"runs cannot be read for a while":      {fault.Rule{Op: fault.Read, Key: "**/x/**", Times: 4}, true},
		"runs end early":                       {fault.Rule{Op: fault.Read, Key: "**/x/**", Times: 2, Do: fault.Truncate, After: 10}, true},
		"clean-up fails":                       {fault.Rule{Op: fault.Delete, Key: "**/tmp/**", Times: -1}, true},
		"no run can be written":                {fault.Rule{Op: fault.Commit, Key: "**/x/**", Times: -1}, false},
		"no part can be made":                  {fault.Rule{Op: fault.Commit, Key: "**/part-*", Times: -1}, false},
		"no manifest can be written":           {fault.Rule{Op: fault.Commit, Key: "**/manifests/*", Times: -1}, false},
		"the commit fails for good":            {fault.Rule{Op: fault.Put, Key: "**/_windrow/0*", Nth: 2, Times: -1}, false},
		"runs cannot be read":                  {fault.Rule{Op: fault.Read, Key: "**/x/**", Times: -1}, false},
		"the input cannot be read":             {fault.Rule{Op: fault.Read, Key: "text", Times: -1}, false},
		"writes are denied":                    {fault.Rule{Op: fault.Put, Times: -1, Kind: plan.Denied}, false},
		"the input is gone when it is read":    {fault.Rule{Op: fault.Read, Key: "text", Times: -1, Kind: plan.NotFound}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t, c.rule)
			_, err := embedded.Run(t.Context(), wordcount.Job(), o)
			got, readErr := read(t, o)
			if c.passes {
				if err != nil || got != counted {
					t.Errorf("run %v; contents %q, %v", err, got, readErr)
				}
				return
			}
			var failed *embedded.Error
			if !errors.As(err, &failed) || failed.Error() == "" {
				t.Fatalf("the run returned %v", err)
			}
			if !errors.Is(readErr, output.ErrNotCommitted) {
				t.Errorf("contents %q, %v", got, readErr)
			}
			o.Stores.Wrap, o.OnExists = nil, "replace"
			if _, err := embedded.Run(t.Context(), wordcount.Job(), o); err != nil {
				t.Fatalf("the output cannot be recovered: %v", err)
			}
			if got, err := read(t, o); err != nil || got != counted {
				t.Errorf("recovered %q, %v", got, err)
			}
		})
	}
}

// TestInterrupt verifies that an interrupted run stops within two seconds, returns
// an error that says so, releases the output, and leaves no goroutine.
func TestInterrupt(t *testing.T) {
	started := make(chan struct{})
	var once sync.Once
	job := jobs.New("slow", func(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
		once.Do(func() { close(started) })
		<-ctx.Done()
		return ctx.Err()
	}, jobs.Sum[int64])
	before := runtime.NumGoroutine()
	o := options(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	start := time.Now()
	_, err := embedded.Run(ctx, job, o)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %v to stop", took)
	}
	var failed *embedded.Error
	if !errors.As(err, &failed) || failed.Kind != plan.Interrupted {
		t.Errorf("the run returned %v", err)
	}
	if _, err := embedded.Run(t.Context(), wordcount.Job(), o); err != nil {
		t.Errorf("the output was not released: %v", err)
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// TestInterruptAfterCommit verifies that a run that is interrupted after its
// commit, while it cleans up, has succeeded.
func TestInterruptAfterCommit(t *testing.T) {
	t.Parallel()
	o := options(t)
	ctx, cancel := context.WithCancel(t.Context())
	o.Stores.Wrap = func(d driver.Driver) driver.Driver { return &lateInterrupt{Driver: d, cancel: cancel} }
	if _, err := embedded.Run(ctx, wordcount.Job(), o); err != nil {
		t.Errorf("a committed run failed: %v", err)
	}
	if got, err := read(t, o); err != nil || got != counted {
		t.Errorf("contents %q, %v", got, err)
	}
}

// lateInterrupt interrupts the run when _SUCCESS exists. Deletes then wait until
// their caller gives up.
type lateInterrupt struct {
	driver.Driver
	cancel    context.CancelFunc
	committed atomic.Bool
}

func (d *lateInterrupt) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	err := d.Driver.Put(ctx, key, body, o)
	if strings.HasSuffix(key, output.SuccessName) {
		d.committed.Store(true)
		d.cancel()
	}
	return err
}

func (d *lateInterrupt) Delete(ctx context.Context, key string) error {
	if d.committed.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return d.Driver.Delete(ctx, key)
}

// TestFunctionThatIgnoresItsContext verifies that an interrupt ends a job whose
// function never looks at its context: the engine looks after each record.
func TestFunctionThatIgnoresItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var records atomic.Int64
	job := jobs.New("busy", func(task *jobs.Context, _ []byte, _ jobs.Emit[[]byte, int64]) error {
		if records.Add(1) == 1 {
			cancel()
			<-task.Done() // so that only the engine's own look is left
		}
		<-time.After(time.Millisecond) // a slow record; all of them take a second
		return nil
	}, jobs.Sum[int64])
	o := options(t)
	root, err := store.Open(t.Context(), "mem://in", o.Stores)
	if err != nil {
		t.Fatal(err)
	}
	const lines = 900 // fewer than pass between two looks at the context itself
	if err := root.Put(t.Context(), "lines", []byte(strings.Repeat("x\n", lines)), store.Scratch); err != nil {
		t.Fatal(err)
	}
	o.Input, o.Slots = []string{"mem://in/lines"}, 1
	if _, err := embedded.Run(ctx, job, o); err == nil || records.Load() == lines {
		t.Errorf("%d records were read after the interrupt at the first; %v", records.Load(), err)
	}
}

// TestHangingStore verifies that an interrupt ends a run whose store no longer
// answers.
func TestHangingStore(t *testing.T) {
	t.Parallel()
	o := options(t, fault.Rule{Op: fault.Read, Key: "text", Times: -1, Do: fault.Stall})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := embedded.Run(ctx, wordcount.Job(), o)
	var failed *embedded.Error
	if !errors.As(err, &failed) || failed.Kind != plan.Interrupted || time.Since(start) > 3*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}

// TestNamedInputs verifies that a job can join two inputs by their names, and that
// wrong names are refused.
func TestNamedInputs(t *testing.T) {
	t.Parallel()
	job := jobs.Define("both", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		word := func(n int64) func(*jobs.Context, []byte, jobs.Emit[[]byte, int64]) error {
			return func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
				emit(line, n)
				return nil
			}
		}
		a := jobs.Map(jobs.ReadLines(p).Named("a"), word(1))
		b := jobs.Map(jobs.ReadLines(p).Named("b"), word(100))
		a.Merge(b).Fold(jobs.Sum[int64]).WriteTSV()
		return nil
	})
	o := options(t)
	for _, c := range []struct {
		input []string
		word  string
	}{
		{[]string{"a=mem://in/text"}, "--input b=URL"},
		{[]string{"a=mem://in/text", "b=mem://in/text", "c=mem://in/text"}, `"c"`},
		{[]string{"mem://in/text"}, "a"},
	} {
		o.Input = c.input
		var failed *embedded.Error
		if _, err := embedded.Run(t.Context(), job, o); !errors.As(err, &failed) || failed.Kind != plan.Invalid || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%v: %v", c.input, err)
		}
	}
	o.Input = []string{"a=mem://in/text", "b=mem://in/text"}
	if _, err := embedded.Run(t.Context(), job, o); err != nil {
		t.Fatal(err)
	}
	if got, err := read(t, o); err != nil || got != "not to be\t101\nto be or\t101\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestModes verifies what each mode makes of the contents of an output.
func TestModes(t *testing.T) {
	t.Parallel()
	o := options(t)
	for _, c := range []struct{ mode, want string }{
		{"fail", counted}, {"append", counted + counted}, {"replace", counted},
	} {
		o.OnExists = c.mode
		r, err := embedded.Run(t.Context(), wordcount.Job(), o)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := read(t, o); err != nil || got != c.want {
			t.Errorf("after %s: %q, %v", c.mode, got, err)
		}
		if r.Tally.RecordsIn != 2 || r.Tally.RecordsOut != 4 {
			t.Errorf("after %s: tally %+v", c.mode, r.Tally)
		}
	}
}

// TestProgress verifies that progress never decreases or exceeds the end.
func TestProgress(t *testing.T) {
	t.Parallel()
	o := options(t)
	root, err := store.Open(t.Context(), "mem://in", o.Stores)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for i := range 300000 {
		text.WriteString(strings.Repeat("x", i%50))
		text.WriteByte('\n')
	}
	if err := root.Put(t.Context(), "big", []byte(text.String()), store.Scratch); err != nil {
		t.Fatal(err)
	}
	o.Input, o.Partitions, o.SplitSize = []string{"mem://in/big"}, 3, 1<<20
	var last float64
	o.Progress = func(p embedded.Progress) {
		if p.Fraction < last || p.Fraction > 1 || p.Done > p.Tasks {
			t.Errorf("after %v comes %+v", last, p)
		}
		last = p.Fraction
	}
	if _, err := embedded.Run(t.Context(), sort.Job(), o); err != nil {
		t.Fatal(err)
	}
}
