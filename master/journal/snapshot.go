package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/packed"
	"github.com/windrow-mr/windrow/store"
)

// unmarshal reads an object that may be damaged.
func unmarshal(body []byte, object any) error {
	if err := packed.Check(body); err != nil {
		return err
	}
	return msgpack.Unmarshal(body, object)
}

// snapshot is a fold at rest.
type snapshot struct {
	Job  *scheduler.JobState
	Used []scheduler.Used
}

// encodeSnapshot returns a fold at rest.
func encodeSnapshot(job *scheduler.Job) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(snapMagic)
	e := msgpack.NewEncoder(&b)
	e.UseArrayEncodedStructs(true)
	e.UseCompactInts(true)
	s := job.State()
	s.Cause.Kind = plan.Kind(causeNumber(s.Cause.Kind))
	if err := e.Encode(snapshot{s, s.Used}); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// decodeSnapshot is the inverse of encodeSnapshot.
func decodeSnapshot(b []byte) (*scheduler.Job, error) {
	s := snapshot{Job: new(scheduler.JobState)}
	body, ok := bytes.CutPrefix(b, []byte(snapMagic))
	into := any(&s)
	if !ok {
		body, ok = bytes.CutPrefix(b, []byte(oldMagic))
		into = s.Job
	}
	if !ok {
		return nil, fmt.Errorf("%d bytes that do not begin as a snapshot of this version", len(b))
	}
	if err := unmarshal(body, into); err != nil {
		return nil, fmt.Errorf("damaged snapshot: %w", err)
	}
	if s.Job == nil {
		return nil, errors.New("damaged snapshot: it has no state")
	}
	var known bool
	if s.Job.Cause.Kind, known = causeKind(uint8(s.Job.Cause.Kind)); !known {
		return nil, errors.New("snapshot with a cause of a kind that is not known: it was written by another version")
	}
	s.Job.Used = s.Used
	return scheduler.RestoreJob(s.Job)
}

// farMagic begins an object that refers to a snapshot which is too long for one
// request: a job may have 200,000 tasks.
const farMagic = "WRSN\x00\x03"

// writeSnapshot stores the fold of the slots before one.
func writeSnapshot(ctx context.Context, root *store.Root, id plan.JobID, slot uint64, body []byte) error {
	if len(body) > store.MaxOnce {
		ref, err := setAside(ctx, root, fmt.Sprintf("%sfold/%d", plan.JobPrefix(id), slot), body)
		if err != nil {
			return err
		}
		body = append([]byte(farMagic), ref...)
	}
	_, _, err := root.CreateOnce(ctx, snapKey(id, slot), body)
	return err
}

// snapshots yields the folds that the snapshots of a job hold, the newest first, and
// an empty one at last. An error is that of one snapshot, or of the listing.
func snapshots(ctx context.Context, root *store.Root, id plan.JobID) iter.Seq2[*scheduler.Job, error] {
	return func(yield func(*scheduler.Job, error) bool) {
		prefix := plan.JobPrefix(id) + "snap/"
		var slots []uint64
		for o, err := range root.List(ctx, prefix) {
			if err != nil {
				yield(nil, err)
				return
			}
			if n, ok := numberOf(o.Key, prefix); ok {
				slots = append(slots, n)
			}
		}
		slices.Sort(slots)
		for _, slot := range slices.Backward(slots) {
			if !yield(readSnapshot(ctx, root, snapKey(id, slot))) {
				return
			}
		}
		yield(new(scheduler.Job), nil)
	}
}

// readSnapshot returns the fold that a snapshot holds.
func readSnapshot(ctx context.Context, root *store.Root, key string) (*scheduler.Job, error) {
	body, err := root.ReadOnce(ctx, key)
	if ref, far := bytes.CutPrefix(body, []byte(farMagic)); err == nil && far {
		body, err = fetchAside(ctx, root, ref)
	}
	if err != nil {
		return nil, err
	}
	job, err := decodeSnapshot(body)
	if err != nil {
		err = fmt.Errorf("%s: %w", root.Name(key), err)
	}
	return job, err
}
