package plan

// Failure says why an attempt did not do its task. Executors make it of an
// error; job processes and workers pass it on; the scheduler decides by it.
type Failure struct {
	Text string // for users: what happened, to what, and what to do
	// Fingerprint is equal for failures that have the same cause in the task's
	// input. A second failure of the task with an equal, non-empty fingerprint
	// shows that another attempt does not help. It is empty for causes that may
	// pass.
	Fingerprint string
	// Final says that another attempt does not help.
	Final bool
	// Unfit says that this worker cannot run the job at all, and others may.
	Unfit bool
	// Kind is the kind of the job's failure, should this one end the job.
	// Unknown stands for Failed. Conflict ends the job at once.
	Kind Kind
}
