package attempts

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// Table has the facts of a job that planning fixes.
type Table struct {
	Job        plan.JobID
	Ext        string       // of parts of a job of one output, with that of the codec by which they are compressed
	Partitions int          // of the exchange of a job of one shuffle; 0 for another job
	PartOnce   bool         // the store creates parts of any size once, as Probe has found
	Input      int64        // bytes
	LeftOut    plan.LeftOut // of what the input names
	Splits     []plan.Split // of the tasks that read inputs, in the order of their steps
	Samples    []plan.Split // that the sample task reads; nil when there is none
	Stages     *Stages      // of a job of several stages or outputs; else nil
}

// Stages has the facts of a job of several stages or outputs.
type Stages struct {
	Graph   plan.Graph
	Outputs []Output // by their places in the pipeline
}

// Output is one of several outputs.
type Output struct {
	Name string // the directory of its parts
	Ext  string // as Table.Ext
	// Partitioned says that the parts lie in directories below that of the output.
	Partitioned bool
}

// Counts returns how many tasks a job of one shuffle has.
func (t *Table) Counts() plan.Counts {
	c := plan.Counts{Maps: len(t.Splits), Reduces: t.Partitions}
	if len(t.Samples) > 0 {
		c.Samples = 1
	}
	return c
}

// Graph returns the graph of the job.
func (t *Table) Graph() plan.Graph {
	if t.Stages != nil {
		return t.Stages.Graph
	}
	return plan.OneShuffle(t.Counts())
}

// Split returns the place among Splits of the split that a task reads; ok is false if
// the task reads none.
func (t *Table) Split(task plan.TaskID) (place int, ok bool) {
	if t.Stages == nil {
		return task.Index, task.Group() == plan.Group{Phase: plan.Map} && task.Index >= 0 && task.Index < len(t.Splits)
	}
	for i := range t.Stages.Graph.Steps {
		s := &t.Stages.Graph.Steps[i]
		if !s.FromInput() {
			continue
		}
		if s.Group == task.Group() {
			return place + task.Index, task.Index >= 0 && task.Index < s.Tasks && place+task.Index < len(t.Splits)
		}
		place += s.Tasks
	}
	return 0, false
}

// Tasks returns the tasks that read the splits, in their order.
func (t *Table) Tasks() []plan.TaskID {
	tasks := make([]plan.TaskID, 0, len(t.Splits))
	if t.Stages == nil {
		for i := range t.Splits {
			tasks = append(tasks, plan.TaskID{Phase: plan.Map, Index: i})
		}
		return tasks
	}
	for i := range t.Stages.Graph.Steps {
		s := &t.Stages.Graph.Steps[i]
		if !s.FromInput() {
			continue
		}
		for n := range s.Tasks {
			tasks = append(tasks, s.Task(n))
		}
	}
	return tasks
}

// MaxPartitions bounds the partitions of a job's shuffle.
const MaxPartitions = 100_000

// ProbeBytes is the input size from which parts may be so big that Probe asks
// the store about big objects.
const ProbeBytes = 64 << 20

// Probe finds out whether the store of the output keeps the promises on which
// parts rely. An error means that nothing may be committed there.
func (t *Table) Probe(ctx context.Context, out *store.Root) error {
	var asks []store.Ask
	if t.Input >= ProbeBytes {
		asks = append(asks, store.Multipart)
	}
	caps, err := out.Probe(ctx, asks...)
	if err != nil {
		return err
	}
	t.PartOnce = caps.MultipartOnce
	return nil
}

// PartName names a task's part of an output after the task, so that the store lets only
// one of its attempts make it. Where the store cannot promise that for big objects, and
// in a job of several stages or outputs, it
// names the part after the whole id of the attempt, of which N alone may occur again
// under another leader, and the manifest says which one counts. run
// is how often the job was reopened.
func (t *Table) PartName(task plan.TaskID, id plan.AttemptID, place, run int) string {
	ext, dir := t.Ext, ""
	if t.Stages != nil {
		ext = t.Stages.Outputs[place].Ext
		if name := t.Stages.Outputs[place].Name; name != "" {
			dir = name + "/"
		}
	}
	if !t.PartOnce || t.Stages != nil {
		ext = fmt.Sprintf(".%s%s", id, ext)
	}
	return dir + output.PartName(task, t.Job, run, ext)
}

// Write writes the table below the root of a cluster, where ReadTable finds it.
func (t *Table) Write(ctx context.Context, root *store.Root, id plan.AttemptID) error {
	body, err := t.Encode()
	if err != nil {
		return err
	}
	return write(ctx, root, plan.TableKey(t.Job, id), body, store.Durable)
}

// ReadTable returns the table that an attempt at planning a job has written.
func ReadTable(ctx context.Context, root *store.Root, job plan.JobID, id plan.AttemptID) (*Table, error) {
	key := plan.TableKey(job, id)
	body, err := root.Get(ctx, key, tableLimit)
	if err != nil {
		return nil, err
	}
	t, err := DecodeTable(body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("task table %s: %w", root.Name(key), err)
	case t.Job != job:
		return nil, fmt.Errorf("task table %s: it is of job %s", root.Name(key), t.Job)
	}
	return t, nil
}
