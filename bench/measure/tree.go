package measure

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Tree watches how much memory some processes and all that they have started
// hold at once. The sum of each process's own maximum would be too much: job
// processes start and end. Tree needs Linux's /proc; elsewhere nothing is
// known.
//
// Pages that processes share, such as those of a program that runs several
// times, count once for each. A new process shares all memory of its parent; it
// is left out until it has its own.
type Tree struct {
	proc   string
	mu     sync.Mutex
	roots  []int
	most   int64
	end    chan struct{}
	ended  chan struct{}
	buffer []byte
}

// sampleEvery is the time between two samples. A sample costs a fraction of a
// millisecond.
const sampleEvery = 20 * time.Millisecond

// Watch begins to watch the trees of the processes that are added.
func Watch() *Tree {
	t := newTree("/proc")
	go t.watch()
	return t
}

func newTree(proc string) *Tree {
	return &Tree{proc: proc, most: -1, end: make(chan struct{}), ended: make(chan struct{}), buffer: make([]byte, 4<<10)}
}

// Add adds a process, and all that it starts.
func (t *Tree) Add(pid int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.roots = append(t.roots, pid)
}

// Stop ends the watch and returns the greatest sum, or -1 if nothing could be
// read. It may be called once.
func (t *Tree) Stop() int64 {
	close(t.end)
	<-t.ended
	return t.most
}

func (t *Tree) watch() {
	defer close(t.ended)
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-t.end:
			return
		case <-tick.C:
			t.look()
		}
	}
}

// look takes one sample.
func (t *Tree) look() {
	t.mu.Lock()
	roots := t.roots
	t.mu.Unlock()
	sum, known := int64(0), false
	for _, pid := range roots {
		if n := t.resident(strconv.Itoa(pid), nil); n >= 0 {
			sum, known = sum+n, true
		}
	}
	if known {
		t.most = max(t.most, sum)
	}
}

// resident returns the memory of a process and its children, or -1 if there is
// no such process.
func (t *Tree) resident(pid string, parent []byte) int64 {
	dir := filepath.Join(t.proc, pid)
	statm := bytes.Clone(t.read(filepath.Join(dir, "statm")))
	sum := residentOf(statm)
	if sum < 0 {
		return -1
	}
	if bytes.Equal(statm, parent) {
		return 0 // it shares its parent's memory still
	}
	threads, err := os.ReadDir(filepath.Join(dir, "task"))
	if err != nil {
		return sum // it has ended since
	}
	for _, thread := range threads {
		children := bytes.Clone(t.read(filepath.Join(dir, "task", thread.Name(), "children")))
		for child := range bytes.FieldsSeq(children) {
			sum += max(t.resident(string(child), statm), 0)
		}
	}
	return sum
}

// residentOf returns the resident memory by a process's statm, or -1 if it says
// nothing.
func residentOf(statm []byte) int64 {
	fields := bytes.Fields(statm)
	if len(fields) < 2 {
		return -1
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return -1
	}
	return pages * int64(os.Getpagesize())
}

// read returns a short file, valid until the next call, or nothing if it cannot
// be read.
func (t *Tree) read(name string) []byte {
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	n, err := f.Read(t.buffer)
	if err != nil {
		return nil
	}
	return t.buffer[:n]
}
