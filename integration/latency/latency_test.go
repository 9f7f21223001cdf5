package latency

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/integration/records"
	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs/library/terasort"
	"github.com/windrow-mr/windrow/shuffle"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
)

var gigabyte = flag.Bool("gigabyte", false, "shuffle 1 GB of 64 × 64, and print how busy the processors were")

// far is how the store behaves, except for the input: 30 ms to the first byte,
// 80 MB/s on each connection.
const far = "slow:100% for=30ms key=out/**, bandwidth:100% rate=80000000B/s key=out/**"

// world is a store across a network, with input for so many map tasks.
type world struct {
	space *store.MemSpace
	seen  *watched
	near  *store.Root // the same store without delays
	input int64
	tasks int
}

func newWorld(t *testing.T, input int64, tasks int) *world {
	t.Helper()
	w := &world{space: new(store.MemSpace), seen: new(watched), input: input, tasks: tasks}
	var err error
	if w.near, err = store.Open(t.Context(), "mem://far", store.Options{Mem: w.space}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.near.Close() })
	random := rand.NewChaCha8([32]byte{1})
	perTask := input / int64(tasks) / records.Size
	body := make([]byte, perTask*records.Size)
	for i := range tasks {
		for at := 0; at < len(body); at += 8 {
			binary.LittleEndian.PutUint64(body[at:], random.Uint64())
		}
		to, err := w.near.Create(t.Context(), fmt.Sprintf("in/%04d", i), store.CreateOptions{})
		if err == nil {
			_, _ = to.Write(body) // Commit returns the error
			err = to.Commit()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// run sorts the input.
func (w *world) run(t *testing.T, memory int64) *embedded.Result {
	t.Helper()
	rules, err := fault.Parse(far)
	if err != nil {
		t.Fatal(err)
	}
	r, err := embedded.Run(t.Context(), terasort.Job(), embedded.Options{
		Input: []string{"mem://far/in/*"}, Output: "mem://far/out", Partitions: w.tasks, Slots: 2, Memory: memory,
		SplitSize: w.input / int64(w.tasks),
		Stores: store.Options{Mem: w.space, Transfer: store.Transfer{Unhedged: true}, Wrap: func(d driver.Driver) driver.Driver {
			w.seen.Driver = fault.New(rules...).Wrap(faulttest.Remote(d, 8<<20))
			return w.seen
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// check compares the output with the input: the same records, in order.
func (w *world) check(t *testing.T, r *embedded.Result) {
	t.Helper()
	var in, out records.Digest
	for i := range w.tasks {
		in.Add(w.get(t, fmt.Sprintf("in/%04d", i)))
	}
	var last []byte
	for _, p := range r.Manifest.Parts {
		body := w.get(t, "out/"+p.Name)
		for rec := range slices.Chunk(body, records.Size) {
			if bytes.Compare(last, rec) > 0 {
				t.Fatalf("%s is out of order", p.Name)
			}
			last = rec
		}
		out.Add(body)
	}
	if in != out {
		t.Fatalf("the input is %+v, the output %+v", in, out)
	}
}

func (w *world) get(t *testing.T, key string) []byte {
	t.Helper()
	h, err := w.near.OpenObject(t.Context(), key, "")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	b := make([]byte, h.Size())
	if err := h.ReadAt(t.Context(), b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAShuffleAcrossANetwork(t *testing.T) {
	tasks, size, memory := 16, int64(64e6), int64(448<<20)
	if *gigabyte {
		tasks, size, memory = 64, 1e9, 1<<30
	}
	w := newWorld(t, size, tasks)
	r := w.run(t, memory)
	w.check(t, r)
	if r.Maps != tasks || r.Reduces != tasks {
		t.Fatalf("%d maps and %d reduces, want %d of each", r.Maps, r.Reduces, tasks)
	}
	seen := w.seen
	if *gigabyte {
		wall := seen.ended.at.Sub(seen.began.at)
		cpu, held := seen.ended.cpu-seen.began.cpu, seen.ended.held-seen.began.held
		t.Logf("reduces: %v wall, %v computed, %v lost to other processes: 2 slots %.0f %% busy (%.0f %%); %d GETs of runs, %d MB, at most %d at once; whole run %v",
			wall.Round(time.Millisecond), cpu.Round(time.Millisecond), held.Round(time.Millisecond),
			50*cpu.Seconds()/wall.Seconds(), 50*(cpu+held).Seconds()/wall.Seconds(),
			seen.gets, seen.fetched/1e6, seen.most, r.Elapsed.Round(time.Millisecond))
	}
	// A slot has half of the memory, of which reading and writing keep 112 MiB.
	shape := shuffle.Shape{Runs: tasks, Partitions: tasks, Bytes: r.Tally.RunBytes, Memory: memory/2 - 112<<20, Remote: true}
	group := shape.ReadGroup()
	if group != 4 {
		t.Errorf("%d partitions are fetched at once, want 4: these make 1 MiB of each sorted run, and 8 do not fit", group)
	}
	if want := tasks * tasks / group; seen.gets != want || shape.Gets() != int64(want) {
		t.Errorf("%d ranges of sorted runs were requested, %d were planned, and one for each run and group makes %d", seen.gets, shape.Gets(), want)
	}
	if most := r.Tally.RunBytes + int64(seen.gets)*64<<10; seen.fetched > most {
		t.Errorf("%d bytes of %d were fetched: groups should end near the ends of batches", seen.fetched, r.Tally.RunBytes)
	}
	if seen.most < tasks || seen.most > 64 {
		t.Errorf("%d ranges were in flight at once, want all of a group, and at most 64", seen.most)
	}
	// The second group is fetched while the first one is reduced.
	if parts := seen.whenGot[tasks]; parts >= group {
		t.Errorf("%d parts were done when the second group was requested", parts)
	}
}
