package sim

import (
	"flag"
	"log/slog"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/integration/graphs"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/library"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault"
)

var (
	oneSeed = flag.Uint64("seed", 0, "run this seed of TestSim alone, and log what happens")
	seeds   = flag.Int("seeds", 60/oneIn, "how many seeds TestSim runs")
	start   = flag.Uint64("from", 1, "the first of them")
)

// TestSim drives clusters through random trouble: processes are killed, stopped
// and cut off, messages are lost, late and repeated, clocks jump, the store is
// slow, fails, loses answers and objects. Meanwhile users submit, cancel and
// retry jobs, drain workers and collect garbage. When the trouble ends, each
// job must end within bounded time; then those that failed are retried, and
// must succeed. Outputs are those of sequential programs; a job that failed has
// no visible output; what was acknowledged holds; no log breaks a rule.
func TestSim(t *testing.T) {
	t.Parallel()
	first, n := *start, *seeds
	if *oneSeed != 0 {
		first, n = *oneSeed, 1
	}
	ends := make(map[client.State]int)
	for seed := first; seed < first+uint64(n); seed++ {
		synctest.Test(t, func(t *testing.T) {
			if err := run(t, seed, ends); err != nil {
				t.Fatalf("seed %d: %v\nreplay: go test ./integration/sim -run TestSim -seed=%d", seed, err, seed)
			}
		})
	}
	t.Logf("ends: %v", ends)
	if troubled := ends[client.FailedJob]; troubled*10 > ends[client.Succeeded] {
		t.Errorf("ends %v: trouble that passes must not fail so many jobs", ends)
	}
}

// run plays a seed, and counts how the jobs ended at first.
func run(t *testing.T, seed uint64, ends map[client.State]int) error {
	t.Helper()
	r, began := rand.New(rand.NewPCG(seed, 4)), time.Now()
	w := &world{t: t, r: r, mem: new(store.MemSpace), library: make(map[string]*jobs.Job), launched: make(map[cluster.Ref]bool),
		log:     slog.New(slog.DiscardHandler),
		network: &network{r: rand.New(rand.NewPCG(seed, 5)), trouble: r.Float64(), hosts: make(map[string]*process)}}
	if *oneSeed != 0 {
		w.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	for _, j := range append(library.All(), graphs.Job()) {
		w.library[j.Name()] = j
	}
	w.faults = fault.New(fault.Rule{Do: fault.Fail, Kind: plan.Unavailable, Percent: r.Float64() * 5},
		fault.Rule{Do: fault.LoseResponse, Kind: plan.Unavailable, Percent: r.Float64() * 5})
	w.faults.Seed = seed
	defer w.end()
	if err := w.begin(); err != nil {
		return err
	}
	w.torment()
	if err := w.judge(ends); err != nil {
		return err
	}
	if err := w.again(); err != nil {
		return err
	}
	return w.quiet(began)
}
