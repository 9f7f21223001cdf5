package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster/auth"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	_ "github.com/windrow-mr/windrow/store/s3"
	"github.com/windrow-mr/windrow/store/s3/s3test"
)

// cluster is a root, data for jobs, and the processes that were started on
// them.
type cluster struct {
	t         *testing.T
	dir       string
	rootURL   string // as operators give it
	dataURL   string // below which jobs may read and write, as operators give it
	jobsURL   string // the same as jobs name it
	root      *store.Root
	data      *store.Root
	client    *client.Client
	processes int
	strays    bool   // a zombie's part may be seen beside those of the manifest
	token     string // file of it; "" for none
	program   string // that runs as windrow
	patience  time.Duration
}

// onFiles makes a cluster in a directory.
func onFiles(t *testing.T) *cluster {
	t.Helper()
	dir := t.TempDir()
	return newCluster(t, dir, "file://"+dir+"/root", "file://"+dir+"/data")
}

// onS3 makes a cluster on a real S3 server.
func onS3(t *testing.T) *cluster {
	t.Helper()
	return onBucket(t, s3test.Start(t))
}

// onBucket makes a cluster in a bucket.
func onBucket(t *testing.T, url string) *cluster {
	t.Helper()
	return newCluster(t, t.TempDir(), below(url, "root"), below(url, "data"))
}

// below adds a key to a URL that may have a query.
func below(url, key string) string {
	bucket, query, found := strings.Cut(url, "?")
	if found {
		query = "?" + query
	}
	return strings.TrimSuffix(bucket, "/") + "/" + key + query
}

func newCluster(t *testing.T, dir, root, data string) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: dir, program: windrow, patience: patience, rootURL: root, dataURL: data, root: open(t, root), data: open(t, data)}
	c.jobsURL, _, _ = strings.Cut(data, "?")
	// Job processes may run as another user, and leave marks here.
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(c.marksFile(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(c.marksFile(), 0o666); err != nil {
		t.Fatal(err)
	}
	c.meet()
	return c
}

// meet makes a new client, which knows no master yet.
func (c *cluster) meet() {
	c.t.Helper()
	transport, err := auth.Config{TokenFile: c.token}.Transport()
	if err != nil {
		c.t.Fatal(err)
	}
	c.client, err = client.New(client.Config{Patience: patience, Transport: transport, Find: func(ctx context.Context) (string, error) {
		l, err := journal.Current(ctx, c.root)
		if err == nil && l.URL == "" {
			err = errors.New("no master leads yet")
		}
		return l.URL, err
	}})
	if err != nil {
		c.t.Fatal(err)
	}
}

func open(t *testing.T, url string) *store.Root {
	t.Helper()
	root, err := store.Open(t.Context(), url, store.Options{CreateDir: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

// Environments of failpoints.
func failpoint(text string) string { return "WINDROW_FAILPOINT=" + text }
func weather(text string) string   { return "WINDROW_FAULTS=" + text }

// access returns the flags that all processes of the cluster share.
func (c *cluster) access() []string {
	if c.token == "" {
		return nil
	}
	return []string{"WINDROW_TOKEN_FILE=" + c.token}
}

// master starts a master, and waits until it listens.
func (c *cluster) master(env ...string) *process { return c.masterWith(nil, env...) }

// masterWith starts a master with more arguments, of which the last ones count.
func (c *cluster) masterWith(args []string, env ...string) *process {
	c.t.Helper()
	c.processes++
	all := append([]string{"master", "--root", c.rootURL, "--allow", c.dataURL, "--listen", "127.0.0.1:0"}, args...)
	p := c.start(fmt.Sprintf("master %d", c.processes), env, all)
	p.url()
	return p
}

// leader starts a master, and waits until it leads.
func (c *cluster) leader(env ...string) *process {
	c.t.Helper()
	p := c.master(env...)
	p.says("leading the cluster")
	return p
}

// worker starts a worker with some slots.
func (c *cluster) worker(slots int, env ...string) *process {
	c.t.Helper()
	return c.workerWith(slots, nil, env...)
}

func (c *cluster) workerWith(slots int, args []string, env ...string) *process {
	c.t.Helper()
	c.processes++
	all := append([]string{"worker", "--root", c.rootURL, "--allow", c.dataURL, "--slots", fmt.Sprint(slots),
		"--memory", fmt.Sprintf("%dMiB", 256+256*slots), "--cache", cache}, args...)
	p := c.start(fmt.Sprintf("worker %d", c.processes), env, all)
	p.says("windrow: worker")
	return p
}

// start starts a process that belongs to the cluster.
func (c *cluster) start(name string, env, args []string) *process {
	c.t.Helper()
	p := prepare(c.t, name, append(c.access(), env...), args...)
	p.cmd.Path = c.program
	p.begin()
	return p
}

// command runs windrow to its end.
func (c *cluster) command(args ...string) (code int, stdout, stderr string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.program, args...)
	cmd.Env = append(environment(), c.access()...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		c.t.Fatalf("windrow %s: %v", strings.Join(args, " "), err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// submit submits a job of the test program, over the input in "in", to out.
func (c *cluster) submit(job, out string, args ...string) plan.JobID {
	c.t.Helper()
	return c.submitOn("in", job, out, args...)
}

// submitOn submits a job over another input.
func (c *cluster) submitOn(in, job, out string, args ...string) plan.JobID {
	c.t.Helper()
	all := append([]string{"submit", testjobs, job, "--root", c.rootURL, "--input", below(c.jobsURL, in+"/"), "--out", below(c.jobsURL, out), "--detach", "--quiet"}, args...)
	code, stdout, stderr := c.command(all...)
	if code != 0 {
		c.t.Fatalf("submit %s: exit %d: %s", job, code, stderr)
	}
	return plan.JobID(strings.TrimSpace(stdout))
}

// ends runs watch, and returns the exit status and the messages.
func (c *cluster) ends(id plan.JobID) (code int, stderr string) {
	c.t.Helper()
	code, _, stderr = c.command("watch", string(id), "--root", c.rootURL, "--quiet")
	return code, stderr
}

// until follows a job until f returns true, or the job has ended.
func (c *cluster) until(id plan.JobID, f func(*client.Job) bool) client.Job {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), c.patience)
	defer cancel()
	var last client.Job
	for e, err := range c.client.Watch(ctx, id) {
		if err != nil {
			c.t.Fatalf("watch job %s, %s: %v", id, last.State, err)
		}
		last = e.Job
		if f(&last) || last.State.Ended() {
			return last
		}
	}
	c.t.Fatalf("job %s is %s, and no event follows", id, last.State)
	return last
}

// committed returns a condition: at least n tasks of a phase are committed.
func committed(phase string, n int) func(*client.Job) bool {
	return func(j *client.Job) bool {
		i := slices.IndexFunc(j.Phases, func(p client.Phase) bool { return p.Phase == phase })
		return i >= 0 && j.Phases[i].Committed >= n
	}
}

// has returns a condition: the cluster has so many workers.
func (c *cluster) has(workers int) func() bool {
	return func() bool {
		all, err := c.client.Workers(c.t.Context())
		return err == nil && len(all) == workers
	}
}

// eventually waits until f is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !f() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("it never became true that %s", what)
		}
	}
}
