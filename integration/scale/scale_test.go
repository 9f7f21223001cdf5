package scale

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/control"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/allow"
	"github.com/windrow-mr/windrow/worker"
)

var (
	workers = flag.Int("workers", 100, "how many workers")
	tasks   = flag.Int("tasks", 3000, "how many map tasks")
)

const reduces = 8

// TestScale: many workers work through many tasks of one master. Every task
// runs and is committed once, and no worker is considered lost. The test
// reports the cost of a task for the master and the workers' side of the
// protocol together.
func TestScale(t *testing.T) {
	runtime.MemProfileRate = profileRate
	w := newWorld(t)
	before := usage()
	began := time.Now()
	id := w.submit(t)
	peak := w.await(t, id)
	took, cpu := time.Since(began), usage()-before
	records, err := journal.Records(t.Context(), w.root, id)
	if err != nil {
		t.Fatal(err)
	}
	committed := make(map[plan.TaskID]int)
	for _, r := range records {
		for _, e := range r.Entries {
			if c, ok := e.(scheduler.Committed); ok {
				committed[c.Task]++
			}
		}
	}
	for task, n := range committed {
		if n != 1 {
			t.Errorf("task %v was committed %d times", task, n)
		}
	}
	if want := *tasks + reduces; len(committed) != want {
		t.Errorf("%d tasks were committed of %d", len(committed), want)
	}
	if n := w.lost.Load(); n > 0 {
		t.Errorf("workers were considered lost %d times", n)
	}
	if n, want := int(w.ran.Load()), *tasks+reduces+1; n > want+want/50 {
		t.Errorf("%d attempts at %d tasks", n, want)
	}
	n := float64(*tasks)
	t.Logf("%d workers, %d tasks: %.1f s; CPU %.0f µs a task, workers' side included; memory of the master %.0f bytes a task; journal %.0f bytes a task in %d slots; %d messages",
		*workers, *tasks, took.Seconds(), float64(cpu.Microseconds())/n, float64(peak)/n, float64(w.journalBytes(t, id))/n, len(records), w.messages.Load())
}

// usage is the CPU time of this process.
func usage() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type world struct {
	root     *store.Root
	master   *control.Master
	handler  http.Handler
	messages atomic.Int64
	ran      atomic.Int64
	lost     atomic.Int64
}

// RoundTrip carries a message to the master, in memory.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	w.messages.Add(1)
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec.Result(), r.Context().Err()
}

// lostLog counts the master's messages about lost workers.
type lostLog struct{ w *world }

func (lostLog) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (l lostLog) WithAttrs([]slog.Attr) slog.Handler         { return l }
func (l lostLog) WithGroup(string) slog.Handler              { return l }

func (l lostLog) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "lost") {
		l.w.lost.Add(1)
	}
	return nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	space := new(store.MemSpace)
	open := func(url string) *store.Root {
		root, err := store.Open(t.Context(), url, store.Options{Mem: space})
		if err != nil {
			t.Fatal(err)
		}
		return root
	}
	w := &world{root: open("mem://cluster")}
	if err := open("mem://data").Put(t.Context(), "in", []byte("x\n"), store.Scratch); err != nil {
		t.Fatal(err)
	}
	roots, err := allow.New([]string{"mem://data"}, store.Options{Mem: space})
	if err != nil {
		t.Fatal(err)
	}
	w.master, err = control.New(control.Config{ID: "master", URL: "http://master", Root: w.root, Roots: roots, Clock: journal.BootClock,
		Log: slog.New(lostLog{w})})
	if err != nil {
		t.Fatal(err)
	}
	w.handler = cluster.Handler(w.master)
	ctx, stop := context.WithCancel(context.Background())
	var life sync.WaitGroup
	t.Cleanup(func() {
		stop()
		life.Wait()
	})
	life.Go(func() { w.master.Run(ctx) })
	for i := range *workers {
		cfg := worker.Config{ID: fmt.Sprintf("worker%04d", i), Info: cluster.Info{Host: "here", Slots: 2}, Runner: (*runner)(w), HTTP: w,
			Find: func(context.Context) (worker.Leader, error) { return worker.Leader{URL: "http://master"}, nil }}
		life.Go(func() { _ = worker.Run(ctx, cfg) })
	}
	return w
}

// submit submits the job as soon as the master leads.
func (w *world) submit(t *testing.T) plan.JobID {
	t.Helper()
	for {
		out, err := w.master.Submit(t.Context(), &client.Submission{Job: "nothing", IdempotencyKey: "k", Input: []string{"mem://data/in"}, Output: "mem://data/out"})
		if err == nil {
			return out.ID
		}
		select {
		case <-t.Context().Done():
			t.Fatal(err)
		case <-time.After(20 * time.Millisecond): // it has no news to wait for
		}
	}
}

// await waits for the end, and returns the memory of the master after the last
// map.
func (w *world) await(t *testing.T, id plan.JobID) int64 {
	t.Helper()
	most := int64(0)
	for {
		changed := w.master.Changed(id)
		job, err := w.master.Job(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if job.State.Ended() {
			if job.State != client.Succeeded {
				t.Fatalf("the job %s: %v", job.State, job.Cause)
			}
			return most
		}
		if most == 0 && job.Phase == plan.Reduce.String() {
			most = held()
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatal("no end in sight")
		}
		select {
		case <-time.After(200 * time.Millisecond): // look now and then
		case <-t.Context().Done():
		}
	}
}

// profileRate is the number of allocated bytes for each sample.
const profileRate = 8 << 10

// held returns the bytes in use that the master has allocated, without those of
// the store: workers and store are in the same process.
func held() int64 {
	runtime.GC()
	runtime.GC() // a profile is as of the last but one
	var records []runtime.MemProfileRecord
	for n, ok := runtime.MemProfile(nil, false); !ok; {
		records = make([]runtime.MemProfileRecord, n+100)
		n, ok = runtime.MemProfile(records, false)
		records = records[:min(n, len(records))]
	}
	sum := 0.0
	for _, r := range records {
		if !masters(r.Stack()) {
			continue
		}
		size := float64(r.AllocBytes) / float64(r.AllocObjects)
		seen := 1 - math.Exp(-size/profileRate) // that an object of this size is looked at
		sum += float64(r.InUseBytes()) / seen
	}
	return int64(sum)
}

// masters reports whether the master allocates here, and not the store for it.
func masters(stack []uintptr) bool {
	const module = "github.com/windrow-mr/windrow/"
	ours := false
	for frames := runtime.CallersFrames(stack); ; {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, module+"store.(*mem") {
			return false
		}
		ours = ours || strings.HasPrefix(f.Function, module+"master")
		if !more {
			return ours
		}
	}
}

func (w *world) journalBytes(t *testing.T, id plan.JobID) (bytes int64) {
	t.Helper()
	for o, err := range w.root.List(t.Context(), plan.JobPrefix(id)+"log/") {
		if err != nil {
			t.Fatal(err)
		}
		bytes += o.Size
	}
	return bytes
}

// runner does nothing, and leaves what a commit needs.
type runner world

func (*runner) Forget(plan.JobID) {}
func (*runner) Close() error      { return nil }

func (r *runner) Run(ctx context.Context, l cluster.Launch, h worker.Host) cluster.Outcome {
	r.ran.Add(1)
	o := cluster.Outcome{Ref: l.Ref, Result: cluster.Done, Winner: l.Attempt}
	if err := r.run(ctx, l, h, &o); err != nil {
		o.Result, o.Text = cluster.Lost, err.Error()
	}
	return o
}

func (r *runner) run(ctx context.Context, l cluster.Launch, h worker.Host, o *cluster.Outcome) error {
	if l.Task.Phase == plan.Prepare {
		table := &attempts.Table{Job: l.Job, Partitions: reduces, PartOnce: true, Splits: make([]plan.Split, *tasks)}
		for i := range table.Splits {
			table.Splits[i].Sections = []plan.Section{{Object: plan.Object{Root: "mem://data", Key: fmt.Sprintf("logs/2026/%07d.log", i), Size: 1 << 26, ETag: "e"}, Length: 1 << 26}}
		}
		o.Counts = table.Counts()
		return table.Write(ctx, r.root, l.Attempt)
	}
	m := &plan.Manifest{Job: l.Job, Task: l.Task, Attempt: l.Attempt}
	if l.Task.Phase == plan.Reduce {
		if _, err := h.Work(ctx); err != nil {
			return err
		}
		if _, err := h.Grant(ctx); err != nil {
			return err
		}
	}
	o.Digest = m.Digest()
	return attempts.WriteManifest(ctx, r.root.Sub(plan.ScratchPrefix(l.Job)), m, store.Durable)
}
