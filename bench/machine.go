package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// machine is what figures depend on beside the programs.
type machine struct {
	commit  string // and whether there are changes that are not committed
	goBuild string // version of Go and platform
	cpus    int
	model   string  // of the processor, "" when not known
	memory  string  // "" when not known
	load    float64 // average of a minute; below 0 when not known
}

func describeMachine(ctx context.Context) machine {
	m := machine{commit: commit(ctx), cpus: runtime.GOMAXPROCS(0), load: -1,
		goBuild: fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH),
		model:   procField("/proc/cpuinfo", "model name")}
	if kib, err := strconv.ParseFloat(strings.TrimSuffix(procField("/proc/meminfo", "MemTotal"), " kB"), 64); err == nil {
		m.memory = fmt.Sprintf("%.0f GiB", kib/(1<<20))
	}
	if averages, err := os.ReadFile("/proc/loadavg"); err == nil {
		minute, _, _ := strings.Cut(string(averages), " ")
		if load, err := strconv.ParseFloat(minute, 64); err == nil {
			m.load = load
		}
	}
	return m
}

// commit returns which commit is measured.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	name := string(bytes.TrimSpace(out))
	changes, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output()
	if err != nil || len(changes) > 0 {
		name += " with changes"
	}
	return name
}

// procField returns the first value of a name in a file of lines "name: value".
func procField(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// busy says whether a load is so high that it is seen in the figures.
func (m *machine) busy() bool { return m.load >= float64(m.cpus)/2 }

// place is where the files are.
type place struct {
	dir    string
	memory bool // whether it is a file system in memory
}

const sharedMemory = "/dev/shm"

// choosePlace chooses the directory for inputs and outputs.
func choosePlace(o options) (place, error) {
	room := o.size.room()
	switch {
	case o.dir != "":
		return place{o.dir, false}, nil
	case runtime.GOOS == "linux" && free(sharedMemory) >= room:
		return place{sharedMemory, true}, nil
	case free(os.TempDir()) >= room:
		return place{os.TempDir(), false}, nil
	default:
		return place{}, fmt.Errorf("neither %s nor %s has %.3g GB left: name another directory with -dir, or a smaller -size",
			sharedMemory, os.TempDir(), float64(room)/1e9)
	}
}

// free returns how many bytes may be written to a directory; 0 when that
// cannot be found out.
func free(dir string) int64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0
	}
	return int64(s.Bavail) * int64(s.Bsize) //nolint:unconvert // other systems have other types
}

func writeHeader(to io.Writer, o options, m machine, p place) {
	known := func(s string) string {
		if s == "" {
			return ""
		}
		return ", " + s
	}
	fmt.Fprintf(to, "size %s, %d runs of each program in turn\n", o.size.name, o.runs)
	fmt.Fprintf(to, "commit %s, %s, %d CPUs%s%s\n", m.commit, m.goBuild, m.cpus, known(m.model), known(m.memory))
	switch {
	case m.load < 0:
		fmt.Fprintln(to, "load is not known on this system")
	case m.busy():
		fmt.Fprintf(to, "load %.2f: THE MACHINE IS LOADED, figures say little\n", m.load)
	default:
		fmt.Fprintf(to, "load %.2f\n", m.load)
	}
	if p.memory {
		fmt.Fprintf(to, "files in %s, in memory\n", p.dir)
	} else {
		fmt.Fprintf(to, "files in %s, which may be on a disk: then the disk is measured too\n", p.dir)
	}
	fmt.Fprintln(to)
}

func writeFooter(to io.Writer, o options, others float64, cpus int) {
	fmt.Fprintln(to)
	switch {
	case others < 0:
	case others >= float64(cpus)/20:
		fmt.Fprintf(to, "Others used %.2f of %d CPUs meanwhile: THE MACHINE WAS NOT QUIET, figures say little.\n", others, cpus)
	default:
		fmt.Fprintf(to, "Others used %.2f of %d CPUs meanwhile.\n", others, cpus)
	}
	if o.runs < 5 {
		fmt.Fprintf(to, "Medians of %d runs say little; take -runs 5 or more.\n", o.runs)
	}
	fmt.Fprintln(to, "Every output of windrow was the floor's, byte for byte.")
}

// clock is how much time and processor time passed.
type clock struct {
	at    time.Time
	total float64 // seconds of processor time on the machine; below 0 when not known
	own   float64 // of them, this process's and its children's
}

// ticks is how often per second the kernel counts processor time.
const ticks = 100

// readClock reads the machine's processor time, where the system tells it.
func readClock() clock {
	c := clock{at: time.Now(), total: -1}
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			return c
		}
		c.own += time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
	}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return c
	}
	if total, ok := busyTicks(string(text)); ok {
		c.total = float64(total) / ticks
	}
	return c
}

// busyTicks adds up the processor time in /proc/stat that is not idle. Its
// first line is "cpu" with user, nice, system, idle, iowait, irq, softirq and
// steal; guest time is in user time already.
func busyTicks(stat string) (int64, bool) {
	const idle, iowait, kinds = 3, 4, 8
	first, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(first)
	if len(fields) < 1+kinds || fields[0] != "cpu" {
		return 0, false
	}
	var sum int64
	for i, field := range fields[1 : 1+kinds] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, false
		}
		if i != idle && i != iowait {
			sum += n
		}
	}
	return sum, true
}

// othersUntil returns how many processors other programs kept busy between two
// readings, on average; below 0 when not known.
func (c clock) othersUntil(end clock) float64 {
	if c.total < 0 || end.total < 0 {
		return -1
	}
	used := end.total - c.total - (end.own - c.own)
	return max(0, used/end.at.Sub(c.at).Seconds())
}
