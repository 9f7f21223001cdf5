package jobs

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
)

// Position is where a record begins. No two records of an input have the same,
// and in an object they are in order; they do not depend on how the input was
// divided among tasks.
type Position struct {
	Object string // name of the input object
	// Offset is in bytes; of the decompressed bytes if the object is
	// compressed. In a bzip2 object that is read by a LineBased Reader nobody
	// knows these but in the first block, up to 900 KB of text: there it is the
	// offset in the block, plus, shifted left by 26 bits, where the block
	// begins at rest, in bytes behind the first one.
	Offset int64
}

// Task says which try at which part of a job is running.
type Task struct {
	Job     string // the job's name
	Stage   string // "map", "reduce" or "sample"
	Index   int    // number of the task within its stage
	Attempt string // unique over all attempts of all tasks
}

// A Context is a context.Context, cancelled when the task is to stop. It is
// for the goroutine that was given it, until the function returns.
//
// The engine looks for cancellation between records; a function that works
// long on one record looks at Done itself.
type Context struct {
	context.Context
	task    *pipeline.Task
	cancel  context.CancelCauseFunc
	section *pipeline.Section // that is being read, nil in a reduce task
	where   Position          // as its reader tells it
	node    *node             // whose function is running
	key     func() string     // text of the key at hand, nil in a map task
	err     error             // why the task cannot go on; the first one stays
	counts  []count
	stats   []observed
}

type count struct {
	name string
	n    int64
}

type observed struct {
	name string
	stat plan.Stat
}

func newContext(t *pipeline.Task) *Context {
	c := &Context{task: t}
	c.Context, c.cancel = context.WithCancelCause(t.Context)
	return c
}

// Position returns where the record at hand begins. In a reduce task it has no
// object.
func (c *Context) Position() Position {
	p := c.where
	if c.section != nil && c.section.Place != nil && p.Object != "" {
		p.Offset = c.section.Place(p.Offset)
	}
	return p
}

// Task returns which attempt this is.
func (c *Context) Task() Task {
	return Task{c.task.Name, c.task.ID.Phase.String(), c.task.ID.Index, c.task.Attempt.String()}
}

// Log returns the task's logger.
func (c *Context) Log() *slog.Logger {
	if c.task.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.task.Log
}

// Count adds n to the job's counter of that name. What attempts counted that
// were not committed is not in the result.
func (c *Context) Count(name string, n int64) {
	for i := range c.counts {
		if c.counts[i].name == name {
			c.counts[i].n += n
			return
		}
	}
	if c.fewNames(len(c.counts)) {
		c.counts = append(c.counts, count{name, n})
	}
}

// maxNames bounds the names of counters, and those of statistics: they are
// looked for one after the other, and travel with every attempt.
const maxNames = 1000

// fewNames fails the task when there are too many names to add another.
func (c *Context) fewNames(n int) bool {
	if n < maxNames {
		return true
	}
	c.fail(fmt.Errorf("task %s counts or observes more than %d names: a name is for a kind of thing, not for each thing", c.task.ID, maxNames))
	return false
}

// Observe adds v to the job's statistics of that name: their number, sum,
// least and greatest. What attempts observed that were not committed is not in
// the result.
func (c *Context) Observe(name string, v float64) {
	for i := range c.stats {
		if c.stats[i].name == name {
			c.stats[i].stat.Add(v)
			return
		}
	}
	if c.fewNames(len(c.stats)) {
		c.stats = append(c.stats, observed{name: name})
		c.stats[len(c.stats)-1].stat.Add(v)
	}
}

// fail keeps err, unless there is one, and stops the task.
func (c *Context) fail(err error) {
	if c.err == nil && err != nil {
		c.err = err
		c.cancel(err)
	}
}

// close hands over what was counted and lets the context go.
func (c *Context) close() {
	tally := plan.Tally{Counts: map[string]int64{}, Stats: map[string]plan.Stat{}}
	for _, count := range c.counts {
		tally.Counts[count.name] = count.n
	}
	for _, o := range c.stats {
		tally.Stats[o.name] = o.stat
	}
	c.task.Tally.Merge(&tally)
	c.cancel(context.Canceled)
}
