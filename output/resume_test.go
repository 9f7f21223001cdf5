package output_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
)

// TestResume verifies that another process can continue with a job's
// reservation, at every moment of its life.
func TestResume(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := open(t)
	commit(t, root, 1, output.Fail, "old")
	if h, err := output.Resume(ctx, root, request(2, output.Append)); h != nil || err != nil {
		t.Fatalf("a job that has reserved nothing resumes %v, %v", h, err)
	}
	if _, err := output.Reserve(ctx, root, request(2, output.Append)); err != nil {
		t.Fatal(err)
	}
	part := write(t, root, 2, 0, "new")
	h, err := output.Resume(ctx, root, request(2, output.Append))
	if err != nil || h == nil {
		t.Fatalf("resume: %v, %v", h, err)
	}
	if err := h.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Commit(ctx, []plan.Part{part}); err != nil {
		t.Fatal(err)
	}
	again, err := output.Resume(ctx, root, request(2, output.Append))
	if err != nil || again == nil {
		t.Fatalf("resume after the commit: %v, %v", again, err)
	}
	m, err := again.Commit(ctx, nil)
	if err != nil || len(m.Parts) != 2 {
		t.Errorf("committed again: %v, %v", m, err)
	}
	if err := again.Clean(ctx); err != nil {
		t.Error(err)
	}
	if got := contents(t, root); got != "old new" {
		t.Errorf("contents %q", got)
	}
}

// TestResumeAfterTakeover verifies that a job that was quiet for too long
// notices, and never gets the output back by itself.
func TestResumeAfterTakeover(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := open(t)
	if _, err := output.Reserve(ctx, root, request(1, output.Replace)); err != nil {
		t.Fatal(err)
	}
	commit(t, root, 2, output.Replace, "theirs")
	h, err := output.Resume(ctx, root, request(1, output.Replace))
	if conflict := (*output.Conflict)(nil); h != nil && !errors.As(err, &conflict) {
		t.Errorf("resumed %v, %v", h, err)
	}
	if got := contents(t, root); got != "theirs" {
		t.Errorf("contents %q", got)
	}
}

// TestQuiet verifies that a writer that may be quiet for long keeps its output
// for that long.
func TestQuiet(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := open(t)
	quiet := request(1, output.Replace)
	quiet.Quiet = time.Hour
	if _, err := output.Reserve(ctx, root, quiet); err != nil {
		t.Fatal(err)
	}
	other := request(2, output.Replace)
	waiting, stop := context.WithCancel(ctx)
	other.Waiting = func(output.Holder, time.Duration) { stop() }
	if _, err := output.Reserve(waiting, root, other); !errors.Is(err, context.Canceled) {
		t.Errorf("it was taken over at once: %v", err)
	}
}

// resumed is a request of a job that continues in other processes.
func resumed(n int, mode output.Mode) output.Request {
	r := request(n, mode)
	r.Resumed = true
	return r
}

// TestReserveInTwoProcesses: two masters may reserve for one run at the same
// time, and one of them may stop while it does. No other job loses the output
// by that.
func TestReserveInTwoProcesses(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := open(t)
	stopped, stop := context.WithCancel(ctx)
	stop()
	if _, err := output.Reserve(stopped, root, resumed(1, output.Fail)); err == nil {
		t.Fatal("one that was stopped has reserved it")
	}
	holds := make([]*output.Hold, 8)
	var group sync.WaitGroup
	for i := range holds {
		group.Go(func() {
			var err error
			if holds[i], err = output.Reserve(ctx, root, resumed(1, output.Fail)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	part := write(t, root, 1, 0, "new")
	for _, h := range holds {
		if _, err := h.Commit(ctx, []plan.Part{part}); err != nil {
			t.Error(err)
		}
		if err := h.Clean(ctx); err != nil {
			t.Error(err)
		}
	}
	if got := contents(t, root); got != "new" {
		t.Errorf("contents %q", got)
	}
}

// TestReserveAfterRelease verifies that parts of a run that gave up once, and
// reserved again, are not swept as leftovers of the first try.
func TestReserveAfterRelease(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := open(t)
	h, err := output.Reserve(ctx, root, resumed(1, output.Fail))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Release(ctx); err != nil {
		t.Fatal(err)
	}
	if h, err = output.Reserve(ctx, root, resumed(1, output.Fail)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Commit(ctx, []plan.Part{write(t, root, 1, 0, "new")}); err != nil {
		t.Fatal(err)
	}
	if err := h.Clean(ctx); err != nil {
		t.Fatal(err)
	}
	commit(t, root, 2, output.Append, "more")
	if got := contents(t, root); got != "new more" {
		t.Errorf("contents %q", got)
	}
}

// TestResumeFinishesRelease: a process that released the output may have died
// before it deleted the parts, and before it restored the contents' mark.
func TestResumeFinishesRelease(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := open(t)
	commit(t, root, 1, output.Fail, "old")
	first, err := output.Reserve(ctx, root, resumed(2, output.Append))
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	second, err := output.Resume(ctx, root, resumed(2, output.Append))
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Release(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := root.Stat(ctx, output.SuccessName); err != nil {
		t.Errorf("the contents have no mark: %v", err)
	}
	part := write(t, root, 2, 0, "late")
	if h, err := output.Resume(ctx, root, resumed(2, output.Append)); h != nil || err != nil {
		t.Errorf("a released output is resumed as %v, %v", h, err)
	}
	if _, err := root.Stat(ctx, part.Name); plan.KindOf(err) != plan.NotFound {
		t.Errorf("a part of a job that gave up is visible (%v)", err)
	}
}

// TestLateBegin verifies that a process that wakes up after another has
// committed for the job does not remove the mark.
func TestLateBegin(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := open(t)
	late, err := output.Reserve(ctx, root, resumed(1, output.Fail))
	if err != nil {
		t.Fatal(err)
	}
	h, err := output.Resume(ctx, root, resumed(1, output.Fail))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Commit(ctx, []plan.Part{write(t, root, 1, 0, "new")}); err != nil {
		t.Fatal(err)
	}
	if err := late.Begin(ctx); err != nil {
		t.Error(err)
	}
	if _, err := root.Stat(ctx, output.SuccessName); err != nil {
		t.Errorf("the contents have no mark: %v", err)
	}
}

// TestCommitted verifies that a run's commit stays known, whichever job writes
// after it.
func TestCommitted(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := open(t)
	commit(t, root, 1, output.Fail, "old")
	h, err := output.Reserve(ctx, root, request(2, output.Append))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Release(ctx); err != nil {
		t.Fatal(err)
	}
	commit(t, root, 3, output.Replace, "new")
	for n, want := range []bool{false, true, false, true, false} {
		if got, err := output.Committed(ctx, root, job(n), 0); err != nil || got != want {
			t.Errorf("job %d has committed: %v, %v", n, got, err)
		}
	}
	if got, err := output.Committed(ctx, root, job(1), 1); err != nil || got {
		t.Errorf("another run of job 1 has committed: %v, %v", got, err)
	}
}
