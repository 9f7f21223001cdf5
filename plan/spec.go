package plan

import (
	"fmt"
	"slices"
	"time"
)

// Spec is a job as it was submitted to a cluster. It is written once, as JSON,
// and never changes. The job's log has what happens to the job.
type Spec struct {
	Version int    `json:"version"` // the lowest one that has all fields that are set
	ID      JobID  `json:"id"`
	Job     string `json:"job"` // its name in the program that has it
	// Bundles are the program, one for each kind of machine. None: the job is
	// one of the library that is built into workers, in the build that Build
	// names.
	Bundles []Bundle `json:"bundles,omitempty"`
	// Copies are the numbers of the copies of bundles and files that are not 0, by
	// digest.
	Copies map[string]int `json:"copies,omitempty"`
	Build  string         `json:"build,omitempty"`
	// Files are shipped with the job, for its functions.
	Files []File `json:"files,omitempty"`

	Params map[string]string `json:"params,omitempty"`
	Once   map[string][]byte `json:"once,omitempty"` // what the constructor computed once, by name
	Plan   string            `json:"plan"`           // text of the pipeline; workers must build the same

	Input      []string `json:"input,omitempty"` // URLs, or NAME=URL
	Output     string   `json:"output"`          // URL
	OnExists   string   `json:"onExists,omitempty"`
	Partitions int      `json:"partitions,omitempty"`
	SplitSize  int64    `json:"splitSize,omitempty"`  // bytes
	Trial      Trial    `json:"trial,omitzero"`       // of which part of the input is read
	Attempts   int      `json:"attempts,omitempty"`   // failures of a task that end the job; 0: DefaultAttempts
	BadRecords string   `json:"badRecords,omitempty"` // what ParseBadRecords reads; empty: they fail the job
	Expect     []string `json:"expect,omitempty"`     // what ParseExpectation reads, also those that the job declares
	Replay     JobID    `json:"replay,omitempty"`     // the job whose bad records are read, and nothing else of the input
	Compress   string   `json:"compress,omitempty"`
	Decompress string   `json:"decompress,omitempty"`

	MaxRatio        int64 `json:"maxRatio,omitempty"`
	MaxDecompressed int64 `json:"maxDecompressed,omitempty"` // bytes

	// Priority is how much of the cluster the job gets beside others: twice the
	// number is twice the share. 0 means 100.
	Priority  int               `json:"priority,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Submitted time.Time         `json:"submitted"`
}

// Programs returns the bundles, with their copies.
func (s *Spec) Programs() []Bundle {
	all := slices.Clone(s.Bundles)
	for i := range all {
		all[i].Copy = s.Copies[all[i].Digest]
	}
	return all
}

// Objects returns the bundles and the files that are objects of the cluster's root, with
// their copies. An empty file is no object.
func (s *Spec) Objects() []Bundle {
	all := s.Programs()
	for i := range s.Files {
		if f := &s.Files[i]; f.Size > 0 {
			all = append(all, Bundle{Digest: f.Digest, Size: f.Size, Copy: s.Copies[f.Digest]})
		}
	}
	return all
}

// SpecVersion is the highest version of Spec that this build reads. Version 2 has Files:
// a build that does not know them would remove them. Version 3 has a Trial: a build that
// does not know it would read all. Version 4 has BadRecords: a build that does not know
// them would fail the job. Version 5 has Expect or Replay: a build that does not know them
// would publish the output, or read all.
const SpecVersion = 5

// Lowest sets Version to the lowest one that has all fields that are set.
func (s *Spec) Lowest() {
	switch {
	case len(s.Expect) > 0, s.Replay != "":
		s.Version = 5
	case s.BadRecords != "":
		s.Version = 4
	case s.Trial != Trial{}:
		s.Version = 3
	case len(s.Files) > 0:
		s.Version = 2
	default:
		s.Version = 1
	}
}

// Bundle is an executable file, by its contents.
type Bundle struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	Digest string `json:"sha256"` // 64 hexadecimal digits
	Size   int64  `json:"size"`   // bytes
	// Copy numbers the objects with these bytes. A name that a collection of
	// garbage may still delete is not used again.
	Copy int `json:"-"`
}

// DefaultAttempts is how often a task of a job that sets nothing may fail before the
// job fails, and MostAttempts the most that a job can set.
const (
	DefaultAttempts = 4
	MostAttempts    = 1000
)

// CheckAttempts returns an error unless a job may set a number of attempts; 0 stands
// for the default.
func CheckAttempts(n int) error {
	if n < 0 || n > MostAttempts {
		return fmt.Errorf("attempts %d: it must be 1 to %d, or 0 for %d", n, MostAttempts, DefaultAttempts)
	}
	return nil
}

// Key returns the key of the bundle's object.
func (b Bundle) Key() string { return BundleKey(b.Digest, b.Copy) }

// DefaultPriority is the priority of a job that sets none.
const DefaultPriority = 100

// Share returns the job's priority, with the default filled in.
func (s *Spec) Share() int {
	if s.Priority == 0 {
		return DefaultPriority
	}
	return s.Priority
}
