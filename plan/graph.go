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
	Loops     []Loop
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

	// Loop is the number from 1 of the loop, and Round that of its round, to which the
	// step belongs; 0 for a step outside of loops. The first round has no step that it
	// shares with what is before the loop.
	Loop, Round int
	// Last is the number from 1 of the loop whose result the tasks read, 0 for none:
	// Reads becomes the exchange of the loop's last round.
	Last int
	// Observes are the steps whose statistics each of its tasks reads: those of a round
	// for its Decide, and the Decide of the round before for the steps of a round.
	Observes []int
}

// FromInput reports whether the tasks read sections of inputs.
func (s *Step) FromInput() bool { return s.Reads == None && s.Phase != Decide }

// A Loop is a number of rounds that may run. All of them are in the graph. The steps of a
// round have tasks when the Decide of the round before says that it follows.
type Loop struct {
	States []int // the exchange in which each round leaves its records, from the first round
	Round  int   // the newest round that has tasks, from 1
	Ended  bool  // no further round follows, though there are more States
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
	Observes   []Results // of the steps whose statistics they read
	Partitions int       // of that exchange
	Sides      []Side    // exchanges that each task reads whole
	Writes     []Write   // by the exchanges that they write
}

// Side is an exchange that tasks read whole: the results of the steps that wrote it.
type Side struct{ Reads []Results }

// Inputs returns all results that the tasks read.
func (w *Work) Inputs() []Results {
	all := slices.Concat(w.Reads, w.Observes)
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
//
//go:noinline
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
	add(s.Observes)
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
//
//go:noinline
func (g *Graph) Find(group Group) int {
	return slices.IndexFunc(g.Steps, func(s Step) bool { return s.Group == group })
}

// Off reports whether a step has no tasks, because the round of its loop has not come
// yet, or will not come.
//
//go:noinline
func (g *Graph) Off(step int) bool {
	s := &g.Steps[step]
	return s.Loop > 0 && s.Round > g.Loops[s.Loop-1].Round
}

// Over reports whether a step is off and remains so.
//
//go:noinline
func (g *Graph) Over(step int) bool { return g.Off(step) && g.Loops[g.Steps[step].Loop-1].Ended }

// Looped reports whether the last round of every loop is known.
func (g *Graph) Looped() bool {
	return !slices.ContainsFunc(g.Loops, func(l Loop) bool { return !l.Ended && l.Round < len(l.States) })
}

// Unused reports whether an exchange is written by no step that has tasks or may get
// some.
func (g *Graph) Unused(exchange int) bool {
	return !slices.ContainsFunc(g.Exchanges[exchange].Writers, func(w int) bool { return !g.Over(w) })
}

// Decided returns the graph after a Decide has said whether another round of its loop
// follows. It is the same graph if that was known.
func (g *Graph) Decided(step int, goesOn bool) *Graph {
	s := &g.Steps[step]
	if l := &g.Loops[s.Loop-1]; l.Ended || l.Round != s.Round {
		return g
	}
	next := *g
	next.Loops = slices.Clone(g.Loops)
	l := &next.Loops[s.Loop-1]
	if goesOn {
		l.Round++
		return &next
	}
	l.Ended = true
	next.Steps = slices.Clone(g.Steps)
	for i := range next.Steps {
		if next.Steps[i].Last == s.Loop {
			next.Steps[i].Reads = l.States[l.Round-1]
		}
	}
	return &next
}

// TasksOf returns the number of tasks of a step; 0 as long as it is not known.
func (g *Graph) TasksOf(step int) int {
	if g.Off(step) {
		return 0
	}
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
		case s.Phase < Sample || s.Phase > LastPhase || s.Tasks < 0 || s.Tasks > MostTasks:
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
	if err := g.checkLoops(); err != nil {
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

func (g *Graph) checkLoops() error {
	for n := range g.Loops {
		l := &g.Loops[n]
		if l.Round < 1 || l.Round > len(l.States) {
			return fmt.Errorf("loop %d is in round %d of %d", n+1, l.Round, len(l.States))
		}
		if slices.ContainsFunc(l.States, func(x int) bool { return x < 0 || x >= len(g.Exchanges) }) {
			return fmt.Errorf("loop %d leaves its records in exchanges %v of %d", n+1, l.States, len(g.Exchanges))
		}
	}
	for i := range g.Steps {
		s := &g.Steps[i]
		switch {
		case s.Loop < 0 || s.Loop > len(g.Loops) || s.Last < 0 || s.Last > len(g.Loops):
			return fmt.Errorf("step %v belongs to loop %d, and reads the result of loop %d, of %d", s.Group, s.Loop, s.Last, len(g.Loops))
		case s.Loop > 0 && (s.Round < 1 || s.Round > len(g.Loops[s.Loop-1].States)):
			return fmt.Errorf("step %v belongs to round %d of %d", s.Group, s.Round, len(g.Loops[s.Loop-1].States))
		case s.Last > 0 && !slices.Contains(g.Loops[s.Last-1].States, s.Reads):
			return fmt.Errorf("step %v reads exchange %d, which no round of its loop leaves", s.Group, s.Reads)
		case s.Phase == Decide && (s.Loop == 0 || s.Tasks != 1 || s.Reads != None || len(s.Sides)+len(s.Writes) > 0 || s.Parts):
			return fmt.Errorf("step %v decides on no round of a loop", s.Group)
		}
		for _, o := range s.Observes {
			if o < 0 || o >= len(g.Steps) {
				return fmt.Errorf("step %v observes step %d of %d", s.Group, o, len(g.Steps))
			}
		}
	}
	return nil
}
