package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
)

// Position is where a record begins. No two records of an input have the same
// position, and within an object positions grow. They do not depend on how the
// input was divided among tasks.
type Position struct {
	Object string // name of the input object
	// Offset is in bytes: of the decompressed bytes if the object is
	// compressed. In an object in bzip2 or BGZF that a LineBased Reader reads, the
	// decompressed offset is known only in the first block, up to 900 KB of
	// text. There Offset is the offset in the block. In later blocks it has,
	// shifted left by 26 bits, also the byte at rest at which the block begins,
	// counted from the first block. So it is in every block of a format that
	// compresses blocks itself, such as Avro: see Section.AtBlock.
	Offset int64
}

// Task identifies the running attempt: which part of which job, and which try.
type Task struct {
	Job     string // the job's name
	Stage   string // "map", "reduce" or "sample"; in a job of several stages "sessions/reduce"
	Index   int    // number of the task within its stage
	Attempt string // unique over all attempts of all tasks
}

// A Context is a context.Context. It is cancelled when the task must stop. Only
// the goroutine that received it may use it, until the function returns.
//
// The engine checks for cancellation between records. A function that works
// long on one record must check Done itself.
type Context struct {
	context.Context
	task    *pipeline.Task
	cancel  context.CancelCauseFunc
	section *pipeline.Section // that is being read, nil in a reduce task
	where   Position          // as its reader reports it
	node    *node             // whose function is running
	key     func() string     // text of the current key, nil in a map task
	run     *run
	err     error // why the task must stop; the first one is kept
	counts  []count
	stats   []observed
	names   int // bytes of the names of both
	// quiet are the nodes whose functions another step runs on the same records: what
	// they count, observe and emit counts there.
	quiet map[*node]bool
}

type count struct {
	name string
	n    int64
}

type observed struct {
	name  string
	round *round // of the function; nil for none
	stat  plan.Stat
}

func newContext(t *pipeline.Task) *Context {
	c := &Context{task: t}
	c.Context, c.cancel = context.WithCancelCause(t.Context)
	return c
}

// Position returns where the current record begins. In a reduce task it has no
// object.
func (c *Context) Position() Position {
	p := c.where
	if c.section != nil && c.section.Place != nil && p.Object != "" {
		p.Offset = c.section.Place(p.Offset)
	}
	return p
}

// Task identifies this attempt.
func (c *Context) Task() Task {
	return Task{c.task.Name, c.task.ID.Group().String(), c.task.ID.Index, c.task.Attempt.String()}
}

// File returns the bytes of a file that was shipped with the job, by --file NAME=PATH or
// Options.Files. Every attempt sees the bytes as of submission. A process reads a file
// once, and all its tasks share the bytes: a function must not change them. They are
// held beside the memory of tasks. The error for an unknown name lists the names.
func (c *Context) File(name string) ([]byte, error) { return c.task.Files.Get(c, name) }

// Log returns the task's logger.
func (c *Context) Log() *slog.Logger {
	if c.task.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.task.Log
}

// Count adds n to the job's counter of that name. The result has only the
// counts of committed attempts. A count of one task that is beyond 64 bits fails
// the job with an *OverflowError; the sum of all tasks stops at the greatest number.
// A job may have 1000 names of counters and 1000 of statistics, with 256 KiB in all,
// over all its tasks.
func (c *Context) Count(name string, n int64) {
	if c.quiet != nil && c.quiet[c.node] {
		return
	}
	if t := c.run.tolerance; t.aside() {
		t.counts = append(t.counts, staying{node: c.node, name: name, n: n})
		return
	}
	for i := range c.counts {
		if c.counts[i].name == name {
			sum := c.counts[i].n + n
			if n < 0 && sum > c.counts[i].n || n > 0 && sum < c.counts[i].n {
				c.fail(c.recordError(&OverflowError{fmt.Sprintf("the counter %q", name), "int64"}))
				return
			}
			c.counts[i].n = sum
			return
		}
	}
	if c.newName(len(c.counts), name) {
		c.counts = append(c.counts, count{name, n})
	}
}

// newName adds a name to so many of its sort. It fails the task when a job may not
// have it. The limits are those of a job, so that no task alone may exceed them;
// the master checks the sum of all tasks.
func (c *Context) newName(n int, name string) bool {
	c.names += len(name)
	err := plan.CheckName(name)
	if err == nil {
		err = plan.FewNames(n+1, c.names)
	}
	if err != nil {
		c.fail(c.recordError(err))
	}
	return err == nil
}

// Observe adds v to the job's statistics of that name: their number, sum, least
// and greatest. The result has only the statistics of committed attempts. A v that
// is NaN or infinite, and a sum that is no longer finite, end the job: it would
// have no result.
func (c *Context) Observe(name string, v float64) {
	if c.quiet != nil && c.quiet[c.node] {
		return
	}
	if t := c.run.tolerance; t.aside() {
		t.counts = append(t.counts, staying{node: c.node, name: name, v: v, observe: true})
		return
	}
	var in *round
	if c.node != nil {
		in = c.node.round
	}
	i := slices.IndexFunc(c.stats, func(o observed) bool { return o.name == name && o.round == in })
	if i < 0 {
		if !c.newName(len(c.stats), name) {
			return
		}
		i = len(c.stats)
		c.stats = append(c.stats, observed{name: name, round: in})
	}
	now := c.stats[i].stat
	now.Add(v)
	if err := now.Finite(name); err != nil {
		c.fail(c.recordError(err))
		return
	}
	c.stats[i].stat = now
}

// fail stops the task and keeps err as its error, unless it has one. It is seldom called,
// and from everywhere.
//
//go:noinline
func (c *Context) fail(err error) {
	if c.err == nil && err != nil {
		c.err = err
		c.cancel(err)
	}
}

// close adds the counts and statistics to the task's tally and releases the
// context.
func (c *Context) close() {
	tally := plan.Tally{Counts: map[string]int64{}, Stats: map[string]plan.Stat{}}
	for _, count := range c.counts {
		tally.Counts[count.name] = count.n
	}
	for _, o := range c.stats {
		sum := tally.Stats[o.name]
		sum.Merge(o.stat)
		tally.Stats[o.name] = sum
		if o.round != nil {
			c.observed(o)
		}
	}
	c.task.Tally.Merge(&tally)
	c.cancel(context.Canceled)
}

// observed adds a statistic to those of its round.
func (c *Context) observed(o observed) {
	all := &c.task.Observed
	if *all == nil {
		*all = map[string]map[string]plan.Stat{}
	}
	if (*all)[o.round.key] == nil {
		(*all)[o.round.key] = map[string]plan.Stat{}
	}
	(*all)[o.round.key][o.name] = o.stat
}
