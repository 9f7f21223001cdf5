package faults

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/integration/graphs"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// stages returns the outputs of the job stages, by name.
func (in *text) stages() map[string]string {
	alike := make(map[string]int64)
	for w, n := range in.words {
		alike[w[:4]] += n
	}
	words := slices.Sorted(maps.Keys(in.words))
	var shares, ranks strings.Builder
	for _, w := range words {
		fmt.Fprintf(&shares, "%s\t%d\t%d\n", w, in.words[w], alike[w[:4]])
	}
	slices.SortStableFunc(words, func(a, b string) int { return cmp.Compare(in.words[a], in.words[b]) })
	for _, w := range words {
		fmt.Fprintf(&ranks, "%d %s\n", in.words[w], w)
	}
	return map[string]string{"shares": shares.String(), "ranks": ranks.String()}
}

// groups are the groups of tasks of the job stages, in an order in which they end.
var groups = []string{"map", "counts/reduce", "alike/reduce", "shares/reduce", "ranks/map", "ranks/reduce"}

// all reports whether all tasks of a group are committed.
func allOf(group string) func(*client.Job) bool {
	return func(j *client.Job) bool {
		i := slices.IndexFunc(j.Phases, func(p client.Phase) bool { return p.Phase == group })
		return i >= 0 && j.Phases[i].Tasks > 0 && j.Phases[i].Committed == j.Phases[i].Tasks
	}
}

// outputs returns the texts of the outputs of a committed job, by name: parts in their
// order, the lines of "shares" sorted.
func outputs(ctx context.Context, root *store.Root, m *output.Manifest) (map[string]string, error) {
	texts := make(map[string]string)
	for _, p := range m.Parts {
		body, err := root.Get(ctx, p.Name, 64<<20)
		if err != nil {
			return nil, err
		}
		name, _, _ := strings.Cut(p.Name, "/")
		texts[name] += string(body)
	}
	lines := strings.SplitAfter(texts["shares"], "\n")
	slices.Sort(lines)
	texts["shares"] = strings.Join(lines, "")
	return texts, nil
}

// staged waits for the end of a job stages, and checks its outputs, its log, and that it
// was committed once.
func (c *cluster) staged(id plan.JobID, out string, in *text) {
	c.t.Helper()
	want := in.stages()
	both := strings.SplitAfter(want["shares"]+want["ranks"], "\n")
	slices.Sort(both)
	c.succeeds(id, out, strings.Join(both, ""))
	m, err := output.Read(c.t.Context(), c.data.Sub(out))
	if err != nil {
		c.t.Fatal(err)
	}
	got, err := outputs(c.t.Context(), c.data.Sub(out), m)
	if err != nil || !maps.Equal(got, want) {
		c.t.Errorf("the outputs are %q, %v; want %q", got, err, want)
	}
	commits := 0
	for slot := 0; ; slot++ {
		body, err := c.data.Sub(out).ReadOnce(c.t.Context(), fmt.Sprintf("%s/%020d", output.Dir, slot))
		if plan.KindOf(err) == plan.NotFound {
			break
		}
		var e struct{ Kind string }
		if err := errors.Join(err, json.Unmarshal(body, &e)); err != nil {
			c.t.Fatal(err)
		}
		if e.Kind == "commit" {
			commits++
		}
	}
	if commits != 1 {
		c.t.Errorf("the output was committed %d times", commits)
	}
}

// polls reads an output until stop is called. Every reading must find no output, or all
// outputs of the job, whole. It counts the readings.
func (c *cluster) polls(out string, want map[string]string) (stop func() (none, whole int)) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.t.Context()))
	var none, whole int
	var polling sync.WaitGroup
	root := c.data.Sub(out)
	polling.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			m, err := output.Read(ctx, root)
			var got map[string]string
			if err == nil {
				got, err = outputs(ctx, root, m)
			}
			switch {
			case errors.Is(err, output.ErrNotCommitted):
				none++
			case ctx.Err() != nil:
			case err != nil:
				c.t.Errorf("a reader meets %v", err)
				return
			case !maps.Equal(got, want):
				c.t.Errorf("a reader sees %q, want %q", got, want)
				return
			default:
				whole++
			}
			<-tick.C
		}
	})
	return func() (int, int) {
		cancel()
		polling.Wait()
		return none, whole
	}
}

// TestStagesSurviveTheEndOfAllProcesses kills all masters and workers each time that a
// stage has ended, and starts others: the outputs are right, no committed task runs again,
// and there is one commit. A reader that polls never sees one of the outputs without the
// other.
func TestStagesSurviveTheEndOfAllProcesses(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c *cluster) {
		ends := groups
		if !all { // one, another with each seed
			ends = groups[*seed%uint64(len(groups)):][:1]
		}
		in := c.write(4, 20)
		stop := c.polls("out", in.stages())
		master, worker := c.leader(), c.worker(2)
		id := c.submit("stages", "out", c.slow("5ms", "20ms", 20, 2)...)
		for _, group := range ends {
			c.until(id, allOf(group))
			master.kill()
			worker.kill()
			before := c.finished(id)
			master, worker = c.leader(), c.worker(2)
			c.until(id, func(j *client.Job) bool { return j.State.Ended() || len(c.finished(id)) > len(before) })
			c.notAgain(before)
		}
		c.staged(id, "out", in)
		eventually(t, "a reader sees the outputs", func() bool { _, err := output.Read(t.Context(), c.data.Sub("out")); return err == nil })
		if none, _ := stop(); none == 0 {
			t.Error("the reader came too late")
		}
	})
}

// TestALoopGoesOnInItsRound kills all masters and workers in a round of a loop, and starts
// others: they continue in that round, and nothing of a round before runs again.
func TestALoopGoesOnInItsRound(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c *cluster) {
		in := c.write(3, 20)
		var want strings.Builder
		for _, w := range slices.Sorted(maps.Keys(in.words)) {
			fmt.Fprintf(&want, "%s\t%d\n", w, in.words[w]+20)
		}
		master, worker := c.leader(), c.worker(2)
		partitions := 1 // a round has three tasks, one after another
		if all {
			partitions = 2
		}
		id := c.submit("rounds", "out", c.slow("1ms", "1ms", 60, partitions)...)
		c.until(id, func(j *client.Job) bool {
			return slices.ContainsFunc(j.Phases, func(p client.Phase) bool { return p.Phase == "sums.17/reduce" && p.Tasks > 0 })
		})
		master.kill()
		worker.kill()
		before := c.finished(id)
		if _, done := before["sums.16/reduce/0"]; !done {
			t.Errorf("the tasks that have ended are %v, and none is of round 16", before)
		}
		c.leader()
		c.worker(2)
		c.succeeds(id, "out", want.String())
		c.notAgain(before)
		if n := len(c.finished(id)); c.marks()["sums.20/reduce/0"] == 0 || c.marks()["sums.21/reduce/0"] > 0 {
			t.Errorf("%d tasks have ended, want those of 20 rounds: %v", n, c.marks())
		}
	})
}

// runsOf returns the keys of the runs that a task has left.
func (c *cluster) runsOf(id plan.JobID, task plan.TaskID) (keys []string) {
	c.t.Helper()
	for o, err := range c.root.List(c.t.Context(), plan.ScratchPrefix(id)+"x/") {
		if err != nil {
			c.t.Fatal(err)
		}
		if name := o.Key[strings.LastIndexByte(o.Key, '/')+1:]; strings.HasPrefix(name, task.Key()+".") {
			keys = append(keys, o.Key)
		}
	}
	return keys
}

// lose deletes the runs of a task.
func (c *cluster) lose(id plan.JobID, task plan.TaskID) {
	c.t.Helper()
	keys := c.runsOf(id, task)
	if len(keys) == 0 {
		c.t.Fatalf("task %v has left nothing", task)
	}
	for _, key := range keys {
		if err := c.root.Delete(c.t.Context(), key); err != nil {
			c.t.Fatal(err)
		}
	}
}

// TestLostRunsOfStagesAreMadeAgain deletes what tasks have left while a later stage runs.
// Only these tasks run again, those of the stage before only if their runs are lost, too.
func TestLostRunsOfStagesAreMadeAgain(t *testing.T) {
	t.Parallel()
	first := plan.TaskID{Stage: "counts", Phase: plan.Reduce}
	for name, lost := range map[string][]plan.TaskID{
		"one level":  {first},
		"two levels": {first, {Phase: plan.Map, Index: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, c *cluster) {
				in := c.write(3, 20)
				c.leader(patient)
				stopped := c.worker(1, failpoint("pause before write **/s/att/alike.r*/*#1"))
				id := c.submit("stages", "out", c.slow("1ms", "1ms", 20, 2)...)
				stopped.pauses() // a task of alike has not left its record yet; the join has not begun
				before := c.finished(id)
				for _, task := range lost {
					c.lose(id, task)
				}
				stopped.resume()
				c.staged(id, "out", in)
				now := c.marks()
				for task, n := range before {
					want := n
					if slices.ContainsFunc(lost, func(l plan.TaskID) bool { return l.String() == task }) {
						want++
					}
					if now[task] != want {
						t.Errorf("%s was begun %d times, want %d", task, now[task], want)
					}
				}
			})
		})
	}
}

// TestRandomGraphs runs random jobs of several stages on a cluster of which a master or a
// worker is killed now and then, and compares their outputs with those that loops make.
func TestRandomGraphs(t *testing.T) {
	t.Parallel()
	number := uint64(1)
	if all {
		number = 20
	}
	c := onFiles(t)
	r := rand.New(rand.NewPCG(*seed, 14))
	masters, workers := []*process{c.leader(), c.master()}, []*process{c.worker(2), c.worker(2)}
	for s := *seed; s < *seed+number; s++ {
		g := graphs.New(s)
		texts := g.Texts(rand.New(rand.NewPCG(s, 15)))
		out := fmt.Sprintf("out%d", s)
		args := []string{"--seed", fmt.Sprint(s), "--split-size", fmt.Sprint(100 + r.IntN(2000)), "--partitions", fmt.Sprint(1 + r.IntN(3))}
		var want []string
		for _, lines := range g.Want(texts) {
			for _, line := range lines {
				want = append(want, line+"\n")
			}
		}
		slices.Sort(want)
		id := c.submitGraph(g, texts, s, out, args)
		c.until(id, func(j *client.Job) bool { return j.Progress.Fraction > 0.1+r.Float64()*0.6 })
		if r.IntN(2) == 0 {
			masters[0].kill()
			masters = append(masters[1:], c.master())
		} else {
			workers[0].kill()
			workers = append(workers[1:], c.worker(2))
		}
		c.succeeds(id, out, strings.Join(want, ""))
		if t.Failed() {
			t.Fatalf("the job is %v\nreplay: go test ./integration/faults -run '^TestRandomGraphs$' -seed=%d", g, s)
		}
	}
}

// submitGraph writes the inputs of a random job, and submits it.
func (c *cluster) submitGraph(g *graphs.Graph, texts map[string]string, s uint64, out string, args []string) plan.JobID {
	c.t.Helper()
	all := []string{"submit", testjobs, "graph", "--root", c.rootURL, "--out", below(c.jobsURL, out), "--detach", "--quiet"}
	for i, name := range g.Inputs {
		key := fmt.Sprintf("graph%d/%d", s, i)
		if err := c.data.Put(c.t.Context(), key+"/text", []byte(texts[name]), store.Durable); err != nil {
			c.t.Fatal(err)
		}
		url := below(c.jobsURL, key+"/")
		if name != "" {
			url = name + "=" + url
		}
		all = append(all, "--input", url)
	}
	code, stdout, stderr := c.command(append(all, args...)...)
	if code != 0 {
		c.t.Fatalf("submit %v: exit %d: %s", g, code, stderr)
	}
	return plan.JobID(strings.TrimSpace(stdout))
}
