package api

import (
	"context"
	"io"
	"iter"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
)

// Backend is the master behind the API. Any number of goroutines may call its
// methods at once; they return soon after ctx has ended. They return errors of
// type *client.Error: kind NotLeader with the leader's URL where this master is
// on standby, NotFound for an unknown job or worker, Conflict where the state
// does not allow the request, Unavailable while the store does not answer. Any
// other error reaches the client as one of kind Failed, with its text.
type Backend interface {
	Jobs
	Attempts
	Members
	Bundles
}

// Jobs are the jobs of the cluster, including those that have ended.
type Jobs interface {
	// Submit makes a job, or returns the one that was made by the same
	// idempotency key. The key is never empty: the handler draws one. The
	// handler has checked the form of the submission; the Backend must check
	// the objects that it names.
	Submit(ctx context.Context, s *client.Submission) (client.Submitted, error)
	// Jobs returns all jobs that are older than before, the newest first; ""
	// begins with the newest. The caller may stop early, so slow work should be
	// done job by job.
	Jobs(ctx context.Context, before plan.JobID) iter.Seq2[client.Job, error]
	// Job returns a job as it is now.
	Job(ctx context.Context, id plan.JobID) (client.Job, error)
	// Spec returns a job's specification.
	Spec(ctx context.Context, id plan.JobID) (plan.Spec, error)
	// Cancel aborts a job. One that is being aborted or was cancelled stays so,
	// without an error; any other that has ended, or whose output is being
	// committed, is a Conflict.
	Cancel(ctx context.Context, id plan.JobID) error
	// Retry reopens a job that failed or was cancelled: committed tasks stay,
	// and the rest runs again. One that runs again already is no error; one that
	// succeeded is a Conflict.
	Retry(ctx context.Context, id plan.JobID) error
}

// Attempts are the tasks and attempts of jobs.
type Attempts interface {
	// Changed returns a channel that is closed when the job next changes its
	// state, phase or run, or a task of it is committed, or when this master
	// stops leading. Nil means that there are no more changes. The caller calls
	// it before Job, and compares that Job with the next. Smaller changes, such
	// as bytes, need not close the channel: the handler looks once a second.
	Changed(id plan.JobID) <-chan struct{}
	// Tasks returns all tasks of a job in their order: plan, samples, maps,
	// reduces. The slice is the caller's.
	Tasks(ctx context.Context, id plan.JobID) ([]client.Task, error)
	// Counters returns the counters of committed tasks.
	Counters(ctx context.Context, id plan.JobID) (client.Counters, error)
	// Logs returns the logs of a task's attempts, or of all tasks where task is
	// the zero TaskID, in the order of tasks and attempts.
	Logs(ctx context.Context, id plan.JobID, task plan.TaskID) ([]client.Log, error)
	// OpenLog returns an attempt's log from a byte on, which may be empty so
	// far, and whether it is complete. The caller closes it.
	OpenLog(ctx context.Context, id plan.JobID, task plan.TaskID, attempt plan.AttemptID, from int64) (body io.ReadCloser, ended bool, err error)
}

// Members are the processes of the cluster, and its garbage.
type Members interface {
	// Workers returns all workers, in the order of their ids.
	Workers(ctx context.Context) ([]client.Worker, error)
	// Drain makes a worker finish its attempts, and end.
	Drain(ctx context.Context, id string) error
	// Cluster describes the cluster. A master on standby answers too.
	Cluster(ctx context.Context) (client.Cluster, error)
	// Collect removes what no job needs; in a dry run it only lists it.
	Collect(ctx context.Context, dryRun bool) (client.Garbage, error)
	// Ready returns nil when this master leads, or is on standby and can reach
	// the store.
	Ready(ctx context.Context) error
}

// Bundles are the programs that jobs run, by SHA-256 in 64 hexadecimal digits.
type Bundles interface {
	// HasBundle reports whether a bundle was uploaded. Any master may answer.
	HasBundle(ctx context.Context, digest string) (bool, error)
	// PutBundle stores a bundle of so many bytes, after it has checked that they
	// have that digest; if they do not, it stores nothing and returns an error
	// of kind Usage. One that is there already is no error. Any master may
	// answer.
	PutBundle(ctx context.Context, digest string, size int64, body io.Reader) error
}
