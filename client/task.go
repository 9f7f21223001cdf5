package client

import "time"

// A TaskState is where a task is.
type TaskState string

// The states of tasks.
const (
	TaskWaiting   TaskState = "waiting" // for its phase, or for a slot
	TaskRunning   TaskState = "running"
	TaskCommitted TaskState = "committed"
	TaskFailed    TaskState = "failed" // as often as allowed, which fails the job
)

// TaskStates returns all states.
func TaskStates() []TaskState {
	return []TaskState{TaskWaiting, TaskRunning, TaskCommitted, TaskFailed}
}

// Task is a task as it is now.
type Task struct {
	Task     string    `json:"task"` // "map/17"
	State    TaskState `json:"state"`
	Attempts int       `json:"attempts"`          // that were started
	Failures int       `json:"failures"`          // attempts that failed
	Lost     int       `json:"lost"`              // attempts that were lost, not through an error of their own
	Attempt  string    `json:"attempt,omitempty"` // the committed one, or the newest that runs: "3.17.5ca1ab1e"
	Worker   string    `json:"worker,omitempty"`  // where that attempt runs or ran, if it is known
	Started  time.Time `json:"started,omitzero"`  // of that attempt
	Seconds  float64   `json:"seconds"`           // that the attempt took, or has taken so far
	Read     Amount    `json:"read"`
	Written  Amount    `json:"written"`
	Error    string    `json:"error,omitempty"` // of the newest attempt that failed or was lost
}

// TasksQuery says which tasks to list: GET /v1/jobs/{id}/tasks.
type TasksQuery struct {
	State TaskState // "": all
	Phase string    // "": all
	Sort  TaskOrder // "": in their order
	Limit int       // 0: 100; at most 10,000
	After string    // Next of the previous page
}

// A TaskOrder is an order of tasks.
type TaskOrder string

// The orders. All except the first begin with the greatest value.
const (
	ByTask     TaskOrder = "task"
	ByDuration TaskOrder = "duration"
	ByBytes    TaskOrder = "bytes" // read
	ByAttempts TaskOrder = "attempts"
)

// TaskOrders returns all orders.
func TaskOrders() []TaskOrder { return []TaskOrder{ByTask, ByDuration, ByBytes, ByAttempts} }

// TasksPage is some of a job's tasks.
type TasksPage struct {
	Tasks []Task `json:"tasks"`
	Total int    `json:"total"`          // on all pages of the query
	Next  string `json:"next,omitempty"` // After of the next page; "" on the last one
}

// Log is an attempt that has a log: GET /v1/jobs/{id}/logs.
type Log struct {
	Task    string `json:"task"`
	Attempt string `json:"attempt"`
	Worker  string `json:"worker,omitempty"`
	State   string `json:"state"`           // "running", "committed", "failed", "lost" or "ended"
	Bytes   int64  `json:"bytes"`           // so far
	Error   string `json:"error,omitempty"` // why the attempt failed or was lost
}

// LogsQuery says which logs to list.
type LogsQuery struct {
	Task    string // "map/17"; "": of all tasks
	Attempt string // "": all
	Failed  bool   // only those of attempts that failed or were lost
}

// LogList is a job's logs, in the order of tasks and attempts.
type LogList struct {
	Logs []Log `json:"logs"`
}
