package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/integration/graphs"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/library"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault"
)

// calm lets a test use a cluster in which nothing fails by itself.
func calm(t *testing.T, masters, workers int, play func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, r: rand.New(rand.NewPCG(1, 1)), mem: new(store.MemSpace), library: make(map[string]*jobs.Job), launched: make(map[cluster.Ref]bool),
			log: slog.New(slog.DiscardHandler), faults: fault.New(),
			network: &network{r: rand.New(rand.NewPCG(1, 2)), hosts: make(map[string]*process)}}
		for _, j := range append(library.All(), graphs.Job()) {
			w.library[j.Name()] = j
		}
		defer w.end()
		w.must(w.open())
		for range masters {
			w.must(w.startMaster())
			time.Sleep(5 * time.Second) // the first leads
		}
		for range workers {
			w.must(w.startWorker())
		}
		play(w)
		w.must(w.broken)
	})
}

// say asks one master, once.
func (w *world) say(method, path string, document, into any) (kind plan.Kind, text string) {
	w.t.Helper()
	return w.sayTo(w.masters()[0], method, path, document, into)
}

func (w *world) sayTo(master, method, path string, document, into any) (kind plan.Kind, text string) {
	w.t.Helper()
	body, err := json.Marshal(document)
	w.must(err)
	r, err := http.NewRequestWithContext(w.me.ctx, method, "http://"+master+path, strings.NewReader(string(body)))
	w.must(err)
	resp, err := w.host(master).serve(r, body)
	w.must(err)
	defer resp.Body.Close()
	a, err := io.ReadAll(resp.Body)
	w.must(err)
	if resp.StatusCode != http.StatusOK {
		name, rest, _ := strings.Cut(string(a), ": ")
		w.must(json.Unmarshal([]byte(name), &kind))
		return kind, rest
	}
	if into != nil {
		w.must(json.Unmarshal(a, into))
	}
	return plan.Unknown, ""
}

// sorts submits a job that sorts lines, and returns it.
func (w *world) sorts(change func(*client.Submission)) *wanted {
	w.t.Helper()
	n := len(w.wanted)
	j := &wanted{cancelled: -1, submission: client.Submission{Job: "sort", IdempotencyKey: fmt.Sprint("key ", n), Input: []string{fmt.Sprintf("mem://data/in%d", n)},
		Output: fmt.Sprintf("mem://data/out%d", n), OnExists: string(output.Fail), Partitions: 2, SplitSize: 400}}
	lines, err := w.write(fmt.Sprintf("in%d", n), 3, 60)
	w.must(err)
	slices.Sort(lines)
	j.oracle = lines
	p, err := w.library["sort"].Build(nil, nil)
	w.must(err)
	j.submission.Plan, j.submission.Once = p.Text, p.Once
	if change != nil {
		change(&j.submission)
	}
	w.wanted = append(w.wanted, j)
	var out client.Submitted
	if kind, text := w.say("POST", "/jobs", &j.submission, &out); kind != plan.Unknown {
		w.t.Fatalf("submit: %s: %s", kind, text)
	}
	j.id = out.ID
	return j
}

// job asks for the state of a job.
func (w *world) job(j *wanted) (d client.Job) {
	w.t.Helper()
	var kind plan.Kind
	var text string
	for range 600 { // a master leads within a minute
		if kind, text = w.say("GET", "/jobs/"+string(j.id), nil, &d); kind != plan.NotLeader {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if kind != plan.Unknown {
		w.t.Fatalf("job: %s: %s", kind, text)
	}
	return d
}

// until waits until the state of a job meets a condition.
func (w *world) until(j *wanted, what string, is func(d *client.Job) bool) client.Job {
	w.t.Helper()
	for range 3000 {
		if d := w.job(j); is(&d) {
			return d
		}
		time.Sleep(100 * time.Millisecond)
	}
	w.t.Fatalf("it never became %s: %+v", what, w.job(j))
	return client.Job{}
}

func (w *world) ended(j *wanted, state client.State) client.Job {
	w.t.Helper()
	d := w.until(j, "over", func(d *client.Job) bool { return d.State.Ended() })
	if d.State != state {
		w.t.Fatalf("it is %v, not %v: %+v", d.State, state, d.Cause)
	}
	s, err := w.await(j)
	w.must(err)
	w.must(w.fits(j, s))
	url := j.submission.Output
	w.must(w.output(w.me.ctx, url, w.data.Sub(strings.TrimPrefix(url, "mem://data/"))))
	return d
}

// attempts counts the attempts of a phase that were begun.
func (w *world) attempts(j *wanted, p plan.Phase) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for ref := range w.launched {
		if ref.Job == j.id && ref.Task.Phase == p {
			n++
		}
	}
	return n
}

func phase(p plan.Phase) func(*client.Job) bool {
	return func(d *client.Job) bool { return d.Phase == p.String() }
}

// sortsUntil returns a job that was seen in a phase; the phase may be too short
// to be seen.
func (w *world) sortsUntil(p plan.Phase) *wanted {
	w.t.Helper()
	for range 20 {
		j := w.sorts(nil)
		if d := w.until(j, "seen", func(d *client.Job) bool { return phase(p)(d) || d.State.Ended() }); !d.State.Ended() {
			return j
		}
		w.ended(j, client.Succeeded)
	}
	w.t.Fatalf("no job is ever seen in phase %v", p)
	return nil
}

func TestSubmissionIsIdempotent(t *testing.T) {
	t.Parallel()
	calm(t, 1, 2, func(w *world) {
		j := w.sorts(nil)
		for _, moment := range []string{"at once", "at work", "at the end"} {
			var again client.Submitted
			if kind, text := w.say("POST", "/jobs", &j.submission, &again); kind != plan.Unknown || again.ID != j.id || !again.Known {
				t.Errorf("submitted again %s: %s %s %+v", moment, kind, text, again)
			}
			other := j.submission
			other.Partitions++
			if kind, text := w.say("POST", "/jobs", &other, nil); kind != plan.Conflict || !strings.Contains(text, string(j.id)) {
				t.Errorf("something else by the same key %s: %s %s", moment, kind, text)
			}
			if moment == "at work" {
				w.ended(j, client.Succeeded)
			}
			time.Sleep(time.Second)
		}
	})
}

func TestCancelInEveryPhase(t *testing.T) {
	t.Parallel()
	for _, p := range []plan.Phase{plan.Prepare, plan.Sample, plan.Map, plan.Reduce} {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			calm(t, 1, 2, func(w *world) {
				j := w.sortsUntil(p)
				j.unwanted = true
				began := time.Now()
				for range 2 {
					if kind, text := w.say("POST", "/cancel/"+string(j.id), nil, nil); kind != plan.Unknown {
						t.Fatalf("cancel: %s: %s", kind, text)
					}
				}
				if took := time.Since(began); took > 15*time.Second {
					t.Errorf("it took %v", took)
				}
				w.ended(j, client.Cancelled)
				if kind, text := w.say("POST", "/cancel/"+string(j.id), nil, nil); kind != plan.Unknown {
					t.Errorf("cancel again: %s: %s", kind, text)
				}
				maps := w.attempts(j, plan.Map)
				if kind, text := w.say("POST", "/retry/"+string(j.id), nil, nil); kind != plan.Unknown {
					t.Fatalf("retry: %s: %s", kind, text)
				}
				d := w.ended(j, client.Succeeded)
				if d.Run != 1 {
					t.Errorf("its run is %d", d.Run)
				}
				if p == plan.Reduce && w.attempts(j, plan.Map) != maps {
					t.Errorf("%d maps ran again", w.attempts(j, plan.Map)-maps)
				}
				for _, verb := range []string{"cancel", "retry"} {
					if kind, text := w.say("POST", "/"+verb+"/"+string(j.id), nil, nil); kind != plan.Conflict {
						t.Errorf("%s of a job that succeeded: %s: %s", verb, kind, text)
					}
				}
			})
		})
	}
}

// TestCancelWhileTheOutputIsWaitedFor: a job may have to wait for a minute
// until it knows that no other job writes its output. Requests for it are
// answered meanwhile.
func TestCancelWhileTheOutputIsWaitedFor(t *testing.T) {
	t.Parallel()
	calm(t, 1, 1, func(w *world) {
		_, err := output.Reserve(w.me.ctx, w.data.Sub("out0"), output.Request{Job: "00000000000000000000000000", Mode: output.Fail, Quiet: time.Hour})
		w.must(err)
		j := w.sorts(func(s *client.Submission) { s.OnExists = string(output.Replace) })
		time.Sleep(20 * time.Second)
		began := time.Now()
		if d := w.job(j); d.State != client.Planning {
			t.Errorf("it is %v", d.State)
		}
		if kind, text := w.say("POST", "/retry/"+string(j.id), nil, nil); kind != plan.Unknown {
			t.Errorf("retry: %s: %s", kind, text)
		}
		if kind, text := w.say("POST", "/cancel/"+string(j.id), nil, nil); kind != plan.Unknown {
			t.Errorf("cancel: %s: %s", kind, text)
		}
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("the answers took %v", took)
		}
		j.unwanted = true
		s, err := w.await(j)
		w.must(err)
		w.must(w.fits(j, s))
	})
}

func TestOutputThatExistsFailsTheJob(t *testing.T) {
	t.Parallel()
	calm(t, 1, 1, func(w *world) {
		first := w.sorts(nil)
		w.ended(first, client.Succeeded)
		second := w.sorts(func(s *client.Submission) { s.Output = first.submission.Output })
		d := w.ended(second, client.FailedJob)
		if d.Cause == nil || d.Cause.Kind != plan.Conflict || !strings.Contains(d.Cause.Text, "--on-exists") {
			t.Errorf("its cause is %+v", d.Cause)
		}
	})
}

func TestUnknownJobs(t *testing.T) {
	t.Parallel()
	calm(t, 1, 0, func(w *world) {
		for _, path := range []string{"GET /jobs/", "GET /tasks/", "GET /counters/", "POST /cancel/", "POST /retry/"} {
			method, path, _ := strings.Cut(path, " ")
			if kind, text := w.say(method, path+"01ARZ3NDEKTSV4RRFFQ69G5FAV", nil, nil); kind != plan.NotFound || !strings.Contains(text, "01ARZ3NDEKTSV4RRFFQ69G5FAV") {
				t.Errorf("%s %s: %s: %s", method, path, kind, text)
			}
		}
	})
}

func TestStandbyRedirectsToTheLeader(t *testing.T) {
	t.Parallel()
	calm(t, 2, 0, func(w *world) {
		kind, text := w.sayTo(w.masters()[1], "GET", "/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV", nil, nil)
		if kind != plan.NotLeader || !strings.Contains(text, "http://"+w.masters()[0]) {
			t.Errorf("%s: %s", kind, text)
		}
	})
}

// TestFailoverKeepsWhatRuns: attempts of workers continue when the master
// changes; none is repeated.
func TestFailoverKeepsWhatRuns(t *testing.T) {
	t.Parallel()
	for _, p := range []plan.Phase{plan.Map, plan.Reduce} {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			calm(t, 2, 3, func(w *world) {
				j := w.sorts(nil)
				w.until(j, p.String(), phase(p))
				time.Sleep(time.Second)
				w.host(w.masters()[0]).kill(errKilled)
				time.Sleep(30 * time.Second)
				w.ended(j, client.Succeeded)
				s, err := journal.Read(w.me.ctx, w.truth, j.id)
				w.must(err)
				for phase := plan.Prepare; phase <= p; phase++ {
					if n, want := w.attempts(j, phase), s.Tasks(plan.Group{Phase: phase}); n != want {
						t.Errorf("%d attempts at %d tasks of phase %v", n, want, phase)
					}
				}
			})
		})
	}
}

// TestSuspendedMasterLosesNoWorker: a machine that was suspended wakes up with
// an old clock, and has heard from no worker.
func TestSuspendedMasterLosesNoWorker(t *testing.T) {
	t.Parallel()
	calm(t, 1, 2, func(w *world) {
		var notes bytes.Buffer
		w.log = slog.New(slog.NewTextHandler(&notes, nil))
		w.must(w.startMaster())
		w.host(w.masters()[0]).kill(errKilled)
		time.Sleep(20 * time.Second)
		j := w.sorts(nil)
		w.until(j, "mapping", phase(plan.Map))
		for range 20 {
			w.host(w.masters()[0]).ahead.Add(int64(10 * time.Minute))
			time.Sleep(700 * time.Millisecond)
		}
		w.ended(j, client.Succeeded)
		if strings.Contains(notes.String(), "lost") {
			t.Errorf("a worker was lost:\n%s", notes.String())
		}
	})
}

// TestDamagedObjects: a damaged object blocks no other job, users get its name, and
// can cancel a job that cannot proceed without it.
func TestDamagedObjects(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		key  func(w *world, j *wanted) string
		is   client.State
		text string
	}{
		"log":  {func(_ *world, j *wanted) string { return plan.JobPrefix(j.id) + "log/00000000000000000000" }, client.Planning, "log/"},
		"plan": {func(w *world, j *wanted) string { return w.first(plan.TablePrefix(j.id)) }, client.FailedJob, "plan/"},
		"map":  {func(w *world, j *wanted) string { return w.first(plan.ScratchPrefix(j.id) + "att/m") }, client.Succeeded, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calm(t, 2, 1, func(w *world) {
				j := w.sorts(nil)
				w.until(j, "mapping", func(d *client.Job) bool { return d.Phase == plan.Map.String() && d.Phases[2].Committed > 1 })
				w.must(w.truth.Put(w.me.ctx, test.key(w, j), []byte("not what was written here"), store.Durable))
				w.host(w.masters()[0]).kill(errKilled)
				time.Sleep(time.Minute)
				other := w.sorts(nil)
				w.until(other, "over", func(d *client.Job) bool { return d.State == client.Succeeded })
				d := w.until(j, "as it must be", func(d *client.Job) bool { return d.State == test.is })
				if test.text != "" && (d.Cause == nil || !strings.Contains(d.Cause.Text, test.text)) {
					t.Errorf("users get %+v", d.Cause)
				}
				var all []client.Job
				if kind, text := w.say("GET", "/jobs", nil, &all); kind != plan.Unknown || len(all) != 2 {
					t.Errorf("%d jobs are listed: %s %s", len(all), kind, text)
				}
				if test.is == client.Planning {
					began := time.Now()
					if kind, text := w.say("POST", "/cancel/"+string(j.id), nil, nil); kind != plan.Unknown || time.Since(began) > 15*time.Second {
						t.Errorf("cancel: %s: %s, after %v", kind, text, time.Since(began))
					}
					d := w.until(j, "cancelled", func(d *client.Job) bool { return d.State == client.Cancelled })
					if d.Cause == nil || !strings.Contains(d.Cause.Text, test.text) {
						t.Errorf("users get %+v", d.Cause)
					}
				}
			})
		})
	}
}

// first returns the first key below a prefix.
func (w *world) first(prefix string) string {
	w.t.Helper()
	for o, err := range w.truth.List(w.me.ctx, prefix) {
		w.must(err)
		return o.Key
	}
	w.t.Fatalf("there is nothing below %s", prefix)
	return ""
}

// TestCollectKeepsWhatIsNeeded: a collection removes what its dry run reported;
// a job that failed can be tried again after it.
func TestCollectKeepsWhatIsNeeded(t *testing.T) {
	t.Parallel()
	calm(t, 1, 2, func(w *world) {
		// kept verifies that a job that has just ended keeps all its objects.
		kept := func(j *wanted) {
			t.Helper()
			var now client.Garbage
			w.say("POST", "/gc?dry", nil, &now)
			for _, item := range now.Jobs {
				if strings.HasPrefix(item.Prefix, plan.JobPrefix(j.id)) {
					t.Errorf("before the time to keep is over %+v would be removed", item)
				}
			}
		}
		done := w.sorts(nil)
		w.ended(done, client.Succeeded)
		kept(done)
		failed := w.sorts(nil)
		w.until(failed, "mapping", phase(plan.Map))
		failed.unwanted = true
		if kind, text := w.say("POST", "/cancel/"+string(failed.id), nil, nil); kind != plan.Unknown {
			t.Fatalf("cancel: %s: %s", kind, text)
		}
		w.ended(failed, client.Cancelled)
		kept(failed)
		var dry, wet, none client.Garbage
		time.Sleep(keepTime + time.Second)
		active := w.sorts(nil)
		w.until(active, "reducing", phase(plan.Reduce))
		w.say("POST", "/gc?dry", nil, &dry)
		w.say("POST", "/gc", nil, &wet)
		w.say("POST", "/gc", nil, &none)
		if dry.Objects == 0 || dry.Objects != wet.Objects || dry.Bytes != wet.Bytes || none.Objects != 0 {
			t.Errorf("a dry run reported %d objects, %d were removed, and %d after that", dry.Objects, wet.Objects, none.Objects)
		}
		w.ended(active, client.Succeeded)
		if w.job(active).Progress.Retried != 0 {
			t.Error("the collection removed objects that a running job needs")
		}
		if kind, text := w.say("POST", "/retry/"+string(failed.id), nil, nil); kind != plan.Unknown {
			t.Fatalf("retry: %s: %s", kind, text)
		}
		w.ended(failed, client.Succeeded)
		if d := w.job(done); d.Result == nil || d.Result.Records != int64(len(done.oracle)) {
			t.Errorf("an old job is reported as %+v", d)
		}
	})
}

// TestCommittedBeforeOthersCame: an output that was committed just before the
// master died belongs to the job, even if others write to it before another
// master looks.
func TestCommittedBeforeOthersCame(t *testing.T) {
	t.Parallel()
	calm(t, 2, 1, func(w *world) {
		j := w.sorts(nil)
		out := w.data.Sub("out0")
		for range 60_000 { // milliseconds
			if m, err := output.Read(w.me.ctx, out); err == nil && m.Job == j.id {
				break
			}
			time.Sleep(time.Millisecond)
		}
		w.host(w.masters()[0]).kill(errKilled)
		h, err := output.Reserve(w.me.ctx, out, output.Request{Job: plan.JobID("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"), Mode: output.Append})
		w.must(err)
		_, err = h.Commit(w.me.ctx, nil)
		w.must(err)
		s, err := w.await(j)
		w.must(err)
		if s.Status != scheduler.Succeeded {
			t.Errorf("it %v: %v", s.Status, s.Cause)
		}
		m, err := output.Read(context.WithoutCancel(w.me.ctx), out)
		w.must(err)
		if m.Records != int64(len(j.oracle)) {
			t.Errorf("the output has %d records of %d", m.Records, len(j.oracle))
		}
	})
}

// TestMarkIsAwayWhilePartsAppear: a reader that waits for the mark of an output
// never reads old and new parts together.
func TestMarkIsAwayWhilePartsAppear(t *testing.T) {
	t.Parallel()
	calm(t, 1, 2, func(w *world) {
		old := w.sorts(nil)
		w.ended(old, client.Succeeded)
		j := w.sorts(func(s *client.Submission) { s.Output, s.OnExists = old.submission.Output, string(output.Append) })
		out, seen := w.data.Sub("out0"), 0
		for range 60_000 { // milliseconds
			m, err := output.Read(w.me.ctx, out)
			w.must(err)
			if m.Job == j.id {
				break
			}
			parts := 0
			for _, err := range out.List(w.me.ctx, "part-") {
				w.must(err)
				parts++
			}
			if parts > len(m.Parts) {
				seen++
				if _, err := out.Stat(w.me.ctx, output.SuccessName); err == nil {
					t.Fatal("new parts are visible beside the old ones, and the mark says that all is well")
				}
			}
			time.Sleep(time.Millisecond)
		}
		if seen == 0 {
			t.Error("no part was visible before the commit")
		}
		w.ended(j, client.Succeeded)
	})
}
