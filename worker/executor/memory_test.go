package executor_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker/executor"
)

// TestTooLittleMemoryIsReturned verifies that an attempt which has too little memory for
// all that it writes says so, and returns what it had: later attempts would wait for it.
func TestTooLittleMemoryIsReturned(t *testing.T) {
	t.Parallel()
	job := jobs.Define("three", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		words := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
			emit(line, 1)
			return nil
		})
		for i := range 3 {
			words.Fold(jobs.Sum).WriteTSV().Named(fmt.Sprintf("out-%d", i))
		}
		return nil
	})
	w := newWorld(t, 1, job, "to be or\nnot to be\n")
	p, err := job.Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	const share = 3*shuffle.LeastToWrite - 1
	budget := shuffle.NewBudget(share)
	e := executor.New(executor.Config{
		Pipeline: p, Job: "01ARZ3NDEKTSV4RRFFQ69G5FAV", Open: func(string) (*store.Root, error) { return w.root, nil },
		Scratch: w.root.Sub("tmp"), Class: store.Scratch, Output: w.root.Sub("out"),
		PartName: func(id plan.TaskID, _ plan.AttemptID, _ int) string { return "part" },
		Compress: compress.None, Budget: budget, Share: share, Log: slog.New(slog.DiscardHandler),
	})
	work := executor.Work{Splits: []plan.Split{w.split}}
	work.Writes = make([]plan.Write, 3)
	for i := range work.Writes {
		work.Writes[i].Partitions = 1
	}
	if _, err := e.Run(t.Context(), attempt(plan.Map, 0, 1), work, w); err == nil || !strings.Contains(err.Error(), "raise --memory") {
		t.Errorf("the attempt ends with %v", err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := budget.Acquire(soon, share); err != nil {
		t.Errorf("after it: %v", err)
	}
}
