package control_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
)

// TestCancel verifies that a job that runs ends cancelled, that its attempts are
// stopped, and that another job can have its output then.
func TestCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 2)
		id := b.submit(m, submission())
		w.works(w.launchedAt(plan.Prepare))
		w.launchedAt(plan.Map)
		w.launchedAt(plan.Map)
		b.must(m.Cancel(t.Context(), id))
		for range 5 {
			w.say()
		}
		if len(w.next.Running) != 0 {
			t.Errorf("there still run %+v", w.next.Running)
		}
		d := b.job(m, id)
		if d.State != client.Cancelled || d.Cause == nil || d.Cause.Kind != plan.Cancelled || d.Ended.IsZero() {
			t.Errorf("it is %s: %+v", d.State, d.Cause)
		}
		b.must(m.Cancel(t.Context(), id)) // which it is

		s := submission()
		s.IdempotencyKey = "next"
		w.done(b.submit(m, s), client.Succeeded)
		if d := b.job(m, id); d.State != client.Cancelled {
			t.Errorf("after another job it is %s", d.State)
		}
	})
}

// TestCancelAfterTheEnd verifies that a job that has succeeded stays so.
func TestCancelAfterTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		id := b.submit(m, submission())
		b.worker(m, "w", 2).done(id, client.Succeeded)
		wants(t, "cancel", m.Cancel(t.Context(), id), plan.Conflict, "has ended", "succeeded")
		if d := b.job(m, id); d.State != client.Succeeded || d.Result == nil {
			t.Errorf("it is %+v", d)
		}
	})
}

// TestCancelWhileItCommits verifies that a job cannot be cancelled when its output is
// being committed.
func TestCancelWhileItCommits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 2)
		id := b.submit(m, submission())
		b.upTo(w, plan.Reduce)
		// The stores of outputs work; the cluster's refuses the summary, so that the
		// end of the job is not known yet.
		b.fail("ended/")
		w.works(w.launchedAt(plan.Reduce))
		w.say()
		time.Sleep(time.Minute)
		if d := b.job(m, id); d.State != client.Committing {
			t.Errorf("before it has a summary, it is %s", d.State)
		}
		wants(t, "cancel", m.Cancel(t.Context(), id), plan.Conflict, "can no longer be cancelled")
		b.repair()
		time.Sleep(time.Minute)
		if d := b.job(m, id); d.State != client.Succeeded || d.Result.Records != mapTasks*records {
			t.Errorf("in the end it is %+v", d)
		}
	})
}

// upTo works until attempts of a phase are launched.
func (b *bed) upTo(w *worker, p plan.Phase) {
	b.t.Helper()
	for range 20 {
		l := w.launched()
		if l.Task.Phase == p {
			w.fresh = append(w.fresh, l)
			return
		}
		w.works(l)
	}
	b.t.Fatalf("the phase %v does not begin", p)
}

// TestCancelWhileItWaits verifies that a job can be cancelled that waits for the end of
// another writer of its output, which it may have to do for a minute.
func TestCancelWhileItWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		other, err := output.Reserve(t.Context(), b.data.Sub("out/"), output.Request{Job: over, Name: "other", Mode: output.Fail, Quiet: time.Hour})
		b.must(err)
		s := submission()
		s.OnExists = string(output.Replace)
		id := b.submit(m, s)
		time.Sleep(10 * time.Second)
		if d := b.job(m, id); d.State != client.Planning || d.Workers != 0 {
			t.Errorf("while it waits it is %+v", d)
		}
		began := time.Now()
		b.must(m.Cancel(t.Context(), id))
		time.Sleep(5 * time.Second)
		if d := b.job(m, id); d.State != client.Cancelled {
			t.Errorf("%v later it is %s: %+v", time.Since(began), d.State, d.Cause)
		}
		if _, err := other.Commit(t.Context(), nil); err != nil {
			t.Errorf("the other writer has lost the output: %v", err)
		}
	})
}

// TestCancelWhileTheStoreFails verifies that a user learns why a job cannot be aborted
// at present, and that it is aborted when the store works again.
func TestCancelWhileTheStoreFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		b.fail("log/")
		id := b.submit(m, submission())
		began := time.Now()
		wants(t, "cancel", m.Cancel(t.Context(), id), plan.Unavailable, string(id), "cannot proceed at present", "ask again")
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("the answer took %v", took)
		}
		hasty, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := m.Cancel(hasty, id); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller that waits for 1s only gets %v", err)
		}
		b.repair()
		time.Sleep(time.Minute)
		if d := b.job(m, id); d.State != client.Cancelled {
			t.Errorf("when the store works again it is %s: %+v", d.State, d.Cause)
		}
	})
}

// failed runs a job until it has failed at a map, and returns it.
func (b *bed) failed(m *master, w *worker, s *client.Submission) plan.JobID {
	b.t.Helper()
	id := b.submit(m, s)
	w.works(w.launchedAt(plan.Prepare))
	w.fails(w.launchedAt(plan.Map), plan.Failure{Text: "line 7 makes no sense", Final: true})
	if d := w.until(id, func(d client.Job) bool { return d.State.Ended() }); d.State != client.FailedJob {
		b.t.Fatalf("the job is %s", d.State)
	}
	return id
}

// TestRetry verifies that a job that failed continues in a new run, with the task
// table and the maps of the run before.
func TestRetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		id := b.submit(m, submission())
		w.works(w.launchedAt(plan.Prepare))
		whole := w.launchedAt(plan.Map)
		w.works(whole)
		w.fails(w.launchedAt(plan.Map), plan.Failure{Text: "line 7 makes no sense", Final: true})
		d := w.done(id, client.FailedJob)
		if d.Cause == nil || d.Cause.Kind != plan.Failed || !strings.Contains(d.Cause.Text, "line 7 makes no sense") || d.Cause.Task == "" {
			t.Errorf("its cause is %+v", d.Cause)
		}
		b.must(m.Retry(t.Context(), id, 0))
		l := w.launchedAt(plan.Map)
		if l.Run != 1 || l.Task == whole.Task {
			t.Errorf("the retry launches %+v; %v is whole", l, whole.Task)
		}
		b.must(m.Retry(t.Context(), id, 0)) // it is under way, so that nothing happens
		w.works(l)
		if d := w.done(id, client.Succeeded); d.Run != 1 || d.Cause != nil || d.Result.Records != mapTasks*records {
			t.Errorf("after the retry it is %+v", d)
		}
		wants(t, "another retry", m.Retry(t.Context(), id, 0), plan.Conflict, "succeeded", "rerun")
	})
}

// TestRetryOfACancelledJob verifies that a user may change their mind.
func TestRetryOfACancelledJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 2)
		id := b.submit(m, submission())
		w.launchedAt(plan.Prepare)
		b.must(m.Cancel(t.Context(), id))
		b.must(m.Retry(t.Context(), id, 0)) // it waits for the end of the first run
		w.done(id, client.Succeeded)
	})
}

// TestALateCopyOfARetry verifies that a copy of a retry that arrives after the run that it
// made was cancelled does not reopen the job.
func TestALateCopyOfARetry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 2)
		id := b.submit(m, submission())
		w.launchedAt(plan.Prepare)
		b.must(m.Cancel(t.Context(), id))
		b.must(m.Retry(t.Context(), id, 1))
		b.must(m.Cancel(t.Context(), id))
		b.must(m.Retry(t.Context(), id, 1)) // the copy
		w.done(id, client.Cancelled)
		b.must(m.Retry(t.Context(), id, 2)) // the user again
		if d := w.done(id, client.Succeeded); d.Run != 2 {
			t.Errorf("it succeeds in run %d", d.Run)
		}
	})
}

// TestRetryWithoutItsProgram verifies that a user learns that a program is gone, which
// the collection of garbage may have removed.
func TestRetryWithoutItsProgram(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		b.upload(m, digestOf(program), program)
		s := submission()
		s.Bundles = []plan.Bundle{{OS: "linux", Arch: "amd64", Digest: digestOf(program), Size: int64(len(program))}}
		id := b.failed(m, b.worker(m, "w", 1), s)
		b.must(b.root.Delete(t.Context(), plan.BundleKey(digestOf(program), 0)))
		wants(t, "a retry", m.Retry(t.Context(), id, 0), plan.Conflict, "program", string(id), "submit it again")
		if d := b.job(m, id); d.State != client.FailedJob || d.Run != 0 {
			t.Errorf("after that it is %+v", d)
		}
	})
}

// TestCollectWithAJobUnderWay verifies that the leader's collection of garbage knows
// which jobs it drives, and which have ended.
func TestCollectWithAJobUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		ended := b.failed(m, w, submission())
		s := submission()
		s.IdempotencyKey, s.Output = "other", "mem://data/other"
		active := b.submit(m, s)
		for _, id := range []plan.JobID{ended, active} {
			b.must(b.root.Put(t.Context(), plan.ScratchPrefix(id)+"run", []byte("some"), 0))
		}
		time.Sleep(2 * keep)
		g, err := m.Collect(t.Context(), false)
		b.must(err)
		if len(g.Jobs) != 1 || g.Jobs[0].Prefix != plan.ScratchPrefix(ended) || g.Objects != 1 {
			t.Errorf("the garbage is %+v", g)
		}
		if _, err := b.root.Stat(t.Context(), plan.ScratchPrefix(active)+"run"); err != nil {
			t.Errorf("of a job under way: %v", err)
		}
	})
}
