package control_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// vanish deletes objects of the cluster, as a lifecycle rule of a bucket does.
func (b *bed) vanish(key string) {
	b.t.Helper()
	b.must(b.root.Delete(b.t.Context(), key))
}

// truncate cuts an object in half.
func (b *bed) truncate(key string) {
	b.t.Helper()
	body, err := b.root.Get(b.t.Context(), key, store.MaxBody)
	b.must(err)
	b.must(b.root.Put(b.t.Context(), key, body[:len(body)/2], store.Durable))
}

func leaderKey(epoch int) string { return fmt.Sprintf("cluster/leader/%020d", epoch) }

func logKey(id plan.JobID, slot int) string {
	return fmt.Sprintf("%slog/%020d", plan.JobPrefix(id), slot)
}

// TestRecordOfTheLeaderVanishes verifies that a cluster whose leader's record, or all
// of cluster/, is deleted is led again soon: by the same master under a higher epoch,
// or by a standby if the master dies. The job continues.
func TestRecordOfTheLeaderVanishes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		all, dies bool
	}{"the record": {false, false}, "all": {true, false}, "all, and the leader dies": {true, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				m := b.start("one")
				w := b.worker(m, "w", 1)
				id := b.submit(m, submission())
				b.upTo(w, plan.Map)
				next := m
				if tt.dies {
					next = b.start("two")
				}
				if tt.all {
					b.must(b.root.DeleteAll(t.Context(), "cluster/", nil))
				} else {
					b.vanish(leaderKey(1))
				}
				if tt.dies {
					b.fail("cluster/") // so that it leaves no trace
					m.stop()
					b.repair()
				}
				time.Sleep(leading)
				if err := next.Ready(t.Context()); err != nil {
					t.Errorf("the master is not ready: %v", err)
				}
				if c, err := next.Cluster(t.Context()); err != nil || c.Epoch < 2 {
					t.Errorf("the cluster is %+v, %v", c, err)
				}
				w.master, w.next.Seq, w.next.Heard = next, 0, 0
				w.done(id, client.Succeeded)
			})
		})
	}
}

// TestEpochsBelowThoseOfLogs verifies that a master which begins with epoch 1, since
// cluster/ was deleted, takes an epoch above those that the log of a job, or a worker,
// knows, so that the job continues and can be cancelled.
func TestEpochsBelowThoseOfLogs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		b.must(b.root.Put(t.Context(), leaderKey(6), []byte("an earlier leader's"), store.Durable))
		m := b.start("one") // with epoch 7
		w := b.worker(m, "w", 1)
		id := b.submit(m, submission())
		b.upTo(w, plan.Map)
		m.stop()
		b.must(b.root.DeleteAll(t.Context(), "cluster/", nil))
		m = b.start("two")
		if c, err := m.Cluster(t.Context()); err != nil || c.Epoch != 8 {
			t.Errorf("the cluster is %+v, %v; want epoch 8", c, err)
		}
		if _, err := m.Sync(t.Context(), &cluster.Sync{Version: cluster.Version, Worker: "old", Epoch: 20, Seq: 1}); err == nil {
			t.Error("a worker that knows a higher epoch is answered")
		}
		time.Sleep(leading)
		if c, err := m.Cluster(t.Context()); err != nil || c.Epoch != 21 {
			t.Errorf("the cluster is %+v, %v; want epoch 21", c, err)
		}
		b.must(m.Cancel(t.Context(), id))
		time.Sleep(leading)
		if d := b.job(m, id); d.State != client.Cancelled {
			t.Errorf("after its cancellation it is %s", d.State)
		}
	})
}

// TestSpecOfARunningJobVanishes verifies that one job whose specification was deleted
// harms no other request or job, also after a restart: it is listed with the cause,
// and can be cancelled.
func TestSpecOfARunningJobVanishes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		broken := b.submit(m, submission())
		b.upTo(w, plan.Map)
		s := submission()
		s.IdempotencyKey, s.Output = "other", "mem://data/other"
		other := b.submit(m, s)
		b.vanish(plan.SpecKey(broken))
		m.stop()
		m = b.start("two")
		if ids := b.jobs(m); len(ids) != 2 {
			t.Errorf("the jobs are %v", ids)
		}
		d := b.job(m, broken)
		if d.Cause == nil || !strings.Contains(d.Cause.Text, plan.SpecKey(broken)+" is gone") || d.State.Ended() {
			t.Errorf("it is %s, cause %+v", d.State, d.Cause)
		}
		if d := b.job(m, other); d.Cause != nil {
			t.Errorf("the other job is %s, cause %+v", d.State, d.Cause)
		}
		_, err := m.Collect(t.Context(), false)
		b.must(err)
		_, err = m.Spec(t.Context(), broken)
		wants(t, "its specification", err, plan.Conflict, "is gone", "restore")
		b.must(m.Cancel(t.Context(), broken))
		time.Sleep(leading)
		if d := b.job(m, broken); d.State != client.Cancelled {
			t.Errorf("after its cancellation it is %s", d.State)
		}
	})
}

// TestLogOfARunningJobIsDamaged verifies that a job of whose log a slot was deleted
// or truncated is listed with the cause, also after a restart, can be cancelled at
// once, gives its output back, and is collected. Other jobs do not suffer.
func TestLogOfARunningJobIsDamaged(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(b *bed, id plan.JobID){
		"deleted":   func(b *bed, id plan.JobID) { b.vanish(logKey(id, 1)) },
		"truncated": func(b *bed, id plan.JobID) { b.truncate(logKey(id, 1)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				m := b.start("one")
				w := b.worker(m, "w", 1)
				id := b.submit(m, submission())
				b.upTo(w, plan.Reduce)
				harm(b, id)
				m.stop()
				m = b.start("two")
				d := b.job(m, id)
				if d.Cause == nil || !strings.Contains(d.Cause.Text, "cancel the job") || !strings.Contains(d.Cause.Text, "/log") || d.State.Ended() || d.Output != out {
					t.Errorf("it is %+v, cause %+v", d, d.Cause)
				}
				if ids := b.jobs(m); len(ids) != 1 {
					t.Errorf("the jobs are %v", ids)
				}
				_, err := m.Tasks(t.Context(), id)
				wants(t, "its tasks", err, plan.Conflict, "restore")
				began := time.Now()
				b.must(m.Cancel(t.Context(), id))
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it is cancelled after %v", took)
				}
				d = b.job(m, id)
				if d.State != client.Cancelled || d.Cause == nil || !strings.Contains(d.Cause.Text, "log could not be read") {
					t.Errorf("after its cancellation it is %s, cause %+v", d.State, d.Cause)
				}
				err = m.Retry(t.Context(), id, 0)
				wants(t, "retry", err, plan.Conflict, "log cannot be read")
				time.Sleep(2 * keep)
				g, err := m.Collect(t.Context(), false)
				b.must(err)
				if g.Objects < mapTasks {
					t.Errorf("the garbage is %+v", g)
				}
				s := submission()
				s.IdempotencyKey = "next"
				w = b.worker(m, "v", 1)
				w.done(b.submit(m, s), client.Succeeded) // on the same output
			})
		})
	}
}

// TestRestoredLogOfACancelledJob verifies that a job which was cancelled while its log
// could not be read stays cancelled when the log is restored.
func TestRestoredLogOfACancelledJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		id := b.submit(m, submission())
		b.upTo(w, plan.Reduce)
		body, err := b.root.Get(t.Context(), logKey(id, 1), store.MaxBody)
		b.must(err)
		b.vanish(logKey(id, 1))
		m.stop()
		m = b.start("two")
		b.must(m.Cancel(t.Context(), id))
		b.must(b.root.Put(t.Context(), logKey(id, 1), body, store.Durable))
		b.must(journal.Activate(t.Context(), b.root, journal.Run{Job: id})) // as if its leader had died before it removed this
		m.stop()
		m = b.start("three")
		wants(t, "retry", m.Retry(t.Context(), id, 0), plan.Conflict, "rerun")
		if d := b.job(m, id); d.State != client.Cancelled {
			t.Errorf("it is %s", d.State)
		}
		if active, err := journal.Active(t.Context(), b.root); err != nil || len(active) != 0 {
			t.Errorf("active are %v, %v", active, err)
		}
	})
}

// TestRecordOfAnEndVanishes verifies that a job whose summary was deleted or damaged
// is listed by its log, and that others can be listed and collected.
func TestRecordOfAnEndVanishes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		id := b.submit(m, submission())
		w.done(id, client.Succeeded)
		b.truncate("ended/" + string(id) + ".0")
		time.Sleep(2 * keep)
		d := b.job(m, id)
		if d.State != client.Succeeded || d.Cause == nil || !strings.Contains(d.Cause.Text, "record of its end") {
			t.Errorf("it is %s, cause %+v", d.State, d.Cause)
		}
		if ids := b.jobs(m); len(ids) != 1 {
			t.Errorf("the jobs are %v", ids)
		}
		_, err := m.Counters(t.Context(), id)
		wants(t, "counters", err, plan.Conflict, "ended/")
		g, err := m.Collect(t.Context(), false)
		b.must(err)
		if len(g.Skipped) != 1 || g.Skipped[0].Prefix != plan.JobPrefix(id) {
			t.Errorf("the garbage is %+v", g)
		}
		if _, err := output.Read(t.Context(), b.data.Sub("out/")); err != nil {
			t.Errorf("its output: %v", err)
		}
	})
}
