package control_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// tasksOf returns the tasks of a job by their names.
func (b *bed) tasksOf(m *master, id plan.JobID) map[string]client.Task {
	b.t.Helper()
	all, err := m.Tasks(b.t.Context(), id)
	b.must(err)
	byName := make(map[string]client.Task, len(all))
	for _, task := range all {
		byName[task.Task] = task
	}
	return byName
}

// TestTasksAreKnownAfterTheEnd verifies that a master that has seen nothing of a job
// shows where its tasks ran, how long they took, what they read, and how often they were
// tried: also those of an earlier run, and of a job that failed.
func TestTasksAreKnownAfterTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w-1", 1)
		id := b.submit(m, submission())
		w.works(w.launchedAt(plan.Prepare))
		first := w.launchedAt(plan.Map)
		began := time.Now().UTC()
		o := w.manifest(mapped(first))
		o.Took = 2500 * time.Millisecond
		w.ends(o)
		second := w.launchedAt(plan.Map)
		w.fails(second, plan.Failure{Text: "line 7 makes no sense", Final: true})
		w.done(id, client.FailedJob)
		m.stop()

		two := b.start("two")
		check := func(m *master, name string, ok func(got client.Task) bool) {
			t.Helper()
			if got := b.tasksOf(m, id)[name]; !ok(got) {
				t.Errorf("task %s of a job that has ended: %+v", name, got)
			}
		}
		whole := func(got client.Task) bool {
			return got.State == client.TaskCommitted && got.Attempts == 1 && got.Worker == "w-1" && got.Seconds == 2.5 &&
				began.Sub(got.Started).Abs() < time.Second && got.Read.Records == records
		}
		check(two, first.Task.String(), whole)
		check(two, second.Task.String(), func(got client.Task) bool {
			return got.State == client.TaskFailed && got.Attempts == 1 && got.Failures == 1 && got.Worker == "w-1" && got.Error == "line 7 makes no sense"
		})

		b.must(two.Retry(t.Context(), id, 0))
		other := b.worker(two, "w-2", 1)
		again := other.launchedAt(plan.Map)
		check(two, first.Task.String(), whole)
		o = other.manifest(mapped(again))
		o.Took = 4 * time.Second
		other.ends(o)
		other.done(id, client.Succeeded)
		two.stop()

		three := b.start("three")
		check(three, first.Task.String(), func(got client.Task) bool { return whole(got) && got.Read.Bytes == half })
		check(three, second.Task.String(), func(got client.Task) bool {
			return got.State == client.TaskCommitted && got.Attempts == 2 && got.Failures == 1 && got.Worker == "w-2" && got.Seconds == 4 && got.Read.Bytes == half
		})
		check(three, "reduce/0", func(got client.Task) bool { return got.Worker == "w-2" && got.Read.Bytes == mapTasks*shuffled })

		for o, err := range b.root.List(t.Context(), plan.JobPrefix(id)+"tasks/") {
			b.must(err)
			b.must(b.root.Put(t.Context(), o.Key, []byte("other bytes"), store.Durable))
		}
		check(three, first.Task.String(), func(got client.Task) bool { // the log has the rest
			return got.State == client.TaskCommitted && got.Worker == "" && got.Read.Records == records
		})
	})
}

// TestTasksUnderANewLeader verifies that the times and the bytes of a task that was
// committed under an earlier leader are known in the end.
func TestTasksUnderANewLeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w-1", 1)
		id := b.submit(m, submission())
		w.works(w.launchedAt(plan.Prepare))
		first := w.launchedAt(plan.Map)
		manifest := mapped(first)
		manifest.Took = 3 * time.Second
		w.ends(w.manifest(manifest))
		w.launchedAt(plan.Map)
		m.stop()
		two := b.start("two")
		b.worker(two, "w-2", 1).done(id, client.Succeeded)
		if got := b.tasksOf(two, id)[first.Task.String()]; got.Seconds != 3 || got.Read.Bytes != half || got.Attempts != 1 {
			t.Errorf("a map of the leader before: %+v", got)
		}
	})
}

// TestJobThatWaitsForWorkers verifies that a job says within 5 seconds why nothing of it
// runs, and no longer says so once something does.
func TestJobThatWaitsForWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		id := b.submit(m, submission())
		time.Sleep(5 * time.Second)
		if d := b.job(m, id); !strings.Contains(d.Waits, "no workers") {
			t.Errorf("a job without workers waits for %q", d.Waits)
		}
		w := b.worker(m, "w-1", 1)
		l := w.launchedAt(plan.Prepare)
		if d := b.job(m, id); d.Waits != "" {
			t.Errorf("a job that is planned waits for %q", d.Waits)
		}
		b.must(m.Drain(t.Context(), "w-1"))
		w.say()
		time.Sleep(time.Second) // until slots are divided again
		w.next.Draining = true
		w.works(l)
		for range 3 {
			w.say()
			time.Sleep(time.Second)
		}
		if d := b.job(m, id); !strings.Contains(d.Waits, "w-1 drains") {
			t.Errorf("a job whose only worker drains waits for %q", d.Waits)
		}
		other := b.worker(m, "w-2", 1)
		if d := other.done(id, client.Succeeded); d.Waits != "" {
			t.Errorf("a job that has ended waits for %q", d.Waits)
		}
	})
}

// TestCountersAreInTheSummary verifies that a job that succeeded has what it
// counted and observed, and that a list of jobs leaves that out.
func TestCountersAreInTheSummary(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		id := b.submit(m, submission())
		d := b.worker(m, "w", 1).done(id, client.Succeeded)
		if d.Counters["seen"] != mapTasks*records || d.Stats["width"] != (client.Stat{Count: mapTasks, Sum: 3 * mapTasks, Min: 3, Max: 3}) {
			t.Errorf("it counted %v and observed %v", d.Counters, d.Stats)
		}
		for listed, err := range m.Jobs(t.Context(), "") {
			b.must(err)
			if listed.Counters != nil || listed.Stats != nil || listed.State != client.Succeeded {
				t.Errorf("it is listed as %+v", listed)
			}
		}
	})
}
