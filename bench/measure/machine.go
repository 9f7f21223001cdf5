package measure

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

// Machine describes what figures depend on beside the programs.
type Machine struct {
	Commit  string // and whether there are changes that are not committed
	CPUs    int
	Model   string  // of the processor, "" when not known
	goBuild string  // version of Go and platform
	memory  string  // "" when not known
	kernel  string  // "" when not known
	load    float64 // average of a minute; below 0 when not known
}

// DescribeMachine looks at the machine and at the commit that is checked out.
func DescribeMachine(ctx context.Context) Machine {
	m := Machine{Commit: commit(ctx), CPUs: runtime.GOMAXPROCS(0), load: -1,
		goBuild: fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH),
		Model:   procField("/proc/cpuinfo", "model name")}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.kernel = "Linux " + strings.TrimSpace(string(release))
	}
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

// busy reports whether a load is high enough to show in the figures.
func (m *Machine) busy() bool { return m.load >= float64(m.CPUs)/2 }

// Place is the location of the files.
type Place struct {
	Dir    string
	Memory bool // whether it is a file system in memory
}

const sharedMemory = "/dev/shm"

// ChoosePlace chooses a directory for inputs and outputs with room for so many
// bytes: the one that is named, or else one in memory.
func ChoosePlace(named string, room int64) (Place, error) {
	switch {
	case named != "":
		return Place{named, false}, nil
	case runtime.GOOS == "linux" && free(sharedMemory) >= room:
		return Place{sharedMemory, true}, nil
	case free(os.TempDir()) >= room:
		return Place{os.TempDir(), false}, nil
	default:
		return Place{}, fmt.Errorf("neither %s nor %s has %.3g GB left: name another directory with -dir, or a smaller -size",
			sharedMemory, os.TempDir(), float64(room)/1e9)
	}
}

// Room returns how many bytes of files there may be at once. In memory, they
// must leave some for programs.
func (p Place) Room() int64 {
	room := free(p.Dir)
	if !p.Memory {
		return room
	}
	kib, err := strconv.ParseInt(strings.TrimSuffix(procField("/proc/meminfo", "MemAvailable"), " kB"), 10, 64)
	if err != nil {
		return room
	}
	return max(0, min(room, kib<<10-forPrograms))
}

// forPrograms is the memory that files leave to programs.
const forPrograms = 4 << 30

// free returns how many bytes may be written to a directory; 0 if unknown.
func free(dir string) int64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0
	}
	return int64(s.Bavail) * int64(s.Bsize) //nolint:unconvert // other systems have other types
}

// WriteHeader prints what was measured, when, and on which machine. The zero
// place is none.
func WriteHeader(to io.Writer, what string, m Machine, p Place) {
	known := func(s string) string {
		if s == "" {
			return ""
		}
		return ", " + s
	}
	fmt.Fprintf(to, "%s: %s.\n", time.Now().Format(time.DateOnly), what)
	fmt.Fprintf(to, "Commit %s, %s, %d CPUs%s%s%s.\n", m.Commit, m.goBuild, m.CPUs, known(m.Model), known(m.memory), known(m.kernel))
	switch {
	case m.load < 0:
		fmt.Fprintln(to, "Load is not known on this system.")
	case m.busy():
		fmt.Fprintf(to, "Load %.2f: THE MACHINE IS LOADED, figures say little.\n", m.load)
	default:
		fmt.Fprintf(to, "Load %.2f.\n", m.load)
	}
	switch {
	case p.Dir == "": // no files
	case p.Memory:
		fmt.Fprintf(to, "Files in %s, in memory.\n", p.Dir)
	default:
		fmt.Fprintf(to, "Files in %s, which may be on a disk: then the disk is measured too.\n", p.Dir)
	}
	fmt.Fprintln(to)
}

// WriteOthers prints how many processors others kept busy since the clock was
// read.
func (m *Machine) WriteOthers(to io.Writer, since Clock) {
	m.writeOthers(to, since.othersUntil(ReadClock()))
}

func (m *Machine) writeOthers(to io.Writer, others float64) {
	switch {
	case others < 0:
	case others >= float64(m.CPUs)/20:
		fmt.Fprintf(to, "Others used %.2f of %d CPUs meanwhile: THE MACHINE WAS NOT QUIET, figures say little.\n", others, m.CPUs)
	default:
		fmt.Fprintf(to, "Others used %.2f of %d CPUs meanwhile.\n", others, m.CPUs)
	}
}

// Clock is an amount of time and processor time that has passed.
type Clock struct {
	at    time.Time
	total float64 // seconds of processor time on the machine; below 0 when not known
	own   float64 // of them, this process's and its children's
}

// ticks is how often per second the kernel counts processor time.
const ticks = 100

// ReadClock reads the machine's processor time, if the system provides it.
func ReadClock() Clock {
	c := Clock{at: time.Now(), total: -1}
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
// readings, on average; below 0 if unknown.
func (c Clock) othersUntil(end Clock) float64 {
	if c.total < 0 || end.total < 0 {
		return -1
	}
	used := end.total - c.total - (end.own - c.own)
	return max(0, used/end.at.Sub(c.at).Seconds())
}
