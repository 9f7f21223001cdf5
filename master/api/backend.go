package api

import (
	"context"
	"io"
	"iter"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
)

// Backend is what the API is served from: the master. All its methods may be
// called by any number of goroutines at once, and return soon after ctx has
// ended. They return errors of type *client.Error: kind NotLeader with the
// leader's URL where this master only stands by, NotFound for a job or worker
// that nobody knows, Conflict where the state does not allow what is asked,
// Unavailable while the store cannot be asked. Any other error is told as one
// of kind Failed, with its text.
type Backend interface {
	Jobs
	Attempts
	Members
	Bundles
}

// Jobs are the jobs of the cluster, those that have ended included.
type Jobs interface {
	// Submit makes a job, or returns the one that was made by the same
	// idempotency key. The key is never empty: the handler draws one. The
	// submission's form has been checked; what it names has not.
	Submit(ctx context.Context, s *client.Submission) (client.Submitted, error)
	// Jobs returns all jobs that are older than before, the newest first; "" is
	// from the newest on. The caller may stop early, so what takes time is best
	// done as it goes.
	Jobs(ctx context.Context, before plan.JobID) iter.Seq2[client.Job, error]
	// Job returns a job as it is now.
	Job(ctx context.Context, id plan.JobID) (client.Job, error)
	// Spec returns a job as it was submitted.
	Spec(ctx context.Context, id plan.JobID) (plan.Spec, error)
	// Cancel asks that a job be aborted. One that is being aborted or was
	// cancelled stays so, without an error; any other that has ended, or whose
	// output is being committed, is a Conflict.
	Cancel(ctx context.Context, id plan.JobID) error
	// Retry reopens a job that failed or was cancelled: what is committed stays,
	// and the rest is done again. One that runs again already is no error; one
	// that succeeded is a Conflict.
	Retry(ctx context.Context, id plan.JobID) error
}

// Attempts are what goes on inside jobs.
type Attempts interface {
	// Changed returns a channel that is closed when the job next changes its
	// state, phase or run, or a task of it is committed; or when this master
	// stops leading. Nil means that no more is to come. It is called before the
	// Job that is to be compared. What changes in between, such as bytes, need
	// not be told: the handler looks once a second.
	Changed(id plan.JobID) <-chan struct{}
	// Tasks returns all tasks of a job in their order: plan, samples, maps,
	// reduces. The slice is the caller's.
	Tasks(ctx context.Context, id plan.JobID) ([]client.Task, error)
	// Counters returns what committed tasks counted.
	Counters(ctx context.Context, id plan.JobID) (client.Counters, error)
	// Logs returns the logs of a task's attempts, or of all tasks where task is
	// the zero TaskID, in the order of tasks and attempts.
	Logs(ctx context.Context, id plan.JobID, task plan.TaskID) ([]client.Log, error)
	// OpenLog returns what an attempt's log holds from a byte on, which may be
	// nothing yet, and whether no more will come. The caller closes it.
	OpenLog(ctx context.Context, id plan.JobID, task plan.TaskID, attempt plan.AttemptID, from int64) (body io.ReadCloser, ended bool, err error)
}

// Members are the processes of the cluster, and what it keeps.
type Members interface {
	// Workers returns all workers, in the order of their ids.
	Workers(ctx context.Context) ([]client.Worker, error)
	// Drain makes a worker finish what it has, and end.
	Drain(ctx context.Context, id string) error
	// Cluster tells about the cluster. A master that stands by answers too.
	Cluster(ctx context.Context) (client.Cluster, error)
	// Collect removes what nobody needs any more; in a dry run it only tells.
	Collect(ctx context.Context, dryRun bool) (client.Garbage, error)
	// Ready returns nil when this master leads, or stands by and can reach the
	// store.
	Ready(ctx context.Context) error
}

// Bundles are the programs that jobs run, by SHA-256 in 64 hexadecimal digits.
type Bundles interface {
	// HasBundle tells whether a bundle is there. Any master may answer.
	HasBundle(ctx context.Context, digest string) (bool, error)
	// PutBundle stores a bundle of so many bytes, after it has checked that they
	// have that digest; if they do not, it stores nothing and says Usage. One
	// that is there already is no error. Any master may answer.
	PutBundle(ctx context.Context, digest string, size int64, body io.Reader) error
}
