//go:build !race

package scheduler

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// states is how far TestExplore goes: make test-faults goes further.
var states = flag.Int("states", 10_000, "how many states to explore")

// TestExplore walks through every interleaving, up to a bound, of two masters,
// their appends, epoch checks and commits, the attempts of one task, their
// part's creation, crashes, a cancel and, when the job has ended and every
// grant has run out, the collection of its log and the reuse of its output.
// Requests outlive their senders. The masters are the real State, and the real
// Job folds the log. In no state may the output be wrong, and every state must
// have an end within reach.
//
// In a job of three stages of a task each, results get lost, too, and no attempt
// gives what another one gave: a result must be made of the results that are committed
// in the end.
//
// It has one goroutine, where the race detector finds nothing and takes seven times as
// long. So make test runs it without.
func TestExplore(t *testing.T) {
	t.Parallel()
	for name, bounds := range map[string]budget{
		"takeover":   {masters: 2, masterCrashes: 1, workerLosses: 1},
		"cancel":     {masters: 2, masterCrashes: 1, cancels: 1},
		"collection": {masters: 2, collections: 1},
		"stages":     {masters: 2, masterCrashes: 1, stages: true, losses: 1},
		"lineage":    {masters: 1, stages: true, losses: 2, mistakes: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, err := explore(bounds, *states)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(report)
			if report.ends == 0 {
				t.Error("no state in which the job has ended was reached")
			}
		})
	}
}

// TestExploreFindsWithoutCheck removes the epoch check. The explorer must find
// the grant that is acted upon after the log was collected, or it could find
// nothing else either.
func TestExploreFindsWithoutCheck(t *testing.T) {
	t.Parallel()
	_, err := explore(budget{masters: 2, collections: 1, unchecked: true}, 100_000)
	if err == nil {
		t.Fatal("masters that never check their epoch broke nothing; the explorer is blind")
	}
	t.Log(err)
}

type budget struct {
	masters, masterCrashes, workerLosses, cancels, collections int

	stages bool // the job has three
	losses int  // of results

	mistakes int // attempts that are taken for lost and continue

	unchecked bool // every epoch check is answered with yes
}

type report struct{ states, ends, cut int }

func (r report) String() string {
	return fmt.Sprintf("%d states, %d of them ends, %d left unexplored", r.states, r.ends, r.cut)
}

// explore does a breadth-first search from the empty log. When it is complete
// it also checks that an end can be reached from every state.
func explore(b budget, limit int) (report, error) {
	start := newWorld(b)
	worlds := []*world{start}
	seen := map[[32]byte]int{sha256.Sum256([]byte(start.key())): 0}
	parents := []int{-1}
	moves := []string{""}
	var before [][]int // predecessors
	before = append(before, nil)
	var ends []int
	r := report{}
	for i := 0; i < len(worlds); i++ {
		w := worlds[i]
		worlds[i] = nil
		if w.ended() {
			ends = append(ends, i)
		}
		if len(worlds) > limit {
			r.cut++
			continue
		}
		for _, m := range w.moves() {
			next := w.clone()
			err := next.play(m)
			if err == nil {
				err = next.check()
			}
			if err != nil {
				return r, fmt.Errorf("%w\n%s", err, trace(parents, moves, i, m.String()))
			}
			k := sha256.Sum256([]byte(next.key()))
			j, ok := seen[k]
			if !ok {
				j = len(worlds)
				seen[k] = j
				worlds = append(worlds, next)
				parents, moves, before = append(parents, i), append(moves, m.String()), append(before, nil)
			}
			before[j] = append(before[j], i)
		}
	}
	r.states, r.ends = len(worlds), len(ends)
	if r.cut == 0 {
		if stuck := unreachable(before, ends); stuck >= 0 {
			return r, fmt.Errorf("no end can be reached from here\n%s", trace(parents, moves, stuck, ""))
		}
	}
	return r, nil
}

func trace(parents []int, moves []string, at int, last string) string {
	lines := []string{last}
	for ; at > 0; at = parents[at] {
		lines = append(lines, moves[at])
	}
	slices.Reverse(lines)
	return strings.Join(lines, "\n")
}

// unreachable returns a state from which no end can be reached, -1 if there is none.
func unreachable(before [][]int, ends []int) int {
	live := make([]bool, len(before))
	for queue := slices.Clone(ends); len(queue) > 0; {
		i := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if !live[i] {
			live[i] = true
			queue = append(queue, before[i]...)
		}
	}
	return slices.Index(live, false)
}

// world is the store, the masters and the attempts.
type world struct {
	b         budget
	slots     []Record // the log
	collected bool
	history   Job // fold of the log, kept when the log is collected
	masters   []*model
	requests  []request // appends that have not arrived yet
	attempts  []*try
	part      *plan.AttemptID // the visible part
	output    string          // "", "committed by attempt", "released"
	manifest  plan.AttemptID
	passed    Time // how often the deadlines of all grants so far have passed
}

// model is a master process.
type model struct {
	s        *State
	alive    bool
	ended    bool
	answers  []Event // of the store, on their way
	checking bool
	commit   bool
	cleanup  bool
	waits    bool // asked to be woken
}

type request struct {
	master int
	slot   uint64
	record Record
}

// try is an attempt. It continues when its master is gone.
type try struct {
	id       plan.AttemptID
	task     plan.TaskID
	read     plan.AttemptID // whose result it was given
	gone     bool           // its result is lost
	lost     bool
	granted  bool
	putting  bool // the creation of its part is on its way
	reported bool // it has reported
}

// threeStages is the graph of a job of three stages. The second exchange has no size.
var threeStages = plan.Graph{
	Steps: []plan.Step{
		{Group: plan.Group{Stage: "in", Phase: plan.Map}, Tasks: 1, Reads: plan.None, Writes: []int{0}},
		{Group: plan.Group{Stage: "user", Phase: plan.Reduce}, Reads: 0, Writes: []int{1}},
		{Group: plan.Group{Stage: "day", Phase: plan.Reduce}, Reads: 1, Parts: true},
	},
	Exchanges: []plan.Exchange{{Writers: []int{0}, Partitions: 1}, {Writers: []int{1}}},
}

// config returns what every master knows of the job.
func (b budget) config() Config {
	if b.stages {
		return Config{Graph: &threeStages, MaxLost: 100}
	}
	return Config{Counts: plan.Counts{Reduces: 1}, MaxLost: 100}
}

// last returns the task that makes the part, and before the one that a task reads;
// ok is false if it reads none.
func (b budget) last() plan.TaskID {
	if b.stages {
		return threeStages.Steps[2].Task(0)
	}
	return plan.TaskID{Phase: plan.Reduce}
}

func (b budget) before(id plan.TaskID) (before plan.TaskID, ok bool) {
	if i := threeStages.Find(id.Group()); i > 0 {
		return threeStages.Steps[i-1].Task(0), true
	}
	return plan.TaskID{}, false
}

func newWorld(b budget) *world {
	w := &world{b: b}
	w.boot()
	return w
}

// boot starts a master: it takes the next epoch and reads the log.
func (w *world) boot() {
	cfg := w.b.config()
	cfg.Epoch = uint64(len(w.masters) + 1)
	m := &model{s: New(cfg), alive: true}
	w.masters = append(w.masters, m)
	i := len(w.masters) - 1
	for _, r := range w.slots {
		w.step(i, Replayed{r})
	}
	w.step(i, Lead{})
	w.step(i, Joined{"w", 1})
	for _, a := range w.attempts {
		if a.reported { // a worker reports everything to a new master
			w.step(i, Spent{accountOf(a), plan.Usage{Gets: 1}})
		} else if w.b.stages && !a.lost {
			w.step(i, Found{"w", a.task, a.id})
		}
	}
}

// step feeds an event to a master and files its commands.
func (w *world) step(i int, e Event) {
	m := w.masters[i]
	for _, c := range m.s.Step(w.passed*m.s.cfg.GrantTimeout, e) {
		switch c := c.(type) {
		case Append:
			c.Record.Entries = slices.Clone(c.Record.Entries)
			w.requests = append(w.requests, request{i, c.Slot, c.Record})
		case CheckEpoch:
			m.checking = true
		case Launch:
			a := &try{id: c.Attempt, task: c.Task}
			if before, ok := w.b.before(c.Task); ok {
				a.read = m.s.job.Task(before).Attempt
			}
			w.attempts = append(w.attempts, a)
		case Stop:
			if a := w.attempt(c.Attempt); !a.putting && !a.reported && !a.lost {
				a.lost = true
				m.answers = append(m.answers, LostAttempt{Task: a.task, Attempt: a.id})
			}
		case Grant:
			w.attempt(c.Attempt).granted = true
		case Wake:
			m.waits = true
		case CommitOutput:
			m.commit = true
		case CleanUp:
			m.cleanup = true
		case Finish, StepDown:
			m.ended = true
		default:
		}
	}
}

func (w *world) attempt(id plan.AttemptID) *try {
	for _, a := range w.attempts {
		if a.id == id {
			return a
		}
	}
	return nil
}

// move is one possible next event.
type move struct {
	kind string
	i    int
}

func (m move) String() string { return fmt.Sprintf("%s %d", m.kind, m.i) }

func (w *world) moves() []move {
	var ms []move
	add := func(ok bool, kind string, i int) {
		if ok {
			ms = append(ms, move{kind, i})
		}
	}
	for i := range w.requests {
		add(true, "append arrives", i)
	}
	putting := slices.ContainsFunc(w.attempts, func(a *try) bool { return a.putting })
	for i, m := range w.masters {
		if !m.alive {
			continue
		}
		add(len(m.answers) > 0, "answer arrives", i)
		add(m.checking, "epoch is read", i)
		add(m.commit, "output is committed", i)
		add(m.cleanup, "output is released", i)
		add(w.b.masterCrashes > 0 && !m.ended, "master crashes", i)
		add(w.b.cancels > 0 && !m.ended, "cancel", i)
		add(m.waits && w.passed < 3 && !putting, "grants run out", i)
	}
	active := !w.history.Status.Ended()
	add(active && len(w.masters) < w.b.masters, "master starts", len(w.masters))
	add(w.b.collections > 0 && !active && !putting, "log is collected", 0)
	for i, a := range w.attempts {
		last := a.task == w.b.last()
		source := w.attempt(a.read)
		add(w.b.losses > 0 && !last && a.reported && !a.gone, "result is lost", i)
		add(source != nil && source.gone && !a.lost && !a.reported && !a.granted, "attempt misses a result", i)
		add(!last && !a.lost && !a.reported, "attempt finishes", i)
		add(w.b.mistakes > 0 && !last && !a.lost && !a.reported, "attempt is taken for lost", i)
		add(last && !a.lost && !a.granted && !a.reported, "attempt asks", i)
		add(!a.lost && a.granted && !a.putting && !a.reported, "attempt creates its part", i)
		add(a.putting, "part arrives", i)
		add(w.b.workerLosses > 0 && !a.lost && !a.reported, "attempt is lost", i)
	}
	return ms
}

func (w *world) play(m move) error {
	switch m.kind {
	case "append arrives":
		w.land(m.i)
	case "answer arrives":
		p := w.masters[m.i]
		e := p.answers[0]
		p.answers = p.answers[1:]
		w.step(m.i, e)
	case "epoch is read":
		w.masters[m.i].checking = false
		leads := m.i == len(w.masters)-1 || w.b.unchecked
		w.masters[m.i].answers = append(w.masters[m.i].answers, Checked{leads})
	case "output is committed":
		return w.commit(m.i)
	case "output is released":
		w.masters[m.i].cleanup = false
		if w.output == "" {
			w.output, w.part = "released", nil
		}
		w.step(m.i, CleanedUp{})
	case "master crashes":
		w.b.masterCrashes--
		w.masters[m.i].alive = false
		w.masters[m.i].answers = nil
	case "master starts":
		w.boot()
	case "cancel":
		w.b.cancels--
		w.step(m.i, Cancel{Cause{Kind: plan.Cancelled, Text: "cancelled"}})
	case "grants run out":
		w.runOut()
	case "log is collected":
		w.b.collections--
		w.runOut()
		w.collected, w.slots, w.part = true, nil, nil
	default:
		w.playAttempt(m)
	}
	return nil
}

// runOut lets so much time pass that no grant given so far holds.
func (w *world) runOut() {
	w.passed++
	for _, a := range w.attempts {
		if a.granted && !a.reported && !a.lost {
			a.lost = true
			w.report(LostAttempt{Task: a.task, Attempt: a.id})
		}
	}
	w.report(Tick{})
}

func (w *world) playAttempt(m move) {
	a := w.attempts[m.i]
	switch m.kind {
	case "result is lost":
		w.b.losses--
		a.gone = true
	case "attempt misses a result":
		before, _ := w.b.before(a.task)
		a.lost = true
		w.report(Corrupt{before, a.read, "gone"})
		w.report(LostAttempt{Task: a.task, Attempt: a.id, ByMap: true})
	case "attempt is taken for lost":
		w.b.mistakes--
		w.report(LostAttempt{Task: a.task, Attempt: a.id})
	case "attempt finishes":
		a.reported = true
		w.report(Spent{accountOf(a), plan.Usage{Gets: 1}})
		w.report(Reported{Task: a.task, Attempt: a.id, Winner: a.id, Digest: Digest{CRC: uint32(a.id.Epoch)<<16 + a.id.N}})
	case "attempt asks":
		w.report(Asked{a.task, a.id})
	case "attempt creates its part":
		a.putting = true
	case "part arrives":
		a.putting = false
		if w.part == nil {
			id := a.id
			w.part = &id
		}
		if !a.lost {
			a.reported = true
			w.report(Spent{accountOf(a), plan.Usage{Gets: 1}})
			w.report(Reported{Task: a.task, Attempt: a.id, Winner: *w.part})
		}
	case "attempt is lost":
		w.b.workerLosses--
		a.lost = true
		w.report(LostAttempt{Task: a.task, Attempt: a.id})
	}
}

// report reaches every live master.
func (w *world) report(e Event) {
	for i, m := range w.masters {
		if m.alive {
			w.step(i, e)
		}
	}
}

// land lets an append reach the store.
func (w *world) land(i int) {
	r := w.requests[i]
	w.requests = slices.Delete(w.requests, i, i+1)
	var answer Event = Appended{}
	switch {
	case w.collected: // the slot is free again: the append wins and means nothing
	case r.slot < uint64(len(w.slots)):
		answer = Taken{w.slots[r.slot]}
	default:
		w.slots = append(w.slots, r.record)
		w.history.Fold(r.record)
	}
	if m := w.masters[r.master]; m.alive {
		m.answers = append(m.answers, answer)
	}
}

func (w *world) commit(i int) error {
	m := w.masters[i]
	m.commit = false
	task := m.s.Job().Task(w.b.last())
	switch w.output {
	case "released":
		return errors.New("the output is committed after it was released")
	case "committed":
		if w.manifest != task.Attempt {
			return fmt.Errorf("the output is committed twice, by attempts %v and %v", w.manifest, task.Attempt)
		}
	default:
		w.output, w.manifest = "committed", task.Attempt
	}
	w.step(i, OutputCommitted{})
	return nil
}

func (w *world) ended() bool {
	return w.history.Status.Ended() || w.exhausted()
}

// exhausted reports that the bounds, not the protocol, keep the job from its
// end: no master is left, or no more time.
func (w *world) exhausted() bool {
	alive := slices.ContainsFunc(w.masters, func(m *model) bool { return m.alive && !m.ended })
	return !alive && len(w.masters) == w.b.masters || w.passed == 3
}

// accountOf returns an account of an attempt's own, to which it adds a request.
func accountOf(a *try) Account { return Account{Name: fmt.Sprint(a.id), Scheme: "s3"} }

// checkUsage checks that the log has no request that was not made, and, when the
// job has succeeded, the request of the attempt that did the task.
func (w *world) checkUsage() error {
	left := maps.Clone(w.history.used)
	for _, a := range w.attempts {
		n := left[accountOf(a)].Gets
		delete(left, accountOf(a))
		if n > 1 || n == 1 && !a.reported {
			return fmt.Errorf("the log has %d requests of attempt %v, reported: %v", n, a.id, a.reported)
		}
		if n == 0 && a.reported && w.history.Status == Succeeded && w.history.Task(w.b.last()).Attempt == a.id {
			return fmt.Errorf("attempt %v did the task, and its request is not in the log", a.id)
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("the log has accounts of no attempt: %v", left)
	}
	return nil
}

// checkLineage checks that every result was made of one that is the result in the end.
func (w *world) checkLineage() error {
	if w.history.Status != Committing && w.history.Status != Succeeded {
		return nil
	}
	for i := range threeStages.Steps {
		t := w.history.Task(threeStages.Steps[i].Task(0))
		if before, ok := w.b.before(threeStages.Steps[i].Task(0)); ok && t != nil {
			if got, want := w.attempt(t.Attempt).read, w.history.Task(before).Attempt; got != want {
				return fmt.Errorf("%v was made of attempt %v, attempt %v has the result", threeStages.Steps[i].Group, got, want)
			}
		}
	}
	return nil
}

// check compares the world with the promises to users.
func (w *world) check() error {
	if err := w.checkUsage(); err != nil {
		return err
	}
	if err := w.checkLineage(); err != nil {
		return err
	}
	if w.collected {
		if w.part != nil {
			return fmt.Errorf("attempt %v put a part into an output that belongs to another job now", *w.part)
		}
		return nil
	}
	if w.output == "committed" && (w.part == nil || *w.part != w.manifest) {
		return fmt.Errorf("the output names attempt %v, the part is of %v", w.manifest, w.part)
	}
	if w.part != nil && !slices.Contains(w.history.Task(w.b.last()).Granted, *w.part) {
		return fmt.Errorf("the part of attempt %v is visible without a grant in the log", *w.part)
	}
	if w.output == "committed" && w.history.Status == Failed {
		return errors.New("the job has failed and its output is committed")
	}
	if w.history.Status == Succeeded && w.output != "committed" {
		return errors.New("the job has succeeded and its output is not committed")
	}
	for _, m := range w.masters {
		if err := m.s.Check(); err != nil {
			return err
		}
		if err := w.checkFold(m); err != nil {
			return err
		}
	}
	return nil
}

// checkFold compares a master's job with a fresh replay of as many slots.
func (w *world) checkFold(m *model) error {
	job := m.s.Job()
	if w.collected || job.Slots > uint64(len(w.slots)) {
		return nil
	}
	var fresh Job
	for _, r := range w.slots[:job.Slots] {
		fresh.Fold(r)
	}
	if got, want := jobKey(job), jobKey(&fresh); got != want {
		return fmt.Errorf("a master holds %s, the log says %s", got, want)
	}
	return nil
}
