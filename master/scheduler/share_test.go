package scheduler

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

func TestShare(t *testing.T) {
	t.Parallel()
	workers := []Capacity{{"a", 4}, {"b", 4}, {"c", 4}}
	sums := func(shares []map[WorkerID]int) (all []int) {
		for _, s := range shares {
			n := 0
			for _, k := range s {
				n += k
			}
			all = append(all, n)
		}
		return all
	}
	for name, c := range map[string]struct {
		demands []Demand
		want    string
	}{
		"one job gets all, for second attempts too": {[]Demand{{Job: "1", Weight: 100, Want: 2}}, "[12]"},
		"two alike share":                     {[]Demand{{Job: "1", Weight: 100, Want: 50}, {Job: "2", Weight: 100, Want: 50}}, "[6 6]"},
		"twice the weight is twice the share": {[]Demand{{Job: "1", Weight: 200, Want: 50}, {Job: "2", Weight: 100, Want: 50}}, "[8 4]"},
		"every job gets some":                 {[]Demand{{Job: "1", Weight: 1, Want: 50}, {Job: "2", Weight: 100, Want: 50}}, "[1 11]"},
		"others get an unwanted share":        {[]Demand{{Job: "1", Weight: 200, Want: 1}, {Job: "2", Weight: 100, Want: 50}}, "[1 11]"},
		"no demand, no slots":                 {[]Demand{{Job: "1", Weight: 100}, {Job: "2", Weight: 1, Want: 1}}, "[0 12]"},
		"slots in use are withheld": {[]Demand{{Job: "1", Weight: 100, Want: 50, Used: map[WorkerID]int{"a": 4, "b": 4, "c": 4}, Has: map[WorkerID]int{"a": 4, "b": 4, "c": 4}},
			{Job: "2", Weight: 100, Want: 50}}, "[6 0]"},
	} {
		if got := fmt.Sprint(sums(Share(workers, c.demands))); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	few := Share([]Capacity{{"a", 1}}, []Demand{{Job: "1", Weight: 1, Want: 5}, {Job: "2", Weight: 100, Want: 5}})
	if got := fmt.Sprint(sums(few)); got != "[0 1]" {
		t.Errorf("with one slot for two jobs: %s, want it for the heavier", got)
	}
}

// TestShareRules verifies for random clusters that no worker has more attempts
// than slots once those over their share have ended, and that no slot is idle
// while a job wants it, unless others still use it.
func TestShareRules(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		var workers []Capacity
		total := 0
		for i := range 1 + r.IntN(6) {
			workers = append(workers, Capacity{WorkerID(fmt.Sprint(i)), r.IntN(5)})
			total += workers[i].Slots
		}
		demands := make([]Demand, 1+r.IntN(4))
		left := make(map[WorkerID]int)
		for _, w := range workers {
			left[w.Worker] = w.Slots
		}
		wanted := false
		for j := range demands {
			demands[j] = Demand{Job: plan.JobID(fmt.Sprint(j)), Weight: 1 + r.IntN(300), Want: r.IntN(9), Used: map[WorkerID]int{}, Has: map[WorkerID]int{}}
			wanted = wanted || demands[j].Want > 0
			for _, w := range workers {
				n := r.IntN(left[w.Worker] + 1)
				demands[j].Used[w.Worker], demands[j].Has[w.Worker] = n, n
				left[w.Worker] -= n
			}
		}
		shares := Share(workers, demands)
		given := 0
		for _, w := range workers {
			slots, busy := 0, 0
			for j := range demands {
				n := shares[j][w.Worker]
				slots += n
				busy += max(n, demands[j].Used[w.Worker])
			}
			given += busy
			if slots > w.Slots || busy > w.Slots {
				t.Fatalf("worker %s has %d slots, %d are dealt out, %d may run: %v of %v", w.Worker, w.Slots, slots, busy, shares, demands)
			}
		}
		if wanted && given != total {
			t.Fatalf("%d of %d slots are used or dealt out: %v of %v", given, total, shares, demands)
		}
	}
}
