package view

import (
	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// Summary is kept of a run that has ended, as JSON.
type Summary struct {
	Job      client.Job      `json:"job"`
	Counters client.Counters `json:"counters"`
}

var states = map[scheduler.Status]client.State{scheduler.Unplanned: client.Planning, scheduler.Running: client.Running,
	scheduler.Committing: client.Committing, scheduler.Aborting: client.Aborting, scheduler.Succeeded: client.Succeeded, scheduler.Failed: client.FailedJob}

// StateOf returns the state of a job, by its log.
func StateOf(s *scheduler.Job) client.State {
	if s.Cause.Kind == plan.Cancelled && s.Status == scheduler.Failed {
		return client.Cancelled
	}
	return states[s.Status]
}

// causeOf returns why a job ends without output.
func causeOf(c *scheduler.Cause) *client.Cause {
	cause := &client.Cause{Kind: c.Kind, Text: c.Text}
	if c.Task.Phase != 0 {
		cause.Task = c.Task.String()
	}
	return cause
}

// phases returns the groups of tasks that the job has.
func phases(s *scheduler.Job) []client.Phase {
	list := []client.Phase{}
	for _, g := range s.Groups() {
		if n := s.Tasks(g); n > 0 {
			list = append(list, client.Phase{Phase: g.String(), Tasks: n, Committed: n - s.Left(g)})
		}
	}
	return list
}

// Outline returns the facts of a job in its specification.
func Outline(s *plan.Spec) client.Job {
	return client.Job{ID: s.ID, Job: s.Job, Input: s.Input, Output: s.Output, OnExists: s.OnExists, BadRecords: s.BadRecords, Expect: s.Expect, Replay: s.Replay, Params: s.Params,
		Priority: s.Share(), Labels: s.Labels, State: client.Planning, Submitted: s.Submitted, Phases: []client.Phase{}}
}

// AtRest returns a job by its log, which no shell reads at present. Reopened says
// that a newer run than that of the log will begin.
func AtRest(spec *plan.Spec, s *scheduler.Job, ledger *Ledger, reopened bool) client.Job {
	d := Outline(spec)
	d.Run, d.Phases = s.Run, phases(s)
	ledger.Describe(&d)
	d.State = Unsettled(states[s.Status])
	if d.State == client.Aborting && s.Status.Ended() && reopened {
		d.State = client.Planning
	}
	return d
}

// Broken returns a job that cannot be driven because one of its objects is damaged.
func Broken(outline client.Job, text string) client.Job {
	outline.Cause = &client.Cause{Kind: plan.Inconsistent, Text: text}
	return outline
}

// Unsettled returns the state of a job that has no summary yet. It has not ended
// before there is one, because the summary has its counters.
func Unsettled(s client.State) client.State {
	switch s {
	case client.Succeeded:
		return client.Committing
	case client.FailedJob, client.Cancelled:
		return client.Aborting
	default:
		return s
	}
}

// Counters returns counters in the types of the API.
func Counters(t *plan.Tally) client.Counters {
	c := client.Counters{Read: client.Amount{Records: t.RecordsIn, Bytes: t.BytesIn}, Shuffled: client.Amount{Records: t.PairsOut, Bytes: t.RunBytes},
		Written: client.Amount{Records: t.RecordsOut, Bytes: t.BytesOut}, Spills: client.Amount{Records: t.Spills, Bytes: t.SpillBytes}, Bad: t.Bad, Counts: t.Counts}
	for name, s := range t.Stats {
		if c.Stats == nil {
			c.Stats = make(map[string]client.Stat, len(t.Stats))
		}
		c.Stats[name] = client.Stat(s)
	}
	return c
}

// Result returns the result of a job that succeeded, with so many parts.
func Result(t *plan.Tally, parts int) *client.Result {
	return &client.Result{Records: t.RecordsOut, Bytes: t.BytesOut, Parts: parts, BadRecords: t.Bad}
}
