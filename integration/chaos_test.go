package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/store/driver"

	engine "github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/library"
	"github.com/windrow-mr/windrow/jobs/library/sort"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
	_ "github.com/windrow-mr/windrow/store/s3"
	"github.com/windrow-mr/windrow/store/s3/s3test"
)

// chaosPlans are faults that jobs must survive, or end in an error of: first
// the faults of a bad day, then lies and expired credentials, which retries can
// not fix.
var chaosPlans = []struct {
	name, plan string
	seeds      int
	survivors  int // least number of runs of each job that have output
}{
	{"bad day", "503:3% burst=2, 500:2%, corrupt:1%, reset:2%, cut:1%, short:2%, full:1%, stall:0.5% for=0s, flip:1%, lost:2%, 409:2%, lost:2% put as=412, slow:5%", 20, 10},
	{"lies", "404:0.3%, 412:2%, expired:0.1%, 400:0.1%, flip:2%, lost:1% as=412, lost:0.3% as=expired", 8, 0},
}

// TestLibraryUnderFaults verifies that every job of the library survives a
// store that fails in all ways at once: its output is the one that a sequential
// program finds, or there is one error and no output. Time is virtual.
func TestLibraryUnderFaults(t *testing.T) {
	t.Parallel()
	for _, c := range chaosPlans {
		for _, job := range library.All() {
			t.Run(c.name+"/"+job.Name(), func(t *testing.T) {
				t.Parallel()
				first, last := uint64(1), uint64(c.seeds/oneIn)
				if *seed != 0 {
					first, last = *seed, *seed
				}
				var survived atomic.Int32
				t.Run("storm", func(t *testing.T) {
					for s := first; s <= last; s++ {
						t.Run(fmt.Sprint(s), func(t *testing.T) {
							t.Parallel()
							synctest.Test(t, func(t *testing.T) {
								ok, err := weather(t.Context(), job, c.plan, s)
								if err != nil {
									t.Errorf("%v\nreplay: go test ./integration -run '^TestLibraryUnderFaults$/^%s$/^%s$' -seed=%d", err, c.name, job.Name(), s)
								}
								if ok {
									survived.Add(1)
								}
							})
						})
					}
				})
				if n := int(survived.Load()); *seed == 0 && n < c.survivors/oneIn {
					t.Errorf("%d of %d runs got through", n, c.seeds/oneIn)
				}
			})
		}
	}
}

// longest is far more than any run needs that has not hung.
const longest = 10 * time.Hour

// weather runs a job on the problem of a seed, under faults. It reports whether
// there was output, and returns an error if something is wrong.
func weather(ctx context.Context, job *jobs.Job, plan string, seed uint64) (survived bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	name := fnv.New64a()
	io.WriteString(name, job.Name())
	r := rand.New(rand.NewPCG(seed, name.Sum64()))
	p := problems[job.Name()](r)
	o, hard, err := configure(ctx, r, &p, new(store.MemSpace))
	if err != nil {
		return false, err
	}
	if built, err := job.Build(p.params, nil); err != nil {
		return false, err
	} else if !built.Outputs[0].Compressible {
		o.Compress = ""
	}
	rules, err := fault.Parse(plan)
	if err != nil {
		return false, err
	}
	o.Memory = int64(o.Slots) * 64 * mebibyte // small tables: there are many runs
	calm := o
	o.Chaos = fault.New(rules...)
	o.Chaos.Seed = seed
	o.Stores.Wrap = func(d driver.Driver) driver.Driver { return faulttest.Remote(d, 64<<10) }
	began := time.Now()
	result, err := engine.Run(pipeline.WithTrial(ctx, hard), job, o)
	met := fmt.Sprintf("after %v, having met %+v", time.Since(began), o.Chaos.Report().Injected)
	var failed *engine.Error
	switch {
	case ctx.Err() != nil:
		return false, fmt.Errorf("it hangs, %s: %w", met, err)
	case err == nil:
		return true, errors.Join(compareOutput(ctx, &p, calm, result, met), withinBudget(result))
	case !errors.As(err, &failed) || err.Error() == "":
		return false, fmt.Errorf("%s: not an error of the engine's: %w", met, err)
	}
	return false, recovers(ctx, job, &p, calm, hard, fmt.Sprintf("%s: %v", met, err))
}

// compareOutput compares a run's output with that of a sequential program.
func compareOutput(ctx context.Context, p *problem, o engine.Options, result *engine.Result, met string) error {
	got, err := unpackedParts(ctx, o.Output, o.Stores, result.Manifest.Parts)
	if err != nil {
		return fmt.Errorf("%s: read the output: %w", met, err)
	}
	if p.clean != nil {
		got = []byte(p.clean(string(got)))
	}
	if !p.ordered {
		got = []byte(sorted(string(got)))
	}
	if err := firstDifference(got, p.want); err != nil {
		return fmt.Errorf("%s: %w", met, err)
	}
	return nil
}

// withinBudget checks that repetitions were a tenth of the requests, plus the
// free ones, 20 and one each second, on each of up to three roots.
func withinBudget(result *engine.Result) error {
	u := result.Usage
	most := 0.1*float64(u.Requests()) + 3*(20+result.Elapsed.Seconds())
	if float64(u.Retries) > most {
		return fmt.Errorf("%d repetitions of %d requests in %v, at most %.0f are allowed", u.Retries, u.Requests(), result.Elapsed, most)
	}
	return nil
}

// recovers checks that a failed run left no output, and nothing that prevents
// the next run from making it.
func recovers(ctx context.Context, job *jobs.Job, p *problem, o engine.Options, hard pipeline.Trial, before string) error {
	root, err := store.Open(ctx, o.Output, o.Stores)
	if err != nil {
		return err
	}
	defer root.Close()
	if m, err := output.Read(ctx, root); !errors.Is(err, output.ErrNotCommitted) {
		return fmt.Errorf("%s: there is output all the same: %v, %w", before, m, err)
	}
	o.OnExists = "replace"
	result, err := engine.Run(pipeline.WithTrial(ctx, hard), job, o)
	if err != nil {
		return fmt.Errorf("%s; the next run: %w", before, err)
	}
	return compareOutput(ctx, p, o, result, before+"; the next run")
}

// TestSeedsReplay verifies that a run with one slot meets the same faults each
// time that it has the same seed, although the names of its objects differ.
func TestSeedsReplay(t *testing.T) {
	t.Parallel()
	// No fault of this plan depends on time. It leaves heartbeats alone, and
	// reads ahead, which may be too late to be needed. Its faults are so few
	// that the clock refuses no repetitions.
	rules, err := fault.Parse("500:2% key=in/**, lost:3% key=**/att/**, 500:2% read key=**/att/**, 409:10% key=**/part-*")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for s := range uint64(10) {
		var met [2]string
		for i := range met {
			synctest.Test(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, 1))
				p := sortProblem(r)
				o, hard, err := configure(t.Context(), r, &p, new(store.MemSpace))
				if err != nil {
					t.Fatal(err)
				}
				o.Slots, o.Compress, hard.Spill = 1, "", 0
				o.Chaos = fault.New(rules...)
				o.Chaos.Seed = s
				o.Stores.Wrap = func(d driver.Driver) driver.Driver { return faulttest.Remote(d, 64<<10) }
				_, err = engine.Run(pipeline.WithTrial(t.Context(), hard), sort.Job(), o)
				met[i] = fmt.Sprintf("%v, %v", err == nil, o.Chaos.Report().Injected)
			})
		}
		if met[0] != met[1] {
			t.Errorf("seed %d met %s, and then %s", s, met[0], met[1])
		}
		seen[met[0]] = true
	}
	if len(seen) < 7 {
		t.Errorf("10 seeds met %d different things", len(seen))
	}
}

// TestChaosOnS3 verifies the promise of --chaos on a real S3 server: the output
// is the one that tr, sort and uniq make of the input, and the summary lists
// the survived faults.
func TestChaosOnS3(t *testing.T) {
	t.Parallel()
	s3 := s3test.Start(t)
	text, err := os.ReadFile(filepath.Join(goSource(t), "net", "http", "server.go"))
	if err != nil {
		t.Fatal(err)
	}
	in, err := store.Open(t.Context(), s3With(s3, "in"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := in.Put(t.Context(), "server.txt", text, store.Durable); err != nil {
		t.Fatal(err)
	}
	want := coreutilsCount(t, string(text))
	args := []string{"run", "wordcount", "--input", s3With(s3, "in"), "--out", s3With(s3, "out"), "--chaos", "503:10%, reset:2%, flip:0.1%"}
	r := do(t, windrow, append(args, "--chaos-seed", "7", "--split-size", "32KiB", "--partitions", "3", "-o", "json")...)
	if r.code != 0 {
		t.Fatalf("exit %d\n%s", r.code, r.stderr)
	}
	if got := sorted(must(t, windrow, "cat", s3With(s3, "out"))); got != want {
		t.Errorf("%d bytes of counts, coreutils make %d others", len(got), len(want))
	}
	var report struct {
		Chaos struct {
			Plan     string
			Seed     int
			Injected map[string]int64
		}
		Requests struct{ Retries int64 }
	}
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatal(err)
	}
	c := report.Chaos
	if c.Plan != "503:10%, reset:2%, flip:0.1%" || c.Seed != 7 || c.Injected["503"] < 5 || report.Requests.Retries < c.Injected["503"]/2 {
		t.Errorf("the report says %+v", report)
	}
	if card := fmt.Sprintf("chaos      survived %d × 503", c.Injected["503"]); !strings.Contains(r.stderr, card) || !strings.Contains(r.stderr, "(seed 7)") {
		t.Errorf("the card does not say %q:\n%s", card, r.stderr)
	}
}

// coreutilsCount counts words with independent programs.
func coreutilsCount(t *testing.T, text string) string {
	t.Helper()
	shell := exec.CommandContext(t.Context(), "sh", "-c",
		`tr -s ' \t\n\v\f\r' '\n' | sed '/^$/d' | sort | uniq -c | sed -E 's/^ *([0-9]+) (.*)$/\2\t\1/' | sort`)
	shell.Env = append(os.Environ(), "LC_ALL=C")
	shell.Stdin = strings.NewReader(text)
	out, err := shell.Output()
	if err != nil {
		t.Fatal(err)
	}
	return sorted(string(out))
}

// TestChaosUsage verifies that mistakes in a plan of faults are reported before
// anything is opened, and that faults that end a run are reported too.
func TestChaosUsage(t *testing.T) {
	t.Parallel()
	in, out := file(t, "in.txt", "a\n"), filepath.Join(t.TempDir(), "out")
	for _, c := range []struct {
		args []string
		code int
		text []string
	}{
		{[]string{"--chaos", "503:10%, resett:2%"}, 2, []string{"character 10 of", `no fault "resett"`, `did you mean "reset"?`, "stall, flip, slow"}},
		{[]string{"--chaos", ""}, 2, []string{"FAULT:WHEN"}},
		{[]string{"--chaos-seed", "1"}, 2, []string{"--chaos-seed needs --chaos"}},
		{[]string{"--chaos", "503:1%", "--chaos-seed", "x"}, 2, []string{"chaos-seed"}},
		{[]string{"--chaos", "expired:100% read", "--chaos-seed", "3"}, 4, []string{"permission denied", "injected fault", "chaos: the run met", "expired (seed 3)"}},
	} {
		r := do(t, windrow, append([]string{"run", "wordcount", "--input", in, "--out", out}, c.args...)...)
		if r.code != c.code {
			t.Errorf("%q: exit %d, want %d: %s", c.args, r.code, c.code, r.stderr)
		}
		for _, text := range c.text {
			if !strings.Contains(r.stderr, text) {
				t.Errorf("%q does not say %q: %s", c.args, text, r.stderr)
			}
		}
	}
	if names := visible(t, out); len(names) != 0 {
		t.Errorf("left %v", names)
	}
}

// TestChaosLeavesOut verifies that bits of files are not flipped, since files
// have no checksum.
func TestChaosLeavesOut(t *testing.T) {
	t.Parallel()
	in, out := file(t, "in.txt", "b a\n"), filepath.Join(t.TempDir(), "out")
	r := do(t, windrow, "run", "wordcount", "--input", in, "--out", out, "--chaos", "flip:100% key=in.txt")
	if r.code != 0 || !strings.Contains(r.stderr, "no fault (seed ") || !strings.Contains(r.stderr, "left out 1 × flip") {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
	if got := must(t, windrow, "cat", out); sorted(got) != "a\t1\nb\t1\n" {
		t.Errorf("counted %q", got)
	}
}
