// Package pipeline is a job as the engine sees it: the typed functions of
// package jobs, compiled once into closures over bytes.
//
// Package jobs makes a Pipeline. Package worker/executor runs its functions,
// one attempt each, with a task that holds everything they may touch. A
// Pipeline is immutable, and any number of attempts may use it at the same
// time. A task belongs to the goroutine that runs it. Errors of user code are
// *jobs.RecordError. Every other error that a function returns comes from the
// task's own reader, pairs or writer.
//
// It is part of the engine, and may change between minor versions.
package pipeline

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// Pipeline is a job with its parameters, ready to run: a graph of steps, and what
// passes between them. Steps name exchanges, inputs and outputs by their places in the
// lists.
type Pipeline struct {
	Job       string
	Text      string   // canonical description; equal texts mean equal pipelines
	Hash      [32]byte // SHA-256 of Text
	Inputs    []Input
	Exchanges []Exchange
	Outputs   []Output
	Steps     []Step // each after those whose pairs it reads
	Loops     []Loop
	// Once holds the values that the constructor computed once, by name. A
	// process that builds the pipeline again passes it to Job.Build, and gets
	// the same Text.
	Once map[string][]byte
	// Aside is why bad records cannot be left out: the records of an output cannot be kept
	// aside until it is known that all functions accept them. Nil if they can.
	Aside error
}

// Step is the functions that a group of tasks runs.
type Step struct {
	plan.Group
	Inputs  []int // of which a task reads sections of one; none where Reads is set
	Reads   int   // the exchange of which a task reads a partition, or plan.None
	Sides   []int // exchanges that a task may read whole
	Writes  []int // exchanges
	Outputs []int // whose parts its tasks make
	// Loop, Round and Last are those of plan.Step, and Observes the groups of its Observes.
	Loop, Round, Last int
	Observes          []plan.Group
	// Run reads what the task has, to its end, and passes on pairs and records.
	Run func(t *Task) error
	// Decide says in place of Run whether another round follows. It is given what the
	// functions of the round have observed.
	Decide func(observed map[string]plan.Stat) (bool, error)
}

// Loop is a number of rounds that may run.
type Loop struct {
	States []int // the exchange in which each round leaves its records
}

// Input is one of a job's inputs.
type Input struct {
	Name string // "" for the only one
	// Split divides a plain (not compressed) object into sections of about
	// target bytes. Nil means that any byte range is a section.
	Split func(o plan.Object, target int64) ([]plan.Section, error)
	// Generate, if set, makes the input without a store: sections of synthetic
	// objects, about slots of them. Their Section.Open stays nil.
	Generate func(slots int) ([]plan.Section, error)
	// Text says that the objects are text. A text object that begins like a
	// compressed stream is one, whatever its name.
	Text bool
	// Lines says that every line feed ends a record. Then blocks of a
	// compressed object can be sections.
	Lines bool
	// Headed says that a section which is not the first of its object also reads
	// the beginning of the object, and that its last record can end after it.
	Headed bool
	// Probing says that a section reads some bytes at each of its ends that is within
	// the object, and that its last record can end after it.
	Probing bool
	// Scattered says that sections are read at places that only their object knows.
	Scattered bool
}

// Exchange says how pairs travel from steps to the tasks that read them.
type Exchange struct {
	Layout pairs.Layout
	// Group returns the leading part of an encoded key by which pairs are
	// grouped and partitioned; nil means the whole key.
	Group func(key []byte) []byte
	// Ranges asks for partitions that are ranges of keys, cut at sampled keys.
	Ranges bool
	// SampledBy is the exchange whose writers sample the keys of Ranges; plan.None
	// where a step of its own does, before anything is written.
	SampledBy int
	// Sampled says that the writers sample the keys that they write.
	Sampled bool
	// SortValues orders pairs of equal keys by their value's bytes.
	SortValues bool
	// Side says that it has one partition, which tasks read whole.
	Side bool
	// Spools says that the tasks which read it keep values in a Spool.
	Spools bool
	// Combiner makes a combiner for one attempt; nil when pairs must not be
	// combined.
	Combiner func() pairs.Combiner
	// KeyText describes the part of an encoded key by which pairs are grouped, for
	// people. Nil where it does not matter how many pairs a key has.
	KeyText func(key []byte) string
	// Advice says what the author of the job can do about a key that has far more than
	// its share of the pairs.
	Advice string
}

// Output is one of a job's outputs: how its parts are named, and whether they may
// be compressed.
type Output struct {
	Name         string // the directory of its parts, "" for the output's own
	Ext          string // with its dot, "" for none
	Compressible bool   // plain text: the engine may compress it as a whole
	Partitioned  bool   // parts lie in directories that the records name
}

// Task is one attempt at a task of a step.
type Task struct {
	Context  context.Context
	Job      plan.JobID
	Name     string // the job's name
	ID       plan.TaskID
	Attempt  plan.AttemptID
	Log      *slog.Logger
	Tally    *plan.Tally // the functions set RecordsIn, RecordsOut, Counts and Stats
	Progress *Progress
	Files    *Files               // shipped with the job; nil for none
	Previous map[string]plan.Stat // of the round before, for a step of a later round
	Bad      *Bad                 // how bad records are left out; nil: they fail the task
	// Observed is set by the functions: see plan.Manifest.
	Observed map[string]map[string]plan.Stat

	Input    int          // whose sections it reads
	Sections []Section    // of a step that reads inputs
	Limit    int64        // records to read of each section, for a sample; 0 for all
	Source   pairs.Source // of a step that reads an exchange
	Writes   []Write      // by the exchanges that the step writes
	// Part begins the attempt's part of an output of the step, by its place in
	// Step.Outputs, in a directory below that of the output; "" for none.
	Part func(output int, dir string) (Part, error)
	// MostParts is how many parts of Partitioned outputs may be open at once.
	MostParts int
	// Sorter makes a list that is read in order of its keys, for a step with a
	// Partitioned output. The attempt releases it.
	Sorter func() (Sorter, error)
	// Side returns a side input of the step, by its place in Step.Sides. Load makes the
	// value of its pairs, once in each process.
	Side func(place int, load func(from pairs.Source) (any, error)) (any, error)
	// Spool makes a list that is read several times. The attempt releases it.
	Spool func() Spool
}

// Spool is a list of values that can be read again and again. It keeps some in memory
// and the others in the job's temporary data. It belongs to the task's goroutine.
type Spool interface {
	// Append adds a value, which it copies.
	Append(b []byte) error
	// All passes on the values in their order, until yield returns false. A call may
	// be within another one. The bytes are valid until yield returns.
	All(yield func(b []byte) bool) error
	// Reset removes all values.
	Reset() error
}

// Sorter takes values, and passes them on in order of their keys.
type Sorter interface {
	Add(key, value []byte) error
	// All passes on all values, once. The bytes are valid until yield returns.
	All(yield func(key, value []byte) error) error
}

// Write is where an attempt writes the pairs of an exchange.
type Write struct {
	Partitions int
	Cuts       [][]byte         // Ranges: the Partitions-1 least keys of partitions 1…
	Pairs      *pairs.Collector // nil when only Sample counts
	TableBytes int64            // memory that a combining table may take, beside the collector's own
	Sample     func(key []byte) // takes every key, for a sample; nil where none is wanted
}

// Part takes the bytes of a part. End is called once, after the last of them, unless
// the attempt has failed.
type Part interface {
	io.Writer
	End(records int64) error
}

// Progress is how far a running attempt has come. Any goroutine may read it.
type Progress struct {
	Bytes   atomic.Int64 // input bytes done
	Records atomic.Int64 // records done
}

// Ranges reports whether the job has one exchange, whose partitions are ranges of keys.
func (p *Pipeline) Ranges() bool { return len(p.Exchanges) == 1 && p.Exchanges[0].Ranges }

// Ordered reports whether the parts of the only output are in an order of keys.
func (p *Pipeline) Ordered() bool {
	for i := range p.Steps {
		s := &p.Steps[i]
		if len(p.Outputs) == 1 && len(s.Outputs) > 0 && s.Reads != plan.None {
			return p.Exchanges[s.Reads].Ranges
		}
	}
	return false
}

// Step returns the step of a group, nil for none. A sample runs the functions of the
// maps.
func (p *Pipeline) Step(g plan.Group) *Step {
	if g.Phase == plan.Sample {
		g.Phase = plan.Map
	}
	for i := range p.Steps {
		if p.Steps[i].Group == g {
			return &p.Steps[i]
		}
	}
	return nil
}

// Outline returns the graph of the pipeline. It has no numbers of tasks and partitions:
// these follow from the input.
func (p *Pipeline) Outline() plan.Graph {
	var g plan.Graph
	g.Exchanges = make([]plan.Exchange, len(p.Exchanges))
	for i := range p.Steps {
		s := &p.Steps[i]
		step := plan.Step{Group: s.Group, Inputs: s.Inputs, Reads: s.Reads, Sides: s.Sides, Writes: s.Writes, Parts: len(s.Outputs) > 0,
			Loop: s.Loop, Round: s.Round, Last: s.Last}
		if s.Phase == plan.Decide {
			step.Tasks = 1
		}
		for _, group := range s.Observes {
			step.Observes = append(step.Observes, g.Find(group))
		}
		g.Steps = append(g.Steps, step)
		for _, x := range s.Writes {
			g.Exchanges[x].Writers = append(g.Exchanges[x].Writers, i)
		}
	}
	for x := range p.Exchanges {
		if p.Exchanges[x].Side {
			g.Exchanges[x].Partitions = 1
		}
		if by := p.Exchanges[x].SampledBy; p.Exchanges[x].Ranges && by != plan.None {
			g.Exchanges[x].Sampled = g.Exchanges[by].Writers
		}
	}
	for _, l := range p.Loops {
		g.Loops = append(g.Loops, plan.Loop{States: l.States, Round: 1})
	}
	return g
}

// Section is a plan.Section that can be opened.
type Section struct {
	plan.Section
	// Whole says that the section's records are all that Open returns. Offset
	// and Length, which are at rest, do not bound them: the object is
	// compressed, or may be. Open takes only 0, and offsets count from there.
	Whole bool
	// Open returns the object's bytes, decompressed, from off to its end, and
	// counts them. The reader fails, naming object and offset, when they are
	// not the bytes of the planned version.
	Open func(ctx context.Context, off int64) (io.ReadCloser, error)
	// ReadAt fills p with bytes of the object from off on, and counts them. It is for
	// sections that are not Whole, and for bytes that the object has.
	ReadAt func(ctx context.Context, p []byte, off int64) error
	// Record is the offset of the record that is being read, as its reader reports it,
	// before Place. Nil: it is unknown.
	Record *int64
	// Place turns an offset of a Whole section into an offset in the object, as
	// far as it was read, from that of Record on. Nil: they are the same.
	Place func(off int64) int64
	// Only are the offsets of the only records that are read: see plan.Split. Nil: all.
	Only []int64
	// Blocks says that Place returns a plan.Place.
	Blocks bool
}
