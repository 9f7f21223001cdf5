package cluster

import (
	"time"

	"github.com/windrow-mr/windrow/plan"
)

// Version is the protocol's version. A master and a worker of different
// versions refuse each other, with a text.
const Version = 3

// Sync is the whole state of a worker. A worker sends one whenever something
// changes, and every few seconds; each replaces the one before. So a lost
// message loses nothing, and a repeated one does no harm.
type Sync struct {
	Version  int
	Worker   string // the process, by an id of its own
	Seq      uint64 // counts the worker's messages: one that arrives after a newer one is ignored
	Heard    uint64 // the newest of its messages whose answer it has handled
	Epoch    uint64 // the highest that the worker knows
	Info     Info
	Draining bool // it takes no more work
	Leaving  bool // nothing runs there, and it sends no more
	Running  []Running
	Outcomes []Outcome // that no master has acknowledged yet
	Spent    []Spent   // for jobs that have not ended, as far as the worker knows
}

// Spent counts a worker's requests to stores for a job: of all attempts, however they
// ended, and of work for several of them. Account separates it from earlier counts
// for the same job, when the job had ended and was reopened. Numbers of an account
// only grow. A worker that is killed loses the counts that it had not sent.
type Spent struct {
	Job      plan.JobID
	Account  uint64
	Requests plan.Requests
}

// Info is constant in a worker's life.
type Info struct {
	Host     string
	PID      int
	Build    string // the version of its program
	OS, Arch string
	Slots    int
	Memory   int64 // bytes, for all slots
}

// Ref names an attempt in the whole cluster.
type Ref struct {
	Job     plan.JobID
	Task    plan.TaskID
	Attempt plan.AttemptID
}

// Running is an attempt that has not ended, and may be waiting for a slot.
type Running struct {
	Ref
	Bytes, Records int64 // done so far
	Asking         bool  // it needs its grant
}

// A Result is how an attempt ended.
type Result uint8

// The results.
const (
	Done   Result = iota + 1
	Failed        // by its own fault
	Lost          // not by its own fault
)

// Outcome is the end of an attempt.
type Outcome struct {
	Ref
	Result Result
	Took   time.Duration

	// Of an attempt that is Done. Winner is the attempt whose work is the
	// result: this one, unless its part turned out to be another granted
	// attempt's.
	Winner plan.AttemptID
	Digest plan.Digest
	Counts plan.Counts       // of an attempt at planning a job of one shuffle
	Graph  *plan.Graph       // of an attempt at planning another job
	Sums   []plan.SectionSum // see plan.Manifest

	// Of an attempt that Failed or was Lost.
	plan.Failure
	// LostInput is the attempt whose output could not be read, if that was the
	// cause.
	LostInput *Ref
}

// Orders answer a Sync. They have all that a worker must do and does not do
// yet.
type Orders struct {
	Version  int
	Epoch    uint64 // the master's. A worker refuses orders of a lower one than it knows
	Launches []Launch
	Stops    []Ref
	Grants   []Grant
	Acks     []Ref        // outcomes that need not be sent again
	Ended    []plan.JobID // jobs of which the worker must keep nothing
	Drain    bool         // take no more work, and end
}

// Launch starts an attempt.
type Launch struct {
	Ref
	Run     int            // how often the job was reopened
	Planned plan.AttemptID // whose task table counts; zero before there is one
	Writes  []plan.Write   // the exchanges that a task writes which reads inputs
	Work    uint64         // the generation of the work of a task that reads what others wrote, else 0: see WorkQuery
	Slots   int            // of the whole cluster: a job is planned for them, and reduces share what they fetch by them
}

// Grant lets an attempt make its part visible. All are the attempts of the task
// that were ever granted.
type Grant struct {
	Ref
	All []plan.AttemptID
}

// WorkQuery asks what the tasks of a step read.
type WorkQuery struct {
	Version    int
	Job        plan.JobID
	Group      plan.Group
	Generation uint64
}

// WorkAnswer has the work of the step, or is Stale: it has changed since.
type WorkAnswer struct {
	Stale bool
	Work  plan.Work
}
