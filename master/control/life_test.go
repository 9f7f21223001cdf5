package control_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// TestJobRunsToItsEnd follows a job through all its phases, by a worker that a test
// drives by hand.
func TestJobRunsToItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 2)
		began := time.Now()
		id := b.submit(m, submission())
		if d := b.job(m, id); d.State != client.Planning || d.Job != "sort" || d.Output != out || d.Submitted.Before(began.Add(-time.Second)) {
			t.Errorf("after the submission it is %+v", d)
		}

		l := w.launchedAt(plan.Prepare)
		if l.Slots != 2 || l.Run != 0 || l.Job != id {
			t.Errorf("planning is launched as %+v", l)
		}
		planner := l.Attempt
		w.works(l)

		first, second := w.launchedAt(plan.Map), w.launchedAt(plan.Map)
		if first.Task == second.Task || first.Planned != planner || second.Planned != planner {
			t.Errorf("maps are launched as %+v and %+v, after planning by %v", first, second, planner)
		}
		if d := b.job(m, id); d.State != client.Running || d.Workers != 1 || d.Progress.Input != mapTasks*half {
			t.Errorf("while maps run it is %+v", d)
		}
		w.works(first)
		w.say()
		w.say() // the first answer only takes the report
		if tasks, committed := phaseOf(b.job(m, id), plan.Map); tasks != mapTasks || committed != 1 {
			t.Errorf("after one map, %d of %d are committed", committed, tasks)
		}
		w.works(second)

		l = w.launchedAt(plan.Reduce)
		if l.Work == 0 || l.Slots != 2 {
			t.Errorf("the reduce is launched as %+v", l)
		}
		if _, err := b.data.Stat(t.Context(), "out/_SUCCESS"); plan.KindOf(err) != plan.NotFound {
			t.Errorf("_SUCCESS before the end of the job: %v", err)
		}
		w.works(l)
		d := w.done(id, client.Succeeded)
		if d.Result == nil || *d.Result != (client.Result{Parts: 1, Records: mapTasks * records, Bytes: int64(len(sorted))}) {
			t.Errorf("its result is %+v", d.Result)
		}
		if d.Ended.IsZero() || d.Cause != nil || d.Progress.Fraction != 1 {
			t.Errorf("in the end it is %+v", d)
		}

		contents, err := output.Read(t.Context(), b.data.Sub("out/"))
		if err != nil || contents.Job != id || len(contents.Parts) != 1 || contents.Records != mapTasks*records {
			t.Errorf("the output is %+v (%v)", contents, err)
		}
		for o, err := range b.root.List(t.Context(), plan.ScratchPrefix(id)) {
			t.Errorf("of a job that succeeded is left %s (%v)", o.Key, err)
		}
	})
}

// TestTasksAndCounters verifies which tasks and counters users see while a job runs,
// and that those of the end stay.
func TestTasksAndCounters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 2)
		id := b.submit(m, submission())
		counters := func() client.Counters {
			t.Helper()
			c, err := m.Counters(t.Context(), id)
			b.must(err)
			return c
		}
		if c := counters(); c.Complete || c.Read != (client.Amount{}) {
			t.Errorf("before a task is committed: %+v", c)
		}
		w.works(w.launchedAt(plan.Prepare))
		first, second := w.launchedAt(plan.Map), w.launchedAt(plan.Map)
		w.works(first)
		w.say()
		w.say()
		states := make(map[string]client.Task)
		tasks, err := m.Tasks(t.Context(), id)
		b.must(err)
		for _, task := range tasks {
			states[task.Task] = task
		}
		if got := states[first.Task.String()]; got.State != client.TaskCommitted || got.Attempt != first.Attempt.String() || got.Attempts != 1 ||
			got.Read.Records != records || got.Written != (client.Amount{Records: records, Bytes: shuffled}) {
			t.Errorf("a map that is committed: %+v", got)
		}
		if got := states[second.Task.String()]; got.State != client.TaskRunning || got.Worker != "w" || got.Attempt != second.Attempt.String() || got.Started.IsZero() {
			t.Errorf("a map that runs: %+v", got)
		}
		if len(tasks) != 1+mapTasks+partition {
			t.Errorf("%d tasks are listed", len(tasks))
		}
		c := counters()
		if c.Complete || c.Read != (client.Amount{Records: records, Bytes: half}) || c.Counts["seen"] != records || c.Stats["width"].Count != 1 {
			t.Errorf("after one map: %+v", c)
		}
		w.works(second)
		w.done(id, client.Succeeded)
		want := client.Amount{Records: mapTasks * records, Bytes: mapTasks * half}
		if c = counters(); !c.Complete || c.Read != want || c.Shuffled.Bytes != mapTasks*shuffled || c.Written.Records != mapTasks*records || c.Counts["seen"] != mapTasks*records {
			t.Errorf("in the end: %+v", c)
		}
		tasks, err = m.Tasks(t.Context(), id)
		b.must(err)
		for _, task := range tasks {
			if task.State != client.TaskCommitted {
				t.Errorf("in the end %s is %s", task.Task, task.State)
			}
		}
	})
}

// TestUnknownJob verifies that every request for a job that does not exist says so.
func TestUnknownJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		for name, ask := range map[string]func() error{
			"job":      func() error { _, err := m.Job(t.Context(), over); return err },
			"spec":     func() error { _, err := m.Spec(t.Context(), over); return err },
			"tasks":    func() error { _, err := m.Tasks(t.Context(), over); return err },
			"counters": func() error { _, err := m.Counters(t.Context(), over); return err },
			"logs":     func() error { _, err := m.Logs(t.Context(), over, plan.TaskID{}); return err },
			"log": func() error {
				_, _, err := m.OpenLog(t.Context(), over, plan.TaskID{Phase: plan.Map}, plan.AttemptID{Epoch: 1, N: 1}, 0)
				return err
			},
			"cancel": func() error { return m.Cancel(t.Context(), over) },
			"retry":  func() error { return m.Retry(t.Context(), over, 0) },
		} {
			wants(t, name, ask(), plan.NotFound, string(over), "windrow ls")
		}
		if m.Changed(over) != nil {
			t.Error("a watch of it waits for a change")
		}
	})
}

// TestLogs verifies that users find the logs of attempts, with the state of each, and
// can read one from any byte on.
func TestLogs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		id := b.submit(m, submission())
		w.works(w.launchedAt(plan.Prepare))
		failed := w.launchedAt(plan.Map)
		w.fails(failed, plan.Failure{Text: "it broke"})
		running := w.launchedAt(plan.Map)
		for running.Task != failed.Task { // the other map comes first
			w.works(running)
			running = w.launchedAt(plan.Map)
		}
		put := func(task plan.TaskID, a plan.AttemptID, body string) {
			t.Helper()
			b.must(b.root.Put(t.Context(), plan.LogKey(id, task, a), []byte(body), store.Durable))
		}
		put(failed.Task, failed.Attempt, "first try")
		put(running.Task, running.Attempt, "second try")
		b.must(b.root.Put(t.Context(), plan.LogsPrefix(id)+"other", []byte("x"), store.Durable))

		logs, err := m.Logs(t.Context(), id, failed.Task)
		b.must(err)
		want := []client.Log{
			{Task: failed.Task.String(), Attempt: failed.Attempt.String(), State: "failed", Error: "it broke", Bytes: int64(len("first try"))},
			{Task: running.Task.String(), Attempt: running.Attempt.String(), State: "running", Worker: "w", Bytes: int64(len("second try"))},
		}
		if len(logs) != len(want) || logs[0] != want[0] || logs[1] != want[1] {
			t.Errorf("the logs are %+v\nwant %+v", logs, want)
		}
		if all, err := m.Logs(t.Context(), id, plan.TaskID{}); err != nil || len(all) != 2 {
			t.Errorf("all logs: %+v (%v)", all, err)
		}
		if others, err := m.Logs(t.Context(), id, plan.TaskID{Phase: plan.Reduce}); err != nil || len(others) != 0 {
			t.Errorf("of a task without logs: %+v (%v)", others, err)
		}
		_, err = m.Logs(t.Context(), id, plan.TaskID{Phase: plan.Map, Index: 99})
		wants(t, "logs of a task that the job does not have", err, plan.NotFound, "has no task map/99", "windrow tasks "+string(id))
		for _, tt := range []struct {
			attempt plan.AttemptID
			from    int64
			want    string
			whole   bool
		}{
			{failed.Attempt, 0, "first try", true}, {failed.Attempt, 6, "try", true}, {failed.Attempt, 100, "", true},
			{running.Attempt, 0, "second try", false},
		} {
			r, complete, err := m.OpenLog(t.Context(), id, failed.Task, tt.attempt, tt.from)
			b.must(err)
			if got := read(t, r); got != tt.want || complete != tt.whole {
				t.Errorf("the log of %v from %d is %q, complete %v", tt.attempt, tt.from, got, complete)
			}
		}
		_, _, err = m.OpenLog(t.Context(), id, plan.TaskID{Phase: plan.Reduce}, failed.Attempt, 0)
		wants(t, "a log that does not exist", err, plan.NotFound, "reduce/0", "windrow logs "+string(id))

		w.works(running)
		w.done(id, client.Succeeded)
		logs, err = m.Logs(t.Context(), id, failed.Task)
		b.must(err)
		if len(logs) != 2 || logs[1].State != "committed" {
			t.Errorf("in the end: %+v", logs)
		}
	})
}

// TestLogOfAnAttemptThatHasWrittenNothing verifies that the log of an attempt that
// runs can be followed before its first line.
func TestLogOfAnAttemptThatHasWrittenNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		id := b.submit(m, submission())
		l := w.launched()
		w.say() // it runs
		r, complete, err := m.OpenLog(t.Context(), id, l.Task, l.Attempt, 0)
		b.must(err)
		if got := read(t, r); got != "" || complete {
			t.Errorf("its log is %q, complete %v", got, complete)
		}
	})
}
