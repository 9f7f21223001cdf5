package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// snapEvery is how many slots lie between two snapshots.
const snapEvery = 1000

// reading is how many slots are read side by side.
const reading = 16

// Log is the log of one job, as a leader keeps it.
type Log struct {
	root  *store.Root
	job   plan.JobID
	lease *Lease
}

// CreateJob creates a job from its spec, once. If the job exists already, won
// is false and existing is its spec.
func CreateJob(ctx context.Context, root *store.Root, job plan.JobID, spec []byte) (won bool, existing []byte, err error) {
	return root.CreateOnce(ctx, plan.SpecKey(job), spec)
}

// MaxSpec is the greatest number of bytes that a spec may have.
const MaxSpec = store.MaxOnce

// Spec returns the submitted spec.
func Spec(ctx context.Context, root *store.Root, job plan.JobID) ([]byte, error) {
	return root.ReadOnce(ctx, plan.SpecKey(job))
}

// Exists returns nil if a job was created. A damaged spec counts as well, and so
// does one that is gone while other objects of the job are there: the log does not
// depend on it.
func Exists(ctx context.Context, root *store.Root, job plan.JobID) error {
	_, err := Spec(ctx, root, job)
	if plan.KindOf(err) == plan.NotFound {
		there, listErr := traced(ctx, root, job)
		if there || listErr != nil {
			return listErr
		}
	}
	if Damaged(err) {
		return nil
	}
	return err
}

// traced reports whether there is any object of a job. Every job has one in an index.
func traced(ctx context.Context, root *store.Root, job plan.JobID) (bool, error) {
	for _, prefix := range []string{activeRuns + string(job) + ".", endedRuns + string(job) + ".", plan.JobPrefix(job)} {
		for _, err := range root.List(ctx, prefix) {
			return err == nil, err
		}
	}
	return false, nil
}

// Open returns the log of a job for the leader that holds the lease.
func Open(root *store.Root, job plan.JobID, lease *Lease) *Log {
	return &Log{root: root, job: job, lease: lease}
}

// Append creates a slot once. When another master has it, taken is its record.
// While the store fails Append keeps trying until ctx ends: before that it is
// unknown whether the record is in the log.
func (l *Log) Append(ctx context.Context, slot uint64, r scheduler.Record) (won bool, taken scheduler.Record, err error) {
	body, err := encodeRecord(r)
	if err != nil {
		return false, taken, err
	}
	key := slotKey(l.job, slot)
	won, existing, err := l.root.CreateOnce(ctx, key, body)
	for err != nil && mayPass(err) {
		if wait(ctx, appendEvery) != nil {
			return false, taken, err
		}
		if won, existing, err = l.root.CreateOnce(ctx, key, body); err == nil && bytes.Equal(existing, body) {
			// An epoch belongs to one master, which has one append in flight:
			// this record was left by an earlier try.
			won = true
		}
	}
	if err != nil || won {
		return won, taken, err
	}
	if taken, err = decodeRecord(existing); err != nil {
		return false, taken, fmt.Errorf("%s: %w", l.root.Name(key), err)
	}
	return false, taken, nil
}

// appendEvery is how long an append waits before it is tried again, beside the
// waits of package store.
const appendEvery = time.Second

// mayPass reports whether an error may be another one, or none, a little later.
func mayPass(err error) bool {
	switch plan.KindOf(err) {
	case plan.Invalid, plan.TooLarge, plan.Corrupt, plan.Interrupted:
		return false
	default:
		return true
	}
}

// Leads reports, by a read begun after the call, whether no higher epoch
// exists.
func (l *Log) Leads(ctx context.Context) (bool, error) { return l.lease.Leads(ctx) }

// Snapshot stores the fold of the slots before job.Slots, so that they need not
// be read again. It does so only every thousandth slot.
func (l *Log) Snapshot(ctx context.Context, job *scheduler.Job) error {
	if job.Slots == 0 || job.Slots%snapEvery != 0 {
		return nil
	}
	body, err := encodeSnapshot(job)
	if err != nil {
		return err
	}
	return writeSnapshot(ctx, l.root, l.job, job.Slots, body)
}

// Read folds the log of a job: the latest snapshot, and the records behind it.
// Records appended meanwhile may be in it or not.
func Read(ctx context.Context, root *store.Root, id plan.JobID) (*scheduler.Job, error) {
	var moved error
	for range 3 {
		job, err := read(ctx, root, id)
		if !errors.Is(err, errMoved) {
			return job, err
		}
		moved = err
	}
	return nil, fmt.Errorf("%s: %w", root.Name(plan.JobPrefix(id)+"log"), moved)
}

// Records returns all records of a job's log, in order, for a check of the log.
// No slot is deleted while such a check is possible.
func Records(ctx context.Context, root *store.Root, id plan.JobID) ([]scheduler.Record, error) {
	var all []scheduler.Record
	for {
		r, err := readSlot(ctx, root, id, uint64(len(all)))
		if plan.KindOf(err) == plan.NotFound {
			return all, Exists(ctx, root, id)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
}

// errMoved says that a listing and the reads after it do not agree.
var errMoved = errors.New("the listing of the log has gaps: the store hides objects, or objects were deleted; restore them, the job cannot continue without")

func read(ctx context.Context, root *store.Root, id plan.JobID) (*scheduler.Job, error) {
	// The object that must exist is read in the same attempt: otherwise a store
	// that is cut off could look like one in which the log is empty.
	if err := Exists(ctx, root, id); err != nil {
		return nil, err
	}
	var damage error
	for job, err := range snapshots(ctx, root, id) {
		switch {
		case Damaged(err) || plan.KindOf(err) == plan.NotFound:
			damage = err
			continue // an older one, or the whole log, holds the same
		case err != nil:
			return nil, err
		}
		job, err = readBehind(ctx, root, id, job)
		if damage != nil && (errors.Is(err, errMoved) || Damaged(err)) {
			err = fmt.Errorf("%w; and a snapshot that could replace it is damaged: %w", err, damage)
		}
		return job, err
	}
	return nil, damage // never reached: the last snapshot is that of no slots
}

// readBehind folds the slots behind a snapshot.
func readBehind(ctx context.Context, root *store.Root, id plan.JobID, job *scheduler.Job) (*scheduler.Job, error) {
	prefix := plan.JobPrefix(id) + "log/"
	next := job.Slots
	for o, err := range root.List(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		n, ok := numberOf(o.Key, prefix)
		if !ok || n < job.Slots {
			continue
		}
		if n != next {
			return nil, errMoved
		}
		next++
	}
	records, err := readSlots(ctx, root, id, job.Slots, next)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		job.Fold(r)
	}
	return job, followTail(ctx, root, id, job)
}

// followTail folds the slots behind those that were listed.
func followTail(ctx context.Context, root *store.Root, id plan.JobID, job *scheduler.Job) error {
	for {
		r, err := readSlot(ctx, root, id, job.Slots)
		if plan.KindOf(err) == plan.NotFound {
			return Exists(ctx, root, id)
		}
		if err != nil {
			return err
		}
		job.Fold(r)
	}
}

// readSlots reads slots [from, to) side by side.
func readSlots(ctx context.Context, root *store.Root, id plan.JobID, from, to uint64) ([]scheduler.Record, error) {
	records := make([]scheduler.Record, to-from)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(reading)
	for i := range records {
		g.Go(func() (err error) {
			records[i], err = readSlot(ctx, root, id, from+uint64(i))
			if plan.KindOf(err) == plan.NotFound {
				return errMoved
			}
			return err
		})
	}
	return records, g.Wait()
}

func readSlot(ctx context.Context, root *store.Root, id plan.JobID, slot uint64) (scheduler.Record, error) {
	key := slotKey(id, slot)
	body, err := root.ReadOnce(ctx, key)
	if err != nil {
		return scheduler.Record{}, err
	}
	r, err := decodeRecord(body)
	if err != nil {
		err = fmt.Errorf("%s: %w", root.Name(key), err)
	}
	return r, err
}
