package executor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker/executor"
)

// distant makes a memory store a remote one. Its reads of inputs wait until the
// test releases them.
type distant struct {
	driver.Driver
	mu     sync.Mutex
	now    int // reads under way
	most   int
	bytes  int64
	failed string // key that cannot be read
	wait   func(ctx context.Context, key string)
}

func (d *distant) Traits() driver.Traits {
	t := d.Driver.Traits()
	t.Remote, t.PartSize = true, 8<<20
	return t
}

func (d *distant) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	r, err := d.Driver.Open(ctx, key, etag)
	return &distantReader{r, d, key}, err
}

// distantReader does not implement io.ReaderAt.
type distantReader struct {
	inner driver.Reader
	d     *distant
	key   string
}

func (r *distantReader) Object(ctx context.Context) (store.Object, error) {
	return r.inner.Object(ctx)
}
func (r *distantReader) Close() error { return r.inner.Close() }

func (r *distantReader) Range(ctx context.Context, off, n int64) (driver.Body, error) {
	if !strings.Contains(r.key, "in/") {
		return r.inner.Range(ctx, off, n)
	}
	r.d.mu.Lock()
	r.d.now++
	r.d.bytes += n
	r.d.most = max(r.d.most, r.d.now)
	r.d.mu.Unlock()
	r.d.wait(ctx, r.key)
	r.d.mu.Lock()
	r.d.now--
	r.d.mu.Unlock()
	if strings.HasSuffix(r.key, r.d.failed) {
		return driver.Body{}, driver.Fail(plan.Denied, "not for you")
	}
	return r.inner.Range(ctx, off, n)
}

// farWorld is a distant store with objects, and a job that copies lines.
type farWorld struct {
	chain
	*distant
	root  *store.Root
	split plan.Split
}

func newFarWorld(t *testing.T, job *jobs.Job, objects []string) *farWorld {
	t.Helper()
	d := &distant{wait: func(context.Context, string) {}, failed: "none"}
	root, err := store.Open(t.Context(), "mem://", store.Options{Wrap: func(inner driver.Driver) driver.Driver {
		d.Driver = inner
		return d
	}})
	if err != nil {
		t.Fatal(err)
	}
	w := &farWorld{distant: d, root: root}
	for i, body := range objects {
		key := fmt.Sprintf("in/%05d", i)
		if err := root.Put(t.Context(), key, []byte(body), store.Scratch); err != nil {
			t.Fatal(err)
		}
		o, err := root.Stat(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		w.split.Sections = append(w.split.Sections, plan.Section{Length: o.Size,
			Object: plan.Object{Root: "mem://", Key: key, Size: o.Size, ETag: o.ETag, Codec: compress.Auto}})
	}
	p, err := job.Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.chain = newChain(executor.Config{
		Pipeline: p, Job: "01ARZ3NDEKTSV4RRFFQ69G5FAV",
		Open:    func(string) (*store.Root, error) { return root, nil },
		Scratch: root.Sub("tmp"), Class: store.Scratch, Output: root.Sub("out"),
		PartName: func(id plan.TaskID, _ plan.AttemptID, _ int) string { return fmt.Sprintf("part-%d", id.Index) },
		Budget:   shuffle.NewBudget(256 << 20), Share: 64 << 20, Log: slog.New(slog.DiscardHandler),
	}, 1)
	return w
}

func (w *farWorld) Grant(context.Context, executor.Attempt) error { return nil }
func (w *farWorld) Granted(context.Context, plan.TaskID) ([]plan.AttemptID, error) {
	return nil, nil
}

func (w *farWorld) run(ctx context.Context) error {
	_, err := w.Map(ctx, executor.Attempt{Task: plan.TaskID{Phase: plan.Map}, ID: plan.AttemptID{N: 1}, Progress: new(pipeline.Progress)}, w.split, w)
	return err
}

func copied() *jobs.Job {
	return jobs.Define("copy", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, text.Lines{}).Write(text.Lines{})
		return nil
	})
}

// TestSmallObjectsAreFetchedAhead lets no read of sixteen objects end before
// all of them have begun: a task that waited for one after the other would
// never end. The lines come in order.
func TestSmallObjectsAreFetchedAhead(t *testing.T) {
	t.Parallel()
	var objects []string
	for i := range 100 {
		objects = append(objects, fmt.Sprintf("line %d\n", i))
	}
	w := newFarWorld(t, copied(), objects)
	var all sync.WaitGroup
	all.Add(16)
	w.wait = func(_ context.Context, key string) {
		if key < "in/00016" {
			all.Done()
			all.Wait()
		}
	}
	if err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := w.root.Get(t.Context(), "out/part-0", 1<<20)
	if err != nil || string(got) != strings.Join(objects, "") {
		t.Errorf("got %.100q, %v", got, err)
	}
	if w.most > 16 {
		t.Errorf("%d reads at once", w.most)
	}
}

// dropped reads lines and writes nothing.
func dropped() *jobs.Job {
	return jobs.Define("drop", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.ReadLines(p).Filter(func([]byte) bool { return false }).Write(text.Lines{})
		return nil
	})
}

// TestReadAheadIsBounded stops all reads, and counts the bytes that a task asks
// for.
func TestReadAheadIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var objects []string
		for range 30 {
			objects = append(objects, strings.Repeat("x", 1<<20-1)+"\n")
		}
		w := newFarWorld(t, dropped(), objects)
		resume := make(chan struct{})
		var later sync.WaitGroup
		later.Add(4)
		w.wait = func(_ context.Context, key string) {
			<-resume
			if key >= "in/00020" && key < "in/00024" {
				later.Done()
				later.Wait() // released room is used again
			}
		}
		var running sync.WaitGroup
		running.Go(func() {
			if err := w.run(t.Context()); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if w.now != 8 || w.bytes != 8<<20 {
			t.Errorf("%d reads of %d bytes", w.now, w.bytes)
		}
		close(resume)
		running.Wait()
		if w.most > 8 {
			t.Errorf("%d reads of 1 MiB at once", w.most)
		}
	})
}

// TestLargeObjectsAreReadAlone stops the read of a large object: nothing is
// fetched beside it.
func TestLargeObjectsAreReadAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		objects := []string{"one\n", strings.Repeat("y", 3<<20) + "\n", "two\n", "three\n", "", "four\n"}
		w := newFarWorld(t, copied(), objects)
		resume := make(chan struct{})
		w.wait = func(_ context.Context, key string) {
			if key == "in/00001" {
				<-resume
			}
		}
		var running sync.WaitGroup
		running.Go(func() {
			if err := w.run(t.Context()); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if want := int64(len(objects[0]) + len(objects[1])); w.now != 1 || w.bytes != want {
			t.Errorf("%d reads under way, %d bytes asked for, want %d", w.now, w.bytes, want)
		}
		close(resume)
		running.Wait()
		got, err := w.root.Get(t.Context(), "out/part-0", 8<<20)
		if err != nil || string(got) != strings.Join(objects, "") {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

// TestErrorsComeInTheirTurn makes the third object fail: the task fails after
// it has read the lines of the first two. The read of the fourth, which stalls,
// ends with the task.
func TestErrorsComeInTheirTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		job := jobs.Define("watch", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
			jobs.Convert(jobs.ReadLines(p), func(line []byte) []byte {
				lines = append(lines, string(line))
				return line
			}).Write(text.Lines{})
			return nil
		})
		w := newFarWorld(t, job, []string{"a\n", "b\n", "c\n", "d\n"})
		w.failed = "00002"
		w.wait = func(ctx context.Context, key string) {
			if key == "in/00003" {
				<-ctx.Done()
			}
		}
		began := time.Now()
		err := w.run(t.Context())
		if plan.KindOf(err) != plan.Denied || !strings.Contains(err.Error(), "in/00002") {
			t.Errorf("got %v", err)
		}
		if strings.Join(lines, "") != "ab" {
			t.Errorf("lines %q were read before", lines)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("the task ended after %v", took)
		}
	})
}

// TestCancelEndsReadAhead ends a task while its reads are on their way.
func TestCancelEndsReadAhead(t *testing.T) {
	t.Parallel()
	w := newFarWorld(t, copied(), []string{"a\n", "b\n", "c\n"})
	ctx, cancel := context.WithCancelCause(t.Context())
	errEnough := errors.New("enough")
	w.wait = func(context.Context, string) { cancel(errEnough) }
	if err := w.run(ctx); !errors.Is(err, errEnough) {
		t.Errorf("got %v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now != 0 {
		t.Errorf("%d reads continue after the task", w.now)
	}
}

func sorted() *jobs.Job {
	whole := func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, struct{}]) error {
		emit(line, struct{}{})
		return nil
	}
	return jobs.Define("sort", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Map(jobs.ReadLines(p), whole).Sort().WriteTSV()
		return nil
	})
}

// TestSampledSectionsAreFetchedAhead lets no read of sixteen sections of one object
// end before all of them have begun. The keys are those of a local store, where
// sections are read one after the other, and each section costs one request.
func TestSampledSectionsAreFetchedAhead(t *testing.T) {
	t.Parallel()
	const sections, length = 48, 40_000
	var body strings.Builder
	for i := 0; body.Len() < sections*length; i++ {
		fmt.Fprintf(&body, "line %x\n", i*7919%1_000_003)
	}
	w := newFarWorld(t, sorted(), []string{body.String()})
	o := w.split.Sections[0].Object
	o.Codec = ""
	split := plan.Split{}
	for i := range int64(sections) {
		split.Sections = append(split.Sections, plan.Section{Object: o, Offset: i * length, Length: length})
	}
	sample := func(e chain) []string {
		m, err := e.Sample(t.Context(), attempt(plan.Sample, 0, 1), []plan.Split{split})
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, k := range m.Keys {
			keys = append(keys, string(k))
		}
		return keys
	}
	var reads atomic.Int32
	var all sync.WaitGroup
	all.Add(16)
	w.wait = func(context.Context, string) {
		if reads.Add(1) <= 16 {
			all.Done()
			all.Wait()
		}
	}
	got := sample(w.chain)
	if w.most > 16 {
		t.Errorf("%d reads at once", w.most)
	}
	// The end of a section's last line is after the section.
	if n := reads.Load(); n > 2*sections {
		t.Errorf("%d reads for %d sections", n, sections)
	}
	near := newWorld(t, 1, sorted(), body.String())
	split.Sections = nil
	o = near.split.Sections[0].Object
	for i := range int64(sections) {
		split.Sections = append(split.Sections, plan.Section{Object: o, Offset: i * length, Length: length})
	}
	if want := sample(near.chain); len(want) < 1000 || !slices.Equal(got, want) {
		t.Errorf("%d keys of a distant store, %d of a local one, or others", len(got), len(want))
	}
}
