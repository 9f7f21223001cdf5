package plan

import (
	"fmt"
	"slices"
)

// A Graph says which tasks of a job read what which others leave. The tasks of a
// Step run the same functions, and an Exchange is what they pass on: sorted runs of
// pairs, in partitions. A job of one shuffle is the smallest graph with an exchange:
// its maps write it and its reduces read it.
//
// Steps and exchanges are named by their places in the lists. A step comes after all
// steps that it waits for.
type Graph struct {
	Steps     []Step
	Exchanges []Exchange
	// Least and Most bound the partitions of an exchange that is measured and not small:
	// the slots that run tasks at once, and the partitions whose index has room in the
	// memory of a process.
	Least, Most int
}

// A Step is a group of tasks that run the same functions. Its tasks read sections of
// inputs, or each one partition of an exchange.
type Step struct {
	Group
	Inputs []int // of the job, of which its tasks read sections; nil for all, or where Reads is set
	Tasks  int   // that read no exchange; those of other steps are as many as its partitions
	Reads  int   // the exchange that its tasks read, or None
	Sides  []int // exchanges that each of its tasks reads whole
	Writes []int // exchanges
	Parts  bool  // its tasks may make parts of the output
}

// An Exchange is a number of partitions of pairs.
type Exchange struct {
	Writers []int // steps, in their order
	// Sampled are the steps whose tasks leave a sample of keys, at which partitions
	// are cut. Without any, hashes decide which partition has a key.
	Sampled []int
	// Partitions is fixed by planning, or 0: it follows from the bytes that the
	// steps before its writers left. See Measured.
	Partitions int
	// Estimate is the number of bytes of input from which its pairs are made, for
	// as long as less is known.
	Estimate int64
}

// Results are the attempts that count of a step, by task.
type Results struct {
	Group
	Attempts []AttemptID
}

// Work is what the tasks of a step read and write, apart from sections of inputs.
type Work struct {
	Reads      []Results // of the steps that wrote the exchange that they read, in their order
	Partitions int       // of that exchange
	Sides      []Side    // exchanges that each task reads whole
	Writes     []Write   // by the exchanges that they write
}

// Side is an exchange that tasks read whole: the results of the steps that wrote it.
type Side struct{ Reads []Results }

// Inputs returns all results that the tasks read.
func (w *Work) Inputs() []Results {
	all := slices.Clone(w.Reads)
	for i := range w.Sides {
		all = append(all, w.Sides[i].Reads...)
	}
	for i := range w.Writes {
		all = append(all, w.Writes[i].Sampled...)
	}
	return all
}

// Write is an exchange that tasks write.
type Write struct {
	Partitions int
	Sampled    []Results // whose keys cut the partitions; none where hashes do
}

// None is the place of no step and of no exchange.
const None = -1

// Sizes by which partitions are chosen, in bytes.
const (
	// BytesPerPartition is the data for each partition.
	BytesPerPartition = 256 << 20
	// OnePartition is the size up to which one partition is enough.
	OnePartition = 32 << 20
	// MostPartitions bounds the partitions of an exchange, and MostTasks the tasks of a
	// step.
	MostPartitions = 100_000
	MostTasks      = 1_000_000
)

// PartitionsFor returns how many partitions suit so many bytes, from least to most where
// one is not enough. Most is 0 where there is no other bound than MostPartitions.
func PartitionsFor(bytes int64, least, most int) int {
	if bytes <= OnePartition {
		return 1
	}
	if most <= 0 {
		most = MostPartitions
	}
	n := (bytes + BytesPerPartition - 1) / BytesPerPartition
	return int(max(min(max(n, int64(least)), int64(most), MostPartitions), 1))
}

// OneShuffle returns the graph of a job that shuffles once, or not at all.
func OneShuffle(c Counts) Graph {
	var g Graph
	if c.Samples > 0 {
		g.Steps = append(g.Steps, Step{Group: Group{Phase: Sample}, Tasks: c.Samples, Reads: None})
	}
	maps := len(g.Steps)
	g.Steps = append(g.Steps, Step{Group: Group{Phase: Map}, Tasks: c.Maps, Reads: None, Parts: c.Reduces == 0})
	if c.Reduces == 0 {
		return g
	}
	x := Exchange{Writers: []int{maps}, Partitions: c.Reduces}
	if c.Samples > 0 {
		x.Sampled = []int{0}
	}
	g.Steps[maps].Writes = []int{0}
	g.Steps = append(g.Steps, Step{Group: Group{Phase: Reduce}, Reads: 0, Parts: true})
	g.Exchanges = []Exchange{x}
	return g
}

// Waits returns the steps that must be done before a step begins: those that write
// what its tasks read, and those that sample what they write.
func (g *Graph) Waits(step int) []int {
	s := &g.Steps[step]
	var all []int
	add := func(steps []int) {
		for _, i := range steps {
			if !slices.Contains(all, i) {
				all = append(all, i)
			}
		}
	}
	if s.Reads != None {
		add(g.Exchanges[s.Reads].Writers)
	}
	for _, x := range s.Sides {
		add(g.Exchanges[x].Writers)
	}
	for _, x := range s.Writes {
		add(g.Exchanges[x].Sampled)
	}
	return all
}

// Readers returns the steps whose tasks read what a step leaves: its pairs, or its
// samples.
func (g *Graph) Readers(step int) []int {
	var all []int
	for i := range g.Steps {
		if slices.Contains(g.Waits(i), step) {
			all = append(all, i)
		}
	}
	return all
}

// Find returns the place of the step of a group, or None.
func (g *Graph) Find(group Group) int {
	return slices.IndexFunc(g.Steps, func(s Step) bool { return s.Group == group })
}

// TasksOf returns the number of tasks of a step; 0 as long as it is not known.
func (g *Graph) TasksOf(step int) int {
	if s := &g.Steps[step]; s.Reads != None {
		return g.Exchanges[s.Reads].Partitions
	}
	return g.Steps[step].Tasks
}

// Check returns an error unless the graph is one that can be run: every place is in
// its list, every step comes after those that it waits for, and no two steps have a
// name. It may come from another process.
func (g *Graph) Check() error {
	const most = 10_000 // steps and exchanges
	if len(g.Steps) == 0 || len(g.Steps) > most || len(g.Exchanges) > most {
		return fmt.Errorf("a graph of %d steps and %d exchanges", len(g.Steps), len(g.Exchanges))
	}
	seen := make(map[Group]bool, len(g.Steps))
	for i := range g.Steps {
		s := &g.Steps[i]
		switch {
		case seen[s.Group]:
			return fmt.Errorf("two steps are called %v", s.Group)
		case s.Phase < Sample || s.Phase > Reduce || s.Tasks < 0 || s.Tasks > MostTasks:
			return fmt.Errorf("step %v has %d tasks", s.Group, s.Tasks)
		case s.Reads != None && (s.Reads < 0 || s.Reads >= len(g.Exchanges)):
			return fmt.Errorf("step %v reads exchange %d of %d", s.Group, s.Reads, len(g.Exchanges))
		}
		seen[s.Group] = true
		if slices.ContainsFunc(s.Inputs, func(i int) bool { return i < 0 }) {
			return fmt.Errorf("step %v reads inputs %v", s.Group, s.Inputs)
		}
		for _, x := range slices.Concat(s.Sides, s.Writes) {
			if x < 0 || x >= len(g.Exchanges) {
				return fmt.Errorf("step %v uses exchange %d of %d", s.Group, x, len(g.Exchanges))
			}
		}
	}
	if err := g.checkExchanges(); err != nil {
		return err
	}
	for i := range g.Steps {
		for _, before := range g.Waits(i) {
			if before >= i {
				return fmt.Errorf("step %v waits for step %d, which does not come before it", g.Steps[i].Group, before)
			}
		}
	}
	return nil
}

func (g *Graph) checkExchanges() error {
	for x := range g.Exchanges {
		e := &g.Exchanges[x]
		if e.Partitions < 0 || e.Partitions > MostPartitions || len(e.Writers) == 0 {
			return fmt.Errorf("exchange %d has %d partitions and %d writers", x, e.Partitions, len(e.Writers))
		}
		for _, s := range slices.Concat(e.Writers, e.Sampled) {
			if s < 0 || s >= len(g.Steps) {
				return fmt.Errorf("exchange %d is made by step %d of %d", x, s, len(g.Steps))
			}
		}
		for _, s := range e.Writers {
			if !slices.Contains(g.Steps[s].Writes, x) {
				return fmt.Errorf("exchange %d is not among those that its writer %v writes", x, g.Steps[s].Group)
			}
		}
	}
	for i := range g.Steps {
		for _, x := range g.Steps[i].Writes {
			if !slices.Contains(g.Exchanges[x].Writers, i) {
				return fmt.Errorf("step %v writes exchange %d, of which it is no writer", g.Steps[i].Group, x)
			}
		}
	}
	return nil
}
