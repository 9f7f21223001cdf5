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
	Ext        string       // of parts, with that of the codec by which they are compressed
	Partitions int          // of the shuffle; 0 for a map-only job
	PartOnce   bool         // the store creates parts of any size once, as Probe has found
	Input      int64        // bytes
	LeftOut    plan.LeftOut // of what the input names
	Splits     []plan.Split // by map task
	Samples    []plan.Split // that the sample task reads; nil when there is none
}

// Counts returns how many tasks the job has.
func (t *Table) Counts() plan.Counts {
	c := plan.Counts{Maps: len(t.Splits), Reduces: t.Partitions}
	if len(t.Samples) > 0 {
		c.Samples = 1
	}
	return c
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

// PartName names a part after its task, so that the store lets only one of its
// attempts make it. Where the store cannot promise that for big objects, it
// names the part after the whole id of the attempt, of which N alone may occur again
// under another leader, and the manifest says which one counts. run
// is how often the job was reopened.
func (t *Table) PartName(task plan.TaskID, id plan.AttemptID, run int) string {
	ext := t.Ext
	if !t.PartOnce {
		ext = fmt.Sprintf(".%s%s", id, ext)
	}
	return output.PartName(task, t.Job, run, ext)
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
