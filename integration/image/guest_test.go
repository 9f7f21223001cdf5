//go:build image

package image

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// guest builds the program guest where containers see it.
func (c *cluster) guest() string {
	c.t.Helper()
	program := filepath.Join(c.dir, "guest")
	cmd := exec.CommandContext(c.t.Context(), "go", "build", "-o", program, "./guest")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// done waits until a job has succeeded.
func (c *cluster) done(id string) {
	c.t.Helper()
	c.must("watch", id, "--quiet")
}

// checkGuest checks the report of the job look in its container.
func (c *cluster) checkGuest(found string) {
	c.t.Helper()
	values := make(map[string]int64)
	for line := range strings.Lines(found) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "\t")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			c.t.Fatal(err)
		}
		values[key] = n
	}
	if values["user"] != user {
		c.t.Errorf("a job process runs as user %d", values["user"])
	}
	if values["temporary"] != 1 || values["secrets"] != 0 {
		c.t.Errorf("a job process has %d places for temporary files, and %d secrets", values["temporary"], values["secrets"])
	}
	// 312 MiB for each of two slots, and what the runtime maps ahead.
	if data := values["data"]; data < 312<<20 || data > 1<<30 {
		c.t.Errorf("a job process may have %d bytes of data", data)
	}
	if values["core"] != 0 || values["files"] != 4096 {
		c.t.Errorf("a job process may write a core of %d bytes, and open %d files", values["core"], values["files"])
	}
}

// unreaped returns the number of processes that have ended and that the first
// process of a container has not reaped.
func (k *container) unreaped() (n int) {
	k.c.t.Helper()
	first := k.state("Pid")
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		k.c.t.Fatal(err)
	}
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// The state, and the parent, follow the name.
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[0] == "Z" && fields[1] == first {
			n++
		}
	}
	return n
}
