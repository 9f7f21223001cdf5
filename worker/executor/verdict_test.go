package executor_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker/executor"
)

// TestJudge verifies for each kind of failure whether another try can help.
func TestJudge(t *testing.T) {
	t.Parallel()
	at := func(kind plan.Kind) error {
		return fmt.Errorf("task map/1: %w", &store.Error{Op: "get", URL: "mem://x", Kind: kind})
	}
	record := &jobs.RecordError{Stage: "map", Err: errors.New("bad"), Stack: []byte("goroutine 1")}
	lost := &executor.LostOutput{Task: plan.TaskID{Phase: plan.Map, Index: 3}, Attempt: plan.AttemptID{N: 4}, Err: at(plan.Denied)}
	for name, c := range map[string]struct {
		err  error
		want executor.Verdict // without its text
		same bool             // the fingerprint is the text
	}{
		"the store is away":      {err: at(plan.Unavailable)},
		"the store is slow":      {err: at(plan.Throttled)},
		"bytes are damaged":      {err: at(plan.Corrupt)},
		"something":              {err: errors.New("something")},
		"an input is gone":       {err: at(plan.NotFound), same: true},
		"an input has changed":   {err: at(plan.Changed), want: executor.Verdict{Failure: plan.Failure{Final: true}}},
		"access is denied":       {err: at(plan.Denied), want: executor.Verdict{Failure: plan.Failure{Final: true, Kind: plan.Denied}}},
		"a key is malformed":     {err: at(plan.Invalid), want: executor.Verdict{Failure: plan.Failure{Final: true}}},
		"counters for no result": {err: &jobs.RecordError{Stage: "map", Err: &plan.TallyError{Text: "NaN"}}, want: executor.Verdict{Failure: plan.Failure{Final: true}}},
		"a record":               {err: fmt.Errorf("task map/1: %w", record), want: executor.Verdict{Stack: record.Stack}, same: true},
		"a reader":               {err: fmt.Errorf("task map/1: %w", &pipeline.ReaderError{Err: errors.New("column 3 is no date")}), same: true},
		"a sum overflows":        {err: &jobs.RecordError{Stage: "Fold", Err: &jobs.OverflowError{Sum: "jobs.Sum", Type: "int64"}}, want: executor.Verdict{Failure: plan.Failure{Final: true}}},
		"the input itself":       {err: fmt.Errorf("task map/1: %w", &executor.InputError{Err: errors.New("bad")}), same: true},
		"another owns the place": {err: fmt.Errorf("grant: %w", &output.Conflict{URL: "mem://out", Text: "taken"}), want: executor.Verdict{Failure: plan.Failure{Kind: plan.Conflict}}},
		"a map's runs are gone":  {err: fmt.Errorf("task reduce/1: %w", lost), want: executor.Verdict{Lost: lost}},
	} {
		got := executor.Judge(c.err)
		c.want.Text = c.err.Error()
		if c.same {
			c.want.Fingerprint = c.want.Text
		}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
