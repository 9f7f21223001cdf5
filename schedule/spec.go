package schedule

import "time"

// Spec is a schedule as its owner writes it. Name, Job.Name, Cron and Output are
// required. Every other field may be left zero. Its JSON is what the API carries: fields
// are added, and never change their meaning.
type Spec struct {
	// Name has letters, digits, "-", "_" and ".", and at most 100 of them.
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Job         Job    `json:"job"`

	// Cron are expressions, as ParseTimes reads them. The schedule ticks at the instants
	// of all of them.
	Cron []string `json:"cron"`
	// TimeZone is the zone of Cron and of templates. "": UTC.
	TimeZone string `json:"timeZone,omitempty"`
	// DST is "once" (the default): a time that the clock skips is the first instant after
	// the gap, and one that it shows twice is one; or "literal": none, and two.
	DST string `json:"dst,omitempty"`
	// Start and End bound the periods: none begins before Start, and none ends after End.
	// Start is also the anchor of @every.
	Start time.Time `json:"start,omitzero"`
	End   time.Time `json:"end,omitzero"`
	// Jitter delays each run by up to this, always the same for the same run.
	Jitter Duration `json:"jitter,omitzero"`
	// Interval is the data of a run: "previous" (the default) is the period, from one tick
	// to the next; a length such as 24h or 30d is that length before the end of the period.
	// Days and weeks are days of the calendar in the time zone.
	Interval string `json:"interval,omitempty"`

	// Input, Output and the values of Job.Params are templates: see Resolve.
	Input  []string `json:"input,omitempty"`
	Output string   `json:"output"`
	// OnExists is "fail" (the default), "replace" or "append".
	OnExists string `json:"onExists,omitempty"`

	Ready Ready `json:"ready,omitzero"`
	// Overlap says what happens to a run that is due while another is running: "queue"
	// (the default), "skip", "replace" or "parallel:N".
	Overlap string  `json:"overlap,omitempty"`
	Catchup Catchup `json:"catchup,omitzero"`
	// StartingDeadline is how late a run may start. 0: any time.
	StartingDeadline Duration `json:"startingDeadline,omitzero"`
	// RunTimeout ends a run that takes longer. 0: none does.
	RunTimeout Duration `json:"runTimeout,omitzero"`
	Retries    Retries  `json:"retries,omitzero"`
	// PauseAfterFailures is how many runs may fail one after another before the schedule
	// pauses. 0: any number.
	PauseAfterFailures int `json:"pauseAfterFailures,omitempty"`
	// DependsOn are schedules whose run with the same nominal time must have succeeded.
	DependsOn []string `json:"dependsOn,omitempty"`
	// Priority is the weight of the jobs, as of submit. 0: 100.
	Priority    int  `json:"priority,omitempty"`
	Incremental bool `json:"incremental,omitempty"`
	// Expect are conditions on which the output of a run is published, such as
	// "records >= 1000": see plan.ParseExpectation.
	Expect  []string `json:"expect,omitempty"`
	History History  `json:"history,omitzero"`
	Notify  []Notify `json:"notify,omitempty"`
	// Freshness is the age of the newest success beyond which the schedule is late.
	Freshness Duration `json:"freshness,omitzero"`
}

// Job is the job of a schedule.
type Job struct {
	Name string `json:"name"`
	// Program is the file or the package of the program that has the job. "": the job is
	// one of the library.
	Program    string            `json:"program,omitempty"`
	Params     map[string]string `json:"params,omitempty"`
	Partitions int               `json:"partitions,omitempty"` // 0: by the size of the input
	Attempts   int               `json:"attempts,omitempty"`   // of a task; 0: 4
	Compress   string            `json:"compress,omitempty"`
	Decompress string            `json:"decompress,omitempty"`
	BadRecords string            `json:"badRecords,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
}

// Ready says when the input of a run is complete.
type Ready struct {
	Success    []string `json:"success,omitempty"`    // templates of objects that must exist
	Quiet      Duration `json:"quiet,omitzero"`       // no object of the input is younger
	MinObjects int      `json:"minObjects,omitempty"` // of the input
	Timeout    Duration `json:"timeout,omitzero"`     // after which the run is skipped; 0: never
}

// Catchup says which of the runs that were due while no master ran are made.
type Catchup struct {
	Off     bool     `json:"off,omitempty"`     // none; they are recorded as skipped
	Window  Duration `json:"window,omitzero"`   // only those that are not older; 0: all
	MaxRuns int      `json:"maxRuns,omitempty"` // 0: all
	Order   string   `json:"order,omitempty"`   // "oldest" (the default) or "newest" first
}

// Retries are runs of an interval whose run failed.
type Retries struct {
	Max     int      `json:"max,omitempty"`
	Backoff Duration `json:"backoff,omitzero"` // before the first; it doubles
}

// History is how many runs are kept. 0: 30.
type History struct {
	Succeeded int `json:"succeeded,omitempty"`
	Failed    int `json:"failed,omitempty"`
}

// Notify is a receiver of events: a webhook or a command.
type Notify struct {
	On      []string `json:"on,omitempty"` // "failed", "skipped", "paused", "late", "succeeded"; none: the first four
	Webhook string   `json:"webhook,omitempty"`
	Secret  string   `json:"secret,omitempty"` // path of the file with the key that signs
	Command []string `json:"command,omitempty"`
}

// Values of the fields of Spec.
const (
	once, literal                 = "once", "literal"
	previous                      = "previous"
	failExists, replaces, appends = "fail", "replace", "append"
	queue, skip, parallel         = "queue", "skip", "parallel:"
	oldest, newest                = "oldest", "newest"
)
