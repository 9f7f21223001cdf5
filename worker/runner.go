package worker

import (
	"context"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
)

// Runner carries out attempts. Package worker/runner has the one that starts
// job processes.
type Runner interface {
	// Run carries out an attempt, and returns when it has ended: by itself, or
	// because ctx did, and then soon. It is called on a goroutine of its own, at
	// most as often at once as the worker has slots. What it returns has the
	// Ref of the attempt.
	Run(ctx context.Context, l cluster.Launch, h Host) cluster.Outcome
	// Forget says that a job has ended: nothing of it is kept any more.
	Forget(job plan.JobID)
	// Close ends all that is still there. No Run is under way.
	Close() error
}

// Host is what an attempt asks of the worker that it runs on.
type Host interface {
	// Grant waits until the log holds a grant of the attempt, and returns all
	// attempts of the task that were ever granted.
	Grant(ctx context.Context) ([]plan.AttemptID, error)
	// Maps returns the attempts whose output a reduce reads, by map task.
	Maps(ctx context.Context) ([]plan.AttemptID, error)
	// Progress tells how much was done so far: bytes of input, and records.
	Progress(bytes, records int64)
	// Spent tells what stores were asked for in all attempts of the job, since the
	// first of them or since Forget. It may be called after Run has returned, by
	// any goroutine. The host keeps what it is given.
	Spent(r plan.Requests)
}
