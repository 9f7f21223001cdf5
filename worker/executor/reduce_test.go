package executor_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
	"github.com/windrow-mr/windrow/worker/executor"
)

// remoteWorld is a world whose store is across a network, with the output of a map
// task.
type remoteWorld struct {
	*world
	*crowd
	maps []plan.AttemptID
}

// crowd counts the reads of runs that are under way at once. Each of them takes
// some time.
type crowd struct {
	driver.Driver
	mu        sync.Mutex
	now, most int
	takes     time.Duration
}

func (c *crowd) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	r, err := c.Driver.Open(ctx, key, etag)
	if strings.Contains(key, "/x/") {
		r = &crowdReader{r, c}
	}
	return r, err
}

type crowdReader struct {
	driver.Reader
	crowd *crowd
}

func (r *crowdReader) Range(ctx context.Context, off, n int64) (driver.Body, error) {
	c := r.crowd
	count := func(n int) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.now += n
		c.most = max(c.most, c.now)
	}
	count(1)
	defer count(-1)
	if c.takes > 0 {
		time.Sleep(c.takes) // only in a bubble of synctest
	}
	return r.Reader.Range(ctx, off, n)
}

func newRemoteWorld(t *testing.T, partitions, turns int, of *jobs.Job) *remoteWorld {
	t.Helper()
	far := new(crowd)
	root, err := store.Open(t.Context(), "mem://", store.Options{Transfer: store.Transfer{Unhedged: true}, Wrap: func(d driver.Driver) driver.Driver {
		far.Driver = faulttest.Remote(d, 1<<20)
		return far
	}})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&text, "word%d common\n", i)
	}
	if err := root.Put(t.Context(), "in/text", []byte(text.String()), store.Scratch); err != nil {
		t.Fatal(err)
	}
	o, err := root.Stat(t.Context(), "in/text")
	if err != nil {
		t.Fatal(err)
	}
	p, err := of.Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{root: root}
	w.split = plan.Split{Sections: []plan.Section{{Object: plan.Object{Root: "mem://", Key: "in/text", Size: o.Size, ETag: o.ETag}, Length: o.Size}}}
	w.chain = newChain(executor.Config{
		Pipeline: p, Job: job, Turns: turns,
		Open:    func(string) (*store.Root, error) { return root, nil },
		Scratch: root.Sub("tmp"), Class: store.Scratch, Output: root.Sub("out"),
		PartName: func(id plan.TaskID, _ plan.AttemptID, _ int) string { return fmt.Sprintf("part-%d", id.Index) },
		Compress: compress.None, Budget: shuffle.NewBudget(128 << 20), Share: 64 << 20, Log: slog.New(slog.DiscardHandler),
	}, partitions)
	m, err := w.Map(t.Context(), attempt(plan.Map, 0, 1), w.split, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &remoteWorld{w, far, []plan.AttemptID{m.Attempt}}
}

// reduceAll reduces all partitions side by side and returns the number of rows of
// the output.
func (w *remoteWorld) reduceAll(t *testing.T, partitions, holders int, grants executor.Granter) int {
	t.Helper()
	var running sync.WaitGroup
	for p := range partitions {
		running.Go(func() {
			a := attempt(plan.Reduce, p, uint32(100+p))
			a.Holders = holders
			if _, err := w.Reduce(t.Context(), a, w.maps, grants); err != nil {
				t.Errorf("partition %d: %v", p, err)
			}
		})
	}
	running.Wait()
	rows := 0
	for p := range partitions {
		b, err := w.root.Get(t.Context(), fmt.Sprintf("out/part-%d", p), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		rows += strings.Count(string(b), "\n")
	}
	return rows
}

// leave grants everything.
type leave struct{}

func (leave) Grant(context.Context, executor.Attempt) error { return nil }
func (leave) Granted(context.Context, plan.TaskID) ([]plan.AttemptID, error) {
	return nil, nil
}

func TestAdjacentPartitionsShareRequests(t *testing.T) {
	t.Parallel()
	w := newRemoteWorld(t, 16, 0, wordCount())
	before := w.root.Usage()
	if rows := w.reduceAll(t, 16, 1, leave{}); rows != 2001 {
		t.Errorf("%d words", rows)
	}
	// One request for the run of the only map: all partitions are one group.
	// The others are reduceAll's own, which looks at the output.
	if got := w.root.Usage().Minus(before).Gets - 16; got != 1 {
		t.Errorf("16 partitions were read by %d requests", got)
	}
}

func TestWithSeveralHoldersGroupsAreSmaller(t *testing.T) {
	t.Parallel()
	w := newRemoteWorld(t, 16, 0, wordCount())
	before := w.root.Usage()
	for p := range 16 {
		a := attempt(plan.Reduce, p, uint32(100+p))
		a.Holders = 4
		if _, err := w.Reduce(t.Context(), a, w.maps, leave{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.root.Usage().Minus(before).Gets; got != 4 {
		t.Errorf("16 partitions of 4 processes were read by %d requests", got)
	}
}

func TestALostRunOfAGroupIsTheMapsFault(t *testing.T) {
	t.Parallel()
	w := newRemoteWorld(t, 16, 1, wordCount())
	m, err := w.ReadManifest(t.Context(), plan.TaskID{Phase: plan.Map}, w.maps[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := w.root.Delete(t.Context(), "tmp/"+m.Runs[0].Key); err != nil {
		t.Fatal(err)
	}
	for p := range 3 { // a failed attempt keeps nothing that the next one waits for
		_, err := w.Reduce(t.Context(), attempt(plan.Reduce, p, uint32(100+p)), w.maps, leave{})
		lost, ok := errors.AsType[*executor.LostOutput](err)
		if !ok || lost.Attempt != w.maps[0] {
			t.Fatalf("the error is %v", err)
		}
	}
}

// TestRequestsForRunsAreBounded verifies that a process has at most 64 requests for
// ranges of runs under way, however many runs and attempts there are.
func TestRequestsForRunsAreBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ partitions, holders int }{"one partition": {1, 1}, "two groups": {4, 2}} {
		synctest.Test(t, func(t *testing.T) {
			w := newRemoteWorld(t, c.partitions, 0, wordCount())
			for i := 1; i < 150; i++ {
				m, err := w.Map(t.Context(), attempt(plan.Map, i, uint32(1000+i)), w.split, nil)
				if err != nil {
					t.Fatal(err)
				}
				w.maps = append(w.maps, m.Attempt)
			}
			w.takes = time.Second
			var running sync.WaitGroup
			for p := range c.partitions {
				running.Go(func() {
					a := attempt(plan.Reduce, p, uint32(5000+p))
					a.Holders = c.holders
					if _, err := w.Reduce(t.Context(), a, w.maps, leave{}); err != nil {
						t.Error(err)
					}
				})
			}
			running.Wait()
			if w.most != 64 {
				t.Errorf("%s: %d requests were under way at once", name, w.most)
			}
		})
	}
}

// slowGrants holds every attempt until all have asked.
type slowGrants struct {
	leave
	asked sync.WaitGroup
}

func (g *slowGrants) Grant(context.Context, executor.Attempt) error {
	g.asked.Done()
	g.asked.Wait()
	return nil
}

func TestReducesTakeTurnsInComputingAlone(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	computing, most := 0, 0
	count := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		computing += n
		most = max(most, computing)
	}
	of := jobs.Define("turns", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		words := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
			for w := range strings.FieldsSeq(string(line)) {
				emit(w, 1)
			}
			return nil
		})
		jobs.Reduce(words, func(_ *jobs.Context, key string, values iter.Seq[int64], emit func(string)) error {
			count(1)
			defer count(-1)
			for range values {
				runtime.Gosched() // others may continue, if they can
			}
			emit(key)
			return nil
		}).WriteTSV()
		return nil
	})
	// All eight wait for their grant at once although two compute at a time,
	// whether they read a group or each its own run.
	for _, holders := range []int{1, 8} {
		synctest.Test(t, func(t *testing.T) {
			w := newRemoteWorld(t, 8, 2, of)
			grants := &slowGrants{}
			grants.asked.Add(8)
			if rows := w.reduceAll(t, 8, holders, grants); rows != 2001 {
				t.Errorf("%d words", rows)
			}
		})
	}
	if most > 2 {
		t.Errorf("%d attempts computed at once", most)
	}
}
