package jobs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// check finds mistakes that only the whole graph shows.
func (p *Pipeline) check() {
	if len(p.errs) > 0 {
		return // errors that follow from these would only confuse
	}
	var sinks, unnamed int
	inputs, outputs := map[string]bool{}, map[string]bool{}
	for _, n := range p.nodes {
		switch {
		case n.sink != nil && n.sink.silent:
		case n.sink != nil:
			sinks++
			if n.name == "" {
				unnamed++
			} else if outputs[n.name] {
				p.fail("two outputs are called %s", n.name)
			}
			outputs[n.name] = true
		case n.used == 0 && !n.side:
			p.fail("nothing uses the result of %s: write it, or leave it out", n.stage())
		}
		if n.read == nil {
			continue
		}
		if inputs[n.name] {
			if n.name == "" {
				p.fail("two inputs have no name: call Named on each Read, such as Read(p, r).Named(\"orders\")")
			} else {
				p.fail("two inputs are called %s", n.name)
			}
		}
		inputs[n.name] = true
	}
	switch {
	case sinks == 0:
		p.fail("the job has no output: end it with Write or WriteTSV")
	case sinks > 1 && unnamed > 0:
		p.fail("the job has %d outputs, so each needs a name: call Named on each Write, such as Write(w).Named(\"totals\")", sinks)
	}
	p.checkStages()
}

// checkStages refuses two stages of one name. A stage of a loop has it in each round.
func (p *Pipeline) checkStages() {
	stages := map[string]*node{}
	for _, n := range p.nodes {
		if n.shuffle == nil && n.loop == nil || n.name == "" {
			continue
		}
		other := stages[n.name]
		if other != nil && (n.round == nil || other.round == nil || n.round == other.round || n.round.of != other.round.of) {
			p.fail("two stages are called %s", n.name)
		}
		stages[n.name] = n
	}
}

// compiler turns a checked pipeline into the one that the engine runs.
type compiler struct {
	p        *Pipeline
	out      *pipeline.Pipeline
	several  bool // stages: then every Read is a step of its own
	reads    []*node
	shuffles []*node
	exchange map[*node]int // that the pairs of a shuffle are written to at first
	ordered  map[*node]int // that has them in ranges, where they are written twice
	places   map[*node]int // of the outputs
	// known are the functions that a step has, so that others run them quietly, with the
	// round without which that step does not run; nil for one that always does.
	known    map[*node]*round
	observed map[*round][]plan.Group // steps that run the functions of a round
	err      error
}

// compile turns a checked pipeline into the one that the engine runs. Every Read and
// every shuffle begins a step, which has all the functions up to the next shuffles and
// outputs. The inputs of a job of one shuffle are read by one step.
func (p *Pipeline) compile() (*pipeline.Pipeline, error) {
	c := &compiler{p: p, out: &pipeline.Pipeline{}, exchange: map[*node]int{}, ordered: map[*node]int{}, places: map[*node]int{},
		known: map[*node]*round{}, observed: map[*round][]plan.Group{}}
	for _, n := range p.nodes {
		switch {
		case n.read != nil:
			c.reads = append(c.reads, n)
			input := n.read.input
			input.Name = n.name
			if generate := input.Generate; generate != nil {
				input.Generate = named(generate, n.name)
			}
			c.out.Inputs = append(c.out.Inputs, input)
		case n.shuffle != nil:
			c.shuffles = append(c.shuffles, n)
		case n.sink != nil && !n.sink.silent:
			c.places[n] = len(c.out.Outputs)
			c.out.Outputs = append(c.out.Outputs, n.sink.output)
			if n.sink.aside != nil && c.out.Aside == nil {
				c.out.Aside = fmt.Errorf("the records of %s cannot be encoded: %w", n.stage(), n.sink.aside)
			}
		}
	}
	for _, l := range p.loops {
		for _, r := range l.rounds {
			r.key = r.stage(l.name())
		}
	}
	c.several = len(c.shuffles) > 1 || len(p.loops) > 0 || len(c.out.Outputs) > 1 || c.out.Outputs[0].Partitioned || c.out.Outputs[0].Name != "" ||
		slices.ContainsFunc(c.shuffles, func(n *node) bool { return n.side }) || slices.ContainsFunc(p.nodes, func(n *node) bool { return n.sink != nil && n.sink.silent })
	c.addExchanges()
	names := c.stageNames()
	for i, read := range c.reads {
		if c.several {
			c.addReads(i, read, names)
		}
	}
	if !c.several {
		inputs := make([]int, len(c.reads))
		for i := range inputs {
			inputs[i] = i
		}
		users := slices.Clone(c.shuffles)
		if len(users) == 0 {
			users = c.users(c.reads[0])
		}
		c.addStep(pipeline.Step{Group: plan.Group{Phase: plan.Map}, Inputs: inputs, Reads: plan.None}, users)
	}
	for i, n := range c.shuffles {
		if !n.side {
			c.addShuffle(n, names[i])
		}
	}
	for _, l := range p.loops {
		c.addLoop(l)
	}
	if c.err != nil {
		return nil, fmt.Errorf("job %s: %w", p.job, c.err)
	}
	if err := c.sortSteps(); err != nil {
		return nil, fmt.Errorf("job %s: %w", p.job, err)
	}
	return c.out, nil
}

// addShuffle adds the steps that read what a shuffle leaves: one, and one more for each
// round of a loop, after the first, that uses its result from outside.
func (c *compiler) addShuffle(n *node, name string) {
	reads, phase := c.exchange[n], plan.Reduce
	if ranges, twice := c.ordered[n]; twice {
		c.addResend(c.unused(name), n, reads, ranges)
		reads = ranges
	}
	own := n.round.apart()
	if n.kept != nil { // the next round reads it
		own, phase = n.kept.next(), plan.Map
	}
	for _, users := range c.byRound(c.users(n)) {
		stage := name
		if in := users[0].round.apart(); in != own {
			stage = in.stage(name)
		}
		group := plan.Group{Stage: c.free(stage, phase), Phase: phase}
		c.addStep(pipeline.Step{Group: group, Reads: reads}, users, n)
	}
}

// addLoop adds the decisions on the rounds of a loop, and the steps that read its result.
func (c *compiler) addLoop(l *loop) {
	states := make([]int, len(l.states))
	for i, n := range l.states {
		states[i] = c.exchange[n]
	}
	c.out.Loops = append(c.out.Loops, pipeline.Loop{States: states})
	for _, users := range c.byRound(c.users(l.result)) {
		stage := c.free(users[0].round.apart().stage(l.name()), plan.Map)
		c.addStep(pipeline.Step{Group: plan.Group{Stage: stage, Phase: plan.Map}, Reads: states[len(states)-1], Last: l.number}, users, l.result)
	}
	for _, r := range l.rounds[:len(l.rounds)-1] {
		c.out.Steps = append(c.out.Steps, pipeline.Step{Group: plan.Group{Stage: r.key, Phase: plan.Decide}, Reads: plan.None,
			Loop: l.number, Round: r.n, Observes: c.observed[r], Decide: l.decides()})
	}
}

// byRound divides users: those of a later round of a loop have a step of their own, since
// it runs only if the round comes. The users whose step always runs are first: what
// functions count and emit counts in the first step that has them.
func (c *compiler) byRound(users []*node) [][]*node {
	var rounds []*round
	var all [][]*node
	users = slices.Clone(users)
	slices.SortStableFunc(users, func(a, b *node) int {
		switch always := a.round.apart() == nil; {
		case always == (b.round.apart() == nil):
			return 0
		case always:
			return -1
		}
		return 1
	})
	for _, n := range users {
		in := n.round.apart()
		at := slices.Index(rounds, in)
		if at < 0 {
			at = len(rounds)
			rounds, all = append(rounds, in), append(all, nil)
		}
		all[at] = append(all[at], n)
	}
	return all
}

// users returns the shuffles and outputs that the records of a root reach, in their order.
//
//go:noinline
func (c *compiler) users(root *node) []*node {
	var all []*node
	for _, n := range c.p.nodes {
		if n.shuffle != nil && slices.Contains(n.shuffle.roots, root) || n.sink != nil && n.root == root {
			all = append(all, n)
		}
	}
	return all
}

// addReads adds the steps that read an input. Usually that is one, and one more for each
// side input that is made of it. Functions that may use a side input which is made of
// what others make of the same input, such as the next round of a loop, read it again.
func (c *compiler) addReads(input int, read *node, names []string) {
	var groups [][]*node
	for _, users := range c.byRound(c.users(read)) {
		current := -1
		for _, user := range users {
			switch {
			case user.side:
				groups = append(groups, []*node{user})
			case current < 0 || c.waitsFor(user, groups[current]):
				current = len(groups)
				groups = append(groups, []*node{user})
			default:
				groups[current] = append(groups[current], user)
			}
		}
	}
	first := true
	for _, users := range groups {
		name := read.name
		if users[0].side || !first {
			if name = users[0].name; users[0].shuffle != nil {
				name = names[slices.Index(c.shuffles, users[0])]
			}
		} else {
			first = false
		}
		group := plan.Group{Stage: c.unused(name), Phase: plan.Map}
		c.addStep(pipeline.Step{Group: group, Inputs: []int{input}, Reads: plan.None}, users, read)
	}
}

// unused returns a name that no step of maps has yet: this one, or it with a number.
func (c *compiler) unused(name string) string { return c.free(name, plan.Map) }

func (c *compiler) free(name string, phase plan.Phase) string {
	free := name
	for k := 2; c.taken(plan.Group{Stage: free, Phase: phase}); k++ {
		free = fmt.Sprintf("%s-%d", name, k)
	}
	return free
}

// taken reports whether there is a step of that name.
func (c *compiler) taken(group plan.Group) bool {
	return slices.ContainsFunc(c.out.Steps, func(s pipeline.Step) bool { return s.Group == group })
}

// waitsFor reports whether functions in front of a user may use a side input that is made
// of one of the others.
func (c *compiler) waitsFor(user *node, others []*node) bool {
	last := lastBefore(user)
	return slices.ContainsFunc(c.shuffles, func(n *node) bool { return n.seenIn(user.round) && n.id < last && madeOf(n, others) })
}

// seenIn reports whether functions of a round may use a side input: those that a round
// makes are its own.
func (n *node) seenIn(r *round) bool { return n.side && (n.round == nil || n.round == r) }

// madeOf reports whether the pairs of a shuffle are made of one of the others.
func madeOf(n *node, others []*node) bool {
	seen := map[*node]bool{}
	var of func(n *node) bool
	of = func(n *node) bool {
		var roots []*node
		switch {
		case n.shuffle != nil:
			roots = n.shuffle.roots
		case n.loop != nil:
			roots = n.loop.states
		}
		return slices.ContainsFunc(roots, func(root *node) bool {
			if seen[root] || root.shuffle == nil && root.loop == nil {
				return false
			}
			seen[root] = true
			return slices.Contains(others, root) || of(root)
		})
	}
	return of(n)
}

// lastBefore returns the id of the last function in front of a shuffle or an output.
func lastBefore(user *node) int {
	last := 0
	for _, from := range user.from {
		last = max(last, from.id)
		if from.read == nil && from.shuffle == nil {
			last = max(last, lastBefore(from))
		}
	}
	return last
}

// sides returns the side inputs that functions of a step may use: those that the
// constructor made before the last of its functions, and that are not made of what the
// step has.
func (c *compiler) sides(root *node, users []*node) []*node {
	last := 0
	for _, u := range users {
		last = max(last, lastBefore(u))
	}
	var all []*node
	for _, n := range c.shuffles {
		seen := slices.ContainsFunc(users, func(u *node) bool { return n.seenIn(u.round) })
		if seen && n.id < last && !slices.Contains(users, n) && !madeOf(n, append(slices.Clone(users), root)) {
			all = append(all, n)
		}
	}
	return all
}

// sortSteps brings the steps into an order in which each comes after those that it waits
// for.
func (c *compiler) sortSteps() error {
	var sorted []pipeline.Step
	left := slices.Clone(c.out.Steps)
	writers := make([]int, len(c.out.Exchanges)) // that are left
	groups := make(map[plan.Group]bool, len(left))
	for i := range left {
		groups[left[i].Group] = true
		for _, x := range left[i].Writes {
			writers[x]++
		}
	}
	for len(left) > 0 {
		ready := slices.IndexFunc(left, func(s pipeline.Step) bool {
			waits := slices.Clone(s.Sides)
			if s.Reads != plan.None {
				waits = append(waits, s.Reads)
			}
			for _, x := range s.Writes {
				if by := c.out.Exchanges[x].SampledBy; by != plan.None {
					waits = append(waits, by)
				}
			}
			return !slices.ContainsFunc(waits, func(x int) bool { return writers[x] > 0 }) &&
				!slices.ContainsFunc(s.Observes, func(g plan.Group) bool { return groups[g] })
		})
		if ready < 0 {
			return fmt.Errorf("its side inputs wait for each other: %v may use one that waits for it; make the side inputs first in the constructor", left[0].Group)
		}
		for _, x := range left[ready].Writes {
			writers[x]--
		}
		delete(groups, left[ready].Group)
		sorted = append(sorted, left[ready])
		left = slices.Delete(left, ready, ready+1)
	}
	c.out.Steps = sorted
	return nil
}

// addExchanges adds the exchanges of the shuffles. A job of several stages keeps the
// pairs of a Sort in one exchange first, until their keys are known.
func (c *compiler) addExchanges() {
	for _, n := range c.shuffles {
		c.exchange[n] = len(c.out.Exchanges)
		x := n.shuffle.exchange
		if !c.several || !x.Ranges {
			c.out.Exchanges = append(c.out.Exchanges, x)
			continue
		}
		kept := pipeline.Exchange{Layout: x.Layout, SampledBy: plan.None, Sampled: true}
		x.SampledBy = c.exchange[n]
		c.ordered[n] = len(c.out.Exchanges) + 1
		c.out.Exchanges = append(c.out.Exchanges, kept, x)
	}
}

// addStep adds a step that runs everything between its root and these shuffles and
// outputs. Without a root it reads all inputs, each task one.
func (c *compiler) addStep(s pipeline.Step, users []*node, roots ...*node) {
	if len(roots) == 0 {
		roots = c.reads
	}
	if len(users) == 0 {
		return
	}
	var shuffles, sinks []*node
	outputs, sides := map[*node]int{}, map[*node]int{}
	last := 0
	for _, n := range users {
		last = max(last, lastBefore(n))
		if n.shuffle != nil {
			shuffles = append(shuffles, n)
			s.Writes = append(s.Writes, c.exchange[n])
			continue
		}
		sinks = append(sinks, n)
		if !n.sink.silent {
			outputs[n] = len(s.Outputs)
			s.Outputs = append(s.Outputs, c.places[n])
		}
	}
	for _, n := range c.p.nodes { // to which functions emit
		if n.sink != nil && n.sink.emitted && n.id < last {
			outputs[n] = len(s.Outputs)
			s.Outputs = append(s.Outputs, c.places[n])
		}
	}
	for _, n := range c.sides(roots[0], users) {
		sides[n] = len(s.Sides)
		s.Sides = append(s.Sides, c.exchange[n])
	}
	quiet := c.inRound(&s, users, roots)
	s.Run = func(t *pipeline.Task) error {
		root := roots[0]
		if s.Reads == plan.None {
			root = c.reads[t.Input]
		}
		r := newRun(t)
		r.root, r.outputs, r.sides, r.ctx.quiet = root, outputs, sides, quiet
		r.writes = make(map[*node]*pipeline.Write, len(shuffles))
		for i, n := range shuffles {
			r.writes[n] = &t.Writes[i]
		}
		return r.execute(func() error {
			for _, n := range shuffles {
				if slices.Contains(n.shuffle.roots, root) {
					n.shuffle.mapSide(r, root)
				}
			}
			for _, n := range sinks {
				if err := n.sink.attach(r); err != nil {
					return err
				}
			}
			return nil
		})
	}
	c.out.Steps = append(c.out.Steps, s)
}

// inRound makes a step part of the round of its users, and returns those of its functions
// that another step has, too.
func (c *compiler) inRound(s *pipeline.Step, users, roots []*node) (quiet map[*node]bool) {
	in := users[0].round.apart()
	c.join(s, in)
	rounds := map[*round]bool{}
	var visit func(n *node)
	seen := map[*node]bool{}
	visit = func(n *node) {
		if seen[n] {
			return
		}
		seen[n] = true
		first, known := c.known[n]
		switch {
		case known:
			if quiet == nil {
				quiet = map[*node]bool{}
			}
			quiet[n] = true
			if first != nil && (in == nil || in.of != first.of) && c.err == nil {
				c.err = fmt.Errorf("%s is used in round %d of %s, and not before it, and outside of that loop: use it in the first round too, so that it is known where it counts",
					n.stage(), first.n, first.of.label)
			}
		case n.round != nil && n.kept == nil && !rounds[n.round]:
			rounds[n.round] = true
			c.observed[n.round] = append(c.observed[n.round], s.Group)
		}
		for _, from := range n.from {
			if !slices.Contains(roots, n) && slices.Contains(roots, from.root) {
				visit(from)
			}
		}
	}
	for _, u := range users {
		for _, from := range u.from {
			if slices.Contains(roots, from.root) {
				visit(from)
			}
		}
	}
	for n := range seen {
		if _, known := c.known[n]; !known {
			c.known[n] = in
		}
	}
	return quiet
}

// join makes a step part of a round, so that it runs after the decision on the one before.
func (c *compiler) join(s *pipeline.Step, r *round) {
	if r == nil {
		return
	}
	s.Loop, s.Round = r.of.number, r.n
	s.Observes = []plan.Group{{Stage: r.of.rounds[r.n-2].key, Phase: plan.Decide}}
}

// addResend adds a step that passes on kept pairs in ranges of keys.
func (c *compiler) addResend(stage string, n *node, from, to int) {
	s := pipeline.Step{
		Group: plan.Group{Stage: stage, Phase: plan.Map}, Reads: from, Writes: []int{to},
		Run: func(t *pipeline.Task) error {
			r := newRun(t)
			r.ctx.node = n
			r.drive = func() error { return resend(r, &t.Writes[0]) }
			return r.execute(func() error { return nil })
		},
	}
	c.join(&s, n.round.apart())
	c.out.Steps = append(c.out.Steps, s)
}

// resend passes on the pairs of a task in ranges of keys.
func resend(r *run, to *pipeline.Write) error {
	var n int64
	defer func() { r.count(n) }()
	for {
		key, value, ok := r.source.Next()
		if !ok {
			return r.source.Err()
		}
		part := pairs.RangePartition(to.Cuts, key)
		to.Pairs.Add(append(append(to.Pairs.Room(), key...), value...), len(key), part)
		if n++; n%checkEvery == 0 || r.stopped.Load() {
			if err := r.look(checkEvery); err != nil {
				return err
			}
			if err := r.full(); err != nil {
				return err
			}
		}
	}
}

// stageNames returns the names of the stages: those that the job gives, that of the
// output that a stage writes, or that of its operation. A job of one shuffle has no
// names.
func (c *compiler) stageNames() []string {
	names := make([]string, len(c.shuffles))
	if !c.several {
		return names
	}
	taken := map[string]bool{"": true}
	for i, n := range c.shuffles {
		names[i] = n.name
		taken[n.name] = true
	}
	for i, n := range c.shuffles {
		if n.kept != nil {
			names[i] = n.kept.next().stage(n.kept.of.name())
			continue
		}
		if names[i] != "" {
			names[i] = n.round.stage(names[i])
			continue
		}
		for _, sink := range c.p.nodes {
			if sink.sink != nil && sink.root == n && !taken[sink.name] {
				names[i] = sink.name
				break
			}
		}
		base := strings.ToLower(n.kind)
		for k := 1; taken[names[i]]; k++ {
			names[i] = n.round.stage(base)
			if k > 1 {
				names[i] = n.round.stage(fmt.Sprintf("%s-%d", base, k))
			}
		}
		taken[names[i]] = true
	}
	return names
}
