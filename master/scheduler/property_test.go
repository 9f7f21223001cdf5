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
// leave, attempts fail, are lost, report twice or late. After every step the
// invariants hold. When the failures stop the job ends, and it succeeds unless
// a task failed too often.
func TestRandomClusters(t *testing.T) {
	t.Parallel()
	first, last := uint64(1), uint64(15000)
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
	counts  plan.Counts
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
	read    map[plan.AttemptID][]Digest // the digests of the maps that a reduce read
	fickle  bool                        // maps do not give the same every time
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
	if r.IntN(2) == 0 {
		cfg.Prepare, cfg.Counts = true, plan.Counts{}
	}
	return &cluster{r: r, cfg: cfg, counts: counts, reopens: r.IntN(3), s: New(cfg), trouble: r.Float64() * 0.7, fickle: r.IntN(4) == 0,
		read:  map[plan.AttemptID][]Digest{},
		spent: map[Account]plan.Usage{}, seen: map[Account]plan.Usage{},
		grants: map[plan.AttemptID]bool{}, asked: map[plan.AttemptID]bool{}, done: map[plan.TaskID]bool{}}
}

func (c *cluster) run() (Status, error) {
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
			return 0, fmt.Errorf("no end in sight: status %v, phase %v, %d attempts", c.s.job.Status, c.s.job.Phase(), len(c.launch))
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
		for p := plan.Prepare; p <= plan.Reduce; p++ {
			if c.s.job.Left(p) != 0 {
				return 0, fmt.Errorf("succeeded with %d %v tasks left", c.s.job.Left(p), p)
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

// maps returns the digests of the committed map attempts.
func (c *cluster) maps() []Digest {
	var all []Digest
	for i := range c.s.job.tasks[plan.Map] {
		all = append(all, c.s.job.tasks[plan.Map][i].Digest)
	}
	return all
}

// consistent checks that every committed part was made from the committed maps'
// digests, or from equal ones of earlier attempts.
func (c *cluster) consistent() error {
	for i := range c.s.job.tasks[plan.Reduce] {
		t := &c.s.job.tasks[plan.Reduce][i]
		if got, want := c.read[t.Attempt], c.maps(); !slices.Equal(got, want) {
			return fmt.Errorf("reduce/%d was made of %v, the committed maps gave %v", i, got, want)
		}
	}
	return nil
}

// spoil makes a committed map's output missing.
func (c *cluster) spoil() error {
	i := c.r.IntN(c.counts.Maps)
	id := plan.TaskID{Phase: plan.Map, Index: i}
	t := c.s.job.Task(id)
	if t == nil || !t.Committed {
		return nil
	}
	return c.step(Corrupt{id, t.Attempt, "gone"})
}

// takeover lets the next master read the log, and meet the workers.
func (c *cluster) takeover() error {
	c.cfg.Epoch++
	c.s = New(c.cfg)
	clear(c.seen)
	clear(c.asked) // a worker without an answer asks the next master
	for _, r := range c.log {
		if err := c.step(Replayed{r}); err != nil {
			return err
		}
	}
	if err := c.step(Lead{}); err != nil {
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
	c.cfg.Epoch++
	c.s = New(c.cfg)
	clear(c.seen)
	clear(c.asked) // a worker without an answer asks the next master
	for _, r := range c.log {
		if err := c.step(Replayed{r}); err != nil {
			return err
		}
	}
	if err := c.step(Lead{Reopen: true}); err != nil {
		return err
	}
	if c.s.job.Status.Ended() || c.s.job.Run == 0 {
		return fmt.Errorf("reopened, it is %v in run %d", c.s.job.Status, c.s.job.Run)
	}
	for id := range c.done {
		if c.s.job.writes(id.Phase) {
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
	if c.s.job.writes(a.Task.Phase) && !c.grants[a.Attempt] && c.r.Float64() > c.trouble*0.3 {
		if c.asked[a.Attempt] && c.r.Float64() > c.trouble {
			return c.step(Tick{})
		}
		c.asked[a.Attempt] = true
		e := Asked{a.Task, a.Attempt}
		c.past = append(c.past, e)
		return c.step(e)
	}
	c.launch = append(c.launch[:i], c.launch[i+1:]...)
	var digest Digest
	if a.Task.Phase == plan.Map && c.fickle {
		digest.CRC = uint32(c.r.IntN(2))
	}
	var e Event = Reported{Task: a.Task, Attempt: a.Attempt, Winner: a.Attempt, Digest: digest}
	if r, ok := e.(Reported); ok && a.Task.Phase == plan.Prepare {
		r.Counts = c.counts
		e = r
	}
	switch u := c.r.Float64(); {
	case u < c.trouble*0.3:
		e = LostAttempt{Task: a.Task, Attempt: a.Attempt, ByMap: a.Task.Phase == plan.Reduce && c.r.IntN(2) == 0}
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
				if command.Task.Phase == plan.Reduce {
					c.read[command.Attempt] = c.maps()
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

// TestSameEventsSameCommands plays one random walk twice.
func TestSameEventsSameCommands(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed < 50; seed++ {
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
