package sandbox

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cgroup is the control group, of version 2, of one process and all that it
// starts. The nil cgroup does nothing.
type cgroup struct {
	dir string
	fd  *os.File
}

// DelegatedCgroup returns a control group of version 2 below which this process
// may make others: its own, or the root of the hierarchy; "" where there is none.
func DelegatedCgroup() string {
	mount := cgroupMount()
	if mount == "" {
		return ""
	}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !ok {
			continue
		}
		dir := filepath.Join(mount, path)
		trial := filepath.Join(dir, groupName())
		if os.Mkdir(trial, 0o700) == nil {
			_ = os.Remove(trial)
			return dir
		}
	}
	return ""
}

// cgroupMount returns where control groups of version 2 are mounted.
func cgroupMount() string {
	f, err := os.Open("/proc/self/mounts")
	if err != nil {
		return ""
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if fields := strings.Fields(s.Text()); len(fields) > 2 && fields[2] == "cgroup2" {
			return fields[1]
		}
	}
	return ""
}

func groupName() string { return "windrow-" + strings.ToLower(rand.Text()[:12]) }

// newCgroup makes a group below a parent, with the limits for which the parent
// has controllers.
func newCgroup(cfg *Config) (*cgroup, error) {
	if cfg.Cgroup == "" {
		return nil, nil
	}
	// This fails where processes are in the parent itself; then only the other
	// limits hold.
	_ = os.WriteFile(filepath.Join(cfg.Cgroup, "cgroup.subtree_control"), []byte("+memory +pids"), 0)
	g := &cgroup{dir: filepath.Join(cfg.Cgroup, groupName())}
	if err := os.Mkdir(g.dir, 0o700); err != nil {
		return nil, fmt.Errorf("control group: %w", err)
	}
	var err error
	if g.fd, err = os.Open(g.dir); err != nil {
		return nil, errors.Join(fmt.Errorf("control group: %w", err), os.Remove(g.dir))
	}
	if cfg.Memory > 0 {
		// The watch should find it first: its error has figures.
		g.set("memory.max", strconv.FormatInt(cfg.Memory+cfg.Memory/8+32<<20, 10))
		g.set("memory.swap.max", "0")
		g.set("memory.oom.group", "1")
	}
	g.set("pids.max", strconv.Itoa(cfg.Processes))
	return g, nil
}

// set sets a limit, where there is a controller for it.
func (g *cgroup) set(name, value string) {
	_ = os.WriteFile(filepath.Join(g.dir, name), []byte(value), 0)
}

// descriptor returns the descriptor with which a process is started in the
// group.
func (g *cgroup) descriptor() (fd int, ok bool) {
	if g == nil {
		return 0, false
	}
	return int(g.fd.Fd()), true
}

// kill ends all that is in the group, whatever session it is in.
func (g *cgroup) kill() {
	if g != nil {
		_ = os.WriteFile(filepath.Join(g.dir, "cgroup.kill"), []byte("1"), 0)
	}
}

// exhausted reports whether the kernel killed a process because memory ran out.
func (g *cgroup) exhausted() bool {
	if g == nil {
		return false
	}
	text, err := os.ReadFile(filepath.Join(g.dir, "memory.events"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "oom_kill" && value != "0" {
			return true
		}
	}
	return false
}

// remove removes the group, as soon as the kernel has removed its last process.
func (g *cgroup) remove() {
	if g == nil {
		return
	}
	_ = g.fd.Close()
	for range 50 {
		if err := os.Remove(g.dir); err == nil || errors.Is(err, os.ErrNotExist) {
			return
		}
		<-time.After(2 * time.Millisecond)
	}
}
