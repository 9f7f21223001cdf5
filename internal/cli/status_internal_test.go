package cli

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/internal/remote"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// TestEveryKindHasAStatus verifies that every kind of failure has a status, and
// that none is 0.
func TestEveryKindHasAStatus(t *testing.T) {
	t.Parallel()
	if len(statuses) != len(plan.Kinds()) {
		t.Errorf("%d kinds have a status, of %d", len(statuses), len(plan.Kinds()))
	}
	for _, k := range plan.Kinds() {
		if status(&embedded.Error{Kind: k, Err: errors.New("x")}) == exitOK {
			t.Errorf("a failure of kind %v gives the status 0", k)
		}
	}
	if got := status(&embedded.Error{Kind: plan.Kind(200), Err: errors.New("x")}); got != exitFailed {
		t.Errorf("a kind of a newer build gives the status %d", got)
	}
}

// TestStatus verifies that the statuses are those of docs/cli.md, for failures of
// every origin.
func TestStatus(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"an invalid argument":               {&argumentError{text: "x"}, 2},
		"a run that failed":                 {&embedded.Error{Kind: plan.Failed, Err: errors.New("x")}, 1},
		"a run without input":               {fmt.Errorf("run: %w", &embedded.Error{Kind: plan.NotFound, Err: errors.New("x")}), 5},
		"a run whose output is not its own": {&embedded.Error{Kind: plan.Conflict, Err: errors.New("x")}, 6},
		"a run that was interrupted":        {&embedded.Error{Kind: plan.Interrupted, Err: context.Canceled}, 130},
		"a job that a user cancelled":       {&remote.JobError{State: client.Cancelled, Cause: client.Cause{Kind: plan.Cancelled}}, 1},
		"a job that was denied":             {&remote.JobError{Cause: client.Cause{Kind: plan.Denied}}, 4},
		"a job whose cause is not known":    {&remote.JobError{}, 1},
		"no master":                         {client.Errorf(plan.Unavailable, "x"), 3},
		"a master that does not lead":       {client.Errorf(plan.NotLeader, "x"), 3},
		"a store that is down":              {&store.Error{Op: "get", Kind: plan.Unavailable}, 1},
		"a store that refuses":              {&store.Error{Op: "get", Kind: plan.Denied}, 4},
		"an invalid URL":                    {&store.Error{Op: "open", Kind: plan.Invalid}, 2},
		"no output":                         {fmt.Errorf("cat: %w", output.ErrNotCommitted), 5},
		"an interrupt while a job runs":     {errInterrupted, 130},
		"an interrupt that cancels nothing": {errors.Join(client.Errorf(plan.Unavailable, "x"), errInterrupted), 130},
		"any other error":                   {errors.New("x"), 1},
	} {
		if got := status(c.err); got != c.want {
			t.Errorf("%s: exit %d, want %d", name, got, c.want)
		}
	}
}
