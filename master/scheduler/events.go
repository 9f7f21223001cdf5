package scheduler

import "github.com/windrow-mr/windrow/plan"

// Time is a moment on the shell's clock, in nanoseconds. Only differences
// between two of them mean anything.
type Time int64

// A WorkerID names a worker process, and never another one.
type WorkerID string

// Event is a fact that a master learned.
type Event interface{ event() }

// The events.
type (
	// Replayed is a record of the log, read at the start, in order of slots.
	Replayed struct{ Record Record }
	// Lead starts the master, when the log has been read to its end. Job is the
	// fold of the records that were not given as Replayed, nil for none; it belongs
	// to the State afterwards. Reopen asks that a job that has failed continues:
	// the tasks that failed are tried again.
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
	// Joined adds a worker with a number of slots for attempts, or changes that
	// number. Attempts on slots that no longer exist continue.
	Joined struct {
		Worker WorkerID
		Slots  int
	}
	// Doubted says that other processes cannot reach a worker, or that it was heard
	// from again. Its attempts continue, and second attempts may be started
	// elsewhere.
	Doubted struct {
		Worker WorkerID
		Doubt  bool
	}
	// Found says that an attempt runs on a worker and is unknown to this master: an
	// earlier master launched it, or it was taken for lost.
	Found struct {
		Worker  WorkerID
		Task    plan.TaskID
		Attempt plan.AttemptID
	}
	// Left removes a worker; its attempts are lost.
	Left struct{ Worker WorkerID }
	// Reported says that an attempt has finished. Winner is the attempt whose work
	// is the result: another granted attempt if that had made the part first.
	// Counts are the result of planning, or Graph if it is not nil.
	Reported struct {
		Task            plan.TaskID
		Attempt, Winner plan.AttemptID
		Digest          Digest
		Counts          plan.Counts
		Graph           *plan.Graph
	}
	// FailedAttempt reports a failure, which counts against the task.
	FailedAttempt struct {
		Task    plan.TaskID
		Attempt plan.AttemptID
		plan.Failure
	}
	// LostAttempt says that an attempt ended through no fault of its task. ByMap
	// says that the output of earlier tasks which it read is lost: Corrupt names
	// these, and the loss counts for them, not for a worker.
	LostAttempt struct {
		Task    plan.TaskID
		Attempt plan.AttemptID
		ByMap   bool
	}
	// Asked asks for an attempt's grant to make its part visible.
	Asked struct {
		Task    plan.TaskID
		Attempt plan.AttemptID
	}
	// Corrupt says that the committed work of an attempt which other tasks read is
	// useless: its runs are lost or damaged, or it read other bytes than the input
	// has.
	Corrupt struct {
		Task    plan.TaskID
		Attempt plan.AttemptID
		Text    string
	}
	// Spent has the numbers of an account since it was opened. It may be repeated,
	// and come in any order.
	Spent struct {
		Account Account
		Usage   plan.Usage
	}
	// Cancel asks to abort the job.
	Cancel struct{ Cause Cause }
	// OutputCommitted answers CommitOutput.
	OutputCommitted struct{}
	// OutputRefused answers CommitOutput: the output can never be committed, and
	// was not.
	OutputRefused struct{ Cause Cause }
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

// Command is something that the shell must do.
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
	// Stop ends an attempt whose work is no longer needed.
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
	// StepDown says that another master leads: the shell must carry out nothing
	// else.
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
