//go:build faults

package faults

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/windrow-mr/windrow/client"
	wire "github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
)

// edit is a difference between two releases.
type edit struct{ file, old, new string }

const laterVersion = "v99.0.0"

// stamp gives a build another version of the program, and changes nothing else.
func stamp() edit {
	return edit{"internal/cli/version.go", "= info.Main.Path, info.Main.Version\n", `= info.Main.Path, "` + laterVersion + "\"\n"}
}

// release builds windrow with some lines changed.
func release(t *testing.T, edits ...edit) string {
	t.Helper()
	dir := t.TempDir()
	replaced := make(map[string]string)
	for _, e := range edits {
		file, err := filepath.Abs(filepath.Join("../..", e.file))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(text), e.old) != 1 {
			t.Fatalf("%s has %q not once", e.file, e.old)
		}
		replaced[file] = filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(replaced[file], []byte(strings.Replace(string(text), e.old, e.new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	file, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "windrow")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := buildWindrow(t.Context(), program, "-overlay", file); err != nil {
		t.Fatal(err)
	}
	return program
}

// TestFault41RollingUpgrade: masters and workers of two builds that speak one
// protocol are a cluster, whichever leads. A job continues while all of them
// are replaced, as docs/operations.md says, and nothing runs twice. Built-in
// jobs run on workers of the same build as the command that submits them.
func TestFault41RollingUpgrade(t *testing.T) {
	t.Parallel()
	later := release(t, stamp())
	for name, programs := range map[string][2]string{"up": {windrow, later}, "down": {later, windrow}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, c *cluster) { rolls(t, c, programs[0], programs[1]) })
		})
	}
}

func rolls(t *testing.T, c *cluster, from, to string) {
	t.Helper()
	in := c.write(16, 20)
	c.program = from
	first := c.leader()
	leaves := c.worker(1)
	id := c.submit("tally", "out", c.slow("20ms", "1ms", 20, 2)...)
	c.until(id, committed("map", 1))

	c.program = to
	comes := c.worker(1)
	eventually(t, "a worker of the other build ends a task for the first master", func() bool { return c.worked(comes, id) })
	if builds := c.builds(); len(builds) != 2 || builds[0] == builds[1] {
		t.Errorf("the workers are of the builds %q", builds)
	}
	second := c.master()
	before := c.finished(id)
	first.signal(syscall.SIGTERM)
	if code := first.wait(); code != 0 {
		t.Errorf("the first master ends with %d", code)
	}
	second.says("leading the cluster")
	eventually(t, "the worker of the first build continues with the second master", func() bool { return c.has(2)() })
	leaves.signal(syscall.SIGTERM)
	if code := leaves.wait(); code != 0 {
		t.Errorf("the first worker ends with %d", code)
	}
	c.tallied(id, "out", in)
	c.notAgain(before)
	c.mostly(1)
	c.builtIn(from, to)
}

// worked reports whether a worker has a committed task of a job.
func (c *cluster) worked(w *process, id plan.JobID) bool {
	c.t.Helper()
	all, err := c.client.Workers(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(o client.Worker) bool { return o.PID == w.cmd.Process.Pid })
	if i < 0 {
		return false
	}
	tasks, err := c.client.Tasks(c.t.Context(), id, client.TasksQuery{State: client.TaskCommitted})
	if err != nil {
		c.t.Fatal(err)
	}
	return slices.ContainsFunc(tasks.Tasks, func(t client.Task) bool { return t.Worker == all[i].ID })
}

// builds returns the builds of the workers.
func (c *cluster) builds() (list []string) {
	c.t.Helper()
	all, err := c.client.Workers(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, w := range all {
		list = append(list, w.Build)
	}
	return list
}

// builtIn submits a built-in job by both builds: workers are of the second one.
func (c *cluster) builtIn(from, to string) {
	c.t.Helper()
	args := func(out string) []string {
		return []string{"submit", "wordcount", "--root", c.rootURL, "--input", below(c.jobsURL, "in/"), "--out", below(c.jobsURL, out), "--wait", "--quiet"}
	}
	c.program = from
	if code, _, said := c.command(args("words")...); code == 0 || !strings.Contains(said, "is one of windrow's own, of the build") ||
		!strings.Contains(said, "submit it by the same release that the workers run") {
		c.t.Errorf("a job of the replaced build ends with %d: %s", code, said)
	}
	c.program = to
	if code, _, said := c.command(args("words-2")...); code != 0 {
		c.t.Errorf("a job of the present build ends with %d: %s", code, said)
	}
}

// TestFault41AnotherProtocol: a worker of another protocol ends, and says why,
// and disturbs no other process. When all are replaced at once the job
// continues.
func TestFault41AnotherProtocol(t *testing.T) {
	t.Parallel()
	const line = "const Version = "
	now := strconv.Itoa(wire.Version)
	later := release(t, stamp(), edit{"cluster/messages.go", line + now + "\n", line + now + "00\n"})
	c := onFiles(t)
	in := c.write(8, 20)
	first := c.leader(patient)
	left := c.worker(1)
	id := c.submit("tally", "out", c.slow("20ms", "1ms", 20, 2)...)
	c.until(id, committed("map", 2))

	c.program = later
	early := c.worker(1)
	if code := early.wait(); code == 0 || !strings.Contains(early.said.String(), "run the same build of windrow on both") {
		t.Errorf("a worker of another protocol ends with %d", code)
	}
	if strings.Contains(first.said.String(), "a worker is lost") {
		t.Error("the worker of this protocol was lost")
	}
	c.until(id, committed("map", 3))
	second := c.master()
	first.signal(syscall.SIGTERM)
	second.says("leading the cluster")
	if code := left.wait(); code == 0 || !strings.Contains(left.said.String(), "run the same build of windrow on both") {
		t.Errorf("a worker of the earlier protocol ends with %d", code)
	}
	before := c.finished(id)
	c.worker(1)
	c.tallied(id, "out", in)
	c.notAgain(before)
}
