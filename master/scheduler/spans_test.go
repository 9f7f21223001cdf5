package scheduler

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// reducing is a cluster that runs only reduces.
type reducing struct {
	*State
	running map[WorkerID][]Launch
	given   map[WorkerID][]int // the tasks given to a worker, in order
}

func newReducing(t *testing.T, reduces, adjacent int, slots map[WorkerID]int) *reducing {
	t.Helper()
	r := &reducing{New(Config{Epoch: 1, Counts: plan.Counts{Reduces: reduces}, Adjacent: adjacent}), map[WorkerID][]Launch{}, map[WorkerID][]int{}}
	for _, w := range []WorkerID{"a", "b", "c", "d"} {
		if n := slots[w]; n > 0 {
			r.step(t, Joined{w, n})
		}
	}
	r.step(t, Lead{})
	return r
}

// step plays an event, and all that follows at once.
func (r *reducing) step(t *testing.T, e Event) {
	t.Helper()
	for events := []Event{e}; len(events) > 0; events = events[1:] {
		for _, c := range slices.Clone(r.Step(0, events[0])) {
			switch c := c.(type) {
			case Append:
				events = append(events, Appended{})
			case CheckEpoch:
				events = append(events, Checked{true})
			case Launch:
				r.running[c.Worker] = append(r.running[c.Worker], c)
				r.given[c.Worker] = append(r.given[c.Worker], c.Task.Index)
			default:
			}
		}
		if err := r.Check(); err != nil {
			t.Fatal(err)
		}
	}
}

// finish ends the i-th of a worker's running attempts.
func (r *reducing) finish(t *testing.T, w WorkerID, i int) {
	t.Helper()
	l := r.running[w][i]
	r.running[w] = slices.Delete(r.running[w], i, i+1)
	r.step(t, Asked{l.Task, l.Attempt})
	r.step(t, Reported{Task: l.Task, Attempt: l.Attempt, Winner: l.Attempt})
}

func TestASlotIsGivenAdjacentReduces(t *testing.T) {
	t.Parallel()
	r := newReducing(t, 32, 64, map[WorkerID]int{"a": 2, "b": 2})
	// 32 tasks on 4 slots are 4 spans of 8.
	begun := append(slices.Clone(r.given["a"]), r.given["b"]...)
	slices.Sort(begun)
	if !slices.Equal(begun, []int{0, 8, 16, 24}) {
		t.Fatalf("the slots begin at %v", begun)
	}
	// A slot that is free continues where it was.
	for _, i := range []int{1, 1, 0, 1, 0, 0} {
		task := r.running["a"][i].Task.Index
		r.finish(t, "a", i)
		if next := r.given["a"][len(r.given["a"])-1]; next != task+1 {
			t.Errorf("after %d the slot is given %d", task, next)
		}
	}
}

func TestReducesAreInOrderUnlessAdjacent(t *testing.T) {
	t.Parallel()
	r := newReducing(t, 8, 1, map[WorkerID]int{"a": 1, "b": 1})
	for range 3 {
		r.finish(t, "a", 0)
		r.finish(t, "b", 0)
	}
	if a, b := r.given["a"], r.given["b"]; !slices.Equal(a, []int{0, 2, 4, 6}) || !slices.Equal(b, []int{1, 3, 5, 7}) {
		t.Errorf("given were %v and %v", a, b)
	}
}

func TestNoWorkerIdlesWhileAnotherHasManyReduces(t *testing.T) {
	t.Parallel()
	r := newReducing(t, 16, 64, map[WorkerID]int{"a": 1, "b": 1})
	for range 8 { // a is quick
		r.finish(t, "a", 0)
	}
	if got := r.given["a"]; !slices.Equal(got, []int{0, 1, 2, 3, 4, 5, 6, 7, 15}) {
		t.Fatalf("a was given %v: its own span, then the end of b's", got)
	}
	for range 6 {
		r.finish(t, "a", 0)
	}
	if got := r.given["a"]; !slices.Equal(got[8:], []int{15, 14, 13, 12, 11, 10, 9}) {
		t.Errorf("a was given %v", got[8:])
	}
	r.finish(t, "a", 0)
	r.finish(t, "b", 0)
	if r.job.Left(group(plan.Reduce)) != 0 {
		t.Errorf("%d reduces are left", r.job.Left(group(plan.Reduce)))
	}
}

func TestTheSpanOfALostWorkerIsContinued(t *testing.T) {
	t.Parallel()
	r := newReducing(t, 16, 4, map[WorkerID]int{"a": 1, "b": 1})
	r.finish(t, "a", 0)
	r.step(t, Left{"a"}) // which ran 1, and would have been given 2
	delete(r.running, "a")
	for len(r.running["b"]) > 0 {
		r.finish(t, "b", 0)
	}
	if got := r.given["b"]; !slices.Equal(got, []int{4, 1, 5, 6, 7, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15}) {
		t.Errorf("b was given %v", got)
	}
}

// TestEveryReduceIsGivenOnce verifies that each task is given once, whatever
// the speed of slots.
func TestEveryReduceIsGivenOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50 / oneIn) {
		rng := rand.New(rand.NewPCG(seed, 1))
		reduces := 1 + rng.IntN(500)
		r := newReducing(t, reduces, 1<<rng.IntN(7), map[WorkerID]int{"a": 1 + rng.IntN(3), "b": 1 + rng.IntN(3), "c": 1 + rng.IntN(3)})
		for r.job.Left(group(plan.Reduce)) > 0 {
			w := []WorkerID{"a", "b", "c"}[rng.IntN(3)]
			if n := len(r.running[w]); n > 0 {
				r.finish(t, w, rng.IntN(n))
			}
		}
		var all []int
		for _, given := range r.given {
			all = append(all, given...)
		}
		slices.Sort(all)
		if len(all) != reduces || len(slices.Compact(all)) != reduces {
			t.Fatalf("seed %d: %d tasks were given for %d", seed, len(all), reduces)
		}
	}
}

// BenchmarkSpans gives a million reduces to ten thousand workers.
func BenchmarkSpans(b *testing.B) {
	var s spans
	workers := make([]*worker, 10_000)
	for i := range b.N {
		if s.left == 0 {
			s = newSpans(1_000_000, 64, len(workers))
			for j := range workers {
				workers[j] = &worker{id: WorkerID(fmt.Sprint(j))}
			}
		}
		// Every third worker is ten times as fast as the others.
		w := workers[(i*7919)%len(workers)]
		if i%10 != 0 {
			w = workers[(i*7919)%(len(workers)/3)]
		}
		index, _ := s.pick(w)
		s.ended(w, index)
	}
}
