package output_test

import (
	"context"
	"errors"
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
