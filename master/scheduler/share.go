package scheduler

import (
	"cmp"
	"slices"

	"github.com/windrow-mr/windrow/plan"
)

// Capacity is a worker, for Share.
type Capacity struct {
	Worker WorkerID
	Slots  int
}

// Demand is a job, for Share.
type Demand struct {
	Job    plan.JobID
	Weight int // twice the weight is twice the share
	Want   int // tasks that could run now
	// Used are the slots on which its attempts run, by worker.
	Used map[WorkerID]int
	// Has is what the last call of Share gave it.
	Has map[WorkerID]int
}

// Share divides the workers' slots among jobs: one for each that wants any, and the
// others in proportion to the jobs' weights. No job gets more than it wants while
// another wants more. Slots that no job wants are dealt out too, for second
// attempts. Running attempts keep their slots: a job that gets fewer slots returns
// them as its attempts end, and until then no other job gets them. A job keeps the
// workers that it has, as far as possible.
//
// The result has a map for each demand, in their order. It is a function of the
// arguments alone.
func Share(workers []Capacity, demands []Demand) []map[WorkerID]int {
	shares := make([]map[WorkerID]int, len(demands))
	for i := range shares {
		shares[i] = make(map[WorkerID]int)
	}
	if len(demands) == 0 {
		return shares
	}
	var total int
	for _, w := range workers {
		total += w.Slots
	}
	left := quotas(total, demands)
	free := make([]int, len(workers))
	for i, w := range workers {
		free[i] = w.Slots
	}
	// First the slots that a job has, then free ones, in turn.
	for i, w := range workers {
		for j := range demands {
			n := min(demands[j].Has[w.Worker], left[j], free[i])
			give(shares[j], w.Worker, n)
			free[i] -= n
			left[j] -= n
		}
	}
	for i, w := range workers {
		for j := range demands {
			n := min(left[j], free[i])
			give(shares[j], w.Worker, n)
			free[i] -= n
			left[j] -= n
		}
	}
	withhold(workers, demands, shares)
	return shares
}

func give(share map[WorkerID]int, w WorkerID, n int) {
	if n > 0 {
		share[w] += n
	}
}

// quotas returns how many of total slots each job gets.
func quotas(total int, demands []Demand) []int {
	given := make([]int, len(demands))
	order := make([]int, len(demands))
	for i := range order {
		order[i] = i
	}
	deal := func(hungry func(int) bool) {
		for total > 0 {
			best := -1
			for _, j := range order {
				// The job with the least for its weight is next.
				if hungry(j) && (best < 0 || given[j]*demands[best].weight() < given[best]*demands[j].weight()) {
					best = j
				}
			}
			if best < 0 {
				return
			}
			given[best]++
			total--
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(demands[b].weight(), demands[a].weight()), cmp.Compare(demands[a].Job, demands[b].Job))
	})
	// No job gets nothing while there is a slot, the heaviest first.
	for _, j := range order {
		if total > 0 && demands[j].Want > 0 {
			given[j]++
			total--
		}
	}
	deal(func(j int) bool { return given[j] < demands[j].Want })
	deal(func(j int) bool { return demands[j].Want > 0 })
	return given
}

func (d *Demand) weight() int { return max(d.Weight, 1) }

// withhold reduces growing shares by the slots that other jobs' attempts still use.
func withhold(workers []Capacity, demands []Demand, shares []map[WorkerID]int) {
	for _, w := range workers {
		over := 0
		for j := range demands {
			over += max(demands[j].Used[w.Worker]-shares[j][w.Worker], 0)
		}
		for j := range demands {
			grown := shares[j][w.Worker] - max(demands[j].Used[w.Worker], 0)
			n := min(over, max(grown, 0))
			if n == 0 {
				continue
			}
			if shares[j][w.Worker] -= n; shares[j][w.Worker] == 0 {
				delete(shares[j], w.Worker)
			}
			over -= n
		}
	}
}
