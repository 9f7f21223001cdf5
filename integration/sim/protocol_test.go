package sim

import (
	"slices"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
)

// hand is a worker whose messages a test writes by hand.
type hand struct {
	w    *world
	seq  uint64
	next cluster.Sync // except what say fills in
}

func (w *world) hand(slots int) *hand {
	return &hand{w: w, next: cluster.Sync{Version: cluster.Version, Worker: "by hand", Epoch: 1, Info: cluster.Info{Host: "hand", Slots: slots}}}
}

// say sends the next message and returns the answer.
func (h *hand) say() *cluster.Orders {
	h.w.t.Helper()
	h.seq++
	return h.repeat(h.seq)
}

// repeat sends a message of any number.
func (h *hand) repeat(seq uint64) *cluster.Orders {
	h.w.t.Helper()
	s := h.next
	s.Seq = seq
	c := cluster.Client{URL: "http://" + h.w.masters()[0], HTTP: from{h.w.network, h.w.me}}
	o, err := c.Sync(h.w.me.ctx, &s)
	h.w.must(err)
	return o
}

// launched sends messages until an attempt is launched, and returns it.
func (h *hand) launched() cluster.Launch {
	h.w.t.Helper()
	for range 20 {
		if o := h.say(); len(o.Launches) > 0 {
			return o.Launches[0]
		}
	}
	h.w.t.Fatal("nothing is launched")
	return cluster.Launch{}
}

func (h *hand) runs(l cluster.Launch) { h.next.Running = []cluster.Running{{Ref: l.Ref}} }

// TestOrdersAreRepeatedUntilHeard: an order is repeated until the worker has
// heard it from this master in this term, and not after that.
func TestOrdersAreRepeatedUntilHeard(t *testing.T) {
	t.Parallel()
	calm(t, 1, 0, func(w *world) {
		w.sorts(nil)
		h := w.hand(1)
		h.next.Epoch, h.next.Heard = 0, 1000 // the answers of another master
		l := h.launched()
		if o := h.say(); len(o.Launches) != 1 || o.Launches[0].Ref != l.Ref {
			t.Errorf("a worker that has not heard it gets %+v", o)
		}
		h.next.Epoch, h.next.Heard = 1, h.seq
		h.runs(l)
		if o := h.say(); len(o.Launches) != 0 {
			t.Errorf("a worker that runs it gets %+v", o)
		}
		// The worker no longer knows it: another attempt is launched.
		h.next.Heard, h.next.Running = h.seq, nil
		if again := h.launched(); again.Ref == l.Ref || again.Task != l.Task {
			t.Errorf("after %+v follows %+v", l, again)
		}
	})
}

// TestOvertakenMessagesCountForNothing: the contents of a message that was
// overtaken are out of date, and have no effect.
func TestOvertakenMessagesCountForNothing(t *testing.T) {
	t.Parallel()
	calm(t, 1, 0, func(w *world) {
		w.sorts(nil)
		h := w.hand(1)
		l := h.launched()
		h.next.Heard = h.seq
		h.runs(l)
		h.say()
		h.next.Running = nil
		if o := h.repeat(h.seq - 1); len(o.Launches)+len(o.Stops) != 0 {
			t.Errorf("the answer to an old message is %+v", o)
		}
		h.runs(l)
		for range 3 {
			h.next.Heard = h.seq
			if o := h.say(); len(o.Launches)+len(o.Stops) != 0 {
				t.Errorf("the answer after an old message is %+v", o)
			}
		}
		h.next.Running, h.next.Leaving = nil, true
		h.say()
		h.next.Leaving = false
		var all []client.Worker
		h.repeat(h.seq - 1)
		if kind, text := w.say("GET", "/workers", nil, &all); kind != plan.Unknown || len(all) != 0 {
			t.Errorf("an old message has restored a worker that left: %+v (%s %s)", all, kind, text)
		}
	})
}

// TestWorkersForgetWhatIsOver: attempts that no job wants are stopped, and jobs
// that have ended are forgotten.
func TestWorkersForgetWhatIsOver(t *testing.T) {
	t.Parallel()
	calm(t, 1, 0, func(w *world) {
		j := w.sorts(nil)
		h := w.hand(1)
		l := h.launched()
		unknown := cluster.Ref{Job: "01ARZ3NDEKTSV4RRFFQ69G5FAV", Task: l.Task, Attempt: l.Attempt}
		h.next.Heard, h.next.Running = h.seq, []cluster.Running{{Ref: l.Ref}, {Ref: unknown}}
		if o := h.say(); !slices.Equal(o.Stops, []cluster.Ref{unknown}) {
			t.Errorf("for unwanted attempts the orders are %+v", o)
		}
		h.runs(l)
		if kind, text := w.say("POST", "/cancel/"+string(j.id), nil, nil); kind != plan.Unknown {
			t.Fatalf("cancel: %s: %s", kind, text)
		}
		var stopped, ended bool
		for range 10 {
			h.next.Heard = h.seq
			o := h.say()
			stopped = stopped || slices.Contains(o.Stops, l.Ref)
			ended = ended || slices.Contains(o.Ended, j.id)
		}
		if !stopped || !ended {
			t.Errorf("for a cancelled job: stopped %v, forgotten %v", stopped, ended)
		}
	})
}

// TestGrantIsRepeated: a grant that did not arrive is given again, to the
// attempt that keeps asking.
func TestGrantIsRepeated(t *testing.T) {
	t.Parallel()
	calm(t, 1, 1, func(w *world) {
		w.sorts(nil)
		w.until(w.wanted[0], "mapping", phase(plan.Map))
		w.alive("worker")[0].kill(errKilled)
		time.Sleep(20 * time.Second)
		// A worker with the same work joins, which loses every grant.
		w.must(w.startWorker())
		w.until(w.wanted[0], "reducing", phase(plan.Reduce))
		w.alive("worker")[0].kill(errKilled)
		time.Sleep(20 * time.Second)
		h := w.hand(1)
		l := h.launched()
		grants := 0
		for range 8 {
			h.next.Heard, h.next.Running = h.seq, []cluster.Running{{Ref: l.Ref, Asking: true}}
			if o := h.say(); len(o.Grants) == 1 && o.Grants[0].Ref == l.Ref && slices.Contains(o.Grants[0].All, l.Attempt) {
				grants++
			}
		}
		if grants < 2 {
			t.Errorf("it was granted %d times", grants)
		}
	})
}

// TestDrainByAPI: a worker that drains gets no new tasks, and the order to
// drain until it shows that it knows.
func TestDrainByAPI(t *testing.T) {
	t.Parallel()
	calm(t, 1, 0, func(w *world) {
		h := w.hand(2)
		h.say()
		if kind, text := w.say("POST", "/drain/unknown", nil, nil); kind != plan.NotFound {
			t.Errorf("drain of an unknown worker: %s: %s", kind, text)
		}
		if kind, text := w.say("POST", "/drain/hand", nil, nil); kind != plan.Unknown {
			t.Errorf("drain: %s: %s", kind, text)
		}
		w.sorts(nil)
		for range 4 {
			time.Sleep(3 * time.Second)
			if o := h.say(); !o.Drain || len(o.Launches) > 0 {
				t.Errorf("a worker that must drain gets %+v", o)
			}
		}
	})
}

// TestJobsShareByPriority: of two jobs the more important one gets more slots.
func TestJobsShareByPriority(t *testing.T) {
	t.Parallel()
	calm(t, 1, 0, func(w *world) {
		h := w.hand(0)
		var jobs []*wanted
		for _, priority := range []int{100, 300} {
			jobs = append(jobs, w.sorts(func(s *client.Submission) { s.Priority, s.SplitSize = priority, 20 }))
		}
		for range 4 {
			w.must(w.startWorker())
		}
		for _, j := range jobs {
			w.until(j, "mapping", phase(plan.Map))
		}
		for _, p := range w.alive("worker") {
			p.kill(errKilled)
		}
		time.Sleep(20 * time.Second)
		h.next.Info.Slots = 8
		has := make(map[plan.JobID]int)
		for range 10 {
			for _, l := range h.say().Launches {
				if !slices.ContainsFunc(h.next.Running, func(r cluster.Running) bool { return r.Ref == l.Ref }) {
					has[l.Job]++
					h.next.Running = append(h.next.Running, cluster.Running{Ref: l.Ref})
				}
			}
			h.next.Heard = h.seq
		}
		if has[jobs[0].id] != 2 || has[jobs[1].id] != 6 {
			t.Errorf("of 8 slots they have %v", has)
		}
	})
}

// TestDrainedWorkerMayLeave: a worker that drains and has nothing left gets its
// orders at once: a delay would postpone its end by seconds.
func TestDrainedWorkerMayLeave(t *testing.T) {
	t.Parallel()
	calm(t, 1, 0, func(w *world) {
		h := w.hand(1)
		h.say()
		h.next.Draining, h.next.Heard = true, h.seq
		began := time.Now()
		h.say()
		if took := time.Since(began); took > time.Second {
			t.Errorf("it waited for %v", took)
		}
	})
}
