//go:build linux

package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
	"github.com/windrow-mr/windrow/store/meter"
	"github.com/windrow-mr/windrow/worker"
	"github.com/windrow-mr/windrow/worker/runner"
)

const build = "v0.0.0-test"

// roots opens every root that is named.
type roots struct {
	opts store.Options
	mu   sync.Mutex
	open map[string]*store.Root
}

func (r *roots) Locate(url string) (rootURL, key string, err error) { return store.Locate(url) }

func (r *roots) Get(ctx context.Context, url string, create bool) (*store.Root, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if root := r.open[url]; root != nil {
		return root, nil
	}
	o := r.opts
	o.CreateDir = create
	root, err := store.Open(ctx, url, o)
	if err == nil {
		r.open[url] = root
	}
	return root, err
}

func (r *roots) Opened(url string) (*store.Root, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if root := r.open[url]; root != nil {
		return root, nil
	}
	return nil, fmt.Errorf("%s is not open", url)
}

// counting counts the objects that are opened, by the first word of their keys.
type counting struct {
	driver.Driver
	mu     sync.Mutex
	opened map[string]int
	slow   time.Duration // that it takes to open an object
}

func (c *counting) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	c.mu.Lock()
	c.opened[strings.Split(key, "/")[0]]++
	slow := c.slow
	c.mu.Unlock()
	if slow > 0 {
		select {
		case <-time.After(slow):
		case <-ctx.Done():
		}
	}
	return c.Driver.Open(ctx, key, etag)
}

func (c *counting) count(prefix string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opened[prefix]
}

// world is a cluster of one worker. The test does the master's part.
type world struct {
	*runner.Runner
	cfg      runner.Config
	root     *store.Root
	in, out  string // URLs
	roots    *roots
	counting *counting
	n        atomic.Uint32

	mu     sync.Mutex
	spent  map[plan.JobID]plan.Requests
	tables map[plan.AttemptID]*attempts.Table
}

// newWorld returns a world on a kind of store: "mem", "file" or "remote".
func newWorld(t *testing.T, kind string, change func(*runner.Config)) *world {
	t.Helper()
	w := &world{counting: &counting{opened: map[string]int{}}, spent: map[plan.JobID]plan.Requests{}}
	// Whether a range is asked for twice depends on how long others are under way.
	w.roots = &roots{opts: store.Options{Mem: new(store.MemSpace), Transfer: store.Transfer{Unhedged: true}}, open: map[string]*store.Root{}}
	w.roots.opts.Wrap = meter.Wrap
	if kind == "remote" {
		w.roots.opts.Wrap = func(d driver.Driver) driver.Driver { return meter.Wrap(faulttest.Remote(d, 5<<20)) }
	}
	base := "mem://w"
	if kind == "file" {
		base = "file://" + t.TempDir()
	}
	w.in, w.out = base+"/in", base+"/out"
	o := w.roots.opts
	o.CreateDir = true
	o.Wrap = func(d driver.Driver) driver.Driver {
		if kind == "remote" {
			d = faulttest.Remote(d, 5<<20)
		}
		w.counting.Driver = d
		return meter.Wrap(w.counting)
	}
	rootURL := base + "/cluster"
	if kind != "file" {
		rootURL = "mem://cluster"
	}
	var err error
	if w.root, err = store.Open(t.Context(), rootURL, o); err != nil {
		t.Fatal(err)
	}
	w.cfg = runner.Config{Root: w.root, Roots: w.roots, Slots: 2, Memory: leastMemory(2) + 2*192<<20, CacheDir: t.TempDir(),
		Build: build, Host: "hay-1", NoProgress: time.Minute, Grace: 5 * time.Second,
		LogEvery: time.Hour} // a log that is there is complete, however slow the machine is
	if change != nil {
		change(&w.cfg)
	}
	if w.Runner, err = runner.New(w.cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// write makes the objects of the input.
func (w *world) write(t *testing.T, texts ...string) {
	t.Helper()
	root, err := w.roots.Get(t.Context(), w.in, true)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		if err := root.Put(t.Context(), fmt.Sprintf("%03d.txt", i), []byte(text), store.Scratch); err != nil {
			t.Fatal(err)
		}
	}
}

// submit writes a spec, as a client and a master do together.
func (w *world) submit(t *testing.T, name string, params map[string]string, change func(*plan.Spec)) plan.JobID {
	t.Helper()
	id := plan.JobID(fmt.Sprintf("01ARZ3NDEKTSV4RRFFQ6%06d", w.n.Add(1)))
	all := testJobs()
	i := slices.IndexFunc(all, func(j *jobs.Job) bool { return j.Name() == name })
	p, err := all[i].Build(params, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &plan.Spec{Version: plan.SpecVersion, ID: id, Job: name, Build: build, Params: params, Once: p.Once, Plan: p.Text,
		Input: []string{w.in}, Output: fmt.Sprintf("%s/%s", w.out, id), SplitSize: 32 << 10}
	if change != nil {
		change(s)
	}
	body, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.root.CreateOnce(t.Context(), plan.SpecKey(id), body); err != nil {
		t.Fatal(err)
	}
	return id
}

// host grants at once.
type host struct {
	maps    []plan.AttemptID // that a reduce reads
	sampled plan.AttemptID   // whose keys cut the partitions; zero for none
	world   *world
	launch  cluster.Launch
	self    plan.AttemptID
	granted atomic.Int32
	records atomic.Int64
	refuse  chan struct{}       // no grant comes before it is closed; nil: at once
	fails   error               // the error of every call; nil: none
	spent   func(plan.Requests) // nil: ignored
	asked   func()              // called when a grant is asked for; nil: not called
}

var _ worker.Host = (*host)(nil)

func (h *host) Grant(ctx context.Context) ([]plan.AttemptID, error) {
	h.granted.Add(1)
	if h.asked != nil {
		h.asked()
	}
	if h.fails != nil {
		return nil, h.fails
	}
	if h.refuse != nil {
		select {
		case <-h.refuse:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return []plan.AttemptID{h.self}, nil
}

// Work returns what the tasks of a job of one shuffle read and write.
func (h *host) Work(ctx context.Context) (plan.Work, error) {
	var w plan.Work
	if h.fails != nil {
		return w, h.fails
	}
	table, err := h.world.table(ctx, h.launch)
	switch {
	case err != nil:
		return w, err
	case table.Partitions == 0:
	case h.launch.Task.Phase == plan.Reduce:
		w.Partitions = table.Partitions
		w.Reads = []plan.Results{{Group: plan.Group{Phase: plan.Map}, Attempts: h.maps}}
	default:
		w.Writes = []plan.Write{{Partitions: table.Partitions}}
		if h.sampled != (plan.AttemptID{}) {
			w.Writes[0].Sampled = []plan.Results{{Group: plan.Group{Phase: plan.Sample}, Attempts: []plan.AttemptID{h.sampled}}}
		}
	}
	return w, nil
}

// table returns the task table that an attempt works by. It is read once.
func (w *world) table(ctx context.Context, l cluster.Launch) (*attempts.Table, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := w.tables[l.Planned]; t != nil {
		return t, nil
	}
	t, err := attempts.ReadTable(ctx, w.cfg.Root, l.Job, l.Planned)
	if err == nil {
		if w.tables == nil {
			w.tables = make(map[plan.AttemptID]*attempts.Table)
		}
		w.tables[l.Planned] = t
	}
	return t, err
}

// Run runs an attempt, whose host knows what it is for.
func (w *world) Run(ctx context.Context, l cluster.Launch, h *host) cluster.Outcome {
	h.world, h.launch = w, l
	return w.Runner.Run(ctx, l, h)
}

func (h *host) Progress(_, records int64) { h.records.Store(records) }

func (h *host) Spent(r plan.Requests) {
	if h.spent != nil {
		h.spent(r)
	}
}

// hear returns a function that takes the reported requests for a job.
func (w *world) hear(id plan.JobID) func(plan.Requests) {
	return func(r plan.Requests) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.spent[id] == nil {
			w.spent[id] = plan.Requests{}
		}
		for scheme, u := range r {
			w.spent[id][scheme] = w.spent[id][scheme].Max(u)
		}
	}
}

// launch returns an order for an attempt.
func (w *world) launch(id plan.JobID, phase plan.Phase, index int) cluster.Launch {
	n := w.n.Add(1)
	return cluster.Launch{Ref: cluster.Ref{Job: id, Task: plan.TaskID{Phase: phase, Index: index},
		Attempt: plan.AttemptID{Epoch: 3, N: n, Rand: 0xabcd}}}
}

// done verifies that an attempt is done.
func done(t *testing.T, o cluster.Outcome) cluster.Outcome {
	t.Helper()
	if o.Result != cluster.Done || o.Winner != o.Attempt {
		t.Fatalf("attempt %v of %v: %+v", o.Attempt, o.Task, o)
	}
	return o
}

// failed runs an attempt that must fail with some words.
func (w *world) failed(t *testing.T, l cluster.Launch, h *host, words ...string) cluster.Outcome {
	t.Helper()
	o := w.Run(t.Context(), l, h)
	if o.Result != cluster.Failed || o.Ref != l.Ref {
		t.Fatalf("attempt %v of %v: %+v", o.Attempt, o.Task, o)
	}
	for _, word := range words {
		if !strings.Contains(o.Text, word) {
			t.Errorf("%q does not say %q", o.Text, word)
		}
	}
	return o
}

// prepare plans a job.
func (w *world) prepare(t *testing.T, id plan.JobID) (counts plan.Counts, planned plan.AttemptID) {
	t.Helper()
	o := done(t, w.Run(t.Context(), w.launch(id, plan.Prepare, 0), &host{spent: w.hear(id)}))
	return o.Counts, o.Attempt
}

// firstMap plans a job and returns an order for its first map task.
func (w *world) firstMap(t *testing.T, id plan.JobID) cluster.Launch {
	t.Helper()
	_, planned := w.prepare(t, id)
	l := w.launch(id, plan.Map, 0)
	l.Planned = planned
	return l
}

// facts are attempts that later ones depend on.
type facts struct{ planned, sampled plan.AttemptID }

// tasks runs the n tasks of a phase, as many at once as there are slots.
func (w *world) tasks(t *testing.T, id plan.JobID, phase plan.Phase, n int, base facts, maps []plan.AttemptID) []plan.AttemptID {
	t.Helper()
	outcomes := make([]cluster.Outcome, n)
	slots := make(chan struct{}, w.cfg.Slots)
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			l := w.launch(id, phase, i)
			l.Planned = base.planned
			outcomes[i] = w.Run(t.Context(), l, &host{maps: maps, sampled: base.sampled, self: l.Attempt, spent: w.hear(id)})
		})
	}
	all.Wait()
	ids := make([]plan.AttemptID, n)
	for i, o := range outcomes {
		ids[i] = done(t, o).Attempt
	}
	return ids
}

// run runs a job to its end and returns its output, part by part.
func (w *world) run(t *testing.T, id plan.JobID) (text string, counts plan.Counts) {
	t.Helper()
	counts, planned := w.prepare(t, id)
	base := facts{planned: planned}
	for _, a := range w.tasks(t, id, plan.Sample, counts.Samples, base, nil) {
		base.sampled = a
	}
	maps := w.tasks(t, id, plan.Map, counts.Maps, base, nil)
	w.tasks(t, id, plan.Reduce, counts.Reduces, base, maps)
	w.Forget(id)
	return w.output(t, fmt.Sprintf("%s/%s", w.out, id)), counts
}

// output returns all parts of an output, in order.
func (w *world) output(t *testing.T, url string) string {
	t.Helper()
	root, err := w.roots.Get(t.Context(), url, true)
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for o, err := range root.List(t.Context(), "part-") {
		if err != nil {
			t.Fatal(err)
		}
		b, err := root.Get(t.Context(), o.Key, 64<<20)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// log returns an attempt's log, once it is there.
func (w *world) log(t *testing.T, l cluster.Ref) string {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		b, err := w.root.Get(t.Context(), plan.LogKey(l.Job, l.Task, l.Attempt), 1<<20)
		if err == nil {
			return string(b)
		}
		if plan.KindOf(err) != plan.NotFound {
			t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("there is no log")
		}
	}
}

// self returns this program, which is also the job's.
func self(t *testing.T) []byte {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rewrite changes a submitted spec.
func (w *world) rewrite(t *testing.T, id plan.JobID, change func(*plan.Spec)) {
	t.Helper()
	body, err := w.root.ReadOnce(t.Context(), plan.SpecKey(id))
	if err != nil {
		t.Fatal(err)
	}
	var s plan.Spec
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatal(err)
	}
	change(&s)
	if body, err = json.Marshal(s); err != nil {
		t.Fatal(err)
	}
	if err := w.root.Delete(t.Context(), plan.SpecKey(id)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.root.CreateOnce(t.Context(), plan.SpecKey(id), body); err != nil {
		t.Fatal(err)
	}
}

// leastMemory returns the least memory with which a worker works as it should.
func leastMemory(slots int) int64 { return runner.LeastMemory(slots) + int64(slots)*instrumented }

// number returns the number behind some words in an attempt's log.
func (w *world) number(t *testing.T, l cluster.Ref, words string) int {
	t.Helper()
	text := w.log(t, l)
	_, rest, ok := strings.Cut(text, words)
	var n int
	if _, err := fmt.Sscan(strings.TrimRight(strings.Fields(rest + " -")[0], ","), &n); err != nil || !ok {
		t.Fatalf("there is no number behind %q: %v: %s", words, err, text)
	}
	return n
}

// wantGone waits for the end of a process.
func wantGone(t *testing.T, pid int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("process %d still runs", pid)
		}
	}
}

// plainProgram returns this program without the race detector, which needs much
// more memory.
func plainProgram(t *testing.T) string {
	t.Helper()
	if instrumented == 0 {
		return ""
	}
	path := filepath.Join(t.TempDir(), "plain")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}
