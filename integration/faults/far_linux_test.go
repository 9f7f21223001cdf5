package faults

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

var gigabyte = flag.Bool("gigabyte", false, "shuffle 1 GB of 64 × 64 in TestAShuffleAcrossANetwork, and print how busy the worker was")

// far is how a worker finds the store, but for the input: 30 ms to the first byte,
// 80 MB/s on each connection.
const far = "slow:100% for=30ms key=**/s/**, bandwidth:100% rate=80000000B/s key=**/s/**, " +
	"slow:100% for=30ms key=**/out/**, bandwidth:100% rate=80000000B/s key=**/out/**"

const recordSize = 100

// records are what two sets of records have in common if they are the same.
type records struct {
	n   int
	sum uint64
}

func (r *records) add(body []byte) {
	for record := range slices.Chunk(body, recordSize) {
		r.n++
		r.sum += uint64(crc32.ChecksumIEEE(record))<<32 | uint64(crc32.Checksum(record, crc32.MakeTable(crc32.Castagnoli)))
	}
}

// scatter writes as many objects of random records.
func (c *cluster) scatter(objects int, size int64) (all records) {
	c.t.Helper()
	random := rand.NewChaCha8([32]byte{byte(*seed)})
	body := make([]byte, size/int64(objects)/recordSize*recordSize)
	for i := range objects {
		for at := 0; at+8 <= len(body); at += 8 {
			binary.LittleEndian.PutUint64(body[at:], random.Uint64())
		}
		all.add(body)
		w, err := c.data.Create(c.t.Context(), fmt.Sprintf("in/%04d", i), store.CreateOptions{})
		if err == nil {
			_, _ = w.Write(body) // Commit tells
			err = w.Commit()
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
	return all
}

// sorted reads records that must be in order.
func (c *cluster) sorted(dir string) (all records) {
	c.t.Helper()
	var last []byte
	for _, name := range c.visible(dir) {
		body, err := c.data.Get(c.t.Context(), dir+"/"+name, 64<<20)
		if err != nil {
			c.t.Fatal(err)
		}
		for record := range slices.Chunk(body, recordSize) {
			if bytes.Compare(last, record) > 0 {
				c.t.Fatalf("%s is out of order", name)
			}
			last = record
		}
		all.add(body)
	}
	return all
}

// TestAShuffleAcrossANetwork: where each request costs a round trip, a worker asks a
// bucket for what it reads, and for the size of nothing: manifests have it. With
// -gigabyte it tells how busy the worker was while it reduced.
func TestAShuffleAcrossANetwork(t *testing.T) {
	t.Parallel()
	c := onS3(t)
	tasks, size, slots, memory, looks := 16, int64(16e6), 2, "768MiB", int64(0)
	if *gigabyte {
		// As many slots as a worker on a bucket has by itself where there are two
		// processors. Inputs of that size are looked at once, for their checksums.
		tasks, size, slots, memory, looks = 64, 1e9, 4, "2GiB", 64
		c.patience = 10 * time.Minute
	}
	want := c.scatter(tasks, size)
	c.leader()
	w := c.workerWith(slots, []string{"--memory", memory}, weather(far))
	code, stdout, stderr := c.command("submit", "terasort", "--root", c.rootURL, "--input", below(c.jobsURL, "in/"), "--out", below(c.jobsURL, "out"),
		"--partitions", fmt.Sprint(tasks), "--split-size", fmt.Sprint(size/int64(tasks)), "--detach", "--quiet")
	if code != 0 {
		t.Fatalf("submit: exit %d: %s", code, stderr)
	}
	id := plan.JobID(strings.TrimSpace(stdout))
	c.until(id, committed("map", tasks))
	looking := w.look()
	c.until(id, committed("reduce", tasks))
	spent, wall := looking.end()
	j := c.until(id, func(*client.Job) bool { return false })
	if j.State != client.Succeeded {
		t.Fatalf("the job is %s: %s", j.State, j.Cause)
	}
	if got := c.sorted("out"); got != want {
		t.Errorf("%+v came out, and %+v went in", got, want)
	}
	if j.Requests == nil || j.Requests.Gets == 0 || j.Requests.Stats > looks {
		t.Errorf("the requests were %+v", j.Requests)
	}
	if *gigabyte {
		t.Logf("reduces: %v wall, %v computed, %v kept from it by others: 2 processors %.0f %% busy (%.0f %%); %+v",
			wall.Round(time.Millisecond), spent.cpu.Round(time.Millisecond), spent.held.Round(time.Millisecond),
			50*spent.cpu.Seconds()/wall.Seconds(), 50*(spent.cpu+spent.held).Seconds()/wall.Seconds(), *j.Requests)
	}
}

// computed is what threads had computed, and for how long they could have but others
// had the processors.
type computed struct{ cpu, held time.Duration }

// watch adds up what a process and its descendants compute.
type watch struct {
	p     *process
	began time.Time
	first map[string]computed // of each thread, when it was first seen
	last  map[string]computed
	stop  chan struct{}
	done  sync.WaitGroup
}

// look begins to look at a process and its descendants, several times a second: what
// a thread does after the last time that it is seen is not counted.
func (p *process) look() *watch {
	w := &watch{p: p, began: time.Now(), last: make(map[string]computed), stop: make(chan struct{})}
	w.see()
	w.first = maps.Clone(w.last)
	w.done.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.see()
			case <-w.stop:
				w.see()
				return
			}
		}
	})
	return w
}

func (w *watch) see() {
	for _, pid := range w.p.family() {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid)) // the pattern is right
		for _, name := range threads {
			body, err := os.ReadFile(name)
			if err != nil {
				continue // it has ended
			}
			var ran, waited, times int64
			if n, _ := fmt.Sscan(string(body), &ran, &waited, &times); n == 3 {
				w.last[name] = computed{time.Duration(ran), time.Duration(waited)}
			}
		}
	}
}

// end returns what was computed since look.
func (w *watch) end() (sum computed, wall time.Duration) {
	close(w.stop)
	w.done.Wait()
	for name, l := range w.last {
		sum.cpu += l.cpu - w.first[name].cpu
		sum.held += l.held - w.first[name].held
	}
	return sum, time.Since(w.began)
}
