package api

import (
	"context"
	"io"
	"iter"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
)

// Backend is the master behind the API. All its methods are safe for concurrent
// use, and return soon after ctx has ended. They return errors of type
// *client.Error: kind NotLeader with the leader's URL if this master only stands
// by, NotFound for an unknown job or worker, Conflict if the state does not allow
// the request, Unavailable while the store does not answer. Any other error is
// reported with the kind Failed and its text.
type Backend interface {
	Jobs
	Attempts
	Members
	Bundles
}

// Jobs are the jobs of the cluster, including those that have ended.
type Jobs interface {
	// Submit creates a job, or returns the one that the same idempotency key
	// created. The key is never empty: the handler generates one. The handler has
	// checked the submission's form, but not whether what it names exists.
	Submit(ctx context.Context, s *client.Submission) (client.Submitted, error)
	// Jobs returns all jobs that are older than before, the newest first; "" begins
	// with the newest. The caller can stop early, so slow work is best done job by
	// job.
	Jobs(ctx context.Context, before plan.JobID) iter.Seq2[client.Job, error]
	// Job returns the current state of a job.
	Job(ctx context.Context, id plan.JobID) (client.Job, error)
	// Spec returns a job's specification.
	Spec(ctx context.Context, id plan.JobID) (plan.Spec, error)
	// Cancel asks that a job be aborted. If the job is already being aborted or
	// cancelled, nothing changes, without an error. If it has ended in another way,
	// or its output is being committed, the error is a Conflict.
	Cancel(ctx context.Context, id plan.JobID) error
	// Retry reopens a job that failed or was cancelled: committed tasks stay, and
	// the rest runs again. If the job already runs again, there is no error; if it
	// succeeded, the error is a Conflict.
	Retry(ctx context.Context, id plan.JobID, run int) error
	// Publish makes the staged output of a job the contents, and Discard removes it. If
	// there is none, the error is NotFound; if another job writes there, a Conflict.
	Publish(ctx context.Context, id plan.JobID) error
	Discard(ctx context.Context, id plan.JobID) error
}

// Attempts are the tasks of jobs, their attempts and logs.
type Attempts interface {
	// Changed returns a channel that is closed at the next change of the job's
	// state, phase or run, or when a task is committed, or when this master stops
	// leading. Nil means that no change follows. The handler calls it before it
	// reads the Job to compare. Other changes, such as bytes, need not close it:
	// the handler looks once a second.
	Changed(id plan.JobID) <-chan struct{}
	// Tasks returns all tasks of a job in their order: plan, samples, maps,
	// reduces. The slice is the caller's.
	Tasks(ctx context.Context, id plan.JobID) ([]client.Task, error)
	// Counters returns the counters of committed tasks.
	Counters(ctx context.Context, id plan.JobID) (client.Counters, error)
	// Logs returns the logs of a task's attempts, or of all tasks if task is the
	// zero TaskID, in the order of tasks and attempts.
	Logs(ctx context.Context, id plan.JobID, task plan.TaskID) ([]client.Log, error)
	// OpenLog returns an attempt's log from a byte on, which can be empty so far,
	// and whether the log is complete. The caller closes it.
	OpenLog(ctx context.Context, id plan.JobID, task plan.TaskID, attempt plan.AttemptID, from int64) (body io.ReadCloser, ended bool, err error)
}

// Members are the processes of the cluster, and the data that it keeps.
type Members interface {
	// Workers returns all workers, in the order of their ids.
	Workers(ctx context.Context) ([]client.Worker, error)
	// Drain lets a worker finish its attempts, and end.
	Drain(ctx context.Context, id string) error
	// Cluster describes the cluster. A master that stands by answers too.
	Cluster(ctx context.Context) (client.Cluster, error)
	// Collect removes data that is no longer needed. A dry run only lists it.
	Collect(ctx context.Context, dryRun bool) (client.Garbage, error)
	// Ready returns nil when this master leads, or is on standby and can reach
	// the store.
	Ready(ctx context.Context) error
}

// Bundles are the programs that jobs run, by SHA-256 in 64 hexadecimal digits.
type Bundles interface {
	// HasBundle reports whether a bundle exists. Any master can answer.
	HasBundle(ctx context.Context, digest string) (bool, error)
	// PutBundle stores a bundle of so many bytes, after it has checked their
	// digest. If the digest differs, it stores nothing and returns an error of kind
	// Invalid. If the bundle already exists, there is no error. Any master can
	// answer.
	PutBundle(ctx context.Context, digest string, size int64, body io.Reader) error
}
