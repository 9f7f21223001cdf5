package faults

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// text is an input, with the result of a sequential program.
type text struct {
	lines []string
	words map[string]int64
}

// write makes an input of so many objects, each with so many lines of 32 bytes:
// with splits of that size each object is a map task.
func (c *cluster) write(objects, lines int) *text {
	c.t.Helper()
	r := rand.New(rand.NewPCG(*seed, uint64(objects)<<32|uint64(lines)))
	in := &text{words: make(map[string]int64)}
	for o := range objects {
		var body strings.Builder
		for range lines {
			words := make([]string, 4)
			for i := range words {
				words[i] = fmt.Sprintf("w%03d%03d", r.IntN(3), r.IntN(8))
			}
			line := strings.Join(words, " ")
			in.add(line)
			body.WriteString(line + "\n")
		}
		if err := c.data.Put(c.t.Context(), fmt.Sprintf("in/%03d", o), []byte(body.String()), store.Durable); err != nil {
			c.t.Fatal(err)
		}
	}
	return in
}

func (in *text) add(line string) {
	in.lines = append(in.lines, line)
	for w := range strings.FieldsSeq(line) {
		in.words[w]++
	}
}

// splitFlags make each object of write a task of its own.
func splitFlags(lines int) []string { return []string{"--split-size", fmt.Sprint(lines * 32)} }

// tally returns the output of the job tally, in order.
func (in *text) tally() string {
	var rows []string
	for w, n := range in.words {
		rows = append(rows, fmt.Sprintf("%s\t%d\n", w, n))
	}
	slices.Sort(rows)
	return strings.Join(rows, "")
}

// sorted returns the output of the job sort.
func (in *text) sorted() string {
	lines := slices.Sorted(slices.Values(in.lines))
	return strings.Join(lines, "\n") + "\n"
}

// tallied waits for the end of a job tally, and checks its output, its log and
// its counters.
func (c *cluster) tallied(id plan.JobID, out string, in *text) client.Job {
	c.t.Helper()
	j := c.succeeds(id, out, in.tally())
	counts, err := c.client.Counters(c.t.Context(), id)
	if err != nil {
		c.t.Fatal(err)
	}
	lines, words := int64(len(in.lines)), int64(len(in.words))
	if !counts.Complete || counts.Read.Records != lines || counts.Counts["lines"] != lines || counts.Counts["keys"] != words || counts.Written.Records != words {
		c.t.Errorf("%d lines with %d words were counted as %+v", lines, words, counts)
	}
	return j
}

// succeeds waits for the end of a job, and checks that it succeeded, its output
// and its log.
func (c *cluster) succeeds(id plan.JobID, out, want string) client.Job {
	c.t.Helper()
	j := c.until(id, func(*client.Job) bool { return false })
	if j.State != client.Succeeded || j.ID != id {
		c.t.Fatalf("job %s is %s: %+v", j.ID, j.State, j.Cause)
	}
	c.checkOutput(id, out, want)
	c.checkLog(id)
	return j
}

// checkOutput compares an output with the expected one. It also checks that a
// tool which lists the directory sees exactly the parts that the manifest
// names.
func (c *cluster) checkOutput(id plan.JobID, out, want string) {
	c.t.Helper()
	ctx, root := c.t.Context(), c.data.Sub(out)
	m, err := output.Read(ctx, root)
	if err != nil {
		c.t.Fatal(err)
	}
	if m.Job != id {
		c.t.Errorf("the output is job %s's, not %s's", m.Job, id)
	}
	var lines, names []string
	for _, p := range m.Parts {
		body, err := root.Get(ctx, p.Name, 64<<20)
		if err != nil {
			c.t.Fatal(err)
		}
		names = append(names, p.Name)
		lines = append(lines, strings.SplitAfter(string(body), "\n")...)
	}
	slices.Sort(lines)
	if got := strings.Join(lines, ""); got != want {
		c.t.Errorf("the output is %q, want %q", shortened(got), shortened(want))
	}
	slices.Sort(names)
	seen := c.visible(out)
	if c.strays {
		seen = slices.DeleteFunc(seen, func(name string) bool { return !slices.Contains(names, name) })
	}
	if !slices.Equal(seen, names) {
		c.t.Errorf("visible are %q, the manifest names %q", seen, names)
	}
	if _, err := root.Stat(ctx, output.SuccessName); err != nil {
		c.t.Errorf("the job has succeeded: %v", err)
	}
}

func shortened(s string) string {
	if len(s) > 400 {
		return s[:400] + "…"
	}
	return s
}

// visible returns the names that other tools would take for data in a
// directory.
func (c *cluster) visible(dir string) (names []string) {
	c.t.Helper()
	for o, err := range c.data.Sub(dir+"/").List(c.t.Context(), "") {
		if err != nil {
			c.t.Fatal(err)
		}
		if !output.Hidden(o.Key) {
			names = append(names, o.Key)
		}
	}
	slices.Sort(names)
	return names
}

// checkLog checks a job's log by the rules for masters: epochs do not fall, one
// attempt of each task counts, attempts that make parts have a grant, and
// nothing follows the end.
func (c *cluster) checkLog(id plan.JobID) []scheduler.Record {
	c.t.Helper()
	records := c.records(id)
	epoch, ended := uint64(0), false
	counts, granted := make(map[plan.TaskID]plan.AttemptID), make(map[plan.AttemptID]bool)
	var graph plan.Graph
	for slot, r := range records {
		if r.Epoch < epoch {
			c.t.Errorf("slot %d is of epoch %d, after epoch %d", slot, r.Epoch, epoch)
		}
		epoch = r.Epoch
		for _, entry := range r.Entries {
			if ended {
				c.t.Errorf("slot %d has %T after the end", slot, entry)
			}
			switch e := entry.(type) {
			case scheduler.Planned:
				if graph = plan.OneShuffle(e.Counts); e.Graph != nil {
					graph = *e.Graph
				}
			case scheduler.Granted:
				granted[e.Attempt] = true
			case scheduler.Committed:
				if other, twice := counts[e.Task]; twice {
					c.t.Errorf("slot %d commits attempt %v of %v, after %v", slot, e.Attempt, e.Task, other)
				}
				if step := graph.Find(e.Task.Group()); step != plan.None && graph.Steps[step].Parts && !granted[e.Attempt] {
					c.t.Errorf("slot %d commits attempt %v of %v, which had no grant", slot, e.Attempt, e.Task)
				}
				counts[e.Task] = e.Attempt
			case scheduler.Invalidated:
				delete(counts, e.Task)
			case scheduler.Done:
				ended = true
			}
		}
	}
	if !ended {
		c.t.Errorf("the log of job %s has %d slots, and no end", id, len(records))
	}
	return records
}

func (c *cluster) records(id plan.JobID) []scheduler.Record {
	c.t.Helper()
	records, err := journal.Records(c.t.Context(), c.root, id)
	if err != nil {
		c.t.Fatal(err)
	}
	return records
}

// done holds the tasks of a job that are committed at some moment, and how
// often each of them was begun by then.
type done map[string]int

// finished returns the tasks of a job that are committed now.
func (c *cluster) finished(id plan.JobID) done {
	c.t.Helper()
	job, err := journal.Read(c.t.Context(), c.root, id)
	if err != nil {
		c.t.Fatal(err)
	}
	begun, d := c.marks(), make(done)
	for _, group := range job.Groups() {
		if group.Phase != plan.Map && group.Phase != plan.Reduce {
			continue
		}
		for i := range job.Tasks(group) {
			if id := group.Task(i); job.Task(id).Committed {
				d[id.String()] = begun[id.String()]
			}
		}
	}
	return d
}

// notAgain checks that none of the tasks was begun again since.
func (c *cluster) notAgain(before done) {
	c.t.Helper()
	now := c.marks()
	for _, task := range slices.Sorted(maps.Keys(before)) {
		if now[task] != before[task] {
			c.t.Errorf("%s was committed, and begun %d times again", task, now[task]-before[task])
		}
	}
}

func (c *cluster) marksFile() string { return filepath.Join(c.dir, "marks") }

// marks returns how often each task of a job with --marks was begun.
func (c *cluster) marks() map[string]int {
	c.t.Helper()
	f, err := os.Open(c.marksFile())
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	begun := make(map[string]int)
	for s := bufio.NewScanner(f); s.Scan(); {
		task, _, _ := strings.Cut(s.Text(), " ")
		begun[task]++
	}
	return begun
}

// slow returns the flags of a job tally that takes a while and leaves marks.
func (c *cluster) slow(perLine, perKey string, lines, reduces int) []string {
	return append(splitFlags(lines), "--map", perLine, "--reduce", perKey, "--marks", c.marksFile(), "--partitions", fmt.Sprint(reduces))
}

// epoch returns the highest epoch that was taken.
func (c *cluster) epoch() uint64 {
	c.t.Helper()
	l, err := journal.Current(context.WithoutCancel(c.t.Context()), c.root)
	if err != nil {
		c.t.Fatal(err)
	}
	return l.Epoch
}
