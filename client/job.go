package client

import (
	"time"

	"github.com/windrow-mr/windrow/plan"
)

// Submission is a request for a job: POST /v1/jobs.
type Submission struct {
	// IdempotencyKey makes it safe to submit again: a second submission with
	// the same key and the same job returns the first one's id. Client.Submit
	// chooses a random key if there is none.
	IdempotencyKey string `json:"idempotencyKey,omitempty"`

	Job     string        `json:"job"`               // its name in the program that has it
	Bundles []plan.Bundle `json:"bundles,omitempty"` // the program, which must be uploaded already; none: a built-in job
	Build   string        `json:"build,omitempty"`   // of a built-in job: the version that built the pipeline
	Files   []plan.File   `json:"files,omitempty"`   // shipped with the job; those that are not empty must be uploaded already, as bundles are

	Params map[string]string `json:"params,omitempty"`
	Once   map[string][]byte `json:"once,omitempty"` // what the constructor computed once, by name; in base64
	Plan   string            `json:"plan"`           // text of the pipeline, which workers must build again

	Input      []string   `json:"input,omitempty"`      // URLs, or NAME=URL
	Output     string     `json:"output"`               // URL
	OnExists   string     `json:"onExists,omitempty"`   // "fail" (the default), "replace" or "append"
	Partitions int        `json:"partitions,omitempty"` // 0: the cluster chooses
	SplitSize  int64      `json:"splitSize,omitempty"`  // bytes; 0: the cluster chooses
	Trial      plan.Trial `json:"trial,omitzero"`       // which part of the input is read, to try the job out
	Attempts   int        `json:"attempts,omitempty"`   // failures of a task that end the job; 0: 4
	BadRecords string     `json:"badRecords,omitempty"` // what becomes of records on which functions fail: "fail" (the default), "skip:N", "quarantine:1%" …
	Expect     []string   `json:"expect,omitempty"`     // such as "records >= 1000": see plan.ParseExpectation; those that the job declares need not be repeated
	// Replay is the job whose bad records are read, and nothing else of the input: what is
	// made of them is appended to its output, once. See windrow.Options.
	Replay     plan.JobID `json:"replay,omitempty"`
	Compress   string     `json:"compress,omitempty"`
	Decompress string     `json:"decompress,omitempty"`

	MaxRatio        int64 `json:"maxRatio,omitempty"`        // 0: 1,000; negative: any
	MaxDecompressed int64 `json:"maxDecompressed,omitempty"` // bytes; 0: any

	Priority int               `json:"priority,omitempty"` // 0: 100
	Labels   map[string]string `json:"labels,omitempty"`
}

// Spec returns the spec of the submission, without the id and the time.
func (s *Submission) Spec() plan.Spec {
	spec := plan.Spec{Job: s.Job, Bundles: s.Bundles, Files: s.Files, Build: s.Build, Params: s.Params, Once: s.Once,
		Plan: s.Plan, Input: s.Input, Output: s.Output, OnExists: s.OnExists, Partitions: s.Partitions, SplitSize: s.SplitSize, Trial: s.Trial,
		Attempts: s.Attempts, BadRecords: s.BadRecords, Replay: s.Replay, Compress: s.Compress, Decompress: s.Decompress, MaxRatio: s.MaxRatio, MaxDecompressed: s.MaxDecompressed,
		Expect: plan.AllExpected(s.Plan, s.Expect), Priority: s.Priority, Labels: s.Labels}
	if spec.Replay != "" && spec.OnExists == "" {
		spec.OnExists = "append"
	}
	spec.Lowest()
	return spec
}

// Resubmission returns the submission that makes a new job of a spec.
func Resubmission(s *plan.Spec) Submission {
	return Submission{Job: s.Job, Bundles: s.Bundles, Files: s.Files, Build: s.Build, Params: s.Params, Once: s.Once, Plan: s.Plan,
		Input: s.Input, Output: s.Output, OnExists: s.OnExists, Partitions: s.Partitions, SplitSize: s.SplitSize, Trial: s.Trial,
		Attempts: s.Attempts, BadRecords: s.BadRecords, Replay: s.Replay, Compress: s.Compress, Decompress: s.Decompress, MaxRatio: s.MaxRatio, MaxDecompressed: s.MaxDecompressed,
		Expect: s.Expect, Priority: s.Priority, Labels: s.Labels}
}

// Submitted is the answer to a submission.
type Submitted struct {
	ID    plan.JobID `json:"id"`
	Known bool       `json:"known"` // there was an earlier submission with the same key
}

// A State is where a job is in its life.
type State string

// The states, in the order in which a job goes through them. An aborting job
// ends failed or cancelled. Retry returns a failed or cancelled job to planning
// or running.
const (
	Planning   State = "planning"   // its input is listed and divided
	Running    State = "running"    // its tasks run, or wait for slots
	Committing State = "committing" // every task is done, and the output becomes visible
	Aborting   State = "aborting"   // its uncommitted parts are removed
	Succeeded  State = "succeeded"
	FailedJob  State = "failed"
	Cancelled  State = "cancelled"
)

// States returns all states.
func States() []State {
	return []State{Planning, Running, Committing, Aborting, Succeeded, FailedJob, Cancelled}
}

// Ended reports whether the job has ended. An ended job changes only if a user
// retries it.
func (s State) Ended() bool { return s == Succeeded || s == FailedJob || s == Cancelled }

// Job is a job as it is now: GET /v1/jobs/{id}.
type Job struct {
	ID       plan.JobID `json:"id"`
	Job      string     `json:"job"` // its name
	Input    []string   `json:"input,omitempty"`
	Output   string     `json:"output"`
	OnExists string     `json:"onExists,omitempty"`
	// BadRecords is the policy on bad records: see Submission.
	BadRecords string            `json:"badRecords,omitempty"`
	Expect     []string          `json:"expect,omitempty"` // conditions on which the output is published
	Replay     plan.JobID        `json:"replay,omitempty"` // the job whose bad records it replays
	Params     map[string]string `json:"params,omitempty"`
	Priority   int               `json:"priority"`
	Labels     map[string]string `json:"labels,omitempty"`

	State State  `json:"state"`
	Phase string `json:"phase,omitempty"` // the first step whose tasks may run now: see Phase.Phase
	Run   int    `json:"run"`             // how often it was retried
	Cause *Cause `json:"cause,omitempty"` // why it failed, was cancelled, is aborting, or waits
	// Waits says why no task of the job runs now, although some could: the cluster
	// has no workers, for example.
	Waits string `json:"waits,omitempty"`

	// At is when the master sent the answer, by the clock of masters, which also has
	// made the other times: the caller's clock may be another. It is not a part of
	// the answer's document.
	At        time.Time `json:"-"`
	Submitted time.Time `json:"submitted"`
	Ended     time.Time `json:"ended,omitzero"`

	Progress Progress `json:"progress"`
	Phases   []Phase  `json:"phases"`           // that are known so far, in their order
	Workers  int      `json:"workers"`          // that run attempts of it now
	Result   *Result  `json:"result,omitempty"` // of a job that succeeded

	// Requests are the requests that were made for the job so far. The numbers
	// are lower bounds: requests that a killed process had not reported are
	// missing. Absent if none were reported.
	Requests *Requests `json:"requests,omitempty"`
	Dollars  float64   `json:"dollars,omitempty"` // of requests to S3, by its list prices

	// Counters and Stats are what the functions of a job that succeeded counted and
	// observed, by name. A list of jobs leaves them out.
	Counters map[string]int64 `json:"counters,omitempty"`
	Stats    map[string]Stat  `json:"stats,omitempty"`

	// Skew are the keys of a job that succeeded which made one task of a stage do far
	// more than the others. A list of jobs leaves them out.
	Skew []plan.Skew `json:"skew,omitempty"`
}

// Elapsed returns how long the job has taken, up to its end, or up to the answer
// that has it. It is 0 when that is not known: clocks of masters disagree, or the job
// is not from an answer.
func (j *Job) Elapsed() time.Duration {
	end := j.Ended
	if end.IsZero() {
		end = j.At
	}
	return max(end.Sub(j.Submitted), 0)
}

// Age returns how long ago the job was submitted, at the answer that has it. It is 0
// when that is not known.
func (j *Job) Age() time.Duration { return max(j.At.Sub(j.Submitted), 0) }

// Cause says why a job has no output.
type Cause struct {
	Kind plan.Kind `json:"kind"`           // Failed, Cancelled, Conflict, Denied, NotFound, Invalid ("usage") or Inconsistent
	Task string    `json:"task,omitempty"` // "map/17", if one task caused it
	Text string    `json:"text"`
}

// Progress is how far a job has come.
type Progress struct {
	Fraction float64 `json:"fraction"` // of the whole job, from 0 to 1, by bytes
	Bytes    int64   `json:"bytes"`    // of input read so far
	Input    int64   `json:"input"`    // bytes of input in all; 0 while they are not known
	Shuffled int64   `json:"shuffled"` // bytes of committed runs
	Retried  int64   `json:"retried"`  // attempts that failed or were lost
	// LeftOut counts what the input names and the job does not read, as far as the
	// input was listed, and LeftOutBy says why. Absent if there is none.
	LeftOut   int          `json:"leftOut,omitempty"`
	LeftOutBy plan.LeftOut `json:"leftOutBy,omitzero"`
}

// Requests are requests to stores by kind, as a bucket would bill them, and their
// bytes: of all attempts, however they ended, and of the master for the job.
// Retries and Hedges are not reported.
type Requests plan.Usage

// Phase counts the tasks of a phase, or of a step of a job of several stages.
type Phase struct {
	// Phase is "plan", "sample", "map" or "reduce". In a job of several stages it is a step
	// such as "sessions/reduce", or "loop.3/decide" after the third round of a loop.
	Phase     string `json:"phase"`
	Tasks     int    `json:"tasks"`
	Committed int    `json:"committed"`
	Running   int    `json:"running"` // tasks with an attempt on a worker
}

// Result describes the output of a job that succeeded.
type Result struct {
	Parts   int   `json:"parts"`
	Records int64 `json:"records"`
	Bytes   int64 `json:"bytes"` // at rest
	// BadRecords is how many records and keys were left out. See plan.BadRecords.
	BadRecords int64 `json:"badRecords,omitempty"`
}

// JobsQuery says which jobs to list: GET /v1/jobs.
type JobsQuery struct {
	State  State      // "": all
	Label  string     // "name=value", or "name" for any value; "": all
	Before plan.JobID // older ones than this; "": from the newest on
	Limit  int        // 0: 100; at most 1,000
}

// JobsPage is some of the jobs, the newest first.
type JobsPage struct {
	Jobs []Job      `json:"jobs"`
	Next plan.JobID `json:"next,omitempty"` // Before of the next page; "" on the last one
}

// Counters are the counts and statistics of a job's committed tasks: GET
// /v1/jobs/{id}/counters.
type Counters struct {
	Read     Amount           `json:"read"`     // by maps
	Shuffled Amount           `json:"shuffled"` // records are pairs
	Written  Amount           `json:"written"`
	Spills   Amount           `json:"spills"`               // records are runs
	Bad      int64            `json:"badRecords,omitempty"` // records and keys that were left out
	Counts   map[string]int64 `json:"counts,omitempty"`
	Stats    map[string]Stat  `json:"stats,omitempty"`
	Skew     []plan.Skew      `json:"skew,omitempty"` // by the committed tasks
	Complete bool             `json:"complete"`       // every task is committed: the numbers are final
}

// Amount is a number of records and their bytes at rest.
type Amount struct {
	Records int64 `json:"records"`
	Bytes   int64 `json:"bytes"`
}

// Stat summarises the observations under one name.
type Stat struct {
	Count int64   `json:"count"`
	Sum   float64 `json:"sum"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
}

// Event is one event of GET /v1/jobs/{id}/events.
type Event struct {
	ID   string    // of the event, for Last-Event-ID
	Kind EventKind // of the stream's events, their name
	Job  Job
}

// An EventKind says what an event reports.
type EventKind string

// The kinds of events. Every event holds the whole job.
const (
	ProgressEvent EventKind = "progress" // numbers have changed
	StateEvent    EventKind = "state"    // State, Phase or Run has changed; also the first event of a stream
	EndEvent      EventKind = "end"      // the job has ended; the last event
)
