//go:build faults

package faults

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
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
	"github.com/windrow-mr/windrow/integration/records"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

var gigabyte = flag.Bool("gigabyte", false, "shuffle 1 GB of 64 × 64 in TestAShuffleAcrossANetwork, and print how busy the worker was")

// far is the delay between a worker and the store, except for the input: 30 ms
// to the first byte, 80 MB/s on each connection.
const far = "slow:100% for=30ms key=**/s/**, bandwidth:100% rate=80000000B/s key=**/s/**, " +
	"slow:100% for=30ms key=**/out/**, bandwidth:100% rate=80000000B/s key=**/out/**"

// scatter writes objects of random records.
func (c *cluster) scatter(objects int, size int64) (all records.Digest) {
	c.t.Helper()
	random := rand.NewChaCha8([32]byte{byte(*seed)})
	body := make([]byte, size/int64(objects)/records.Size*records.Size)
	for i := range objects {
		for at := 0; at+8 <= len(body); at += 8 {
			binary.LittleEndian.PutUint64(body[at:], random.Uint64())
		}
		all.Add(body)
		w, err := c.data.Create(c.t.Context(), fmt.Sprintf("in/%04d", i), store.CreateOptions{})
		if err == nil {
			_, _ = w.Write(body) // Commit returns the error
			err = w.Commit()
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
	return all
}

// sorted reads records and checks that they are in order.
func (c *cluster) sorted(dir string) (all records.Digest) {
	c.t.Helper()
	var last []byte
	for _, name := range c.visible(dir) {
		body, err := c.data.Get(c.t.Context(), dir+"/"+name, 64<<20)
		if err != nil {
			c.t.Fatal(err)
		}
		for record := range slices.Chunk(body, records.Size) {
			if bytes.Compare(last, record) > 0 {
				c.t.Fatalf("%s is out of order", name)
			}
			last = record
		}
		all.Add(body)
	}
	return all
}

// TestAShuffleAcrossANetwork: where each request costs a round trip, a worker
// asks a bucket only for the bytes that it reads, and never for sizes, since
// manifests have them. With -gigabyte the test reports how busy the worker was
// while it reduced.
func TestAShuffleAcrossANetwork(t *testing.T) {
	t.Parallel()
	c := onS3(t)
	tasks, size, slots, memory, looks := 16, int64(16e6), 2, "768MiB", int64(0)
	if *gigabyte {
		// As many slots as the default of a worker on a bucket with two processors.
		// Inputs of that size are examined once, for their checksums.
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
	busy := looking.end()
	j := c.until(id, func(*client.Job) bool { return false })
	if j.State != client.Succeeded {
		t.Fatalf("the job is %s: %s", j.State, j.Cause)
	}
	if got := c.sorted("out"); got != want {
		t.Errorf("the output is %+v, the input %+v", got, want)
	}
	if j.Requests == nil || j.Requests.Gets == 0 || j.Requests.Stats > looks {
		t.Errorf("the requests were %+v", j.Requests)
	}
	if *gigabyte {
		t.Logf("reduces: %s; %+v", busy, *j.Requests)
	}
}

// watch adds up the CPU time of a process and its descendants, in all threads,
// and that of all processes of the machine.
type watch struct {
	p           *process
	began       time.Time
	busy, all   time.Duration            // of the processors, at the beginning
	first, last map[string]time.Duration // what each thread had computed
	stop        chan struct{}
	done        sync.WaitGroup
}

// look begins to sample a process and its descendants, several times a second.
// CPU time after the last sample of a thread is not counted.
func (p *process) look() *watch {
	w := &watch{p: p, began: time.Now(), last: make(map[string]time.Duration), stop: make(chan struct{})}
	w.busy, w.all = processors(p.t)
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
			var ran int64
			if n, _ := fmt.Sscan(string(body), &ran); n == 1 {
				w.last[name] = time.Duration(ran)
			}
		}
	}
}

// end returns how busy the process and its descendants were since look, as a
// share of the processor time that others left them.
func (w *watch) end() string {
	close(w.stop)
	w.done.Wait()
	wall := time.Since(w.began)
	var computed time.Duration
	for name, l := range w.last {
		computed += l - w.first[name]
	}
	busy, all := processors(w.p.t)
	others := max(0, busy-w.busy-computed)
	left := all - w.all - others
	return fmt.Sprintf("%v wall; of %v of processor time others used %v, and it used %v: %.0f %% busy",
		wall.Round(time.Millisecond), (all - w.all).Round(time.Millisecond), others.Round(time.Millisecond), computed.Round(time.Millisecond),
		100*computed.Seconds()/left.Seconds())
}

// processors returns how long the machine's processors were busy since it
// started, and how long they existed.
func processors(t *testing.T) (busy, all time.Duration) {
	t.Helper()
	body, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	var user, nice, system, idle, waiting, interrupts, soft, stolen int64 // in hundredths of a second
	if _, err := fmt.Sscanf(string(body), "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &waiting, &interrupts, &soft, &stolen); err != nil {
		t.Fatal(err)
	}
	ran := user + nice + system + interrupts + soft + stolen
	return time.Duration(ran) * 10 * time.Millisecond, time.Duration(ran+idle+waiting) * 10 * time.Millisecond
}
