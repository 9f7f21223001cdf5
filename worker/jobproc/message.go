package jobproc

import (
	"fmt"
	"time"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/plan"
)

// Hello says what a process works on.
type Hello struct {
	Version int
	Job     string            // its name in the program
	Params  map[string]string // as the user typed them
	Once    map[string][]byte // of the pipeline as submitted
	Plan    string            // its text, which the process's pipeline must have too
	Token   []byte            // that the relay asks for
	Heap    int64             // bytes at which the collector works harder
	Range   int               // bytes of a request to a remote store
	Files   list[plan.File]   // shipped with the job; objects of FilesRoot
	Bad     plan.BadRecords   // the policy on bad records
}

// Description is what a worker knows of a pipeline: all except the functions.
type Description struct {
	Inputs  list[Input]
	Graph   plan.Graph // without numbers of tasks and partitions
	Ranges  bool       // the partitions of the only exchange are ranges of keys
	Outputs list[Output]
}

// mostOutputs bounds the outputs of a job.
const mostOutputs = 1000

// check returns an error unless the description is that of a job.
func (d *Description) check() error {
	for i := range d.Graph.Steps {
		for _, in := range d.Graph.Steps[i].Inputs {
			if in >= len(d.Inputs) {
				return fmt.Errorf("step %v reads input %d of %d", d.Graph.Steps[i].Group, in, len(d.Inputs))
			}
		}
	}
	if n := len(d.Outputs); n == 0 || n > mostOutputs {
		return fmt.Errorf("it has %d outputs", n)
	}
	return d.Graph.Check()
}

// Output is one of a job's outputs. See pipeline.Output.
type Output struct {
	Name, Ext    string
	Compressible bool
	Partitioned  bool
}

// Input is one of a job's inputs.
type Input struct {
	Name          string
	Text, Lines   bool
	Cut, Generate bool // it has functions of its own, see Session
	NoReplay      string
}

// ready is the answer to a hello.
type ready struct {
	Version int
	Plan    string
	Description
}

// refused is the other answer to a hello: the process cannot work on the job.
type refused struct{ Text string }

// Refusal says why a process cannot do what it was asked for. The process can
// still be used unless Open returned the Refusal.
type Refusal struct{ Text string }

// Error returns the process's text.
func (r *Refusal) Error() string { return r.Text }

// Run starts an attempt.
type Run struct {
	Job     plan.JobID
	Task    plan.TaskID
	Attempt plan.AttemptID
	Splits  []plan.Split // one of a task that reads an input, any number of a sample
	Work    plan.Work
	Parts   []string // names of the parts that the attempt may make, by output
	Holders int      // how many processes reduce; see executor.Attempt
	Facts   Facts
	// Marker is printed on both outputs when the attempt has ended.
	Marker string
}

// Facts are the same for all attempts of a job in a process.
type Facts struct {
	Compress compress.Codec
	Limits   compress.Limits
	Budget   int64 // bytes for pairs
	Share    int64 // of these, for an attempt
}

// cut asks for the sections of an object, by a function of the job.
type cut struct {
	Input  int
	Object plan.Object
	Target int64
}

// generate asks for the sections of an input that the job makes.
type generate struct{ Input, Slots int }

// sections is the answer to cut and generate.
type sections struct {
	Sections list[plan.Section]
	Failed   string // why there are none; "" when there are
}

// granted lets the attempt that asked make its part visible. All are the
// attempts of the task that were ever granted.
type granted struct {
	Attempt plan.AttemptID
	All     list[plan.AttemptID]
}

// stop ends an attempt.
type stop struct{ Attempt plan.AttemptID }

// progress is an attempt's progress so far.
type progress struct{ Bytes, Records int64 }

// ask asks for the attempt's grant.
type ask struct{ Attempt plan.AttemptID }

// Ended says how an attempt ended.
type Ended struct {
	Attempt plan.AttemptID
	Bytes   int64 // of input, done in all
	Records int64
	Took    time.Duration

	// Of an attempt that is done. Winner is the attempt whose part is there.
	Winner plan.AttemptID
	Digest plan.Digest
	Sums   list[plan.SectionSum]

	// Reads are reads of local stores, which the worker may not have seen: it
	// passes descriptors. Older programs do not send them.
	Reads Reads

	Verdict *Verdict // of an attempt that is not done; else nil
}

// Reads are a number of reads, and their bytes.
type Reads struct{ Gets, Bytes int64 }

// Verdict is why an attempt is not done. See executor.Verdict.
type Verdict struct {
	plan.Failure
	Panic   bool // a function of the job panicked; the stack is printed
	Stopped bool // by the worker
	Lost    *LostInput
}

// LostInput is an attempt whose output could not be read.
type LostInput struct {
	Task    plan.TaskID
	Attempt plan.AttemptID
}

// Names of roots in the relay. The name of an input is InputRoot and the URL of
// the root that an object is in.
const (
	ScratchRoot = "scratch"
	OutputRoot  = "output"
	InputRoot   = "input "
	// FilesRoot has the files that were shipped with the job, by their digests.
	FilesRoot = "files"
)
