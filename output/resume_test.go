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

// TestResume: another process goes on with what a job has reserved, at every
// moment of its life.
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

// TestResumeAfterTakeover: who went quiet for too long is told, and never gets the
// output back by itself.
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

// TestQuiet: a writer that says that it may be quiet for long is not taken for
// dead before.
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
		t.Errorf("it was taken over in no time: %v", err)
	}
}

// resumed is a request of a job that goes on in other processes.
func resumed(n int, mode output.Mode) output.Request {
	r := request(n, mode)
	r.Resumed = true
	return r
}

// TestReserveInTwoProcesses: two masters may reserve for one run at once, and one
// of them may be stopped at it: that takes the output from nobody.
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

// TestReserveAfterRelease: what a run makes after it gave up once is not taken
// for what was left then.
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

// TestResumeFinishesRelease: who released the output may have died before the
// parts went, and before the contents had their mark again.
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
		t.Errorf("what was released is resumed as %v, %v", h, err)
	}
	if _, err := root.Stat(ctx, part.Name); plan.KindOf(err) != plan.NotFound {
		t.Errorf("a part of a job that gave up is visible (%v)", err)
	}
}

// TestLateBegin: a process that wakes up after another has committed for the job
// does not take the mark away.
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

// TestCommitted: that a run has committed stays known, whoever comes after it.
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
