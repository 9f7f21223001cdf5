package executor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker/executor"
)

const job plan.JobID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

// world is a store with an input, and a job on it.
type world struct {
	chain
	root    *store.Root
	split   plan.Split
	granted []plan.AttemptID
	refuse  error // what Grant answers
	before  func()
}

var _ executor.Granter = (*world)(nil)

func (w *world) Grant(_ context.Context, a executor.Attempt) error {
	if w.before != nil {
		w.before()
	}
	if w.refuse == nil {
		w.granted = append(w.granted, a.ID)
	}
	return w.refuse
}

func (w *world) Granted(context.Context, plan.TaskID) ([]plan.AttemptID, error) {
	return w.granted, nil
}

func newWorld(t *testing.T, partitions int, job *jobs.Job, text string) *world {
	t.Helper()
	root, err := store.Open(t.Context(), "mem://", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Put(t.Context(), "in/text", []byte(text), store.Scratch); err != nil {
		t.Fatal(err)
	}
	o, err := root.Stat(t.Context(), "in/text")
	if err != nil {
		t.Fatal(err)
	}
	p, err := job.Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{root: root}
	object := plan.Object{Root: "mem://", Key: "in/text", Size: o.Size, ETag: o.ETag}
	w.split = plan.Split{Sections: []plan.Section{{Object: object, Length: o.Size}}}
	w.chain = w.executor(p, partitions)
	return w
}

// executor returns another worker's executor on the same store.
func (w *world) executor(p *pipeline.Pipeline, partitions int) chain {
	return newChain(executor.Config{
		Pipeline: p, Job: job,
		Open:    func(string) (*store.Root, error) { return w.root, nil },
		Scratch: w.root.Sub("tmp"), Class: store.Scratch, Output: w.root.Sub("out"),
		PartName: func(id plan.TaskID, _ plan.AttemptID, _ int) string { return fmt.Sprintf("part-%d", id.Index) },
		Compress: compress.None, Budget: shuffle.NewBudget(256 << 20), Share: 64 << 20, Log: slog.New(slog.DiscardHandler),
	}, partitions)
}

func attempt(phase plan.Phase, index int, n uint32) executor.Attempt {
	return executor.Attempt{Task: plan.TaskID{Phase: phase, Index: index}, ID: plan.AttemptID{Epoch: 1, N: n}, Progress: new(pipeline.Progress)}
}

func wordCount() *jobs.Job {
	return jobs.New("words", func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
		for w := range strings.FieldsSeq(string(line)) {
			emit([]byte(w), 1)
		}
		return nil
	}, jobs.Sum[int64])
}

func (w *world) text(t *testing.T, key string) string {
	t.Helper()
	b, err := w.root.Get(t.Context(), key, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// maps runs the map task and returns its attempt.
func (w *world) maps(t *testing.T) []plan.AttemptID {
	t.Helper()
	a := attempt(plan.Map, 0, 1)
	m, err := w.Map(t.Context(), a, w.split, nil)
	if err != nil {
		t.Fatal(err)
	}
	if m.Tally.RecordsIn != 2 || m.Rows[0] != 4 {
		t.Errorf("the map read %d records and wrote %v pairs", m.Tally.RecordsIn, m.Rows)
	}
	return []plan.AttemptID{a.ID}
}

func TestMapAndReduce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, wordCount(), "to be or\nnot to be\n")
	m, err := w.Reduce(t.Context(), attempt(plan.Reduce, 0, 2), w.maps(t), w)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.text(t, "out/part-0"); got != "be\t2\nnot\t1\nor\t1\nto\t2\n" {
		t.Errorf("the part is %q", got)
	}
	if m.Part.Size != 21 || m.Part.Records != 4 || m.Tally.RecordsIn != 4 {
		t.Errorf("manifest %+v, tally %+v", m.Part, m.Tally)
	}
}

// TestOtherWorkerReduces verifies that a worker reads the maps' manifests from
// the store.
func TestOtherWorkerReduces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, wordCount(), "to be or\nnot to be\n")
	maps := w.maps(t)
	p, err := wordCount().Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.executor(p, 1).Reduce(t.Context(), attempt(plan.Reduce, 0, 2), maps, w); err != nil {
		t.Fatal(err)
	}
}

// TestNotGranted verifies that nothing becomes visible without a grant.
func TestNotGranted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, wordCount(), "to be or\nnot to be\n")
	maps := w.maps(t)
	w.refuse = errors.New("no")
	w.before = func() {
		if _, err := w.root.Stat(t.Context(), "out/part-0"); plan.KindOf(err) != plan.NotFound {
			t.Errorf("the part is there before its grant: %v", err)
		}
	}
	if _, err := w.Reduce(t.Context(), attempt(plan.Reduce, 0, 2), maps, w); !errors.Is(err, w.refuse) {
		t.Errorf("got %v", err)
	}
	if _, err := w.root.Stat(t.Context(), "out/part-0"); plan.KindOf(err) != plan.NotFound {
		t.Errorf("a part without a grant: %v", err)
	}
}

// TestAdopt verifies that an attempt adopts the part of another that was
// granted before it, and whose report never came.
func TestAdopt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, wordCount(), "to be or\nnot to be\n")
	maps := w.maps(t)
	first, second := attempt(plan.Reduce, 0, 2), attempt(plan.Reduce, 0, 3)
	if _, err := w.Reduce(t.Context(), first, maps, w); err != nil {
		t.Fatal(err)
	}
	m, err := w.Reduce(t.Context(), second, maps, w)
	if err != nil {
		t.Fatal(err)
	}
	if m.Attempt != first.ID {
		t.Errorf("the winner is %v, the part is of %v", m.Attempt, first.ID)
	}
}

// TestStrangePart verifies that a part is never taken for the task's when no
// granted attempt wrote it.
func TestStrangePart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, wordCount(), "to be or\nnot to be\n")
	maps := w.maps(t)
	if err := w.root.Put(t.Context(), "out/part-0", []byte("something else"), store.Durable); err != nil {
		t.Fatal(err)
	}
	_, err := w.Reduce(t.Context(), attempt(plan.Reduce, 0, 2), maps, w)
	if err == nil || !strings.Contains(err.Error(), "part-0") {
		t.Errorf("got %v", err)
	}
}

// TestDamage flips each byte of each object between map and reduce in turn. The
// reduce fails and names the damaged object, or the byte does not matter and
// the part is right.
func TestDamage(t *testing.T) {
	t.Parallel()
	const text = "to be or\nnot to be\n"
	count := 0
	for at := 0; ; at++ {
		w := newWorld(t, 1, wordCount(), text)
		maps := w.maps(t)
		damaged := w.damage(t, at)
		if !damaged {
			break
		}
		count++
		p, err := wordCount().Build(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.executor(p, 1).Reduce(t.Context(), attempt(plan.Reduce, 0, 2), maps, w)
		if err == nil {
			if got := w.text(t, "out/part-0"); got != "be\t2\nnot\t1\nor\t1\nto\t2\n" {
				t.Fatalf("with byte %d flipped the part is %q", at, got)
			}
		}
	}
	if count < 500 {
		t.Errorf("only %d bytes were flipped", count)
	}
}

// damage flips a bit of the at-th byte of all temporary objects. It returns
// false when there are fewer bytes.
func (w *world) damage(t *testing.T, at int) bool {
	t.Helper()
	for o, err := range w.root.List(t.Context(), "tmp/") {
		if err != nil {
			t.Fatal(err)
		}
		if int64(at) >= o.Size {
			at -= int(o.Size)
			continue
		}
		b, err := w.root.Get(t.Context(), o.Key, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		b[at] ^= 1 << (at % 8)
		if err := w.root.Put(t.Context(), o.Key, b, store.Scratch); err != nil {
			t.Fatal(err)
		}
		return true
	}
	return false
}

// TestChangedInput verifies that a task reads only the planned version of an
// input.
func TestChangedInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, wordCount(), "to be or\nnot to be\n")
	if err := w.root.Put(t.Context(), "in/text", []byte("to be or\nnot to bee"), store.Scratch); err != nil {
		t.Fatal(err)
	}
	_, err := w.Map(t.Context(), attempt(plan.Map, 0, 1), w.split, nil)
	if plan.KindOf(err) != plan.Changed || !strings.Contains(err.Error(), "in/text") {
		t.Errorf("got %v", err)
	}
}

// TestCancelled verifies that an attempt ends at once, wherever it is.
func TestCancelled(t *testing.T) {
	t.Parallel()
	started := make(chan struct{})
	var once sync.Once
	slow := jobs.New("slow", func(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
		once.Do(func() { close(started) })
		<-ctx.Done()
		return ctx.Err()
	}, jobs.Sum[int64])
	w := newWorld(t, 1, slow, "a\nb\n")
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if _, err := w.Map(ctx, attempt(plan.Map, 0, 1), w.split, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	<-started
	cancel()
	running.Wait()
}
