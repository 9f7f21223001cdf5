package control_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
)

// TestJobWhoseCountersFitNoResult verifies that a job whose tasks together count
// more than a result can hold fails before it commits, says what to do, and can be
// retried like other jobs that failed. Attempts of an earlier build
// may have counted so.
func TestJobWhoseCountersFitNoResult(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		tally func(task int) plan.Tally
		want  string
	}{
		"names": {func(task int) plan.Tally {
			t := plan.Tally{Counts: map[string]int64{}}
			for i := range 990 {
				t.Counts[fmt.Sprintf("word %d of task %d", i, task)] = 1
			}
			return t
		}, "1000 names"},
		"NaN": {func(int) plan.Tally {
			return plan.Tally{Stats: map[string]plan.Stat{"width": {Count: 1, Sum: math.NaN(), Min: math.NaN(), Max: math.NaN()}}}
		}, "finite numbers"},
		"bytes": {func(task int) plan.Tally {
			return plan.Tally{Counts: map[string]int64{fmt.Sprint(task) + strings.Repeat("n", 200<<10): 1}}
		}, "262144 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBed(t)
				m := b.start("one")
				w := b.worker(m, "w", 1)
				id := b.submit(m, submission())
				b.upTo(w, plan.Map)
				for range mapTasks {
					l := w.launchedAt(plan.Map)
					man := mapped(l)
					more := tt.tally(l.Task.Index)
					man.Tally.Counts, man.Tally.Stats = more.Counts, more.Stats
					w.ends(w.manifest(man))
				}
				d := w.done(id, client.FailedJob)
				if d.Cause == nil || d.Cause.Kind != plan.Failed || !strings.Contains(d.Cause.Text, tt.want) {
					t.Errorf("its cause is %+v, want one that says %q", d.Cause, tt.want)
				}
				if _, err := output.Read(t.Context(), b.data.Sub("out/")); !errors.Is(err, output.ErrNotCommitted) {
					t.Errorf("the output is committed: %v", err)
				}
				b.must(m.Retry(t.Context(), id, 0))
				w.say()
				if d := b.job(m, id); d.Run != 1 || d.State.Ended() {
					t.Errorf("after retry it is %s, run %d", d.State, d.Run)
				}
			})
		})
	}
}

// TestJobWhoseSummaryIsLong verifies that a job whose submission fills the greatest
// object that is written at once ends, and that its record has all of it.
func TestJobWhoseSummaryIsLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		s := submission()
		s.Params = map[string]string{"text": strings.Repeat("x", 8<<20-1000)}
		id := b.submit(m, s)
		d := w.done(id, client.Succeeded)
		if len(d.Params["text"]) != 8<<20-1000 || d.Result == nil || d.Result.Records != mapTasks*records {
			t.Errorf("its parameter has %d bytes, its result is %+v", len(d.Params["text"]), d.Result)
		}
		if c, err := m.Counters(t.Context(), id); err != nil || !c.Complete || c.Counts["seen"] != mapTasks*records {
			t.Errorf("its counters are %+v, %v", c, err)
		}
	})
}

// TestSubmissionThatCannotBeStored verifies that a submission that no request can
// store is refused for good, with words that help, and leaves nothing.
func TestSubmissionThatCannotBeStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		s := submission()
		s.Params = map[string]string{"text": strings.Repeat("<", 2<<20)} // six bytes each in JSON
		_, err := m.Submit(t.Context(), s)
		wants(t, "the submission", err, plan.Invalid, "bytes as it is stored", "8388576 at most")
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusRequestEntityTooLarge {
			t.Errorf("it is answered by %+v", e)
		}
		for o, err := range b.root.List(t.Context(), "idem/") {
			t.Errorf("it left %s (%v)", o.Key, err)
		}
	})
}

// TestRecordOfAFinishedTaskIsLost verifies that a job ends with words that help when
// the manifest of a committed task is gone at its commit, and that a retry makes the
// work again.
func TestRecordOfAFinishedTaskIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t)
		m := b.start("one")
		w := b.worker(m, "w", 1)
		id := b.submit(m, submission())
		b.upTo(w, plan.Reduce)
		l := w.launchedAt(plan.Reduce)
		w.granted(l.Ref)
		w.ends(w.reduces(l))
		b.must(b.root.DeleteAll(t.Context(), plan.ScratchPrefix(id)+"att/m", nil))
		d := w.done(id, client.FailedJob)
		if d.Cause == nil || d.Cause.Kind != plan.Inconsistent || !strings.Contains(d.Cause.Text, "retry") {
			t.Errorf("its cause is %+v", d.Cause)
		}
	})
}
