//go:build faults

package faults

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// misbehaves runs a job that does f at one line, and a good one after it, on
// the same worker, which kills processes without progress. It returns why the
// bad one failed.
func misbehaves(t *testing.T, job, noProgress string, code int, words ...string) string {
	t.Helper()
	c := onFiles(t)
	in := c.write(1, 20)
	if err := c.data.Put(t.Context(), "bad/lines", []byte("good\nbad\ngood\n"), store.Durable); err != nil {
		t.Fatal(err)
	}
	m := c.leader(patient)
	w := c.workerWith(1, []string{"--no-progress", noProgress})
	bad := c.submitOn("bad", job, "bad-out", "--at", "bad")
	got, said := c.ends(bad)
	if got != code {
		t.Errorf("%s: exit %d, want %d: %s", job, got, code, said)
	}
	for _, word := range words {
		if !strings.Contains(said, word) {
			t.Errorf("%s: %q does not say %q", job, said, word)
		}
	}
	if code != 0 {
		if seen := c.visible("bad-out"); len(seen) > 0 {
			t.Errorf("%s: visible are %q", job, seen)
		}
	}
	for o, err := range c.root.List(t.Context(), plan.LogsPrefix(bad)) {
		if err != nil {
			t.Fatal(err)
		}
		if o.Size > 1<<20 {
			t.Errorf("%s: the log %s has %d bytes", job, o.Key, o.Size)
		}
	}
	c.tallied(c.submit("tally", "out"), "out", in)
	if strings.Contains(m.said.String(), "a worker is lost") {
		t.Errorf("%s: the worker was lost", job)
	}
	if left := w.family()[1:]; len(left) > 1 { // of the good job, perhaps
		t.Errorf("%s: processes %v are left", job, left)
	}
	return said
}

// TestFault31OutOfMemory: a job that uses too much memory loses its process.
// The worker lives, and the error names the reason.
func TestFault31OutOfMemory(t *testing.T) {
	t.Parallel()
	misbehaves(t, "eats", "1m", 1, "memory")
}

// TestFault32JobThatEndsItsProcess: the attempt fails, the error says how the
// process ended, and after some attempts the job fails for that reason.
func TestFault32JobThatEndsItsProcess(t *testing.T) {
	t.Parallel()
	for job, words := range map[string][]string{
		"panics":    {"out of cheese"},
		"exits":     {"exit", "7"},
		"segfaults": {"segmentation"},
	} {
		t.Run(job, func(t *testing.T) {
			t.Parallel()
			misbehaves(t, job, "1m", 1, words...)
		})
	}
}

// TestFault32Attempts: a job whose program ends its process is tried as often as the
// job asks for, although each end has the same text.
func TestFault32Attempts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		flags []string
		tries int
	}{{nil, 4}, {[]string{"--attempts", "2"}, 2}} {
		c := onFiles(t)
		if err := c.data.Put(t.Context(), "bad/lines", []byte("bad\n"), store.Durable); err != nil {
			t.Fatal(err)
		}
		c.leader(patient)
		c.workerWith(1, nil)
		id := c.submitOn("bad", "exits", "bad-out", append(tt.flags, "--at", "bad")...)
		if got, said := c.ends(id); got != 1 || !strings.Contains(said, "status 7") {
			t.Errorf("exit %d: %s", got, said)
		}
		tries := 0
		for o, err := range c.root.List(t.Context(), plan.LogsPrefix(id)) {
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(o.Key, plan.LogsPrefix(id)+plan.TaskID{Phase: plan.Map}.Key()+".") {
				tries++
			}
		}
		if tries != tt.tries {
			t.Errorf("with %q the task was tried %d times, want %d", tt.flags, tries, tt.tries)
		}
	}
}

// TestFault33JobWithoutProgress: an attempt that makes no progress for too long
// is killed, and the job fails for that reason.
func TestFault33JobWithoutProgress(t *testing.T) {
	t.Parallel()
	for _, job := range []string{"loops", "deadlocks"} {
		t.Run(job, func(t *testing.T) {
			t.Parallel()
			misbehaves(t, job, "3s", 1, "made no progress for 3")
		})
	}
}

// TestFault34JobThatWastes: processes that a job process starts end with it,
// its output is cut, and its open files are bounded.
func TestFault34JobThatWastes(t *testing.T) {
	t.Parallel()
	t.Run("forks", func(t *testing.T) {
		t.Parallel()
		said := misbehaves(t, "forks", "1m", 1, "the child is")
		m := regexp.MustCompile(`the child is (\d+)`).FindStringSubmatch(said)
		if m == nil {
			t.Fatalf("no child is reported: %s", said)
		}
		pid, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the child is gone", func() bool { return gone(pid) })
	})
	t.Run("floods", func(t *testing.T) {
		t.Parallel()
		misbehaves(t, "floods", "1m", 0)
	})
	t.Run("leaks", func(t *testing.T) {
		t.Parallel()
		misbehaves(t, "leaks", "1m", 1, "too many open files")
	})
}

// TestFault38InputChangesAfterPlanning: the planned input is no longer there.
// The job fails, and names the object that changed.
func TestFault38InputChangesAfterPlanning(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(c *cluster) error{
		"overwritten": func(c *cluster) error { return c.data.Put(c.t.Context(), "in/001", []byte("another\n"), store.Durable) },
		"deleted":     func(c *cluster) error { return c.data.Delete(c.t.Context(), "in/001") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, c *cluster) {
				c.write(3, 20)
				c.leader()
				w := c.worker(1, failpoint("pause after write **/plan/*"))
				id := c.submit("tally", "out", splitFlags(20)...)
				w.pauses()
				if err := change(c); err != nil {
					t.Fatal(err)
				}
				w.resume()
				code, said := c.ends(id)
				if code == 0 || !strings.Contains(said, "in/001") {
					t.Errorf("exit %d: %s", code, said)
				}
				if seen := c.visible("out"); len(seen) > 0 {
					t.Errorf("visible are %q", seen)
				}
			})
		})
	}
}

// TestFault39OutputOfTwoJobs: of two jobs that begin the same output at once,
// one gets it, and the other fails for that reason; so does one that comes
// later.
func TestFault39OutputOfTwoJobs(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, c *cluster) {
		in := c.write(2, 20)
		c.leader()
		c.worker(2)
		first := c.submitLater("tally", "out", c.slow("5ms", "1ms", 20, 2)...)
		second := c.submitLater("tally", "out", c.slow("5ms", "1ms", 20, 2)...)
		ids := []plan.JobID{<-first, <-second}
		won := -1
		for i, id := range ids {
			switch code, said := c.ends(id); {
			case code == 0 && won < 0:
				won = i
			case code != 6 || !strings.Contains(said, "data/out"):
				t.Errorf("job %s: exit %d: %s", id, code, said)
			}
		}
		if won < 0 {
			t.Fatal("neither has the output")
		}
		c.tallied(ids[won], "out", in)
		late := c.submit("tally", "out")
		if code, said := c.ends(late); code != 6 || !strings.Contains(said, "it exists") {
			t.Errorf("a third job: exit %d: %s", code, said)
		}
		c.checkOutput(ids[won], "out", in.tally())
	})
}

// TestFault40GarbageCollectedUnderAZombie: a master is stopped in the middle of
// an append. Another one ends the job, and its leftovers are collected. When
// the first continues, its append is refused, and no reachable object is gone.
func TestFault40GarbageCollectedUnderAZombie(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			both(t, func(t *testing.T, c *cluster) {
				in := c.write(3, 20)
				keep := []string{"--keep", "1ns"}
				zombie := c.masterWith(keep, failpoint("pause "+when+" create **/log/00000000000000000004"))
				zombie.says("leading the cluster")
				c.worker(1)
				second := c.masterWith(keep)
				job := c.submitLater("tally", "out", c.slow("1ms", "1ms", 20, 2)...)
				zombie.pauses()
				second.says("leading the cluster")
				id := <-job
				c.tallied(id, "out", in)
				for range 2 {
					if code, _, stderr := c.command("gc", "--root", c.rootURL); code != 0 {
						t.Fatalf("gc: exit %d: %s", code, stderr)
					}
				}
				before := c.records(id)
				zombie.resume()
				zombie.says("deposed")
				if after := c.checkLog(id); len(after) != len(before) {
					t.Errorf("the log had %d slots, and has %d now", len(before), len(after))
				}
				c.checkOutput(id, "out", in.tally())
				again := c.submit("tally", "out-2", splitFlags(20)...)
				c.tallied(again, "out-2", in)
			})
		})
	}
}
