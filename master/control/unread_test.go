package control_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/control"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/allow"
)

// logged returns logs of a job without any tasks but its plan, by how far the
// job has come.
func logged() map[string][]scheduler.Entry {
	planned := scheduler.Planned{Attempt: plan.AttemptID{Epoch: 1, N: 1}}
	return map[string][]scheduler.Entry{
		"nothing":    nil,
		"begun":      {scheduler.Fence{}},
		"running":    {scheduler.Fence{}, scheduler.Planned{Attempt: plan.AttemptID{Epoch: 1, N: 1}, Counts: plan.Counts{Maps: 2}}},
		"committing": {scheduler.Fence{}, planned, scheduler.Intent{}},
		"committed":  {scheduler.Fence{}, planned, scheduler.Intent{}, scheduler.Done{}},
		"aborting":   {scheduler.Fence{}, scheduler.Aborted{Cause: scheduler.Cause{Kind: plan.Failed, Text: "it was broken"}}},
		"aborted":    {scheduler.Fence{}, scheduler.Aborted{Cause: scheduler.Cause{Kind: plan.Failed, Text: "it was broken"}}, scheduler.Done{}},
	}
}

// TestUnreadableSpec verifies that a job whose specification can no longer be read
// ends, however far it has come: by itself if its log says so, or when a user cancels
// it.
func TestUnreadableSpec(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		waits  bool // until it is cancelled
		state  client.State
		text   string
		cancel plan.Kind // of the answer to a user who cancels it after its end
	}{
		"nothing":    {true, client.Cancelled, plan.SpecKey(over), plan.Unknown},
		"begun":      {true, client.Cancelled, plan.SpecKey(over), plan.Unknown},
		"running":    {true, client.Cancelled, plan.SpecKey(over), plan.Unknown},
		"committing": {true, client.FailedJob, "_SUCCESS", plan.Conflict},
		"committed":  {false, client.Succeeded, "", plan.Conflict},
		"aborting":   {false, client.FailedJob, "it was broken", plan.Conflict},
		"aborted":    {false, client.FailedJob, "it was broken", plan.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := leadUnread(t, logged()[name])
				d := job(t, m)
				if want.waits != (d.State == client.Planning) {
					t.Fatalf("it is %s", d.State)
				}
				if want.waits {
					if d.Cause == nil || !strings.Contains(d.Cause.Text, plan.SpecKey(over)) || !strings.Contains(d.Cause.Text, "cancel the job") {
						t.Errorf("while it waits, the cause is %+v", d.Cause)
					}
					if err := m.Cancel(t.Context(), over); err != nil {
						t.Fatalf("cancel: %v", err)
					}
					time.Sleep(time.Minute)
					d = job(t, m)
				}
				if d.State != want.state || want.text != "" && (d.Cause == nil || !strings.Contains(d.Cause.Text, want.text)) {
					t.Errorf("it is %s in the end: %+v", d.State, d.Cause)
				}
				if d.Submitted.Format(time.DateOnly) != "2025-06-30" { // its ID says so
					t.Errorf("it was submitted at %v", d.Submitted)
				}
				var kind plan.Kind
				if refusal, ok := errors.AsType[*client.Error](m.Cancel(t.Context(), over)); ok {
					kind = refusal.Kind
				}
				if kind != want.cancel {
					t.Errorf("the answer to a second cancel is %v", kind)
				}
			})
		})
	}
}

// leadUnread starts a master that finds a job with such a log, and a damaged spec.
func leadUnread(t *testing.T, entries []scheduler.Entry) *control.Master {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, opts := t.Context(), store.Options{Mem: new(store.MemSpace)}
	root, err := store.Open(ctx, "mem://truth", opts)
	must(err)
	roots, err := allow.New([]string{"mem://data"}, opts)
	must(err)
	_, _, err = journal.CreateJob(ctx, root, over, []byte("what was submitted"))
	must(err)
	if len(entries) > 0 {
		_, _, err = journal.Open(root, over, nil).Append(ctx, 0, scheduler.Record{Entries: entries})
		must(err)
	}
	must(journal.Activate(ctx, root, journal.Run{Job: over}))
	must(root.Put(ctx, plan.SpecKey(over), []byte("not what was written here"), store.Durable))
	return start(t, root, roots)
}

func job(t *testing.T, m *control.Master) client.Job {
	t.Helper()
	d, err := m.Job(t.Context(), over)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
