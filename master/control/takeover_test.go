package control_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/control"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/plan"
)

// TestStandby verifies that a master that stands by is ready, knows the leader, and
// sends all requests there.
func TestStandby(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m, standby := b.start("one"), b.start("two")
		id := b.submit(m, submission())
		b.must(m.Ready(t.Context()))
		b.must(standby.Ready(t.Context()))
		c, err := standby.Cluster(t.Context())
		b.must(err)
		if c.Master != "two" || c.Leader != "http://one" || c.Epoch != 1 || !c.Since.IsZero() || c.Jobs != 0 || c.Root != "mem://truth/" {
			t.Errorf("the standby describes the cluster as %+v", c)
		}
		for name, ask := range map[string]func() error{
			"submit":   func() error { _, err := standby.Submit(t.Context(), submission()); return err },
			"cancel":   func() error { return standby.Cancel(t.Context(), id) },
			"retry":    func() error { return standby.Retry(t.Context(), id, 0) },
			"job":      func() error { _, err := standby.Job(t.Context(), id); return err },
			"spec":     func() error { _, err := standby.Spec(t.Context(), id); return err },
			"tasks":    func() error { _, err := standby.Tasks(t.Context(), id); return err },
			"counters": func() error { _, err := standby.Counters(t.Context(), id); return err },
			"logs":     func() error { _, err := standby.Logs(t.Context(), id, plan.TaskID{}); return err },
			"workers":  func() error { _, err := standby.Workers(t.Context()); return err },
			"drain":    func() error { return standby.Drain(t.Context(), "w") },
			"collect":  func() error { _, err := standby.Collect(t.Context(), true); return err },
			"jobs": func() error {
				for _, err := range standby.Jobs(t.Context(), "") {
					return err
				}
				return nil
			},
		} {
			err := ask()
			wants(t, name, err, plan.NotLeader)
			if refusal, ok := errors.AsType[*client.Error](err); ok && refusal.Leader != "http://one" {
				t.Errorf("%s: the leader is %q", name, refusal.Leader)
			}
		}
		_, err = standby.Sync(t.Context(), &cluster.Sync{Version: cluster.Version, Worker: "w", Seq: 1})
		if other, ok := errors.AsType[*cluster.NotLeader](err); !ok || other.URL != "http://one" {
			t.Errorf("a worker gets %v", err)
		}
		_, err = standby.Work(t.Context(), &cluster.WorkQuery{Version: cluster.Version, Job: id})
		if _, ok := errors.AsType[*cluster.NotLeader](err); !ok {
			t.Errorf("a worker that asks for maps gets %v", err)
		}
		if d := b.job(m, id); d.State != client.Planning {
			t.Errorf("after that the job is %s", d.State)
		}
	})
}

// TestNotReady verifies that a master is not ready as long as no master ever led: it
// cannot say whether the store works.
func TestNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m, err := control.New(control.Config{ID: "one", URL: "http://one", Root: b.root, Roots: b.roots, Clock: func() time.Duration { return 0 }})
		b.must(err)
		err = m.Ready(t.Context())
		wants(t, "ready", err, plan.Unavailable, "does not lead yet")
		if strings.Contains(err.Error(), "nil") {
			t.Errorf("it shows an error that there is not: %v", err)
		}
	})
}

// TestCluster verifies that the leader describes the cluster with its workers and jobs.
func TestCluster(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		began := time.Now()
		m := b.start("one")
		b.submit(m, submission())
		w := b.worker(m, "w", 3)
		w.launched()
		w.say()
		b.worker(m, "other", 2).say()
		c, err := m.Cluster(t.Context())
		b.must(err)
		if since := c.Since.Sub(began); since < 0 || since > leading {
			t.Errorf("it leads since %v, began %v", c.Since, began)
		}
		c.Since = time.Time{}
		want := client.Cluster{Master: "one", Leader: "http://one", Epoch: 1, Build: "v1", Root: "mem://truth/", Workers: 2, Slots: 5, Running: 1, Jobs: 1}
		if c != want {
			t.Errorf("the cluster is %+v\nwant %+v", c, want)
		}
	})
}

// TestDrain verifies that a worker that an operator drains finishes its attempts, and
// gets no others.
func TestDrain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		wants(t, "an unknown worker", m.Drain(t.Context(), "w"), plan.NotFound, "w", "windrow workers ls")
		w := b.worker(m, "w", 2)
		id := b.submit(m, submission())
		l := w.launchedAt(plan.Prepare)
		w.say()
		b.must(m.Drain(t.Context(), "w"))
		if o := w.say(); !o.Drain || len(o.Stops) != 0 {
			t.Errorf("the orders are %+v", o)
		}
		time.Sleep(time.Second) // until slots are divided again
		w.next.Draining = true
		w.works(l)
		for range 3 { // it has nothing to wait for, and is answered at once
			w.say()
			time.Sleep(time.Second)
		}
		if len(w.fresh) != 0 {
			t.Errorf("there are launched %+v", w.fresh)
		}
		if tasks, committed := phaseOf(b.job(m, id), plan.Prepare); tasks != 1 || committed != 1 {
			t.Errorf("of the attempt that ran, %d of %d tasks are committed", committed, tasks)
		}
		if workers, err := m.Workers(t.Context()); err != nil || workers[0].State != client.WorkerDraining {
			t.Errorf("the workers are %+v (%v)", workers, err)
		}
		b.worker(m, "other", 2).done(id, client.Succeeded)
	})
}

// TestDoubt verifies that a worker that other processes cannot reach gets no attempts
// until it sends a message.
func TestDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		w.say()
		m.Doubt("w")
		m.Doubt("unknown")
		id := b.submit(m, submission())
		time.Sleep(2 * time.Second)
		workers, err := m.Workers(t.Context())
		if err != nil || len(workers) != 1 || workers[0].State != client.WorkerSuspect || workers[0].Running != 0 {
			t.Errorf("the workers are %+v (%v)", workers, err)
		}
		w.done(id, client.Succeeded) // its messages end the doubt
	})
}

// TestTakeover verifies that a job continues under the next leader, with all that was
// committed, and that the worker's attempts continue too.
func TestTakeover(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		id := b.submit(m, submission())
		b.upTo(w, plan.Map)
		done := w.launchedAt(plan.Map)
		w.works(done)
		runs := w.launchedAt(plan.Map)
		standby := b.start("two")
		m.stop()
		time.Sleep(3 * time.Second)
		if c, err := standby.Cluster(t.Context()); err != nil || c.Leader != "http://two" || c.Epoch != 2 || c.Jobs != 1 {
			t.Errorf("3s after the leader resigned the cluster is %+v (%v)", c, err)
		}
		if _, err := m.Job(t.Context(), id); plan.KindOf(err) != plan.NotLeader {
			t.Errorf("the former leader answers %v", err)
		}
		w.master = standby
		for range 5 {
			w.say()
		}
		if len(w.next.Running) != 1 || w.next.Running[0].Ref != runs.Ref {
			t.Errorf("after the change there run %+v, want %v", w.next.Running, runs.Ref)
		}
		w.works(runs)
		d := w.done(id, client.Succeeded)
		if d.Run != 0 || d.Result.Records != mapTasks*records {
			t.Errorf("in the end it is %+v", d)
		}
		launches := 1 + mapTasks + partition // of each task one
		if len(w.got) != launches {
			t.Errorf("%d attempts were launched, want %d", len(w.got), launches)
		}
	})
}

// TestTakeoverFromADeadLeader verifies that a standby waits until the leader has shown
// no sign of life for long, and then leads.
func TestTakeoverFromADeadLeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		clock := func() time.Duration { return time.Since(time.Time{}) }
		_, err := journal.Elect(t.Context(), b.root, journal.Leader{Master: "dead", URL: "http://dead"}, clock, journal.LeaseTimes(), func(journal.Leader) {})
		b.must(err)
		before := time.Now()
		m := b.start("one")
		c, err := m.Cluster(t.Context())
		b.must(err)
		if c.Leader != "http://one" || c.Epoch != 2 {
			t.Errorf("the cluster is %+v", c)
		}
		if waited := c.Since.Sub(before); waited < journal.LeaseTimes().Patience {
			t.Errorf("it took over after %v", waited)
		}
	})
}

// TestDeposed verifies that a leader that does not know yet that there is another one
// acknowledges no submission, and that it stops as soon as it knows.
func TestDeposed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		w.say()
		// Another master could not reach this one, and took the next epoch.
		other, err := msgpack.Marshal(journal.Leader{Master: "two", URL: "http://two"})
		b.must(err)
		_, _, err = b.root.CreateOnce(t.Context(), "cluster/leader/00000000000000000002", other)
		b.must(err)
		_, err = m.Submit(t.Context(), submission())
		wants(t, "a submission", err, plan.NotLeader)
		for err = nil; err == nil && w.next.Seq < 5; { // answers are held back, until the leader looks at the store
			w.next.Seq++
			s := w.next
			_, err = m.Sync(t.Context(), &s)
		}
		if _, ok := errors.AsType[*cluster.NotLeader](err); !ok {
			t.Errorf("a worker gets %v", err)
		}
		time.Sleep(time.Second)
		_, err = m.Workers(t.Context())
		wants(t, "another request", err, plan.NotLeader)
		if refusal, ok := errors.AsType[*client.Error](err); ok && refusal.Leader != "http://two" {
			t.Errorf("the leader is %q", refusal.Leader)
		}
	})
}

// TestWorkerOfALaterLeader verifies that a worker that has heard from a later leader
// gets no orders of an earlier one.
func TestWorkerOfALaterLeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newBed(t).start("one")
		_, err := m.Sync(t.Context(), &cluster.Sync{Version: cluster.Version, Worker: "w", Seq: 1, Epoch: 2})
		if _, ok := errors.AsType[*cluster.NotLeader](err); !ok {
			t.Errorf("it gets %v", err)
		}
	})
}
