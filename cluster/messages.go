package cluster

import (
	"time"

	"github.com/windrow-mr/windrow/plan"
)

// Version is the protocol's. A master and a worker of different versions refuse
// each other, with words.
const Version = 2

// Sync is all that a worker knows. It sends one whenever something changes, and
// every few seconds; each replaces the one before. So nothing is lost with a
// message, and none can come too often.
type Sync struct {
	Version  int
	Worker   string // the process, by an id of its own
	Seq      uint64 // counts the worker's messages: an older one that comes late is of no use
	Heard    uint64 // the newest of its messages whose answer it has taken
	Epoch    uint64 // the highest that the worker has heard from
	Info     Info
	Draining bool // it takes no more work
	Leaving  bool // it says goodbye: nothing runs there any more
	Running  []Running
	Outcomes []Outcome // that no master has acknowledged yet
	Spent    []Spent   // for jobs that have not ended, as far as the worker knows
}

// Spent is what a worker has asked stores for on behalf of a job: in all attempts,
// however they ended, and for what serves several of them. Account tells it from
// what the worker counted before, for a job that had ended and was reopened; within
// one, numbers only grow. A worker that is killed takes with it what it had not told.
type Spent struct {
	Job      plan.JobID
	Account  uint64
	Requests plan.Requests
}

// Info is what does not change in a worker's life.
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

// Running is an attempt that has not ended, waiting for a slot perhaps.
type Running struct {
	Ref
	Bytes, Records int64 // done so far
	Asking         bool  // it wants its grant
}

// A Result is how an attempt ended.
type Result uint8

// The results.
const (
	Done   Result = iota + 1
	Failed        // through a fault of its own
	Lost          // through no fault of its own
)

// Outcome is the end of an attempt.
type Outcome struct {
	Ref
	Result Result
	Took   time.Duration

	// Of what is Done. Winner is the attempt whose work is the result: the same
	// one, but for a part that turned out to be another granted attempt's.
	Winner plan.AttemptID
	Digest plan.Digest
	Counts plan.Counts       // of a plan
	Sums   []plan.SectionSum // see plan.Manifest

	// Of an attempt that Failed or was Lost.
	plan.Failure
	// LostMap is the map attempt whose output could not be read, if that was the
	// cause.
	LostMap *Ref
}

// Orders answer a Sync: all that a worker must do now that it does not do yet.
type Orders struct {
	Version  int
	Epoch    uint64 // the master's. A worker refuses orders of a lower one than it knows
	Launches []Launch
	Stops    []Ref
	Grants   []Grant
	Acks     []Ref        // outcomes that need not be told again
	Ended    []plan.JobID // of which nothing must be kept
	Drain    bool         // take no more work, and end
}

// Launch starts an attempt.
type Launch struct {
	Ref
	Run     int            // how often the job was reopened
	Planned plan.AttemptID // whose table of tasks counts; zero before there is one
	Sampled plan.AttemptID // whose sample counts; zero where there is none
	Maps    uint64         // the generation of the list of maps that a reduce reads
	Slots   int            // of the whole cluster: a plan is made for them, and reducers divide what they fetch by them
}

// Grant lets an attempt make its part visible. All are the attempts of the task
// that were ever granted.
type Grant struct {
	Ref
	All []plan.AttemptID
}

// MapsQuery asks which attempts' output the reduces of a job read.
type MapsQuery struct {
	Version    int
	Job        plan.JobID
	Generation uint64
}

// MapsAnswer has an attempt for each map, or is Stale: the list is another by now.
type MapsAnswer struct {
	Stale    bool
	Attempts []plan.AttemptID
}
