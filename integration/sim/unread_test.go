package sim

import (
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// unread are specs that a master cannot read, and the message for users.
func unread(w *world) map[string]func(key string) (text string) {
	once := func(key, body string) {
		w.must(w.truth.Delete(w.me.ctx, key))
		_, _, err := w.truth.CreateOnce(w.me.ctx, key, []byte(body))
		w.must(err)
	}
	return map[string]func(string) string{
		"overwritten": func(key string) string {
			w.must(w.truth.Put(w.me.ctx, key, []byte("not what was written here"), store.Durable))
			return "restore the object, or cancel the job"
		},
		"of another kind": func(key string) string {
			once(key, "[1, 2]")
			return "restore the object, or cancel the job"
		},
		"of a newer build": func(key string) string {
			once(key, `{"version": 99, "job": "sort", "output": {"url": "mem://data/out0"}}`)
			return "run a newer windrow, or cancel the job"
		},
	}
}

// TestUnreadableSpec: a job whose spec can no longer be read waits, says so,
// and blocks no other job. It can be cancelled. Then others can write to its
// output, and its leftovers are collected.
func TestUnreadableSpec(t *testing.T) {
	t.Parallel()
	for _, p := range []plan.Phase{plan.Prepare, plan.Map, plan.Reduce} {
		for how := range unread(nil) {
			t.Run(p.String()+"/"+how, func(t *testing.T) {
				t.Parallel()
				calm(t, 2, 1, func(w *world) {
					orphan := plan.BundleKey(strings.Repeat("5f", 32), 0)
					w.must(w.truth.Put(w.me.ctx, orphan, []byte("a program"), store.Durable))
					j := w.sortsUntil(p)
					key := plan.SpecKey(j.id)
					text := unread(w)[how](key)
					w.host(w.masters()[0]).kill(errKilled)
					time.Sleep(keepTime + time.Minute)
					w.ended(w.sorts(nil), client.Succeeded)
					d := w.job(j)
					if d.State != client.Planning || d.Cause == nil || !strings.Contains(d.Cause.Text, key) || !strings.Contains(d.Cause.Text, text) || time.Since(d.Submitted) > time.Hour {
						t.Errorf("users get %+v: %+v", d, d.Cause)
					}
					var g client.Garbage
					if kind, text := w.say("POST", "/gc", nil, &g); kind != plan.Unknown || len(g.Skipped) != 1 || !strings.Contains(g.Skipped[0].Error, string(j.id)) || w.first(orphan) == "" {
						t.Errorf("gc, while its needs are unknown: %s %s, %+v", kind, text, g)
					}
					w.cancelled(j)
					w.others(j)
					time.Sleep(keepTime + time.Minute)
					var rest client.Garbage
					if kind, text := w.say("POST", "/gc", nil, &rest); kind != plan.Unknown || len(rest.Skipped) > 0 {
						t.Errorf("gc: %s %s, %+v", kind, text, rest)
					}
					w.gone(orphan)
					w.gone(plan.ScratchPrefix(j.id) + "att/m")
					if kind, text := w.say("POST", "/retry/"+string(j.id), nil, nil); kind != plan.Conflict || !strings.Contains(text, key) {
						t.Errorf("retry: %s: %s", kind, text)
					}
				})
			})
		}
	}
}

// cancelled cancels a job, twice, and checks its end.
func (w *world) cancelled(j *wanted) {
	w.t.Helper()
	began := time.Now()
	for range 2 {
		if kind, text := w.say("POST", "/cancel/"+string(j.id), nil, nil); kind != plan.Unknown {
			w.t.Fatalf("cancel: %s: %s", kind, text)
		}
	}
	if took := time.Since(began); took > 15*time.Second {
		w.t.Errorf("to cancel it took %v", took)
	}
	s, err := w.await(j)
	w.must(err)
	w.must(rules(w.me.ctx, w.truth, j.id))
	d := w.job(j)
	if s.Status != scheduler.Failed || d.State != client.Cancelled || !strings.Contains(d.Cause.Text, plan.SpecKey(j.id)) {
		w.t.Errorf("it ends %v, and users get %+v: %+v", s.Status, d, d.Cause)
	}
	var all []client.Job
	if kind, text := w.say("GET", "/jobs", nil, &all); kind != plan.Unknown || len(all) != len(w.wanted) {
		w.t.Errorf("%d jobs are listed: %s %s", len(all), kind, text)
	}
}

// others writes to a job's output.
func (w *world) others(j *wanted) {
	w.t.Helper()
	w.ended(w.sorts(func(s *client.Submission) { s.Output, s.OnExists = j.submission.Output, string(output.Replace) }), client.Succeeded)
}

// gone checks that nothing is left below a prefix.
func (w *world) gone(prefix string) {
	w.t.Helper()
	for o, err := range w.truth.List(w.me.ctx, prefix) {
		w.must(err)
		w.t.Errorf("%s is still there", o.Key)
	}
}

// TestRestoredSpec: a job whose spec is restored continues by itself, where it
// was.
func TestRestoredSpec(t *testing.T) {
	t.Parallel()
	calm(t, 2, 1, func(w *world) {
		j := w.sortsUntil(plan.Map)
		key := plan.SpecKey(j.id)
		spec, err := w.truth.ReadOnce(w.me.ctx, key)
		w.must(err)
		unread(w)["overwritten"](key)
		w.host(w.masters()[0]).kill(errKilled)
		time.Sleep(time.Minute)
		if d := w.job(j); d.State != client.Planning || d.Cause == nil {
			t.Errorf("while its spec is damaged it is %s: %+v", d.State, d.Cause)
		}
		w.must(w.truth.Delete(w.me.ctx, key))
		_, _, err = w.truth.CreateOnce(w.me.ctx, key, spec)
		w.must(err)
		if d := w.ended(j, client.Succeeded); d.Job != "sort" || d.Output != j.submission.Output {
			t.Errorf("in the end users get %+v", d)
		}
	})
}
