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

// Sample runs the job's map functions on a sample of the input. It keeps some
// of the keys that they emit, evenly spaced, in order.
func (e *Executor) Sample(ctx context.Context, a Attempt, splits []plan.Split) (*plan.Manifest, error) {
	started := time.Now()
	m, task := e.begin(ctx, a)
	mem, err := e.share(ctx)
	if err != nil {
		return nil, err
	}
	defer mem.Release()
	runs := e.runStore(a.Task, a.ID)
	w, err := shuffle.NewMapWriter(ctx, e.spec(1), mem, runs)
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
		if err := e.sampleSplit(task, split, limit, w, a.Progress); err != nil {
			return nil, err
		}
	}
	sorted, rows, err := w.Finish(ctx)
	if err != nil {
		return nil, fmt.Errorf("task %v: %w", a.Task, err)
	}
	w.Close()
	if m.Keys, err = e.sampleKeys(ctx, sorted, rows[0], mem, runs); err != nil {
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

func (e *Executor) sampleSplit(task pipeline.Task, split plan.Split, limit int64, w *shuffle.MapWriter, progress *pipeline.Progress) error {
	sections, opened := e.sections(task.Context, split, progress, SampleFirst)
	defer opened.Close()
	t := &pipeline.MapTask{Task: task, Sections: sections, Partitions: 1, Limit: limit, Pairs: w.Collector()}
	return e.cfg.Pipeline.Inputs[split.Input].Map(t)
}

// sampleKeys reads the sorted sample back and keeps every n-th key.
func (e *Executor) sampleKeys(ctx context.Context, runs []plan.Run, rows int64, mem *shuffle.Grant, from *runStore) ([][]byte, error) {
	r, err := shuffle.Open(ctx, e.spec(1), 0, runs, from, mem)
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
