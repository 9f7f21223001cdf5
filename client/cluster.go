package client

import "time"

// Worker is a worker in the master's view: GET /v1/workers.
type Worker struct {
	ID       string      `json:"id"`
	Host     string      `json:"host"`
	PID      int         `json:"pid"`
	Build    string      `json:"build"` // version of its program
	OS       string      `json:"os"`
	Arch     string      `json:"arch"`
	State    WorkerState `json:"state"`
	Slots    int         `json:"slots"`
	Running  int         `json:"running"` // attempts
	Memory   int64       `json:"memory"`  // bytes, for all slots
	Joined   time.Time   `json:"joined"`
	Heard    float64     `json:"heard"`            // seconds since its last sign of life
	Failures int         `json:"failures"`         // attempts that failed there lately
	Reason   string      `json:"reason,omitempty"` // why it is excluded or drains
}

// A WorkerState says whether a worker gets attempts.
type WorkerState string

// The states of workers.
const (
	WorkerReady    WorkerState = "ready"
	WorkerDraining WorkerState = "draining" // it finishes its attempts, and ends
	WorkerExcluded WorkerState = "excluded" // too many attempts failed there: it gets none for a while
	WorkerSuspect  WorkerState = "suspect"  // its signs of life are late
)

// Workers are the workers of a cluster, in the order of their ids.
type Workers struct {
	Workers []Worker `json:"workers"`
}

// Cluster describes a cluster: GET /v1/cluster.
type Cluster struct {
	Master  string    `json:"master"` // the process that answers
	Leader  string    `json:"leader"` // URL of the master that leads
	Epoch   uint64    `json:"epoch"`  // of that master
	Since   time.Time `json:"since"`  // when it began to lead
	Build   string    `json:"build"`  // version of its program
	Root    string    `json:"root"`   // URL, without secrets
	Workers int       `json:"workers"`
	Slots   int       `json:"slots"`
	Running int       `json:"running"` // attempts
	Jobs    int       `json:"jobs"`    // that have not ended
}

// Garbage is the answer to POST /v1/gc: what is no longer needed, and was
// removed or, in a dry run, would be.
type Garbage struct {
	DryRun  bool          `json:"dryRun"`
	Jobs    []GarbageItem `json:"jobs"`
	Objects int64         `json:"objects"` // in all
	Bytes   int64         `json:"bytes"`   // of the objects
	Uploads int64         `json:"uploads"` // begun and never ended; stores do not report the bytes that they hold
	// Skipped are places where uploads could not be listed or aborted, and
	// programs while the set of programs that jobs need is unknown.
	Skipped []GarbageSkipped `json:"skipped,omitempty"`
}

// GarbageItem is the garbage of one job, of bundles that no job has, or of
// uploads to an output.
type GarbageItem struct {
	Prefix  string `json:"prefix"` // below the cluster's root; for the root itself and for outputs the URL
	Why     string `json:"why"`
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
	Uploads int64  `json:"uploads"`
}

// GarbageSkipped is a place that a collection skipped.
type GarbageSkipped struct {
	Prefix string `json:"prefix"` // as in GarbageItem
	Error  string `json:"error"`
}

// CollectGarbage is the body of POST /v1/gc.
type CollectGarbage struct {
	DryRun bool `json:"dryRun"`
}
