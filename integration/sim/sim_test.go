package sim

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/library"
	"github.com/windrow-mr/windrow/master/control"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/allow"
	"github.com/windrow-mr/windrow/store/fault"
	"github.com/windrow-mr/windrow/worker"
)

var (
	oneSeed = flag.Uint64("seed", 0, "run this seed of TestSim alone, and tell what goes on")
	seeds   = flag.Int("seeds", 60, "how many seeds TestSim runs")
	start   = flag.Uint64("from", 1, "the first of them")
)

// TestSim drives clusters through random trouble: processes are killed, stopped
// and cut off, messages are lost, late and repeated, the store fails and loses
// answers. When the trouble ends the job must come to its end within bounded
// time; its output is that of a sequential program, or it failed with a cause that
// is the trouble's, and nothing is visible; its log breaks no rule.
func TestSim(t *testing.T) {
	t.Parallel()
	first, n := *start, *seeds
	if *oneSeed != 0 {
		first, n = *oneSeed, 1
	}
	ends := make(map[client.State]int)
	for seed := first; seed < first+uint64(n); seed++ {
		synctest.Test(t, func(t *testing.T) {
			state, err := run(t, seed)
			if err != nil {
				t.Fatalf("seed %d: %v\nreplay: go test ./integration/sim -run TestSim -seed=%d", seed, err, seed)
			}
			ends[state]++
		})
	}
	t.Logf("ends: %v", ends)
	if ends[client.Succeeded]*10 < n*9 {
		t.Errorf("ends %v: trouble that passes must not fail so many jobs", ends)
	}
}

// world is one simulation.
type world struct {
	*network
	t      *testing.T
	r      *rand.Rand
	mem    *store.MemSpace
	faults *fault.Injector
	log    *slog.Logger
	jobs   map[string]*jobs.Job
	mu     sync.Mutex
	began  map[cluster.Ref]time.Time
	names  int
	life   sync.WaitGroup
	live   []*process
}

const (
	troubleTime = 90 * time.Second
	healTime    = 5 * time.Minute
)

// run plays a seed.
func run(t *testing.T, seed uint64) (client.State, error) {
	t.Helper()
	r, began := rand.New(rand.NewPCG(seed, 4)), time.Now()
	w := &world{t: t, r: r, mem: new(store.MemSpace), jobs: make(map[string]*jobs.Job), began: make(map[cluster.Ref]time.Time),
		log:     slog.New(slog.DiscardHandler),
		network: &network{r: rand.New(rand.NewPCG(seed, 5)), trouble: r.Float64(), hosts: make(map[string]*process)}}
	if *oneSeed != 0 {
		w.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	for _, j := range library.All() {
		w.jobs[j.Name()] = j
	}
	storm := fault.New(fault.Rule{Do: fault.Fail, Kind: store.Unavailable, Percent: r.Float64() * 5},
		fault.Rule{Do: fault.LoseResponse, Kind: store.Unavailable, Percent: r.Float64() * 5})
	storm.Seed = seed
	w.faults = storm
	defer w.end()
	id, oracle, err := w.submit(seed)
	if err != nil {
		return "", err
	}
	w.torment()
	state, err := w.judge(id, oracle)
	if err == nil {
		err = w.quiet(began)
	}
	return state, err
}

// quiet checks that nobody talks without end: a worker has news now and then, and
// a beat every few seconds.
func (w *world) quiet(began time.Time) error {
	w.network.mu.Lock()
	defer w.network.mu.Unlock()
	most := 500 + int(time.Since(began).Seconds())*len(w.live)*2
	if w.carried > most {
		return fmt.Errorf("%d messages in %v", w.carried, time.Since(began))
	}
	return nil
}

// end kills all that is left.
func (w *world) end() {
	for _, p := range w.live {
		p.kill(errKilled)
	}
	w.life.Wait()
	for _, p := range w.live {
		p.life.Wait()
	}
}

// open opens a root as a process sees it.
func (w *world) options(p *process, faults *fault.Injector) store.Options {
	return store.Options{Mem: w.mem, Wrap: func(d store.Driver) store.Driver {
		if faults != nil {
			d = faults.Wrap(d)
		}
		return p.wrap(d)
	}}
}

// newProcess adds a process with its view of the store.
func (w *world) newProcess(kind string) (*process, *store.Root, *allow.List, error) {
	w.names++
	p := newProcess(fmt.Sprintf("%s%d", kind, w.names))
	root, err := store.Open(p.ctx, "mem://cluster", w.options(p, w.faults))
	if err != nil {
		return nil, nil, nil, err
	}
	roots, err := allow.New([]string{"mem://data"}, w.options(p, w.faults))
	w.network.mu.Lock()
	w.hosts[p.name] = p
	w.network.mu.Unlock()
	w.live = append(w.live, p)
	return p, root, roots, err
}

// since is a clock that starts with the simulation.
func (w *world) clock() journal.Clock {
	began := time.Now()
	return func() time.Duration { return time.Since(began) }
}

func (w *world) startMaster() error {
	p, root, roots, err := w.newProcess("master")
	if err != nil {
		return err
	}
	draw := w.r.Uint32()
	m, err := control.New(control.Config{ID: p.name, URL: "http://" + p.name, Host: p.name, Root: root, Roots: roots, Allows: roots.Allows,
		Clock: w.clock(), Draw: func() uint32 { return draw }, Log: w.log.With("process", p.name)})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle(cluster.Path, cluster.Handler(m))
	mux.HandleFunc("GET /job/{id}", func(rw http.ResponseWriter, r *http.Request) { answerJob(rw, r, m) })
	mux.HandleFunc("POST /job", func(rw http.ResponseWriter, r *http.Request) { answerSubmit(rw, r, m) })
	p.handler = mux
	w.life.Go(func() { m.Run(p.ctx) })
	return nil
}

func (w *world) startWorker() error {
	p, root, roots, err := w.newProcess("worker")
	if err != nil {
		return err
	}
	run := &runner{root: root, roots: roots, jobs: w.jobs, r: rand.New(rand.NewPCG(w.r.Uint64(), 6)), began: func(ref cluster.Ref) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.began[ref] = time.Now()
	}}
	cfg := worker.Config{ID: p.name, Info: cluster.Info{Host: p.name, Slots: 1 + w.r.IntN(3)}, Runner: run, HTTP: from{w.network, p},
		Log: w.log.With("process", p.name), Find: func(ctx context.Context) (worker.Leader, error) {
			l, err := journal.Current(ctx, root)
			return worker.Leader{Epoch: l.Epoch, URL: l.URL}, err
		}}
	w.life.Go(func() { _ = worker.Run(p.ctx, cfg) })
	return nil
}

// torment makes trouble for a while, and then mends everything.
func (w *world) torment() {
	heal := time.Now().Add(troubleTime)
	for time.Now().Before(heal) {
		time.Sleep(time.Duration(w.r.Int64N(int64(10 * time.Second))))
		if w.r.Float64() > w.trouble {
			continue
		}
		w.strike()
	}
	w.network.mu.Lock()
	w.trouble = 0
	w.network.mu.Unlock()
	time.Sleep(20 * time.Second) // for those who are stopped or cut off
	masters, workers := w.count()
	if masters == 0 {
		w.must(w.startMaster())
	}
	if workers == 0 {
		w.must(w.startWorker())
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) count() (masters, workers int) {
	for _, p := range w.live {
		switch {
		case p.ctx.Err() != nil:
		case strings.HasPrefix(p.name, "master"):
			masters++
		case strings.HasPrefix(p.name, "worker"):
			workers++
		}
	}
	return masters, workers
}

// strike does something bad, or starts a process.
func (w *world) strike() {
	masters, workers := w.count()
	if masters < 2 && w.r.IntN(2) == 0 {
		w.must(w.startMaster())
		return
	}
	if workers < 4 && w.r.IntN(2) == 0 {
		w.must(w.startWorker())
		return
	}
	alive := slices.DeleteFunc(slices.Clone(w.live), func(p *process) bool { return p.ctx.Err() != nil || p.name == clientName })
	if len(alive) == 0 {
		return
	}
	p := alive[w.r.IntN(len(alive))]
	d := time.Duration(w.r.Int64N(int64(30 * time.Second)))
	w.log.Info("STRIKE", "at", p.name, "for", d)
	switch w.r.IntN(5) {
	case 0, 1:
		p.kill(errKilled)
	case 2:
		p.freeze(d)
	case 3:
		p.cut(theStore, d)
	default:
		p.cut(alive[w.r.IntN(len(alive))].name, d)
	}
}

const input = "the quick brown fox jumps over the lazy dog while the cow jumps over the moon and the dish ran away\n"

// submit starts a cluster and a job, and returns what a sequential program makes
// of the input: lines of the whole output, sorted.
func (w *world) submit(seed uint64) (plan.JobID, []string, error) {
	me := newProcess(clientName)
	w.live = append(w.live, me)
	data, err := store.Open(me.ctx, "mem://data", w.options(me, nil))
	if err != nil {
		return "", nil, err
	}
	counts := make(map[string]int)
	var lines []string
	for i := range 1 + w.r.IntN(4) {
		var body bytes.Buffer
		words := strings.Fields(input)
		for range 20 + w.r.IntN(60) {
			line := make([]string, 1+w.r.IntN(8))
			for k := range line {
				line[k] = words[w.r.IntN(len(words))]
				counts[line[k]]++
			}
			lines = append(lines, strings.Join(line, " "))
			fmt.Fprintln(&body, lines[len(lines)-1])
		}
		if err := data.Put(me.ctx, fmt.Sprintf("in/%d", i), body.Bytes(), store.Durable); err != nil {
			return "", nil, err
		}
	}
	name := []string{"wordcount", "sort", "grep"}[w.r.IntN(3)]
	s := client.Submission{Job: name, IdempotencyKey: fmt.Sprint("seed ", seed), Input: []string{"mem://data/in"}, Output: "mem://data/out",
		Partitions: 1 + w.r.IntN(3), SplitSize: 200 + w.r.Int64N(2000)}
	oracle := lines
	switch name {
	case "wordcount":
		oracle = nil
		for word, n := range counts {
			oracle = append(oracle, fmt.Sprintf("%s\t%d", word, n))
		}
	case "grep":
		s.Partitions, s.Params = 0, map[string]string{"pattern": "fox"}
		oracle = slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !strings.Contains(l, "fox") })
	}
	slices.Sort(oracle)
	p, err := w.jobs[name].Build(s.Params, nil)
	if err != nil {
		return "", nil, err
	}
	s.Plan, s.Once = p.Text, p.Once
	for range 1 + w.r.IntN(2) {
		if err := w.startMaster(); err != nil {
			return "", nil, err
		}
	}
	for range 1 + w.r.IntN(3) {
		if err := w.startWorker(); err != nil {
			return "", nil, err
		}
	}
	id, err := w.ask(me, &s)
	return id, oracle, err
}

// judge waits for the job's end, and looks at what is there.
func (w *world) judge(id plan.JobID, oracle []string) (client.State, error) {
	me := newProcess("")
	defer me.kill(errKilled)
	root, err := store.Open(me.ctx, "mem://cluster", w.options(me, nil))
	if err != nil {
		return "", err
	}
	deadline := time.Now().Add(healTime)
	var s *scheduler.Job
	for {
		if s, err = journal.Read(me.ctx, root, id); err != nil {
			return "", err
		}
		active, err := journal.Active(me.ctx, root)
		if err != nil {
			return "", err
		}
		if s.Status.Ended() && len(active) == 0 {
			break
		}
		if time.Now().After(deadline) {
			return "", fmt.Errorf("%v after the trouble ended the job is %v, phase %v, %d tasks left of it", healTime, s.Status, s.Phase(), s.Left(s.Phase()))
		}
		time.Sleep(time.Second)
	}
	if err := w.rules(me.ctx, root, id); err != nil {
		return "", err
	}
	data, err := store.Open(me.ctx, "mem://data", w.options(me, nil))
	if err != nil {
		return "", err
	}
	if s.Status == scheduler.Failed {
		if s.Cause.Kind != scheduler.TaskFailed && s.Cause.Kind != scheduler.Conflict {
			return "", fmt.Errorf("it failed: %v", s.Cause)
		}
		w.t.Logf("failed: %v", s.Cause)
		if _, err := output.Read(me.ctx, data.Sub("out")); err == nil {
			return "", fmt.Errorf("it failed (%v), and there is output", s.Cause)
		}
		return client.FailedJob, nil
	}
	return client.Succeeded, compare(me.ctx, data.Sub("out"), oracle)
}

// compare holds the output against a sequential program's.
func compare(ctx context.Context, out *store.Root, oracle []string) error {
	m, err := output.Read(ctx, out)
	if err != nil {
		return err
	}
	var got []string
	names := make(map[string]bool)
	for i := range m.Parts {
		names[m.Parts[i].Name] = true
		b, err := out.Get(ctx, m.Parts[i].Name, 1<<20)
		if err != nil {
			return err
		}
		got = append(got, strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")...)
	}
	got = slices.DeleteFunc(got, func(l string) bool { return l == "" })
	slices.Sort(got)
	if !slices.Equal(got, oracle) {
		return fmt.Errorf("the output has %d lines, a sequential program %d, or others", len(got), len(oracle))
	}
	if m.Records != int64(len(oracle)) {
		return fmt.Errorf("the manifest counts %d records of %d", m.Records, len(oracle))
	}
	for o, err := range out.List(ctx, "part-") {
		if err != nil {
			return err
		}
		if !names[o.Key] {
			return fmt.Errorf("%s is visible, and no part of the output", o.Key)
		}
	}
	if _, err := out.Stat(ctx, output.SuccessName); err != nil {
		return err
	}
	return nil
}

// rules checks the log: epochs never fall; no task is committed twice unless its
// result was taken back; none begins after it was committed.
func (w *world) rules(ctx context.Context, root *store.Root, id plan.JobID) error {
	var epoch uint64
	committed := make(map[plan.TaskID]plan.AttemptID)
	granted := make(map[plan.AttemptID]bool)
	records, err := journal.Records(ctx, root, id)
	if err != nil {
		return err
	}
	for slot, r := range records {
		for _, e := range r.Entries {
			if _, ok := e.(scheduler.Fence); ok && r.Epoch > epoch {
				epoch = r.Epoch
			}
			if r.Epoch != epoch {
				continue // of a deposed master: it counts for nothing
			}
			switch e := e.(type) {
			case scheduler.Committed:
				if before, ok := committed[e.Task]; ok {
					return fmt.Errorf("slot %d commits %v a second time: attempt %v after %v", slot, e.Task, e.Attempt, before)
				}
				committed[e.Task] = e.Attempt
			case scheduler.Invalidated:
				delete(committed, e.Task)
			case scheduler.Granted:
				granted[e.Attempt] = true
			default:
			}
		}
	}
	return nil
}
