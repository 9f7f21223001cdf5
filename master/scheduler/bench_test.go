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
	benchmarkJob(b, Config{Counts: plan.Counts{Maps: maps, Reduces: reduces}}, maps+reduces, workers, slots)
}

// BenchmarkStages does the same with a job of six steps: two read inputs, four read
// what others left, and the last one makes parts.
func BenchmarkStages(b *testing.B) {
	const tasks, workers, slots = 100_000, 1_000, 4
	step := func(stage string, phase plan.Phase, reads int, writes ...int) plan.Step {
		return plan.Step{Group: plan.Group{Stage: stage, Phase: phase}, Reads: reads, Writes: writes, Parts: len(writes) == 0}
	}
	g := plan.Graph{Steps: []plan.Step{
		step("visits", plan.Map, plan.None, 0), step("users", plan.Map, plan.None, 1),
		step("sessions", plan.Reduce, 0, 2), step("accounts", plan.Reduce, 1, 3), step("by country", plan.Reduce, 2, 3), step("totals", plan.Reduce, 3),
	}}
	for _, writers := range [][]int{{0}, {1}, {2}, {3, 4}} {
		g.Exchanges = append(g.Exchanges, plan.Exchange{Writers: writers, Partitions: tasks})
	}
	g.Steps[0].Tasks, g.Steps[1].Tasks = tasks, tasks
	benchmarkJob(b, Config{Graph: &g, Adjacent: 64}, len(g.Steps)*tasks, workers, slots)
}

func benchmarkJob(b *testing.B, cfg Config, tasks, workers, slots int) {
	b.Helper()
	b.ReportAllocs()
	cfg.Epoch, cfg.Speculate = 1, 15
	var events, bytes int
	for b.Loop() {
		events, bytes = playJob(b, cfg, workers, slots)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(events), "ns/event")
	b.ReportMetric(float64(bytes)/float64(tasks), "B/task")
}

// playJob plays a whole job without failures, and returns how many events it
// took and how much memory was held when the first part was made.
func playJob(b *testing.B, cfg Config, workers, slots int) (events, bytes int) {
	b.Helper()
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before := m.HeapAlloc
	s := New(cfg)
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
			b.Fatalf("nothing runs: %v in %v", s.job.Status, s.job.Current())
		}
		l := launched[0]
		launched = launched[1:]
		if s.job.writes(s.job.place(l.Task.Group())) {
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
