package scheduler

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// BenchmarkStep plays a job of 1,000,000 maps and 1,000 reduces on 10,000
// workers of 4 slots, and reports the time of an event and the memory of a
// task. Appends are answered after a hundred events, as a store would.
func BenchmarkStep(b *testing.B) {
	const maps, reduces, workers, slots = 1_000_000, 1_000, 10_000, 4
	b.ReportAllocs()
	var events, bytes int
	for b.Loop() {
		events, bytes = playJob(b, maps, reduces, workers, slots)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(events), "ns/event")
	b.ReportMetric(float64(bytes)/(maps+reduces), "B/task")
}

// playJob plays a whole job without failures, and returns how many events it
// took and how much memory was held at the end of the maps.
func playJob(b *testing.B, maps, reduces, workers, slots int) (events, bytes int) {
	b.Helper()
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before := m.HeapAlloc
	s := New(Config{Epoch: 1, Counts: plan.Counts{Maps: maps, Reduces: reduces}, Speculate: 15})
	var now Time
	var launched []Launch
	appending, waited := false, 0
	finished := false
	step := func(e Event) {
		events++
		now += 1e6
		for _, c := range s.Step(now, e) {
			switch c := c.(type) {
			case Append:
				appending, waited = true, 0
			case Launch:
				launched = append(launched, c)
			case CheckEpoch, CommitOutput, Grant, Wake, Stop, CleanUp, StepDown:
			case Finish:
				finished = true
			}
		}
	}
	answer := func() {
		appending = false
		step(Appended{})
		if s.log == checking {
			step(Checked{true})
		}
	}
	step(Lead{})
	for appending {
		answer()
	}
	for i := range workers {
		step(Joined{WorkerID(fmt.Sprint("worker", i)), slots})
	}
	for !finished {
		if waited++; appending && (waited > 100 || len(launched) == 0) {
			answer()
			continue
		}
		if len(launched) == 0 {
			if s.job.Status == Committing {
				step(OutputCommitted{})
				continue
			}
			b.Fatalf("nothing runs: %v, phase %v, %d left", s.job.Status, s.job.Phase(), s.job.Left(s.job.Phase()))
		}
		l := launched[0]
		launched = launched[1:]
		if l.Task.Phase == plan.Reduce {
			if bytes == 0 {
				runtime.GC()
				runtime.ReadMemStats(&m)
				bytes = int(m.HeapAlloc - before)
			}
			step(Asked{l.Task, l.Attempt})
			for appending {
				answer()
			}
		}
		step(Reported{Task: l.Task, Attempt: l.Attempt, Winner: l.Attempt})
	}
	return events, bytes
}
