package scheduler

import "github.com/windrow-mr/windrow/plan"

// Config is what a State knows from the start.
type Config struct {
	Epoch uint64 // this master's, higher than that of any master before it
	Rand  uint32 // drawn once by the shell; part of every attempt's id

	// Counts are the tasks of a job whose log has no plan. With Prepare they are
	// unknown, and an attempt at planning finds them.
	// Graph, if it is not nil, is their graph.
	plan.Counts
	Graph   *plan.Graph
	Prepare bool

	// Issued is the number of the latest attempt that an earlier State of this epoch
	// issued for the job: see State.Issued.
	Issued uint32

	MaxFailures  int  // failed attempts of one task that end the job; default plan.DefaultAttempts
	MaxLost      int  // lost attempts of one task that end the job; default 20
	Backoff      Time // before a failed task's second attempt, doubled for each further one; default 1 s
	CheckTimeout Time // after which CheckEpoch is commanded again; default 10 s
	GrantTimeout Time // how long a grant keeps other attempts from being granted; default 15 min

	// Adjacent is the greatest number of adjacent tasks of a step that reads an
	// exchange that one slot gets, one after another: a process may fetch their data
	// by the same requests. Below 2, tasks are given in their order to any free slot.
	Adjacent int

	// Speculate, if above 0, starts a second attempt at a task when no other task
	// waits and the first attempt has run for so many times the median of its
	// step, in tenths: 15 is one and a half times. 0: never.
	Speculate int
	// SpeculateLeast is the least time that an attempt must have run for that;
	// default 10 s.
	SpeculateLeast Time
}

// withDefaults returns c with the default for each field that is zero.
func (c Config) withDefaults() Config {
	const second = Time(1e9)
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set(&c.MaxFailures, plan.DefaultAttempts)
	set(&c.MaxLost, 20)
	if c.Backoff == 0 {
		c.Backoff = second
	}
	if c.CheckTimeout == 0 {
		c.CheckTimeout = 10 * second
	}
	if c.GrantTimeout == 0 {
		c.GrantTimeout = 15 * 60 * second
	}
	if c.SpeculateLeast == 0 {
		c.SpeculateLeast = 10 * second
	}
	return c
}

// logState is the state of this master's append.
type logState uint8

const (
	replaying logState = iota
	idle
	appending
	checking // the last append takes effect after Checked
	deposed
)

// State is one master's view of one job. The zero State is invalid; see New.
type State struct {
	cfg Config
	job Job
	log logState

	checked  Time    // when CheckEpoch was last commanded
	inFlight []Entry // appended or being checked; they have not taken effect

	lanes    []lane  // by place
	openNow  []int   // places of the open ones
	served   int     // the place that got a slot last
	stale    bool    // which lanes are open may have changed
	sizes    []Sized // that the log does not have, and that are known
	workers  workerTable
	attempts attemptTable
	issued   uint32

	unlogged []Reported // successes that the log has not taken
	asking   []Asked    // grants wanted
	corrupt  []Corrupt  // results to invalidate
	abort    *Cause     // an abort wanted
	ledger   ledger

	commanded  bool // CommitOutput or CleanUp was commanded
	answered   bool // and done
	refused    bool // CommitOutput was refused
	reopen     bool // the job has failed and will continue
	began      Time // when this master began to lead
	drained    bool // the attempts of an aborted job were stopped
	strangers  bool // earlier masters' grants are waited for
	drainUntil Time // when granted attempts need no longer be waited for
	finished   bool
	woken      Time // the latest Wake, 0 for none

	out []Command
}

// New returns the state of a master that has seen nothing of its job yet. Feed
// it the log by Replayed, then Lead.
func New(cfg Config) *State {
	return &State{cfg: cfg.withDefaults(), attempts: newAttemptTable(), issued: cfg.Issued}
}

// Issued returns the number of the latest attempt that this State, or one before it
// in its epoch, has issued. The next State of the epoch must continue from there:
// the order of attempts decides which results count. See Invalidated.Before.
func (s *State) Issued() uint32 { return s.issued }

// Job returns the state that the log has. It belongs to the State: read it between
// two steps, on the goroutine that steps.
func (s *State) Job() *Job { return &s.job }

// Step takes an event that was learned at now, and returns what the shell must do.
// The slice is valid until the next call.
func (s *State) Step(now Time, e Event) []Command {
	s.out = s.out[:0]
	if s.log == deposed {
		return nil
	}
	switch e := e.(type) {
	case Replayed:
		if s.log == replaying {
			s.job.Fold(e.Record)
		}
		return nil
	case Lead:
		if s.log == replaying {
			if e.Job != nil {
				s.job = *e.Job
			}
			if s.cfg.Prepare {
				s.job.expectPlan()
			}
			s.reopen = e.Reopen && s.job.Status == Failed
			s.log = idle
			s.began = now
			s.sizeTasks()
			s.passBars()
		}
	case Appended, Taken, Checked:
		s.stepLog(now, e)
	case Joined, Doubted, Left:
		s.stepWorker(now, e)
	case Reported, FailedAttempt, LostAttempt, Found, Asked, Corrupt:
		s.stepAttempt(now, e)
	case Spent:
		s.spent(e)
	case Cancel:
		if s.abort == nil {
			s.abort = &e.Cause
		}
	case OutputCommitted:
		s.answered = s.commanded && s.job.Status == Committing
	case CleanedUp:
		s.answered = s.commanded && s.job.Status == Aborting
	case OutputRefused:
		if s.job.Status == Committing && s.commanded && !s.answered {
			s.refused = true
			s.abort = &e.Cause
		}
	case Tick:
		if s.woken <= now {
			s.woken = 0
		}
	}
	s.decide(now)
	return s.out
}

//go:noinline
func (s *State) do(c Command) { s.out = append(s.out, c) }

// stepLog takes the outcome of the append in flight: it won, lost, or was checked.
func (s *State) stepLog(now Time, e Event) {
	switch e := e.(type) {
	case Appended:
		if s.log != appending {
			return
		}
		s.fold(Record{Epoch: s.cfg.Epoch, Entries: s.inFlight})
		if needsCheck(s.inFlight) {
			s.checkEpoch(now)
			return
		}
		s.release(now)
	case Taken:
		if s.log != appending {
			return
		}
		s.fold(e.Record)
		s.inFlight = nil
		s.log = idle
		for _, entry := range e.Record.Entries {
			switch entry := entry.(type) {
			case Committed:
				if t := s.job.Task(entry.Task); t != nil && t.Committed {
					s.committed(entry)
				}
			case Planned:
				s.planned()
			case Invalidated:
				s.invalidated(entry)
			default:
			}
		}
		if s.job.Epoch > s.cfg.Epoch {
			s.stepDown()
		}
	case Checked:
		if s.log != checking {
			return
		}
		switch {
		case !e.Leads:
			s.stepDown()
		case now-s.checked > s.cfg.CheckTimeout:
			s.checkEpoch(now) // true when it was read, too long ago
		default:
			s.release(now)
		}
	default:
	}
}

func (s *State) checkEpoch(now Time) {
	s.log, s.checked = checking, now
	s.do(CheckEpoch{})
}

func (s *State) stepDown() {
	s.log = deposed
	s.do(StepDown{})
}

// fold adds a record to the job and updates State by it.
func (s *State) fold(r Record) {
	s.job.Fold(r)
	if s.cfg.Prepare {
		s.job.expectPlan()
	}
	s.reopen = s.reopen && s.job.Status == Failed
	s.sizeTasks()
	s.forget()
	s.settle()
}

// sizeTasks makes room for the tasks that the log has, and finds the sizes of
// exchanges that it could have.
func (s *State) sizeTasks() {
	s.stale, s.sizes = true, nil
	if s.job.Status == Running {
		s.sizes = s.job.sizes()
	}
	if n := len(s.job.groups); len(s.lanes) < n {
		s.lanes = append(s.lanes, make([]lane, n-len(s.lanes))...)
	}
	for p := range s.lanes {
		n := 0
		if p < len(s.job.groups) {
			n = len(s.job.groups[p].tasks)
		}
		if len(s.lanes[p].tasks) != n {
			s.lanes[p].tasks = make([]taskState, n)
		}
	}
}

// passBars lets the numbers of this State's attempts begin after those that an
// earlier State of the epoch has issued, as far as the log shows them: results of
// this State's attempts must count.
func (s *State) passBars() {
	for p := range s.job.groups {
		if bar := s.job.groups[p].bar; bar.Epoch == s.cfg.Epoch {
			s.issued = max(s.issued, bar.N)
		}
	}
}

// needsCheck reports whether a batch has an entry that takes effect only after the
// epoch was found to be still the highest.
func needsCheck(entries []Entry) bool {
	for _, e := range entries {
		switch e.(type) {
		case Granted, Intent, Aborted, Done, Reopened:
			return true
		default:
		}
	}
	return false
}

// release lets the entries in flight take effect. They are in the log and, where it
// matters, this master is known to lead.
func (s *State) release(now Time) {
	for _, e := range s.inFlight {
		switch e := e.(type) {
		case Granted:
			s.granted(now, e)
		case Planned:
			s.planned()
		case Committed:
			s.committed(e)
		case Invalidated:
			s.invalidated(e)
		default:
		}
	}
	s.inFlight = nil
	s.log = idle
}
