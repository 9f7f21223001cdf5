package sandbox

import (
	"bytes"
	"cmp"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// scanEvery is after how many looks the watch searches all processes of the
// system for new members.
const scanEvery = 10

// family is a process with its group, and all its descendants that were seen.
type family struct {
	leader int

	mu      sync.Mutex
	looks   int
	members map[int]string // pid → start time, in the kernel's ticks
}

func newFamily(leader int) *family {
	f := &family{leader: leader, members: make(map[int]string)}
	if s, ok := readStat(strconv.Itoa(leader)); ok {
		f.members[leader] = s.started
	}
	return f
}

// kill sends a signal to all members.
func (f *family) kill(s syscall.Signal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scan()
	_ = syscall.Kill(-f.leader, s) // the group may be empty
	for pid, started := range f.members {
		if now, ok := readStat(strconv.Itoa(pid)); ok && now.started == started && now.group != f.leader {
			_ = syscall.Kill(pid, s)
		}
	}
}

// resident returns the memory of all members, in bytes. It leaves out pages of
// files: the system frees them when it needs them, and has them only once of a
// program that runs many times. Other memory that several members share counts
// for each.
func (f *family) resident() (sum int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.looks++; f.looks%scanEvery == 1 {
		f.scan()
	}
	for pid := range f.members {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
		if err != nil {
			continue
		}
		anonymous, found := statusBytes(text, "\nRssAnon:")
		if !found { // the kernel does not separate them
			all, _ := statusBytes(text, "\nVmRSS:")
			sum += all
			continue
		}
		shared, _ := statusBytes(text, "\nRssShmem:")
		sum += anonymous + shared
	}
	return sum
}

// statusBytes returns a size that the status of a process has in kibibytes, and
// whether it is there.
func statusBytes(status []byte, name string) (int64, bool) {
	_, rest, _ := bytes.Cut(status, []byte(name))
	line, _, _ := bytes.Cut(rest, []byte(" kB"))
	n, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
	return n << 10, err == nil
}

// scan finds the current members, and forgets those that are gone.
func (f *family) scan() {
	all, err := os.ReadDir("/proc")
	if err != nil {
		return // without it only the group is watched and killed
	}
	parents := make(map[int]stat, len(all))
	for _, e := range all {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if s, ok := readStat(e.Name()); ok {
				parents[pid] = s
			}
		}
	}
	for pid, started := range f.members {
		if parents[pid].started != started {
			delete(f.members, pid)
		}
	}
	for grown := true; grown; {
		grown = false
		for pid, s := range parents {
			_, known := f.members[pid]
			_, child := f.members[s.parent]
			if !known && (child || s.group == f.leader) {
				f.members[pid] = s.started
				grown = true
			}
		}
	}
}

// askStacks makes a Go program print its stacks and exit. Go is sure to print the
// stack of a running goroutine only if the signal comes to its thread.
func askStacks(p *os.Process) {
	id := strconv.Itoa(p.Pid)
	threads, err := os.ReadDir("/proc/" + id + "/task")
	var all []thread
	for _, t := range threads {
		fields := statFields(id + "/task/" + t.Name())
		if fields == nil {
			continue
		}
		user, userErr := strconv.ParseInt(string(fields[11]), 10, 64)
		tid, tidErr := strconv.Atoi(t.Name())
		if userErr == nil && tidErr == nil {
			all = append(all, thread{tid, string(fields[0]) == "R", user})
		}
	}
	if err != nil || len(all) == 0 || unix.Tgkill(p.Pid, busiest(all), syscall.SIGQUIT) != nil {
		_ = p.Signal(syscall.SIGQUIT)
	}
}

// thread is a thread of a process.
type thread struct {
	id      int
	running bool
	user    int64 // processor time
}

// busiest returns the thread that has used the most processor time, of those that
// run now. A goroutine may have run on another thread for longer, which sleeps
// since.
func busiest(all []thread) int {
	return slices.MaxFunc(all, func(a, b thread) int {
		if a.running != b.running {
			if a.running {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.user, b.user)
	}).id
}

// stat has the fields used of /proc/<pid>/stat.
type stat struct {
	parent, group int
	started       string
}

// statFields returns the fields behind a process's name, which is in
// parentheses and may hold anything. It returns nil if there is no such
// process.
func statFields(path string) [][]byte {
	text, err := os.ReadFile("/proc/" + path + "/stat")
	if err != nil {
		return nil
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return nil
	}
	return fields
}

func readStat(pid string) (s stat, ok bool) {
	fields := statFields(pid)
	if fields == nil {
		return s, false
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return s, false
	}
	group, err := strconv.Atoi(string(fields[2]))
	if err != nil {
		return s, false
	}
	return stat{parent, group, string(fields[19])}, true
}
