package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// unreadable says that this master can make nothing of a job's spec, however often
// it reads it: it is damaged, or of a newer build. The job does not go on until
// somebody restores the object, leads with that build, or cancels the job.
type unreadable struct {
	spec   *plan.Spec // what the job's ID tells
	err    error
	advice string // what lets the job go on
}

func (u *unreadable) Error() string {
	return fmt.Sprintf("its specification cannot be read (%v): %s", u.err, u.advice)
}

func (u *unreadable) Unwrap() error { return u.err }

// readSpec returns what was submitted as a job. Of what makes no sense the error
// is an *unreadable.
func readSpec(ctx context.Context, root *store.Root, id plan.JobID) (*plan.Spec, error) {
	const restore = "restore the object"
	bare := &plan.Spec{ID: id}
	if made, err := ulid.ParseStrict(string(id)); err == nil {
		bare.Submitted = made.Timestamp().UTC()
	}
	body, err := journal.Spec(ctx, root, id)
	if damaged(err) {
		return nil, &unreadable{bare, err, restore}
	}
	if err != nil {
		return nil, err
	}
	var its struct { // a newer build may mean other things by the rest
		Version int `json:"version"`
	}
	if err := json.Unmarshal(body, &its); err == nil && its.Version > plan.SpecVersion {
		return nil, &unreadable{bare, fmt.Errorf("%s is of version %d, and this build reads up to %d", root.Name(plan.SpecKey(id)), its.Version, plan.SpecVersion),
			"run a newer windrow"}
	}
	spec := new(plan.Spec)
	if err := json.Unmarshal(body, spec); err != nil {
		return nil, &unreadable{bare, fmt.Errorf("%s: damaged: %w", root.Name(plan.SpecKey(id)), err), restore}
	}
	return spec, nil
}

// readSpec reads what was submitted, once. What cannot be read it keeps as
// j.unread, and looks again the next time.
func (j *job) readSpec(ctx context.Context) error {
	j.mu.Lock()
	known := j.spec != nil && j.unread == nil
	j.mu.Unlock()
	if known {
		return nil
	}
	spec, err := readSpec(ctx, j.cfg.Root, j.id)
	unread, _ := errors.AsType[*unreadable](err)
	if unread != nil {
		spec = unread.spec
	} else if err != nil {
		return err
	}
	j.weight.Store(int64(spec.Share()))
	j.mu.Lock()
	defer j.mu.Unlock()
	j.spec, j.unread = spec, unread
	return nil
}

// unreadable tells whether the job does not go on since its spec cannot be read.
func (j *job) unreadable() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.unread != nil
}

// held tells people of a job that cannot go on, as its spec cannot be read.
func held(u *unreadable) client.Job {
	d := outline(u.spec)
	d.Cause = &client.Cause{Kind: causes[plan.Inconsistent], Text: u.Error() + ", or cancel the job"}
	return d
}

// givenUp is why a job ends whose spec cannot be read: somebody has cancelled it.
// Where its output is nobody knows.
func givenUp(u *unreadable) *scheduler.Cause {
	return &scheduler.Cause{Kind: plan.Cancelled, Text: fmt.Sprintf("%s, and its specification could not be read (%v): "+
		"what it wrote to its output is there until the next job on that output removes it", cancelled().Text, u.err)}
}
