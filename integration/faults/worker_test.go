package faults

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/windrow-mr/windrow/client"
)

// both runs a test on files, and on a real S3 server if all is set.
func both(t *testing.T, test func(t *testing.T, c *cluster)) {
	t.Helper()
	kinds := map[string]func(*testing.T) *cluster{"files": onFiles}
	if all {
		kinds["s3"] = onS3
	}
	for name, on := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, on(t))
		})
	}
}

// mostly checks that no task was begun more than the given number of times.
func (c *cluster) mostly(most int) {
	c.t.Helper()
	for task, n := range c.marks() {
		if n > most {
			c.t.Errorf("%s was begun %d times", task, n)
		}
	}
}

// TestFault01WorkerKilledInMap: only the running tasks of the dead worker run
// again.
func TestFault01WorkerKilledInMap(t *testing.T) {
	t.Parallel()
	both(t, func(_ *testing.T, c *cluster) {
		in := c.write(8, 40)
		c.leader()
		first := c.worker(2)
		id := c.submit("tally", "out", c.slow("20ms", "0s", 40, 2)...)
		c.until(id, committed("map", 3))
		before := c.finished(id)
		first.kill()
		c.worker(2)
		c.tallied(id, "out", in)
		c.notAgain(before)
		c.mostly(2)
	})
}

// TestFault02WorkerKilledBeforeItsReport: finished work that no master knows of
// is adopted, or done again; it counts once.
func TestFault02WorkerKilledBeforeItsReport(t *testing.T) {
	t.Parallel()
	for name, point := range map[string]string{
		"data":     "kill after write **/s/x/*/m*#2",
		"manifest": "kill after write **/s/att/m*/*#2",
		"part":     "kill after write **/part-r-*#1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := onFiles(t)
			in := c.write(4, 20)
			c.leader()
			dies := c.worker(1, failpoint(point))
			id := c.submit("tally", "out", c.slow("1ms", "1ms", 20, 2)...)
			dies.says("failpoint: killed")
			before := c.finished(id)
			c.worker(1)
			c.tallied(id, "out", in)
			c.notAgain(before)
			c.mostly(2)
		})
	}
}

// TestFault03EveryWorkerKilled: at half of a job every worker is killed, and
// others join. Committed tasks do not run again.
func TestFault03EveryWorkerKilled(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c *cluster) {
		in := c.write(12, 20)
		c.leader()
		var workers []*process
		for range 2 {
			workers = append(workers, c.worker(1))
		}
		id := c.submit("tally", "out", c.slow("20ms", "0s", 20, 2)...)
		c.until(id, committed("map", 6))
		for _, w := range workers {
			w.kill()
		}
		before := c.finished(id)
		if len(before) < 6 {
			t.Fatalf("%d maps were committed, and now are %d", 6, len(before))
		}
		for range 2 {
			c.worker(1)
		}
		c.tallied(id, "out", in)
		c.notAgain(before)
		again := 0
		for _, n := range c.marks() {
			again += n - 1
		}
		if again > 2 {
			t.Errorf("%d attempts ran when the workers died, and %d more were made", 2, again)
		}
	})
}

// TestFault04ZombieMapWorker: a worker that was stopped for longer than its
// lease continues when another has done its task. Its report changes nothing.
func TestFault04ZombieMapWorker(t *testing.T) {
	t.Parallel()
	both(t, func(_ *testing.T, c *cluster) {
		in := c.write(3, 20)
		m := c.leader()
		zombie := c.worker(1, failpoint("pause before write **/s/att/m*/*#1"))
		id := c.submit("tally", "out", c.slow("1ms", "200ms", 20, 1)...)
		zombie.pauses()
		c.worker(1)
		m.says("a worker is lost")
		c.until(id, committed("map", 3))
		before := c.finished(id)
		zombie.resume()
		c.tallied(id, "out", in)
		c.notAgain(before)
	})
}

// TestFault05ZombieReducer: a reducer is stopped between its grant and its
// part. Another attempt gets a grant, and one part counts, whichever attempt
// made it. Where the store creates objects in parts once, there is one part.
// Elsewhere attempts have parts of their own, and a tool that lists the
// directory may see the late one: see the manifest.
func TestFault05ZombieReducer(t *testing.T) {
	t.Parallel()
	const point = "pause before write **/part-r-00000-*#1"
	for name, zombieFirst := range map[string]bool{"zombie makes it": true, "other makes it": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, on := range map[string]func(*testing.T) *cluster{"files": onFiles, "s3": onS3} {
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					c := on(t)
					c.strays = kind == "s3"
					in := c.write(2, 20)
					m := c.leader()
					first := c.worker(1, failpoint(point))
					id := c.submit("tally", "out", c.slow("1ms", "1ms", 20, 1)...)
					first.pauses()
					second := c.worker(1, failpoint(point))
					m.says("a worker is lost")
					second.pauses()
					if !zombieFirst {
						first, second = second, first
					}
					first.resume()
					eventually(t, "a part is made", func() bool { return len(c.visible("out")) == 1 })
					second.resume()
					c.tallied(id, "out", in)
				})
			}
		})
	}
}

// TestFault06Straggler: another worker repeats the task of a slow one, and the
// task counts once.
func TestFault06Straggler(t *testing.T) {
	t.Parallel()
	c := onFiles(t)
	in := c.write(8, 40)
	c.leader()
	c.worker(2)
	slow := c.worker(1)
	eventually(t, "both workers are there", c.has(2))
	id := c.submit("tally", "out", c.slow("20ms", "1ms", 40, 2)...)
	// Its job processes are stopped, but it still speaks to the master: nothing is
	// lost, but its tasks do not end.
	eventually(t, "a second attempt is made at a task of a worker without progress", func() bool {
		slow.signalJobs(syscall.SIGSTOP)
		page, err := c.client.Tasks(t.Context(), id, client.TasksQuery{})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(page.Tasks, func(task client.Task) bool { return task.Attempts == 2 && task.Lost == 0 })
	})
	slow.signalJobs(syscall.SIGCONT)
	c.tallied(id, "out", in)
	c.mostly(2)
}

// signalJobs sends a signal to all processes that a worker started.
func (p *process) signalJobs(s syscall.Signal) {
	for _, pid := range p.family()[1:] {
		_ = syscall.Kill(pid, s) // it may have ended
	}
}

// TestFault26ScratchThatCannotBeWritten: a worker whose directory for programs
// is gone cannot run its tasks, says why, and the job continues elsewhere. A
// worker without such a directory at its start does not start.
func TestFault26ScratchThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	c := onFiles(t)
	in := c.write(4, 20)
	c.leader()
	if code, _, stderr := c.command("worker", "--root", c.rootURL, "--cache", "/proc/windrow"); code != 2 || !strings.Contains(stderr, "choose another by --cache") {
		t.Errorf("a worker without a place for programs exits with %d: %s", code, stderr)
	}
	scratch := filepath.Join(c.dir, "scratch")
	bad := c.workerWith(1, []string{"--cache", scratch})
	if err := errors.Join(os.RemoveAll(scratch), os.WriteFile(scratch, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	c.worker(1)
	eventually(t, "both workers are there", c.has(2))
	id := c.submit("tally", "out", c.slow("20ms", "1ms", 20, 1)...)
	c.tallied(id, "out", in)
	all, err := c.client.Workers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(all, func(w client.Worker) bool { return w.PID == bad.cmd.Process.Pid }); i < 0 || all[i].Failures == 0 {
		t.Errorf("the worker that cannot keep programs got no task: %+v", all)
	}
}

// TestDrainLosesNothing: a worker that drains finishes its attempts, and no
// task is begun twice. The same holds when it gets SIGTERM.
func TestDrainLosesNothing(t *testing.T) {
	t.Parallel()
	c := onFiles(t)
	in := c.write(10, 20)
	c.leader()
	first, second := c.worker(1), c.worker(1)
	id := c.submit("tally", "out", c.slow("20ms", "1ms", 20, 2)...)
	c.until(id, committed("map", 2))
	c.worker(1)
	workers, err := c.client.Workers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(workers, func(w client.Worker) bool { return w.PID == first.cmd.Process.Pid })
	if i < 0 {
		t.Fatalf("worker %d is not among %+v", first.cmd.Process.Pid, workers)
	}
	if code, _, stderr := c.command("workers", "drain", workers[i].ID, "--root", c.rootURL); code != 0 {
		t.Fatalf("drain: exit %d: %s", code, stderr)
	}
	if code := first.wait(); code != 0 {
		t.Errorf("the drained worker ends with %d", code)
	}
	second.signal(syscall.SIGTERM)
	if code := second.wait(); code != 0 {
		t.Errorf("the worker that was asked to end ends with %d", code)
	}
	c.tallied(id, "out", in)
	c.mostly(1)
}

// gone reports whether no process has this number.
func gone(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err != nil
}
