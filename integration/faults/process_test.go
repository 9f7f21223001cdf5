package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/integration/heard"
)

// haste is the factor by which these processes lose patience with each other
// sooner than a user's: a leader is lost after 3 s of silence, and so is a
// worker.
const haste = 5

// patient is for masters that must not consider any process lost: on a crowded
// machine a worker may be silent for 3 s, but not for 15 s.
const patient = "WINDROW_HASTE=1"

// patience is how long a test waits for a condition.
const patience = time.Minute

// process is a master or a worker.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	name   string
	said   heard.Text
	exited chan struct{}
}

// start starts windrow with some environment. It is killed when the test ends.
func start(t *testing.T, name string, env []string, args ...string) *process {
	t.Helper()
	p := prepare(t, name, env, args...)
	p.begin()
	return p
}

// prepare makes a process that has not begun.
func prepare(t *testing.T, name string, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: exec.Command(windrow, args...), exited: make(chan struct{})}
	p.cmd.Env = append(environment(), env...)
	p.cmd.Stderr = &p.said
	return p
}

func (p *process) begin() {
	p.t.Helper()
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // see its state
		close(p.exited)
	}()
	p.t.Cleanup(func() {
		p.kill()
		if p.t.Failed() {
			p.t.Logf("%s said:\n%s", p.name, p.said.String())
		}
		if strings.Contains(p.said.String(), "DATA RACE") {
			p.t.Errorf("%s has a data race:\n%s", p.name, p.said.String())
		}
	})
}

// environment is the part that all processes share.
func environment() []string {
	return append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "WINDROW_") || strings.HasPrefix(v, "GOMEMLIMIT")
	}), "GORACE=halt_on_error=1 exitcode=66", fmt.Sprintf("WINDROW_HASTE=%d", haste))
}

// signal sends a signal to the process, if it is there.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
}

// kill ends the process by SIGKILL, and waits for its end.
func (p *process) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	<-p.exited
}

func (p *process) resume() { p.signal(syscall.SIGCONT) }

// family returns the process and all its descendants.
func (p *process) family() []int {
	parents := make(map[int][]int)
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if len(fields) > 1 {
			parent, _ := strconv.Atoi(fields[1])
			parents[parent] = append(parents[parent], pid)
		}
	}
	found := []int{p.cmd.Process.Pid}
	for i := 0; i < len(found); i++ {
		found = append(found, parents[found[i]]...)
	}
	return found
}

// wait returns how the process ended.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("%s does not end", p.name)
		return 0
	}
}

// says waits for words in the process's output.
func (p *process) says(words string) {
	p.t.Helper()
	if !p.said.Wait(words, p.exited, patience) {
		p.t.Fatalf("%s never says %q", p.name, words)
	}
}

var addresses = regexp.MustCompile(`windrow: master \S+ at (http://\S+),`)

// pauses waits until a failpoint has stopped the process.
func (p *process) pauses() {
	p.t.Helper()
	p.says("failpoint: paused")
	eventually(p.t, p.name+" stops", func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil {
			p.t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		return strings.HasPrefix(rest, "T")
	})
}

// url returns the address of a master.
func (p *process) url() string {
	p.t.Helper()
	p.says(", root ")
	m := addresses.FindStringSubmatch(p.said.String())
	if m == nil {
		p.t.Fatalf("%s shows no address", p.name)
	}
	return m[1]
}

// resident returns the bytes of memory that a process holds.
func (p *process) resident() int64 {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// lasts returns a condition that becomes true after some seconds.
func lasts(seconds int) func() bool {
	over := time.Now().Add(time.Duration(seconds) * time.Second)
	return func() bool { return time.Now().After(over) }
}
