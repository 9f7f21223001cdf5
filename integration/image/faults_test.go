//go:build image

package image

import (
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/client"
)

// TestContainersAreKilled: a worker and the leader are killed while a user's
// job runs. Containers that are started instead, by the commands of
// operations.md, continue with it. The output is right, and no committed task
// runs again.
func TestContainersAreKilled(t *testing.T) {
	t.Parallel()
	c := onS3(t)
	in := c.write(24, 40)
	master := c.start("master")
	master.says("leading the cluster")
	first := c.start("worker", "--slots", "2")
	c.start("worker", "--slots", "2")

	id := c.submit("./guest", "count", "out", "--split-size", "1280", "--partitions", "3", "--map", "25ms")
	c.committed(id, 6)
	before := decoded[client.TasksPage](c, "tasks", id)
	c.docker("kill", first.name, master.name)
	c.start("worker", "--slots", "2")
	second := c.start("master")
	second.says("leading the cluster")

	c.must("watch", id, "--quiet")
	c.counted("out", in)
	if n := decoded[client.Counters](c, "counters", id); !n.Complete || n.Counts["lines"] != in.lines || n.Read.Records != in.lines {
		t.Errorf("%d lines were counted as %+v", in.lines, n)
	}
	after := make(map[string]client.Task)
	for _, task := range decoded[client.TasksPage](c, "tasks", id).Tasks {
		after[task.Task] = task
	}
	for _, task := range before.Tasks {
		if now := after[task.Task]; task.State == client.TaskCommitted && now.Attempt != task.Attempt {
			t.Errorf("%s was committed by attempt %s, and is by %s now", task.Task, task.Attempt, now.Attempt)
		}
	}

	// The present leader has the built-in jobs too.
	c.must("submit", "wordcount", "--input", c.jobsURL+"/in/", "--out", c.jobsURL+"/words", "--wait", "--quiet")
	c.counted("words", in)
}

// TestContainersAreStopped: docker stop makes a worker drain and a leader
// resign, in time, and the running job continues with the others. Workers have
// the arguments of the manifest, and answer the probes of Kubernetes.
func TestContainersAreStopped(t *testing.T) {
	t.Parallel()
	c := onFiles(t)
	in := c.write(16, 40)
	first := c.start("master")
	first.says("leading the cluster")
	c.start("master").says("windrow: master")
	flags := ofManifest(t, "worker.yaml")
	leaves := c.start("worker", flags...)
	c.start("worker", flags...)
	c.eventually("a worker is ready", func() bool { return leaves.answers(":7412/readyz") })
	c.eventually("a master is ready", func() bool { return first.answers(":7411/readyz") && first.answers(":7411/healthz") })

	id := c.submit(c.guest(), "count", "out", "--split-size", "1280", "--partitions", "2", "--map", "25ms")
	c.committed(id, 3)
	c.docker("stop", leaves.name)
	c.docker("stop", first.name)
	for _, k := range []*container{leaves, first} {
		if code := k.state("ExitCode"); code != "0" {
			t.Errorf("%s ends with %s", k.name, code)
		}
	}
	c.must("watch", id, "--quiet")
	c.counted("out", in)
	c.must("submit", "wordcount", "--input", c.jobsURL+"/in/", "--out", c.jobsURL+"/words", "--wait", "--quiet")
	c.counted("words", in)
}

// TestGuests: job processes in a container have their limits, a place for
// temporary files and no other place to write to, and no secrets. Processes
// that they leave behind are gone; one that takes too much memory fails, and
// its worker continues.
func TestGuests(t *testing.T) {
	t.Parallel()
	c := onS3(t)
	c.write(1, 1)
	c.start("master").says("leading the cluster")
	worker := c.start("worker", "--slots", "2", "--memory", "800MiB")
	if said := worker.said(); strings.Contains(said, "level=WARN") {
		t.Errorf("the worker warns of its container:\n%s", said)
	}

	c.done(c.submit("./guest", "look", "seen"))
	c.checkGuest(c.output("seen"))

	c.done(c.submit("./guest", "leave", "left"))
	if left := c.output("left"); left != "left\t1\n" {
		t.Errorf("a job says that it left %q", left)
	}
	// The processes of a job that has ended are kept for a moment.
	c.eventually("nothing is left of what a job process started", func() bool {
		return !strings.Contains(c.docker("top", worker.name, "-eo", "pid,args"), "linger-here") && worker.unreaped() == 0
	})

	id := c.submit("./guest", "eat", "eaten")
	if _, err := c.windrow("watch", id, "--quiet"); err == nil || !strings.Contains(err.Error(), "memory") {
		t.Errorf("a job that takes all memory ends with %v", err)
	}
	if worker.state("Running") != "true" || worker.state("OOMKilled") != "false" || worker.restarts() != "0" {
		t.Error("the worker does not outlive a job that takes all memory")
	}
	if said := worker.said(); strings.Contains(said, "tracing") || strings.Contains(said, "privileges") {
		t.Errorf("job processes were not started as they should be:\n%s", said)
	}
}
