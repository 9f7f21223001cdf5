//go:build image

package image

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/store"
	_ "github.com/windrow-mr/windrow/store/s3"
	"github.com/windrow-mr/windrow/store/s3/s3test"
)

// cluster is a root, data for jobs, and containers on them.
type cluster struct {
	t          *testing.T
	dir        string // of the cluster's own files, on this host
	root, data string // URLs, as operators give them
	jobsURL    string // of data, as jobs name it
	input      *store.Root
	token      string // file of it, here
	containers int
	network    string // "host", or one of Docker's own
	mount      string // a directory that is at one path here and in containers; "" for none
}

// onS3 makes a cluster on an S3 server of this machine's loopback. Its
// containers are in the network of this machine, as in operations.md.
func onS3(t *testing.T) *cluster {
	t.Helper()
	url := s3test.Start(t)
	bucket, query, _ := strings.Cut(url, "?")
	c := &cluster{t: t, dir: shared(t), network: "host", root: bucket + "/root?" + query, data: bucket + "/data?" + query, jobsURL: bucket + "/data"}
	c.prepare()
	return c
}

// onFiles makes a cluster in a directory, and in its own network, where masters
// are found by the names of their containers.
func onFiles(t *testing.T) *cluster {
	t.Helper()
	dir := shared(t)
	c := &cluster{t: t, dir: dir, network: "windrow-" + strings.ToLower(rand.Text()), mount: dir, root: dir + "/root", data: dir + "/data", jobsURL: dir + "/data"}
	c.docker("network", "create", "--internal", c.network)
	t.Cleanup(func() { c.docker("network", "rm", c.network) })
	c.prepare()
	return c
}

func (c *cluster) prepare() {
	c.t.Helper()
	s3test.SetCredentials()
	var err error
	if c.input, err = store.Open(c.t.Context(), c.data, store.Options{CreateDir: true}); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = c.input.Close() })
	if c.mount != "" {
		give(c.t, c.data)
	}
	c.token = filepath.Join(c.dir, "token")
	write(c.t, c.token, rand.Text()+rand.Text()+"\n")
	var env strings.Builder
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"} {
		fmt.Fprintf(&env, "%s=%s\n", name, os.Getenv(name))
	}
	write(c.t, filepath.Join(c.dir, "store.env"), env.String())
}

// docker runs a command of Docker, which must succeed. It is used after the end
// of the test too.
func (c *cluster) docker(args ...string) string {
	c.t.Helper()
	out, err := dockerTo(context.WithoutCancel(c.t.Context()), args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// container is a container that runs in the background.
type container struct {
	c    *cluster
	name string
}

// start starts a master or a worker by the command of operations.md, with the
// names of this cluster in it, and with more arguments after it.
func (c *cluster) start(kind string, more ...string) *container {
	c.t.Helper()
	c.containers++
	k := &container{c: c, name: fmt.Sprintf("%s-%d-%s", kind, c.containers, strings.ToLower(rand.Text()))}
	args := documented(c.t, "windrow-"+kind)
	for i, arg := range args {
		switch arg {
		case "windrow-" + kind:
			args[i] = k.name
		case "--network":
			args[i+1] = c.network
		case "--root":
			args[i+1] = c.root
		case "--allow":
			args[i+1] = c.data
		case "--listen":
			if c.network == "host" {
				args[i+1] = "127.0.0.1:0"
			}
		case "--env-file":
			args[i+1] = filepath.Join(c.dir, "store.env")
		case "$PWD/token:/etc/windrow/token:ro":
			args[i] = c.token + ":/etc/windrow/token:ro"
		}
	}
	if c.mount != "" {
		args = slices.Insert(args, slices.Index(args, name), "-v", c.mount+":"+c.mount)
	}
	c.docker(append(args, more...)...)
	c.t.Cleanup(func() {
		if c.t.Failed() {
			c.t.Logf("%s said:\n%s", k.name, k.said())
		}
		c.docker("rm", "--force", "--volumes", k.name)
	})
	return k
}

// documented returns the arguments of the command of operations.md that starts a
// container.
func documented(t *testing.T, container string) []string {
	t.Helper()
	manual, err := os.ReadFile(filepath.Join(repository, "docs/operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(manual), "\\\n", " ")
	line := regexp.MustCompile(`(?m)^docker (run -d --name ` + container + ` .*)$`).FindStringSubmatch(text)
	if line == nil {
		t.Fatalf("docs/operations.md has no docker run --name %s", container)
	}
	return strings.Fields(strings.ReplaceAll(line[1], `"`, ""))
}

// ofManifest returns the flags that a manifest of Kubernetes gives its container.
func ofManifest(t *testing.T, file string) (flags []string) {
	t.Helper()
	manifest, err := os.ReadFile(filepath.Join(repository, "deploy/kubernetes", file))
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`(?m)^ +- (--\S+)$`).FindAllStringSubmatch(string(manifest), -1) {
		flags = append(flags, found[1])
	}
	if len(flags) == 0 {
		t.Fatalf("%s has no flags", file)
	}
	return flags
}

// answers reports whether a container in its own network answers a probe.
func (k *container) answers(probe string) bool {
	k.c.t.Helper()
	ip := strings.TrimSpace(k.c.docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", k.name))
	resp, err := http.Get("http://" + ip + probe)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// said returns the output of a container.
func (k *container) said() string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(k.c.t.Context()), patience)
	defer cancel()
	out, err := dockerCommand(ctx, "logs", k.name).CombinedOutput()
	if err != nil {
		return err.Error()
	}
	return string(out)
}

// says waits until a container has printed some words.
func (k *container) says(words string) {
	k.c.t.Helper()
	k.c.eventually(k.name+" says "+words, func() bool {
		if n := k.restarts(); n != "0" {
			k.c.t.Fatalf("%s has ended, and was restarted %s times", k.name, n)
		}
		return strings.Contains(k.said(), words)
	})
}

// restarts returns how often Docker has restarted a container, as its command
// demands.
func (k *container) restarts() string {
	k.c.t.Helper()
	return strings.TrimSpace(k.c.docker("inspect", "--format", "{{.RestartCount}}", k.name))
}

// state returns a field of Docker's state of a container.
func (k *container) state(field string) string {
	k.c.t.Helper()
	return strings.TrimSpace(k.c.docker("inspect", "--format", "{{.State."+field+"}}", k.name))
}

// eventually waits until f is true.
func (c *cluster) eventually(what string, f func() bool) {
	c.t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !f() {
		select {
		case <-tick.C:
		case <-deadline:
			c.t.Fatalf("it never became true that %s", what)
		}
	}
}

// windrow runs a client to its end: the binary of the image on this host, or,
// where masters are known by the names of containers, in such a container.
func (c *cluster) windrow(args ...string) (stdout string, err error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	var cmd *exec.Cmd
	if c.network == "host" {
		cmd = exec.CommandContext(ctx, windrow, args...)
		cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "WINDROW_") }),
			"WINDROW_ROOT="+c.root, "WINDROW_TOKEN_FILE="+c.token)
	} else {
		cmd = dockerCommand(ctx, append([]string{"run", "--rm", "--network", c.network, "--read-only", "--tmpfs", "/var/windrow", "-v", c.mount + ":" + c.mount,
			"-e", "WINDROW_ROOT=" + c.root, "-e", "WINDROW_TOKEN_FILE=" + c.token, name}, args...)...)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("windrow %v: %w: %s", args, err, errs.String())
	}
	return string(out), err
}

// must is windrow for commands that must succeed.
func (c *cluster) must(args ...string) string {
	c.t.Helper()
	out, err := c.windrow(args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// submit submits a job, and does not wait for it.
func (c *cluster) submit(program, job, out string, more ...string) (id string) {
	c.t.Helper()
	args := append([]string{"submit", program}, strings.Fields(job)...)
	args = append(args, "--input", c.jobsURL+"/in/", "--out", c.jobsURL+"/"+out, "--detach", "--quiet")
	return strings.TrimSpace(c.must(append(args, more...)...))
}

// decoded decodes the JSON of a command.
func decoded[T any](c *cluster, args ...string) (v T) {
	c.t.Helper()
	if err := json.Unmarshal([]byte(c.must(append(args, "-o", "json")...)), &v); err != nil {
		c.t.Fatal(err)
	}
	return v
}

// committed waits until so many maps are committed.
func (c *cluster) committed(id string, maps int) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("%d maps are committed", maps), func() bool {
		j := decoded[client.Job](c, "get", id)
		if j.State.Ended() {
			c.t.Fatalf("job %s is %s: %+v", id, j.State, j.Cause)
		}
		i := slices.IndexFunc(j.Phases, func(p client.Phase) bool { return p.Phase == "map" })
		return i >= 0 && j.Phases[i].Committed >= maps
	})
}

// text is an input, with the result of a sequential program.
type text struct {
	lines int64
	words map[string]int64
}

// write makes an input of so many objects of so many lines, each of 32 bytes.
func (c *cluster) write(objects, lines int) *text {
	c.t.Helper()
	r := mathrand.New(mathrand.NewPCG(1, uint64(objects)))
	in := &text{words: make(map[string]int64)}
	for o := range objects {
		var body strings.Builder
		for range lines {
			words := make([]string, 4)
			for i := range words {
				words[i] = fmt.Sprintf("w%03d%03d", r.IntN(3), r.IntN(8))
				in.words[words[i]]++
			}
			in.lines++
			body.WriteString(strings.Join(words, " ") + "\n")
		}
		key := fmt.Sprintf("in/%03d", o)
		if err := c.input.Put(c.t.Context(), key, []byte(body.String()), store.Durable); err != nil {
			c.t.Fatal(err)
		}
		if c.mount != "" {
			give(c.t, filepath.Join(c.data, key))
		}
	}
	return in
}

// counted compares an output with the result of a sequential program.
func (c *cluster) counted(out string, in *text) {
	c.t.Helper()
	var want []string
	for w, n := range in.words {
		want = append(want, fmt.Sprintf("%s\t%d\n", w, n))
	}
	slices.Sort(want)
	if got := sorted(c.output(out)); got != strings.Join(want, "") {
		c.t.Errorf("counted %q, want %q", got, want)
	}
}

// output returns an output, as it is committed.
func (c *cluster) output(out string) string {
	c.t.Helper()
	url := c.jobsURL + "/" + out
	if _, query, found := strings.Cut(c.data, "?"); found {
		url += "?" + query
	}
	return c.must("cat", url)
}
