package attempts

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// Lost is a committed attempt of which something that it left cannot be read.
type Lost struct {
	Finished
	Err error // names the object
}

// readsAtOnce is how many manifests are read side by side.
const readsAtOnce = 32

// Missing returns those of the attempts whose manifest or runs are not
// in a job's scratch root, in their order. It lists the root, and reads
// the manifests by read.
func Missing(ctx context.Context, scratch *store.Root, from []plan.Results,
	read func(context.Context, plan.TaskID, plan.AttemptID) (*plan.Manifest, error)) ([]Lost, error) {
	sizes := make(map[string]int64)
	for o, err := range scratch.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		sizes[o.Key] = o.Size
	}
	var all []Finished
	for _, step := range from {
		for i, id := range step.Attempts {
			all = append(all, Finished{step.Task(i), id})
		}
	}
	found := make([]error, len(all))
	var mu sync.Mutex
	var failed error // of a read that shows nothing
	reads, reading := errgroup.WithContext(ctx)
	reads.SetLimit(readsAtOnce)
	for i, f := range all {
		if key := ManifestKey(f.Task, f.Attempt); sizes[key] == 0 {
			found[i] = fmt.Errorf("%s is gone", scratch.Name(key))
			continue
		}
		reads.Go(func() error {
			m, err := read(reading, f.Task, f.Attempt)
			if err != nil {
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
				return nil
			}
			found[i] = absent(scratch, m, sizes)
			return nil
		})
	}
	_ = reads.Wait() // its functions return no error
	var lost []Lost
	for i, err := range found {
		if err != nil {
			lost = append(lost, Lost{all[i], err})
		}
	}
	return lost, errors.Join(failed, context.Cause(ctx))
}

// absent returns an error that names the first run of an attempt that does not have
// its size in a listing.
func absent(scratch *store.Root, m *plan.Manifest, sizes map[string]int64) error {
	for _, r := range m.AllRuns() {
		if size, there := sizes[r.Key]; !there || size != r.Size {
			return fmt.Errorf("%s is gone, or not the %d bytes that the task wrote", scratch.Name(r.Key), r.Size)
		}
	}
	return nil
}
