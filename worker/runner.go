package worker

import (
	"context"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
)

// Runner carries out attempts. Package worker/runner has the one that starts
// job processes.
type Runner interface {
	// Run carries out an attempt, and returns when it has ended by itself, or
	// soon after ctx ends. Each call has a goroutine of its own; at most as many
	// run at once as the worker has slots. The outcome has the Ref of the
	// attempt.
	Run(ctx context.Context, l cluster.Launch, h Host) cluster.Outcome
	// Forget says that a job has ended: the Runner drops all it keeps of the
	// job.
	Forget(job plan.JobID)
	// Close ends all that is left. No Run is under way.
	Close() error
}

// Host is the part of the worker that an attempt uses.
type Host interface {
	// Grant waits until the log holds a grant of the attempt. It returns all
	// attempts of the task that were ever granted.
	Grant(ctx context.Context) ([]plan.AttemptID, error)
	// Work returns what the attempt reads and writes, apart from sections of inputs.
	Work(ctx context.Context) (plan.Work, error)
	// Progress reports how much is done so far: bytes of input, and records.
	Progress(bytes, records int64)
	// Spent reports the requests to stores of all attempts of the job, since the
	// first of them or since Forget. It may be called after Run has returned, by
	// any goroutine. The host keeps r.
	Spent(r plan.Requests)
}
