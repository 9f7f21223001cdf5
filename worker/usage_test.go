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

// TestRequestsAreReported verifies that every message has all requests made for a
// job, including the message with an outcome, until the job has ended. Requests of
// another run of the job go to an account of their own.
func TestRequestsAreReported(t *testing.T) {
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
			h.Spent(plan.Requests{"s3": {Puts: 1, Gets: 1}}) // an older call that arrives late
			return cluster.Outcome{Result: cluster.Failed}
		}}
		start(t, worker.Config{Runner: h, Find: finds(1, "m"), HTTP: wire{"m": d}})
		reported := func() string { return fmt.Sprint(d.last().Spent) }
		time.Sleep(4 * time.Second)
		if got, want := reported(), fmt.Sprint([]cluster.Spent{{Job: "01JOB", Account: 1, Requests: plan.Requests{"s3": {Puts: 2}}}}); got != want {
			t.Errorf("while it runs the worker reports %s, want %s", got, want)
		}
		time.Sleep(10 * time.Second)
		all := fmt.Sprint([]cluster.Spent{{Job: "01JOB", Account: 1, Requests: plan.Requests{"s3": {Puts: 3, Gets: 1}, "file": {Gets: 7}}}})
		if got := reported(); got != all {
			t.Errorf("after its end the worker reports %s, want %s", got, all)
		}
		d.change(func(d *desk) {
			for _, s := range d.heard {
				if len(s.Outcomes) > 0 && fmt.Sprint(s.Spent) != all {
					t.Errorf("with the outcome the worker reports %v, want %s", s.Spent, all)
				}
			}
			d.launches, d.ended = nil, []plan.JobID{"01JOB"}
		})
		time.Sleep(10 * time.Second)
		hosts[0].Spent(plan.Requests{"s3": {Puts: 99}}) // a log that was written late
		time.Sleep(10 * time.Second)
		if got := d.last().Spent; len(got) > 0 {
			t.Errorf("for a job that has ended the worker reports %v", got)
		}
		d.change(func(d *desk) { d.launches, d.ended = []cluster.Launch{launch(2)}, nil })
		time.Sleep(4 * time.Second)
		if got, want := reported(), fmt.Sprint([]cluster.Spent{{Job: "01JOB", Account: 2, Requests: plan.Requests{"s3": {Puts: 2}}}}); got != want {
			t.Errorf("in the next run the worker reports %s, want %s", got, want)
		}
	})
}
