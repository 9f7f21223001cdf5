package scheduler

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

var seed = flag.Uint64("seed", 0, "run only this seed of TestRandomClusters")

// TestRandomClusters drives a master through random clusters: workers join and
// leave, attempts fail, are lost, report twice or late, results are lost, masters
// change, restart and lose slots of the log. Half of the jobs have random graphs.
// After every step the invariants hold. When the failures stop the job ends, and it
// succeeds unless a task failed too often.
func TestRandomClusters(t *testing.T) {
	t.Parallel()
	first, last := uint64(1), uint64(15000/oneIn)
	if *seed != 0 {
		first, last = *seed, *seed
	}
	ends := map[Status]int{}
	for s := first; s <= last; s++ {
		status, err := newCluster(s).run()
		if err != nil {
			t.Fatalf("%v\nreplay: go test ./master/scheduler -run TestRandomClusters -seed=%d", err, s)
		}
		ends[status]++
	}
	if *seed == 0 && (ends[Succeeded] < 100 || ends[Failed] < 10) {
		t.Errorf("ends %v: the walks are one-sided", ends)
	}
}

// cluster is a random world around one master.
type cluster struct {
	r       *rand.Rand
	s       *State
	now     Time
	cfg     Config
	trouble float64
	graph   *plan.Graph
	counts  plan.Counts // of which graph is made, unless it is random
	random  bool
	log     []Record
	workers []WorkerID
	gone    []WorkerID
	joined  int
	reopens int      // left
	launch  []Launch // running attempts
	past    []Event  // earlier reports and questions, sent again at times
	grants  map[plan.AttemptID]bool
	asked   map[plan.AttemptID]bool
	done    map[plan.TaskID]bool        // tasks the log has committed
	read    map[plan.AttemptID][]Digest // the digests of the results that an attempt read
	fickle  bool                        // tasks do not give the same every time
	spent   map[Account]plan.Usage      // requests of workers to stores, also of workers that are gone
	seen    map[Account]plan.Usage      // of spent, what this master has received
	finish  *Finish
}

func newCluster(seed uint64) *cluster {
	r := rand.New(rand.NewPCG(seed, 0))
	counts := plan.Counts{Samples: r.IntN(2), Maps: 1 + r.IntN(6), Reduces: r.IntN(4)}
	cfg := Config{Epoch: 1, Rand: uint32(seed), Counts: counts, MaxFailures: 1 + r.IntN(4),
		Speculate: r.IntN(2) * 15}
	if r.IntN(3) == 0 {
		cfg.Adjacent = 1 << r.IntN(4)
		counts.Reduces = r.IntN(20)
		cfg.Counts = counts
	}
	g := plan.OneShuffle(counts)
	random := r.IntN(2) == 0
	if random {
		if g = randomGraph(r); r.IntN(3) == 0 {
			g = randomLoop(r)
		}
		cfg.Graph, cfg.Counts = &g, plan.Counts{}
	}
	if r.IntN(2) == 0 {
		cfg.Prepare, cfg.Counts, cfg.Graph = true, plan.Counts{}, nil
	}
	return &cluster{r: r, cfg: cfg, graph: &g, counts: counts, random: random, reopens: r.IntN(3), s: New(cfg), trouble: r.Float64() * 0.7, fickle: r.IntN(4) == 0,
		read:  map[plan.AttemptID][]Digest{},
		spent: map[Account]plan.Usage{}, seen: map[Account]plan.Usage{},
		grants: map[plan.AttemptID]bool{}, asked: map[plan.AttemptID]bool{}, done: map[plan.TaskID]bool{}}
}

// randomGraph returns a graph of a few steps. Each reads inputs, or an exchange of
// earlier ones; some read exchanges as a whole, too, or cut them at sampled keys.
func randomGraph(r *rand.Rand) plan.Graph {
	g := plan.Graph{Least: 1 + r.IntN(3)}
	read := make([]bool, 20) // exchanges, which get no further writers
	some := func(x int) (int, bool) { return r.IntN(max(x, 1)), x > 0 && r.IntN(3) > 0 }
	for i := range 1 + r.IntN(6) {
		s := plan.Step{Group: plan.Group{Stage: fmt.Sprint("s", i), Phase: plan.Map}, Reads: plan.None}
		if x, ok := some(len(g.Exchanges)); ok {
			s.Phase, s.Reads, read[x] = plan.Reduce, x, true
		} else {
			s.Tasks = r.IntN(5)
		}
		if x, ok := some(len(g.Exchanges)); ok && r.IntN(3) == 0 {
			s.Sides, read[x] = []int{x}, true
		}
		if x, ok := some(len(g.Exchanges)); ok && !read[x] {
			s.Writes = append(s.Writes, x)
			g.Exchanges[x].Writers = append(g.Exchanges[x].Writers, i)
		}
		for range r.IntN(3) {
			x := plan.Exchange{Writers: []int{i}, Estimate: int64(r.IntN(3)) * plan.OnePartition}
			if r.IntN(2) == 0 {
				x.Partitions = 1 + r.IntN(4)
			}
			if before, ok := some(i); ok && r.IntN(3) == 0 {
				x.Sampled = []int{before}
			}
			s.Writes = append(s.Writes, len(g.Exchanges))
			g.Exchanges = append(g.Exchanges, x)
		}
		s.Parts = len(s.Writes) == 0 || r.IntN(4) == 0
		g.Steps = append(g.Steps, s)
	}
	return g
}

// randomLoop returns the graph of a loop: each round has two steps, the first of which
// may read inputs, too.
func randomLoop(r *rand.Rand) plan.Graph {
	g := plan.Graph{Least: 1 + r.IntN(3), Loops: []plan.Loop{{Round: 1}}}
	exchange := func() int {
		g.Exchanges = append(g.Exchanges, plan.Exchange{Partitions: r.IntN(4), Estimate: int64(r.IntN(3)) * plan.OnePartition})
		return len(g.Exchanges) - 1
	}
	add := func(stage string, phase plan.Phase, s plan.Step) int {
		s.Group = plan.Group{Stage: stage, Phase: phase}
		for _, x := range s.Writes {
			g.Exchanges[x].Writers = append(g.Exchanges[x].Writers, len(g.Steps))
		}
		g.Steps = append(g.Steps, s)
		return len(g.Steps) - 1
	}
	rounds := 1 + r.IntN(4)
	state, decided := plan.None, []int(nil)
	for round := 1; round <= rounds; round++ {
		loop := plan.Step{Loop: 1, Round: round, Observes: decided}
		first := loop
		first.Reads, first.Writes = state, []int{exchange()}
		if round == 1 {
			first.Tasks, first.Loop, first.Round = r.IntN(4), 0, 0
		}
		observes := []int{add(fmt.Sprint("send.", round), plan.Map, first)}
		if r.IntN(3) == 0 {
			again := loop
			again.Reads, again.Tasks, again.Writes = plan.None, r.IntN(3), first.Writes
			observes = append(observes, add(fmt.Sprint("again.", round), plan.Map, again))
		}
		second := loop
		state = exchange()
		second.Reads, second.Writes, second.Parts = first.Writes[0], []int{state}, r.IntN(4) == 0
		observes = append(observes, add(fmt.Sprint("meet.", round), plan.Reduce, second))
		g.Loops[0].States = append(g.Loops[0].States, state)
		if round < rounds {
			decided = []int{add(fmt.Sprint("loop.", round), plan.Decide, plan.Step{Tasks: 1, Reads: plan.None, Loop: 1, Round: round, Observes: observes})}
		}
	}
	add("loop", plan.Map, plan.Step{Reads: state, Last: 1, Parts: true})
	return g
}

func (c *cluster) run() (Status, error) {
	if err := c.graph.Check(); err != nil {
		return 0, err
	}
	if err := c.step(Lead{}); err != nil {
		return 0, err
	}
	for turn := 0; c.finish == nil; turn++ {
		if turn == 300 {
			c.trouble = 0
			for _, id := range c.workers { // none is left without a slot
				if err := c.step(Joined{id, 1}); err != nil {
					return 0, err
				}
			}
		}
		if turn > 3000 {
			return 0, fmt.Errorf("no end in sight: status %v in %v, %d attempts", c.s.job.Status, c.s.job.Current(), len(c.launch))
		}
		if err := c.turn(); err != nil {
			return 0, err
		}
		if c.finish != nil && c.finish.Status == Failed && c.reopens > 0 {
			if err := c.reopen(); err != nil {
				return 0, err
			}
		}
	}
	if err := c.counted(); err != nil {
		return 0, err
	}
	if c.finish.Status == Succeeded {
		for i := range c.graph.Steps {
			if left := c.s.job.Left(c.graph.Steps[i].Group); left != 0 {
				return 0, fmt.Errorf("succeeded with %d %v tasks left", left, c.graph.Steps[i].Group)
			}
		}
		for x, e := range c.s.job.Graph().Exchanges {
			if e.Partitions == 0 && !c.s.job.Graph().Unused(x) {
				return 0, fmt.Errorf("succeeded with exchange %d of unknown size", x)
			}
		}
		return c.finish.Status, c.consistent()
	}
	return c.finish.Status, nil
}

// ask lets a worker make a request to a store, and report all its requests. At
// times the worker reports an earlier state, too.
func (c *cluster) ask(id WorkerID) error {
	a := Account{string(id), []string{"file", "s3"}[c.r.IntN(2)]}
	c.spent[a] = c.spent[a].Plus(plan.Usage{Puts: int64(c.r.IntN(5)), Gets: int64(c.r.IntN(3)), BytesUp: int64(c.r.IntN(1000))})
	e := Spent{a, c.spent[a]}
	c.past = append(c.past, e)
	return c.step(e)
}

// report reports all requests of a worker to a master.
func (c *cluster) report(id WorkerID) error {
	for _, scheme := range []string{"file", "s3"} {
		if a := (Account{string(id), scheme}); c.spent[a] != (plan.Usage{}) {
			if err := c.step(Spent{a, c.spent[a]}); err != nil {
				return err
			}
		}
	}
	return nil
}

// counted checks that the log has the requests that this master knows, each once,
// and none that was not made.
func (c *cluster) counted() error {
	for a, seen := range c.seen {
		if got := c.s.job.used[a]; got.Max(seen) != got {
			return fmt.Errorf("the log has %+v of %v, its master knows %+v", got, a, seen)
		}
	}
	for a, got := range c.s.job.used {
		if spent := c.spent[a]; spent.Max(got) != spent {
			return fmt.Errorf("the log has %+v of %v, which has made %+v", got, a, spent)
		}
	}
	return nil
}

// before returns the digests of all committed results that tasks of a step read.
func (c *cluster) before(step int) []Digest {
	var all []Digest
	for _, w := range c.s.job.Graph().Waits(step) {
		group := c.graph.Steps[w].Group
		for i := range c.s.job.Tasks(group) {
			all = append(all, c.s.job.Task(group.Task(i)).Digest)
		}
	}
	return all
}

// consistent checks that every result was made from the results that are committed
// in the end, or from equal ones of earlier attempts.
func (c *cluster) consistent() error {
	for step := range c.graph.Steps {
		group := c.graph.Steps[step].Group
		for i := range c.s.job.Tasks(group) {
			t := c.s.job.Task(group.Task(i))
			if got, want := c.read[t.Attempt], c.before(step); !slices.Equal(got, want) {
				return fmt.Errorf("%v was made of %v, the committed results are %v", group.Task(i), got, want)
			}
		}
	}
	return nil
}

// spoil makes a committed result that others read missing.
func (c *cluster) spoil() error {
	step := c.r.IntN(len(c.graph.Steps))
	group := c.graph.Steps[step].Group
	n := c.s.job.Tasks(group)
	if n == 0 || len(c.s.job.Graph().Readers(step)) == 0 {
		return nil
	}
	id := group.Task(c.r.IntN(n))
	if t := c.s.job.Task(id); t.Committed {
		return c.step(Corrupt{id, t.Attempt, "gone"})
	}
	return nil
}

// restart begins a new State, of the next master or of the same one, that knows
// what the log has.
func (c *cluster) restart(reopen bool) error {
	if c.cfg.Issued = c.s.Issued(); c.r.IntN(3) > 0 {
		c.cfg.Issued = 0
		c.cfg.Epoch++
	}
	c.cfg.Rand++
	c.s = New(c.cfg)
	clear(c.seen)
	clear(c.asked) // a worker without an answer asks the next master
	if c.r.IntN(2) == 0 {
		job := new(Job)
		for _, r := range c.log {
			job.Fold(r)
		}
		restored, err := RestoreJob(cloneJob(job).State())
		if err != nil {
			return err
		}
		if got, want := jobKey(restored), jobKey(job); got != want {
			return fmt.Errorf("from a snapshot the job is %s, from the log %s", got, want)
		}
		return c.step(Lead{Job: restored, Reopen: reopen})
	}
	for _, r := range c.log {
		if err := c.step(Replayed{r}); err != nil {
			return err
		}
	}
	return c.step(Lead{Reopen: reopen})
}

// takeover lets the next master read the log, and meet the workers.
func (c *cluster) takeover() error {
	if err := c.restart(false); err != nil {
		return err
	}
	for _, id := range slices.Clone(c.workers) {
		if err := c.join(id); err != nil {
			return err
		}
	}
	return nil
}

// join lets a worker join, with all that it runs.
func (c *cluster) join(id WorkerID) error {
	if !slices.Contains(c.workers, id) {
		c.workers = append(c.workers, id)
	}
	if err := c.step(Joined{id, 0}); err != nil {
		return err
	}
	if err := c.report(id); err != nil {
		return err
	}
	for _, a := range slices.Clone(c.launch) {
		if a.Worker != id {
			continue
		}
		if err := c.step(Found{id, a.Task, a.Attempt}); err != nil {
			return err
		}
	}
	return c.step(Joined{id, 1 + c.r.IntN(3)})
}

// reopen lets the next master try again a job that has failed.
func (c *cluster) reopen() error {
	c.reopens--
	c.finish = nil
	if err := c.restart(true); err != nil {
		return err
	}
	if c.s.job.Status.Ended() || c.s.job.Run == 0 {
		return fmt.Errorf("reopened, it is %v in run %d", c.s.job.Status, c.s.job.Run)
	}
	for id := range c.done {
		if c.s.job.writes(c.s.job.place(id.Group())) {
			delete(c.done, id)
		}
	}
	for _, id := range slices.Clone(c.workers) {
		if err := c.join(id); err != nil {
			return err
		}
	}
	return nil
}

// turn lets one thing happen.
func (c *cluster) turn() error {
	if len(c.workers) == 0 || c.r.Float64() < 0.05 && c.joined < 40 {
		c.joined++
		id := WorkerID(fmt.Sprint("w", c.joined))
		c.workers = append(c.workers, id)
		return c.step(Joined{id, 1 + c.r.IntN(3)})
	}
	if c.r.Float64() < c.trouble*0.1 {
		i := c.r.IntN(len(c.workers))
		id := c.workers[i]
		c.workers = append(c.workers[:i], c.workers[i+1:]...)
		c.gone = append(c.gone, id)
		return c.step(Left{id})
	}
	if c.r.Float64() < c.trouble*0.05 {
		return c.takeover()
	}
	if c.r.Float64() < c.trouble*0.05 {
		return c.step(Doubted{c.workers[c.r.IntN(len(c.workers))], c.r.IntN(2) == 0})
	}
	if len(c.gone) > 0 && c.r.Float64() < c.trouble*0.1 {
		id := c.gone[len(c.gone)-1]
		c.gone = c.gone[:len(c.gone)-1]
		return c.join(id)
	}
	if c.r.Float64() < c.trouble*0.05 {
		return c.step(Joined{c.workers[c.r.IntN(len(c.workers))], c.r.IntN(4)})
	}
	if c.r.Float64() < c.trouble*0.05 {
		return c.spoil()
	}
	if len(c.past) > 0 && c.r.Float64() < c.trouble*0.3 {
		return c.step(c.past[c.r.IntN(len(c.past))])
	}
	if c.r.Float64() < 0.1 {
		return c.ask(c.workers[c.r.IntN(len(c.workers))])
	}
	if len(c.launch) == 0 || c.r.Float64() < 0.1 {
		c.now += 1e9 * Time(1+c.r.IntN(20))
		return c.step(Tick{})
	}
	return c.attempt()
}

// attempt lets a running attempt do what it would do next.
func (c *cluster) attempt() error {
	i := c.r.IntN(len(c.launch))
	a := c.launch[i]
	if c.s.job.writes(c.s.job.place(a.Task.Group())) && !c.grants[a.Attempt] && c.r.Float64() > c.trouble*0.3 {
		if c.asked[a.Attempt] && c.r.Float64() > c.trouble {
			return c.step(Tick{})
		}
		c.asked[a.Attempt] = true
		e := Asked{a.Task, a.Attempt}
		c.past = append(c.past, e)
		return c.step(e)
	}
	c.launch = append(c.launch[:i], c.launch[i+1:]...)
	digest := Digest{Bytes: int64(a.Task.Index%3) * plan.OnePartition}
	step := c.graph.Find(a.Task.Group())
	if c.fickle && c.r.IntN(4) == 0 {
		digest.CRC = uint32(c.r.IntN(2))
	}
	if a.Task.Phase == plan.Decide {
		digest.Bytes, digest.Out = 0, int64(min(c.cfg.Counts.Maps+len(c.graph.Steps)*len(a.Task.Stage)%3, 1))
		if c.fickle && c.r.IntN(4) == 0 {
			digest.Out = int64(c.r.IntN(2))
		}
	}
	var e Event = Reported{Task: a.Task, Attempt: a.Attempt, Winner: a.Attempt, Digest: digest}
	if r, ok := e.(Reported); ok && a.Task.Phase == plan.Prepare {
		if r.Counts = c.counts; c.random {
			r.Counts, r.Graph = plan.Counts{}, c.graph
		}
		e = r
	}
	switch u := c.r.Float64(); {
	case u < c.trouble*0.3:
		e = LostAttempt{Task: a.Task, Attempt: a.Attempt, ByMap: step >= 0 && len(c.graph.Waits(step)) > 0 && c.r.IntN(2) == 0}
	case u < c.trouble*0.6:
		e = FailedAttempt{Task: a.Task, Attempt: a.Attempt, Failure: plan.Failure{Text: "boom", Fingerprint: fmt.Sprint(c.r.IntN(50)), Unfit: c.r.IntN(4) == 0}}
	}
	c.past = append(c.past, e)
	return c.step(e)
}

// step feeds an event and adds the answers of the store and the output.
func (c *cluster) step(e Event) error {
	for events := []Event{e}; len(events) > 0; {
		e, events = events[0], events[1:]
		if s, ok := e.(Spent); ok {
			c.seen[s.Account] = c.seen[s.Account].Max(s.Usage)
		}
		for _, command := range c.s.Step(c.now, e) {
			switch command := command.(type) {
			case Append:
				if command.Slot != c.s.job.Slots {
					return fmt.Errorf("appends slot %d, the log has %d", command.Slot, c.s.job.Slots)
				}
				if c.r.Float64() < c.trouble*0.05 && c.s.job.Epoch > 1 && c.s.job.Epoch == c.cfg.Epoch {
					late := c.log[c.r.IntN(len(c.log))]
					late.Epoch = c.s.job.Epoch - 1 // of a master that was deposed
					c.log = append(c.log, late)
					events = append(events, Taken{late})
					continue
				}
				for _, entry := range command.Record.Entries {
					switch entry := entry.(type) {
					case Committed:
						c.done[entry.Task] = true
					case Invalidated:
						delete(c.done, entry.Task)
					default:
					}
				}
				c.log = append(c.log, Record{command.Record.Epoch, slices.Clone(command.Record.Entries)})
				events = append(events, Appended{})
			case CheckEpoch:
				events = append(events, Checked{true})
			case Launch:
				if c.done[command.Task] {
					return fmt.Errorf("launches %v, which the log has committed", command.Task)
				}
				c.launch = append(c.launch, command)
				if step := c.graph.Find(command.Task.Group()); step >= 0 {
					c.read[command.Attempt] = c.before(step)
				}
			case Stop:
				if c.r.IntN(2) == 0 { // or it comes too late
					c.launch = slices.DeleteFunc(c.launch, func(l Launch) bool { return l.Attempt == command.Attempt })
				}
			case Grant:
				c.grants[command.Attempt] = true
			case CommitOutput:
				events = append(events, OutputCommitted{})
			case CleanUp:
				events = append(events, CleanedUp{})
			case Finish:
				c.finish = &command
			default:
			}
		}
		if err := c.s.Check(); err != nil {
			return fmt.Errorf("after %T%+v: %w", e, e, err)
		}
	}
	return nil
}

// TestAttemptsOfTwoEpochsHaveOneOrder verifies that the order in which attempts are lost,
// and so that in which their tasks are queued, depends on the events alone.
// Each master counts its attempts from 1: those of two can have one number.
func TestAttemptsOfTwoEpochsHaveOneOrder(t *testing.T) {
	t.Parallel()
	table := newAttemptTable()
	var want []plan.AttemptID
	for epoch := range uint64(8) {
		for n := range uint32(4) {
			id := plan.AttemptID{Epoch: epoch, N: n, Rand: uint32(8 - epoch)}
			want = append(want, id)
			table.add(&attempt{id: id})
		}
	}
	var got []plan.AttemptID
	for _, a := range table.those(func(*attempt) bool { return true }) {
		got = append(got, a.id)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the order is %v, want %v", got, want)
	}
}

// TestSameEventsSameCommands plays one random walk twice.
func TestSameEventsSameCommands(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed < 200; seed++ {
		a, b := newCluster(seed), newCluster(seed)
		if _, err := a.run(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.run(); err != nil {
			t.Fatal(err)
		}
		if a.now != b.now || a.joined != b.joined || *a.finish != *b.finish || len(a.past) != len(b.past) {
			t.Fatalf("seed %d went two ways", seed)
		}
	}
}
