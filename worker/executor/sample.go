package executor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle"
)

// Bounds of a sample.
const (
	sampleSections = 64      // sections that are sampled, at least
	samplePlaces   = 4       // and for each partition
	sampleRecords  = 256_000 // records that are read of all sections
	leastRecords   = 16      // records that are read of each section
	sampleKeys     = 16384   // keys that are kept
	sampleKey      = 256     // bytes of a key that are kept: a cut need not be a whole key
)

// SampleFirst is how many bytes of a section a sample asks for at first.
const SampleFirst = 128 << 10

// SampleLimit returns how many records of each section are sampled.
func SampleLimit(sections int) int64 {
	return max(sampleRecords/int64(max(sections, 1)), leastRecords)
}

// SampleSize returns how many sections of which size, in bytes, to sample of an
// input of that many bytes. In a sorted input the keys of a section are
// neighbours, and say nothing about other places. So there are several sections
// for each partition, and a small input is sampled whole.
func SampleSize(input int64, partitions int) (sections int, size int64) {
	sections = max(sampleSections, samplePlaces*partitions)
	return sections, max(input/int64(sections), 1)
}

// Sample runs the functions of a step on a sample of the input. It keeps some
// of the keys that they emit for the first exchange, evenly spaced, in order.
func (e *Executor) Sample(ctx context.Context, a Attempt, step *pipeline.Step, splits []plan.Split) (*plan.Manifest, error) {
	started := time.Now()
	if len(step.Writes) != 1 {
		return nil, fmt.Errorf("task %v samples a step that writes %d exchanges", a.Task, len(step.Writes))
	}
	spec := e.spec(step.Writes[0], 1, e.cfg.Share)
	m, task := e.begin(ctx, a, step)
	mem, err := e.share(ctx)
	if err != nil {
		return nil, err
	}
	defer mem.Release()
	runs := e.runStore(a.Task, a.ID)
	w, err := shuffle.NewMapWriter(ctx, spec, mem, runs)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	var tally plan.Tally // a sample's counts are not the job's
	task.Tally = &tally
	sections := 0
	for _, split := range splits {
		sections += len(split.Sections)
	}
	limit := SampleLimit(sections)
	for _, split := range splits {
		if err := e.sampleSplit(task, step, split, limit, w, a.Progress); err != nil {
			return nil, err
		}
	}
	sorted, rows, err := w.Finish(ctx)
	if err != nil {
		return nil, fmt.Errorf("task %v: %w", a.Task, err)
	}
	w.Close()
	if m.Keys, err = keysOf(ctx, spec, sorted, rows[0], mem, runs); err != nil {
		return nil, fmt.Errorf("task %v: %w", a.Task, err)
	}
	for _, run := range sorted {
		if err := runs.Delete(ctx, run.Key); err != nil {
			return nil, err
		}
	}
	m.Took = time.Since(started)
	return m, e.writeManifest(ctx, m)
}

func (e *Executor) sampleSplit(task pipeline.Task, step *pipeline.Step, split plan.Split, limit int64, w *shuffle.MapWriter, progress *pipeline.Progress) error {
	sections, opened := e.sections(task.Context, split, progress, SampleFirst)
	defer opened.Close()
	task.Input, task.Sections, task.Limit = split.Input, sections, limit
	task.Writes = []pipeline.Write{{Partitions: 1, Pairs: w.Collector()}}
	task.Part = func(int, string) (pipeline.Part, error) { return noPart{}, nil }
	return step.Run(&task)
}

// noPart takes what a sample writes to the output, which does not count.
type noPart struct{}

func (noPart) Write(b []byte) (int, error) { return len(b), nil }

func (noPart) End(int64) error { return nil }

// keysOf reads the sorted sample back and keeps every n-th key.
func keysOf(ctx context.Context, spec shuffle.Spec, runs []plan.Run, rows int64, mem *shuffle.Grant, from *runStore) ([][]byte, error) {
	r, err := shuffle.Open(ctx, spec, 0, runs, from, mem)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	step := max(rows/sampleKeys, 1)
	var keys [][]byte
	for i := int64(0); ; i++ {
		key, _, ok := r.Next()
		if !ok {
			return keys, r.Err()
		}
		if i%step == step/2 {
			keys = append(keys, slices.Clone(key[:min(len(key), sampleKey)]))
		}
	}
}
