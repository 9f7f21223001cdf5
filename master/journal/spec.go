package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// UnreadableSpec says that this build cannot read the specification of a job,
// however often it tries: the object is gone, damaged, or of a newer build. The job does
// not proceed until the object is restored, a master of that build leads, or the
// job is cancelled.
type UnreadableSpec struct {
	Spec   *plan.Spec // the facts that the job's id contains
	Err    error
	Advice string // how the job can proceed
}

// Error returns the cause and the advice.
func (u *UnreadableSpec) Error() string {
	return fmt.Sprintf("its specification cannot be read (%v): %s", u.Err, u.Advice)
}

// Unwrap returns the cause.
func (u *UnreadableSpec) Unwrap() error { return u.Err }

// FailureKind returns Conflict: the state of the job does not allow the request,
// and asking again does not help.
func (u *UnreadableSpec) FailureKind() plan.Kind { return plan.Conflict }

// ReadSpec returns a job as it was submitted. If the object makes no sense, or is
// gone while others of the job are there, the error is an *UnreadableSpec.
func ReadSpec(ctx context.Context, root *store.Root, id plan.JobID) (*plan.Spec, error) {
	const restore = "restore the object"
	bare := &plan.Spec{ID: id}
	if made, err := ulid.ParseStrict(string(id)); err == nil {
		bare.Submitted = made.Timestamp().UTC()
	}
	body, err := Spec(ctx, root, id)
	if Damaged(err) {
		return nil, &UnreadableSpec{bare, err, restore}
	}
	if plan.KindOf(err) == plan.NotFound {
		there, listErr := traced(ctx, root, id)
		switch {
		case listErr != nil:
			return nil, listErr
		case there:
			return nil, &UnreadableSpec{bare, fmt.Errorf("%s is gone", root.Name(plan.SpecKey(id))), restore}
		}
	}
	if err != nil {
		return nil, err
	}
	var its struct { // a newer build may give other meanings to the other fields
		Version int `json:"version"`
	}
	if err := json.Unmarshal(body, &its); err == nil && its.Version > plan.SpecVersion {
		return nil, &UnreadableSpec{bare, fmt.Errorf("%s is of version %d, and this build reads up to %d", root.Name(plan.SpecKey(id)), its.Version, plan.SpecVersion),
			"run a newer windrow"}
	}
	spec := new(plan.Spec)
	if err := json.Unmarshal(body, spec); err != nil {
		return nil, &UnreadableSpec{bare, fmt.Errorf("%s: damaged: %w", root.Name(plan.SpecKey(id)), err), restore}
	}
	return spec, nil
}

// Damaged reports whether an error says that an object was read and makes no
// sense. An error without a kind that did not come from a store is of a decoder.
func Damaged(err error) bool {
	switch plan.KindOf(err) {
	case plan.Corrupt, plan.TooLarge:
		return true
	case plan.Unknown:
		_, fromStore := errors.AsType[*store.Error](err)
		return err != nil && !fromStore
	default:
		return false
	}
}
