package control_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/control"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/allow"
	"github.com/windrow-mr/windrow/store/driver"
)

const (
	over = plan.JobID("01JZ0000000000000000000AAA") // of a job that another process made
	keep = 10 * time.Minute
	// leading is more than the time after which a master leads, if none did or the
	// one that did is dead.
	leading = time.Minute
	input   = "mem://data/in"
	out     = "mem://data/out"
)

// bed is the store of a cluster, in the bubble of a test. The masters that it
// starts share it.
type bed struct {
	t     *testing.T
	mem   *store.MemSpace
	root  *store.Root // of the cluster, as the test sees it
	data  *store.Root // with inputs and outputs
	roots *allow.List
	ahead atomic.Int64           // added to the clocks of masters: how long the machine was suspended
	down  atomic.Pointer[string] // the store refuses writes of masters below a key that contains it; nil: none
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, mem: new(store.MemSpace)}
	opts := store.Options{Mem: b.mem}
	b.root, b.data = b.open("mem://truth", opts), b.open("mem://data", opts)
	var err error
	b.roots, err = allow.New([]string{"mem://data"}, opts)
	b.must(err)
	return b
}

func (b *bed) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) open(url string, opts store.Options) *store.Root {
	b.t.Helper()
	root, err := store.Open(b.t.Context(), url, opts)
	b.must(err)
	return root
}

// failing is a store that refuses the writes that the bed says.
type failing struct {
	driver.Driver
	bed  *bed
	held *atomic.Pointer[held]
}

func (d failing) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	if part := d.bed.down.Load(); part != nil && strings.Contains(key, *part) {
		return driver.Fail(plan.Unavailable, "the store is down")
	}
	return d.Driver.Put(ctx, key, body, o)
}

// Delete waits while a test holds back the deletions of this master.
func (d failing) Delete(ctx context.Context, key string) error {
	if held := d.held.Load(); held != nil && strings.Contains(key, held.part) {
		held.waiting.Store(true)
		<-held.free
	}
	return d.Driver.Delete(ctx, key)
}

// held are deletions that wait, as those of a process that was stopped.
type held struct {
	part    string // of their keys
	free    chan struct{}
	waiting atomic.Bool // one waits
}

// fail lets the store refuse the writes of masters whose key contains part.
func (b *bed) fail(part string) { b.down.Store(&part) }

// repair ends that.
func (b *bed) repair() { b.down.Store(nil) }

// master is a master whose process a test can end.
type master struct {
	*control.Master
	held atomic.Pointer[held]
	// stop ends the process as a signal does: it resigns.
	stop func()
}

// start starts a master that has a name as its ID and in its URL. It returns when
// the master leads, or has found that another one does. The test stops it.
func (b *bed) start(name string) *master {
	b.t.Helper()
	began, started := time.Now(), new(master)
	root := b.open("mem://truth", store.Options{Mem: b.mem, Wrap: func(d driver.Driver) driver.Driver { return failing{d, b, &started.held} }})
	m, err := control.New(control.Config{ID: name, URL: "http://" + name, Root: root, Roots: b.roots, Allows: b.roots.Allows,
		Clock: func() time.Duration { return time.Since(began) + time.Duration(b.ahead.Load()) },
		Keep:  keep, Host: "host of " + name, Build: "v1"})
	b.must(err)
	started.Master, started.stop = m, run(b.t, m)
	return started
}

// start starts a master, and returns it when it leads. The test stops it.
func start(t *testing.T, root *store.Root, roots *allow.List) *control.Master {
	t.Helper()
	began := time.Now()
	m, err := control.New(control.Config{ID: "m", URL: "http://m", Root: root, Roots: roots, Allows: roots.Allows,
		Clock: func() time.Duration { return time.Since(began) }, Keep: keep})
	if err != nil {
		t.Fatal(err)
	}
	run(t, m)
	return m
}

// run runs a master until stop is called, or the test ends.
func run(t *testing.T, m *control.Master) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	time.Sleep(leading)
	return stop
}

// submission is a small job.
func submission() *client.Submission {
	return &client.Submission{IdempotencyKey: "key", Job: "sort", Plan: "text", Input: []string{input}, Output: out}
}

// submit submits a job, and returns its id.
func (b *bed) submit(m *master, s *client.Submission) plan.JobID {
	b.t.Helper()
	got, err := m.Submit(b.t.Context(), s)
	b.must(err)
	if got.Known {
		b.t.Fatalf("the key %q was used before", s.IdempotencyKey)
	}
	return got.ID
}

// job returns a job as it is now.
func (b *bed) job(m *master, id plan.JobID) client.Job {
	b.t.Helper()
	d, err := m.Job(b.t.Context(), id)
	b.must(err)
	return d
}

// jobs returns the ids of all jobs, the newest first.
func (b *bed) jobs(m *master) (ids []plan.JobID) {
	b.t.Helper()
	for d, err := range m.Jobs(b.t.Context(), "") {
		b.must(err)
		ids = append(ids, d.ID)
	}
	return ids
}

// wants checks that a request was refused with a kind, and with texts that help.
func wants(t *testing.T, what string, err error, kind plan.Kind, texts ...string) {
	t.Helper()
	refusal, ok := errors.AsType[*client.Error](err)
	if !ok || refusal.Kind != kind {
		t.Errorf("%s: %v, want the kind %v", what, err, kind)
		return
	}
	for _, text := range texts {
		if !strings.Contains(refusal.Error(), text) {
			t.Errorf("%s: %q does not contain %q", what, refusal.Error(), text)
		}
	}
}

// TestNewNeedsAllParts verifies that a master without a part that it needs is not
// made: it would fail much later.
func TestNewNeedsAllParts(t *testing.T) {
	t.Parallel()
	root, err := store.Open(t.Context(), "mem://", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	roots, err := allow.New([]string{"mem://data"}, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	whole := control.Config{ID: "m", URL: "http://m", Root: root, Roots: roots, Clock: func() time.Duration { return 0 }}
	if _, err := control.New(whole); err != nil {
		t.Errorf("a config with all that is needed: %v", err)
	}
	for name, remove := range map[string]func(*control.Config){
		"ID": func(c *control.Config) { c.ID = "" }, "URL": func(c *control.Config) { c.URL = "" },
		"Root": func(c *control.Config) { c.Root = nil }, "Roots": func(c *control.Config) { c.Roots = nil },
		"Clock": func(c *control.Config) { c.Clock = nil },
	} {
		c := whole
		remove(&c)
		if _, err := control.New(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// weak is a store that writes objects over others.
type weak struct{ driver.Driver }

func (d weak) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	o.IfAbsent = false
	return d.Driver.Put(ctx, key, body, o)
}

// TestCheck verifies that a store on which two masters could lead at the same time is
// found, and that the check leaves no object behind.
func TestCheck(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		wrap func(driver.Driver) driver.Driver
		good bool
	}{
		"good": {nil, true},
		"weak": {func(d driver.Driver) driver.Driver { return weak{d} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, err := store.Open(t.Context(), "mem://", store.Options{Wrap: tt.wrap})
			if err != nil {
				t.Fatal(err)
			}
			err = control.Check(t.Context(), root)
			if (err == nil) != tt.good || err != nil && !strings.Contains(err.Error(), "cannot be led") {
				t.Errorf("it is %v", err)
			}
			for o, err := range root.List(t.Context(), "") {
				t.Errorf("it left %s (%v)", o.Key, err)
			}
		})
	}
}

// upload uploads a program, and returns it.
func (b *bed) upload(m *master, digest, body string) {
	b.t.Helper()
	b.must(m.PutBundle(b.t.Context(), digest, int64(len(body)), strings.NewReader(body)))
}

// read reads all of a log.
func read(t *testing.T, r io.ReadCloser) string {
	t.Helper()
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// phaseOf returns how many tasks of a phase there are, and how many are committed.
func phaseOf(d client.Job, p plan.Phase) (tasks, committed int) {
	i := slices.IndexFunc(d.Phases, func(f client.Phase) bool { return f.Phase == p.String() })
	if i < 0 {
		return 0, 0
	}
	return d.Phases[i].Tasks, d.Phases[i].Committed
}
