package scheduler

import "github.com/windrow-mr/windrow/plan"

// Time is a moment on the shell's clock, in nanoseconds. Only differences
// between two of them mean anything.
type Time int64

// A WorkerID names a worker process for as long as it lives.
type WorkerID string

// Event is something that a master learned.
type Event interface{ event() }

// The events.
type (
	// Replayed is a record of the log, read at the start, in order of slots.
	Replayed struct{ Record Record }
	// Lead starts the master: the log has been read to its end. Job is the
	// fold of what Replayed did not tell, nil for none; it is the State's then.
	// Reopen asks that a job that has failed goes on: what failed is tried again.
	Lead struct {
		Job    *Job
		Reopen bool
	}
	// Appended says that the append in flight won its slot.
	Appended struct{}
	// Taken says that another master's record is in the slot.
	Taken struct{ Record Record }
	// Checked answers CheckEpoch: whether this master's epoch is the highest.
	Checked struct{ Leads bool }
	// Joined adds a worker, with a number of slots for attempts, or changes
	// that number. What runs on slots that are no more goes on.
	Joined struct {
		Worker WorkerID
		Slots  int
	}
	// Doubted says that others cannot reach a worker, or that it was heard again.
	// What it runs goes on, and may be tried elsewhere too.
	Doubted struct {
		Worker WorkerID
		Doubt  bool
	}
	// Found tells of an attempt that runs on a worker and that this master does
	// not know of: an earlier one launched it, or it was taken for lost.
	Found struct {
		Worker  WorkerID
		Task    plan.TaskID
		Attempt plan.AttemptID
	}
	// Left takes a worker away; its attempts are lost.
	Left struct{ Worker WorkerID }
	// Reported tells of a finished attempt. Winner is the attempt whose work
	// is the result: the same one, but for a part that turned out to be
	// another granted attempt's. Counts are what a plan has found.
	Reported struct {
		Task            plan.TaskID
		Attempt, Winner plan.AttemptID
		Digest          Digest
		Counts          plan.Counts
	}
	// FailedAttempt reports a failure, which counts against the task.
	FailedAttempt struct {
		Task    plan.TaskID
		Attempt plan.AttemptID
		plan.Failure
	}
	// LostAttempt says that an attempt ended through no fault of its task.
	LostAttempt struct {
		Task    plan.TaskID
		Attempt plan.AttemptID
	}
	// Asked asks for an attempt's grant to make its part visible.
	Asked struct {
		Task    plan.TaskID
		Attempt plan.AttemptID
	}
	// Corrupt says that a map attempt's committed work is of no use: its runs
	// are lost or damaged, or it read other bytes than the input has.
	Corrupt struct {
		Task    plan.TaskID
		Attempt plan.AttemptID
		Text    string
	}
	// Spent tells what an account has come to, since it was opened. It may be
	// told any number of times, in any order.
	Spent struct {
		Account Account
		Usage   plan.Usage
	}
	// Cancel asks to abort the job.
	Cancel struct{ Cause Cause }
	// OutputCommitted answers CommitOutput.
	OutputCommitted struct{}
	// OutputRefused answers CommitOutput: the output can never be this job's.
	OutputRefused struct{ Text string }
	// CleanedUp answers CleanUp.
	CleanedUp struct{}
	// Tick says that time has passed.
	Tick struct{}
)

func (Replayed) event()        {}
func (Lead) event()            {}
func (Appended) event()        {}
func (Taken) event()           {}
func (Checked) event()         {}
func (Joined) event()          {}
func (Left) event()            {}
func (Doubted) event()         {}
func (Found) event()           {}
func (Reported) event()        {}
func (FailedAttempt) event()   {}
func (LostAttempt) event()     {}
func (Asked) event()           {}
func (Corrupt) event()         {}
func (Spent) event()           {}
func (Cancel) event()          {}
func (OutputCommitted) event() {}
func (OutputRefused) event()   {}
func (CleanedUp) event()       {}
func (Tick) event()            {}

// Command is something that the shell is to do.
type Command interface{ command() }

// The commands.
type (
	// Append creates the log's slot Slot, once, with Record.
	Append struct {
		Slot   uint64
		Record Record
	}
	// CheckEpoch asks whether this master still leads.
	CheckEpoch struct{}
	// Launch starts an attempt on a worker.
	Launch struct {
		Worker  WorkerID
		Task    plan.TaskID
		Attempt plan.AttemptID
	}
	// Stop ends an attempt whose work is of no use any more.
	Stop struct {
		Worker  WorkerID
		Task    plan.TaskID
		Attempt plan.AttemptID
	}
	// Grant answers Asked: the attempt may make its part visible.
	Grant struct {
		Task    plan.TaskID
		Attempt plan.AttemptID
	}
	// CommitOutput makes the committed parts the output's newest contents.
	CommitOutput struct{}
	// CleanUp removes what the job wrote to the output and releases it.
	CleanUp struct{}
	// Wake asks for a Tick at a time.
	Wake struct{ At Time }
	// StepDown says that another master leads: carry out nothing more.
	StepDown struct{}
	// Finish says that the job has ended.
	Finish struct {
		Status Status
		Cause  Cause
	}
)

func (Append) command()       {}
func (CheckEpoch) command()   {}
func (Launch) command()       {}
func (Stop) command()         {}
func (Grant) command()        {}
func (CommitOutput) command() {}
func (CleanUp) command()      {}
func (Wake) command()         {}
func (StepDown) command()     {}
func (Finish) command()       {}
