package control_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// TestFailuresOfATask verifies that a task that fails is tried again, and that a job
// fails with the text of the failure when more attempts do not help.
func TestFailuresOfATask(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		failure  plan.Failure
		attempts int // that the task gets
		kind     plan.Kind
		task     string // to blame; "": none
	}{
		"may pass":     {plan.Failure{Text: "out of disk"}, 4, plan.Failed, "plan/0"},
		"by its input": {plan.Failure{Text: "line 7 makes no sense", Fingerprint: "line 7"}, 2, plan.Failed, "plan/0"},
		"final":        {plan.Failure{Text: "no such column", Final: true, Kind: plan.Invalid}, 1, plan.Invalid, "plan/0"},
		"conflict":     {plan.Failure{Text: "another job has it", Kind: plan.Conflict}, 1, plan.Conflict, ""},
		"not found":    {plan.Failure{Text: "no such input", Final: true, Kind: plan.NotFound}, 1, plan.NotFound, "plan/0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				m := b.start("one")
				w := b.worker(m, "w", 1)
				id := b.submit(m, submission())
				tries := 0
				for !b.job(m, id).State.Ended() && tries < 10 {
					if len(w.fresh) == 0 {
						w.say()
						continue
					}
					tries++
					w.fails(w.launchedAt(plan.Prepare), tt.failure)
				}
				d := b.job(m, id)
				if tries != tt.attempts || d.State != client.FailedJob {
					t.Errorf("after %d attempts it is %s, want %d", tries, d.State, tt.attempts)
				}
				if d.Cause == nil || d.Cause.Kind != tt.kind || d.Cause.Task != tt.task {
					t.Errorf("its cause is %+v, want the kind %v of the task %q", d.Cause, tt.kind, tt.task)
				} else {
					wants(t, "the cause", client.Errorf(d.Cause.Kind, "%s", d.Cause.Text), tt.kind, tt.failure.Text)
				}
			})
		})
	}
}

// TestFailedTaskIsTriedAgain verifies that a failure that passes does not show in the
// result of the job.
func TestFailedTaskIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		id := b.submit(m, submission())
		b.upTo(w, plan.Map)
		failed := w.launchedAt(plan.Map)
		w.fails(failed, plan.Failure{Text: "out of disk"})
		w.say()
		tasks, err := m.Tasks(t.Context(), id)
		b.must(err)
		i := slices.IndexFunc(tasks, func(task client.Task) bool { return task.Task == failed.Task.String() })
		if got := tasks[i]; got.Failures != 1 || got.Error != "out of disk" || got.State == client.TaskFailed {
			t.Errorf("after the failure the task is %+v", got)
		}
		d := w.done(id, client.Succeeded)
		if d.Progress.Retried != 1 || d.Cause != nil || d.Result.Records != mapTasks*records {
			t.Errorf("in the end it is %+v", d)
		}
	})
}

// TestLostWorker verifies that the attempts of a worker that was silent for too long
// run elsewhere, and that the job does not fail by that, however often it happens.
func TestLostWorker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		id := b.submit(m, submission())
		const losses = 6 // more than the failures that a task may have
		var last cluster.Launch
		for i := range losses {
			w := b.worker(m, fmt.Sprintf("w%d", i), 1)
			if last = w.launchedAt(plan.Prepare); i == 0 {
				w.say()
				if workers, err := m.Workers(t.Context()); err != nil || len(workers) != 1 || workers[0].ID != "w0" || workers[0].Running != 1 {
					t.Errorf("the workers are %+v (%v)", workers, err)
				}
			}
			time.Sleep(20 * time.Second)
			if workers, err := m.Workers(t.Context()); err != nil || len(workers) != 0 {
				t.Errorf("after 20s of silence the workers are %+v (%v)", workers, err)
			}
		}
		if last.Attempt.N < losses {
			t.Errorf("the last attempt is %v", last.Attempt)
		}
		w := b.worker(m, "alive", 1)
		w.done(id, client.Succeeded)
	})
}

// TestSuspendedMaster verifies that a master whose machine was suspended does not take
// its workers for lost: it has heard none of their messages.
func TestSuspendedMaster(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		id := b.submit(m, submission())
		l := w.launchedAt(plan.Prepare)
		w.say()
		b.ahead.Store(int64(time.Hour))
		time.Sleep(5 * time.Second)
		if workers, err := m.Workers(t.Context()); err != nil || len(workers) != 1 || workers[0].Running != 1 {
			t.Errorf("the workers are %+v (%v)", workers, err)
		}
		w.works(l)
		w.done(id, client.Succeeded)
		if len(w.got) != 1+mapTasks+partition {
			t.Errorf("%d attempts were launched", len(w.got))
		}
	})
}

// TestWorkerThatLeaves verifies that the attempts of a worker that says that it ends
// are launched elsewhere at once.
func TestWorkerThatLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		b.submit(m, submission())
		w, other := b.worker(m, "w", 1), b.worker(m, "other", 1)
		l := w.launchedAt(plan.Prepare)
		w.next.Leaving, w.next.Running = true, nil
		w.say()
		began := time.Now()
		if again := other.launchedAt(plan.Prepare); again.Attempt == l.Attempt || time.Since(began) > 2*time.Second {
			t.Errorf("%v later %v is launched", time.Since(began), again.Attempt)
		}
	})
}

// TestLostOutputOfAMap verifies that a map runs again if a reduce cannot read what the
// map left.
func TestLostOutputOfAMap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		id := b.submit(m, submission())
		b.upTo(w, plan.Reduce)
		l := w.launchedAt(plan.Reduce)
		answer, err := m.Work(t.Context(), &cluster.WorkQuery{Version: cluster.Version, Job: id, Group: l.Task.Group(), Generation: l.Work})
		if err != nil || answer.Stale || len(answer.Work.Reads[0].Attempts) != mapTasks {
			t.Fatalf("the reduce reads %+v (%v)", answer, err)
		}
		bad := cluster.Ref{Job: id, Task: plan.TaskID{Phase: plan.Map, Index: 1}, Attempt: answer.Work.Reads[0].Attempts[1]}
		w.ends(cluster.Outcome{Ref: l.Ref, Result: cluster.Lost, Failure: plan.Failure{Text: "the run is gone"}, LostInput: &bad})
		again := w.launchedAt(plan.Map)
		if again.Task != bad.Task || again.Attempt == bad.Attempt {
			t.Errorf("after the loss of %v is launched %v", bad, again)
		}
		w.works(again)
		second := w.launchedAt(plan.Reduce)
		if second.Work <= l.Work {
			t.Errorf("the generations of maps are %d and %d", l.Work, second.Work)
		}
		answer, err = m.Work(t.Context(), &cluster.WorkQuery{Version: cluster.Version, Job: id, Group: second.Task.Group(), Generation: second.Work})
		if err != nil || answer.Stale || answer.Work.Reads[0].Attempts[1] != again.Attempt {
			t.Errorf("the next reduce reads %+v (%v), want %v", answer, err, again.Attempt)
		}
		if old, err := m.Work(t.Context(), &cluster.WorkQuery{Version: cluster.Version, Job: id, Group: l.Task.Group(), Generation: l.Work}); err != nil || !old.Stale {
			t.Errorf("a reduce that asks for the former maps gets %+v (%v)", old, err)
		}
		w.works(second)
		w.done(id, client.Succeeded)
		if gone, err := m.Work(t.Context(), &cluster.WorkQuery{Version: cluster.Version, Job: id, Group: second.Task.Group(), Generation: second.Work}); err != nil || !gone.Stale {
			t.Errorf("after the end of the job the answer is %+v (%v)", gone, err)
		}
	})
}

// TestMisreadInput verifies that maps that have read other bytes of an object than its
// checksum says run again: both, since it is unknown which one was wrong.
func TestMisreadInput(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		id := b.submit(m, submission())
		const crc32c = 1
		right := []plan.SectionSum{{Checksum: plan.Checksum{Algorithm: crc32c, Value: 7}}, {Checksum: plan.Checksum{Algorithm: crc32c, Value: 9}}}
		whole, _ := attempts.CombineSums(right, []int64{half, half})
		planned := table(id)
		for i := range planned.Splits {
			planned.Splits[i].Sections[0] = plan.Section{Offset: int64(i) * half, Length: half,
				Object: plan.Object{Root: "mem://data", Key: "in/0", Size: mapTasks * half, Sum: whole}}
		}
		w.ends(w.plans(w.launchedAt(plan.Prepare), planned))
		read := make(map[int]int) // how often each map ran
		for first := true; b.job(m, id).State != client.Succeeded; {
			l := w.launched()
			if l.Task.Phase != plan.Map {
				w.works(l)
				for range 3 {
					w.say()
				}
				continue
			}
			made := mapped(l)
			made.Sums = slices.Clone(right[l.Task.Index : l.Task.Index+1])
			if first {
				made.Sums[0].Value++
				first = false
			}
			read[l.Task.Index]++
			w.ends(w.manifest(made))
		}
		if read[0] != 2 || read[1] != 2 {
			t.Errorf("the maps ran %v times", read)
		}
		if d := b.job(m, id); d.Progress.Retried == 0 {
			t.Errorf("the job does not show that it repeated work: %+v", d.Progress)
		}
	})
}

// TestDamagedTable verifies that a task table that cannot be read is made again.
func TestDamagedTable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		id := b.submit(m, submission())
		l := w.launchedAt(plan.Prepare)
		o := w.plans(l, table(id))
		b.must(b.root.Put(t.Context(), plan.TableKey(id, l.Attempt), []byte("not a table"), store.Durable))
		w.ends(o)
		if again := w.launchedAt(plan.Prepare); again.Attempt == l.Attempt {
			t.Errorf("%v is launched again", again.Attempt)
		} else {
			w.works(again)
		}
		w.done(id, client.Succeeded)
	})
}

// TestOutputExists verifies what becomes of a job whose output has contents, by the
// mode that it was submitted with.
func TestOutputExists(t *testing.T) {
	t.Parallel()
	for mode, tt := range map[output.Mode]struct {
		state client.State
		parts int
	}{
		"":             {client.FailedJob, 1},
		output.Fail:    {client.FailedJob, 1},
		output.Replace: {client.Succeeded, 1},
		output.Append:  {client.Succeeded, 2},
	} {
		t.Run("mode "+string(mode), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				m := b.start("one")
				w := b.worker(m, "w", 2)
				first := b.submit(m, submission())
				w.done(first, client.Succeeded)
				s := submission()
				s.IdempotencyKey, s.OnExists = "next", string(mode)
				second := b.submit(m, s)
				d := w.done(second, tt.state)
				if d.State == client.FailedJob && (d.Cause.Kind != plan.Conflict || d.Workers != 0) {
					t.Errorf("its cause is %+v", d.Cause)
				}
				contents, err := output.Read(t.Context(), b.data.Sub("out/"))
				b.must(err)
				want := second
				if tt.state == client.FailedJob {
					want = first
				}
				if len(contents.Parts) != tt.parts || contents.Job != want {
					t.Errorf("the output has %d parts of job %s, want %d of %s", len(contents.Parts), contents.Job, tt.parts, want)
				}
			})
		})
	}
}
