package worker_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/worker"
)

// TestWhatWasAskedIsTold: every message has all that was asked for a job, the one
// with an outcome too, until the job has ended; what is asked in another run of it
// is an account of its own.
func TestWhatWasAskedIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := launch(1)
		var hosts []worker.Host
		d, h := newDesk(1, l), &hands{do: func(ctx context.Context, _ cluster.Launch, h worker.Host) cluster.Outcome {
			hosts = append(hosts, h)
			h.Spent(plan.Requests{"s3": {Puts: 2}})
			if rest(ctx, 5*time.Second) != nil {
				return cluster.Outcome{Result: cluster.Lost}
			}
			h.Spent(plan.Requests{"s3": {Puts: 3}, "file": {Gets: 7}})
			h.Spent(plan.Requests{"s3": {Puts: 1, Gets: 1}}) // which was overtaken
			return cluster.Outcome{Result: cluster.Failed}
		}}
		start(t, worker.Config{Runner: h, Find: finds(1, "m"), HTTP: wire{"m": d}})
		told := func() string { return fmt.Sprint(d.last().Spent) }
		time.Sleep(4 * time.Second)
		if got, want := told(), fmt.Sprint([]cluster.Spent{{Job: "01JOB", Account: 1, Requests: plan.Requests{"s3": {Puts: 2}}}}); got != want {
			t.Errorf("while it runs %s is told, want %s", got, want)
		}
		time.Sleep(10 * time.Second)
		all := fmt.Sprint([]cluster.Spent{{Job: "01JOB", Account: 1, Requests: plan.Requests{"s3": {Puts: 3, Gets: 1}, "file": {Gets: 7}}}})
		if got := told(); got != all {
			t.Errorf("when it has ended %s is told, want %s", got, all)
		}
		d.change(func(d *desk) {
			for _, s := range d.heard {
				if len(s.Outcomes) > 0 && fmt.Sprint(s.Spent) != all {
					t.Errorf("with the outcome %v is told, want %s", s.Spent, all)
				}
			}
			d.launches, d.ended = nil, []plan.JobID{"01JOB"}
		})
		time.Sleep(10 * time.Second)
		hosts[0].Spent(plan.Requests{"s3": {Puts: 99}}) // a log that was written late
		time.Sleep(10 * time.Second)
		if got := d.last().Spent; len(got) > 0 {
			t.Errorf("of a job that has ended %v is told", got)
		}
		d.change(func(d *desk) { d.launches, d.ended = []cluster.Launch{launch(2)}, nil })
		time.Sleep(4 * time.Second)
		if got, want := told(), fmt.Sprint([]cluster.Spent{{Job: "01JOB", Account: 2, Requests: plan.Requests{"s3": {Puts: 2}}}}); got != want {
			t.Errorf("in the next run %s is told, want %s", got, want)
		}
	})
}
