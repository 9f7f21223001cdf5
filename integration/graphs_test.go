package integration

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	engine "github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/integration/graphs"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/fault"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
)

// TestRandomGraphs verifies that jobs of several stages, drawn at random, have the outputs
// that loops over slices make of their inputs: whatever the splits, partitions, slots and
// spills, and in every fourth case under the faults of a bad day. There all outputs are
// right, or there is one error and no output. Package jobs compares the same jobs with its
// small interpreter.
func TestRandomGraphs(t *testing.T) {
	t.Parallel()
	first, last := uint64(1), uint64(randomGraphs)
	if *seed != 0 {
		first, last = *seed, *seed
	}
	var stormy, survived atomic.Int32
	t.Run("all", func(t *testing.T) {
		for s := first; s <= last; s++ {
			t.Run(fmt.Sprint(s), func(t *testing.T) {
				t.Parallel()
				c, err := drawGraph(t.Context(), s)
				if err != nil {
					t.Fatal(err)
				}
				if s%4 > 0 {
					err := c.solve(t.Context())
					if err == nil {
						err = c.swept(t.Context())
					}
					if err != nil {
						t.Error(c.failed(err))
					}
					return
				}
				synctest.Test(t, func(t *testing.T) {
					ok, err := c.weather(t.Context())
					if err != nil {
						t.Error(c.failed(err))
					}
					if stormy.Add(1); ok {
						survived.Add(1)
					}
				})
			})
		}
	})
	if *seed == 0 && survived.Load() < stormy.Load()/2 {
		t.Errorf("%d of %d runs under faults got through", survived.Load(), stormy.Load())
	}
}

// graphCase is a random job with its inputs, and how it is run.
type graphCase struct {
	seed uint64
	g    *graphs.Graph
	want map[string][]string
	o    engine.Options
	hard pipeline.Trial
}

// failed adds to an error what the case is, and how it is run again.
func (c *graphCase) failed(err error) string {
	return fmt.Sprintf("%v\n%v\nsplit size %d, partitions %d, slots %d, memory %d, compress %q, root %q, trial %+v\nreplay: go test ./integration -run '^TestRandomGraphs$' -seed=%d",
		err, c.g, c.o.SplitSize, c.o.Partitions, c.o.Slots, c.o.Memory, c.o.Compress, c.o.Root, c.hard, c.seed)
}

// drawGraph draws a job and its inputs, which it writes, and how to run it.
func drawGraph(ctx context.Context, s uint64) (*graphCase, error) {
	r := rand.New(rand.NewPCG(s, 13))
	c := &graphCase{seed: s, g: graphs.New(s), hard: pipeline.Trial{Overwrite: r.IntN(4) == 0, Rebuild: r.IntN(8) == 0}}
	if r.IntN(3) == 0 {
		c.hard.Spill = 1 + r.IntN(100)
	}
	texts := c.g.Texts(r)
	c.want = c.g.Want(texts)
	c.o = engine.Options{Output: "mem://test/out", Params: map[string]string{"seed": fmt.Sprint(s)}, Stores: store.Options{Mem: new(store.MemSpace)},
		Partitions: r.IntN(8), Slots: 1 + r.IntN(4), Compress: []string{"", "gzip", "zstd"}[r.IntN(3)]}
	// A step may write many exchanges, each of which needs some memory.
	c.o.Memory = int64(c.o.Slots)*160*mebibyte + r.Int64N(2)*r.Int64N(256*mebibyte)
	if r.IntN(4) == 0 {
		c.o.Root = "mem://elsewhere/scratch"
	}
	if *seed != 0 {
		c.o.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	root, err := store.Open(ctx, "mem://test", c.o.Stores)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	size := 0
	for i, name := range c.g.Inputs {
		lines := strings.SplitAfter(texts[name], "\n")
		at := r.IntN(len(lines) + 1)
		for k, some := range [][]string{lines[:at], lines[at:]} {
			key, body, err := packed(r, fmt.Sprintf("in/%d/%d", i, k), strings.Join(some, ""))
			if err != nil {
				return nil, err
			}
			if err := root.Put(ctx, key, body, store.Durable); err != nil {
				return nil, err
			}
			size += len(body)
		}
		url := fmt.Sprintf("mem://test/in/%d", i)
		if name != "" {
			url = name + "=" + url
		}
		c.o.Input = append(c.o.Input, url)
	}
	c.o.SplitSize = int64(1 + size/(1+r.IntN(30)))
	return c, nil
}

// solve runs the job and compares its outputs.
func (c *graphCase) solve(ctx context.Context) error {
	result, err := engine.Run(pipeline.WithTrial(ctx, c.hard), graphs.Job(), c.o)
	if err != nil {
		return err
	}
	return c.compare(ctx, result)
}

// compare compares all outputs, the visible objects and the count of records with those
// that must be.
func (c *graphCase) compare(ctx context.Context, result *engine.Result) error {
	root, err := store.Open(ctx, c.o.Output, c.o.Stores)
	if err != nil {
		return err
	}
	defer root.Close()
	m, err := output.Read(ctx, root)
	if err != nil {
		return err
	}
	got, total := make(map[string]string), int64(0)
	var names []string
	for i := range m.Parts {
		b, err := unpacked(ctx, root, &m.Parts[i])
		if err != nil {
			return err
		}
		names = append(names, m.Parts[i].Name)
		name, _, named := strings.Cut(m.Parts[i].Name, "/")
		if !named {
			name = ""
		}
		got[name] += string(b)
	}
	for _, out := range c.g.Outputs {
		lines := c.want[out.Name]
		total += int64(len(lines))
		text := got[out.Name]
		delete(got, out.Name)
		if !out.Ordered {
			text = sorted(text)
		}
		if err := firstDifference([]byte(text), joined(lines)); err != nil {
			return fmt.Errorf("output %q: %w", out.Name, err)
		}
	}
	for name := range got {
		return fmt.Errorf("there is an output %q", name)
	}
	if m.Records != total || result.Tally.RecordsOut != total {
		return fmt.Errorf("%d records are right, the manifest counts %d and the summary %d", total, m.Records, result.Tally.RecordsOut)
	}
	var seen []string
	for o, err := range root.List(ctx, "") {
		if err != nil {
			return err
		}
		if !output.Hidden(o.Key) {
			seen = append(seen, o.Key)
		}
	}
	slices.Sort(names)
	if slices.Sort(seen); !slices.Equal(seen, names) {
		return fmt.Errorf("visible are %q, the manifest names %q", seen, names)
	}
	return nil
}

// swept checks that the run has left nothing in its place for temporary data.
func (c *graphCase) swept(ctx context.Context) error {
	url := c.o.Root
	if url == "" {
		url = c.o.Output + "/_windrow/tmp"
	}
	root, err := store.Open(ctx, url, c.o.Stores)
	if err != nil {
		return err
	}
	defer root.Close()
	for o, err := range root.List(ctx, "") {
		if err != nil {
			return err
		}
		return fmt.Errorf("temporary data is left: %s", o.Key)
	}
	return nil
}

// weather runs the job under faults. It reports whether there was output, and returns an
// error if something is wrong. A run that fails must not hinder the next.
func (c *graphCase) weather(ctx context.Context) (survived bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	rules, err := fault.Parse(chaosPlans[0].plan)
	if err != nil {
		return false, err
	}
	calm := *c
	c.o.Chaos = fault.New(rules...)
	c.o.Chaos.Seed = c.seed
	c.o.Stores.Wrap = func(d driver.Driver) driver.Driver { return faulttest.Remote(d, 64<<10) }
	began := time.Now()
	result, err := engine.Run(pipeline.WithTrial(ctx, c.hard), graphs.Job(), c.o)
	met := fmt.Sprintf("after %v, having met %+v", time.Since(began), c.o.Chaos.Report().Injected)
	var failed *engine.Error
	switch {
	case ctx.Err() != nil:
		return false, fmt.Errorf("it hangs, %s: %w", met, err)
	case err == nil:
		if err := errors.Join(calm.compare(ctx, result), withinBudget(result)); err != nil {
			return true, fmt.Errorf("%s: %w", met, err)
		}
		return true, nil
	case !errors.As(err, &failed) || err.Error() == "":
		return false, fmt.Errorf("%s: not an error of the engine's: %w", met, err)
	}
	root, openErr := store.Open(ctx, calm.o.Output, calm.o.Stores)
	if openErr != nil {
		return false, openErr
	}
	defer root.Close()
	if m, readErr := output.Read(ctx, root); !errors.Is(readErr, output.ErrNotCommitted) {
		return false, fmt.Errorf("%s: %w, but there is output all the same: %v, %w", met, err, m, readErr)
	}
	calm.o.OnExists = "replace"
	if next := calm.solve(ctx); next != nil {
		return false, fmt.Errorf("%s: %w; the next run: %w", met, err, next)
	}
	return false, nil
}

// TestInputAsSideInputAndOtherwise verifies that a job can read an input both as a side
// input and otherwise, and that its inputs may have any order.
func TestInputAsSideInputAndOtherwise(t *testing.T) {
	t.Parallel()
	job := jobs.Define("both", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		lines := jobs.ReadLines(p).Named("lines")
		jobs.Convert(lines, func(line []byte) string { return string(line) }).WriteTSV().Named("before")
		names := jobs.ReadLines(p).Named("names")
		number := jobs.Broadcast(names, func(rows iter.Seq[[]byte]) (n int, err error) {
			for range rows {
				n++
			}
			return n, nil
		})
		jobs.FlatMap(lines, func(ctx *jobs.Context, line []byte, emit func(string)) error {
			emit(fmt.Sprintf("%s of %d", line, number.Get(ctx)))
			return nil
		}).WriteTSV().Named("lines")
		names.WriteTSV().Named("names")
		return nil
	})
	o := engine.Options{Input: []string{"names=" + file(t, "names", "a\nb\nc\n"), "lines=" + file(t, "lines", "x\ny\n")}, Output: t.TempDir(), SplitSize: 2}
	result, err := engine.Run(t.Context(), job, o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := unpackedParts(t.Context(), o.Output, o.Stores, result.Manifest.Parts)
	if err != nil {
		t.Fatal(err)
	}
	if want := "a\nb\nc\nx\nx of 3\ny\ny of 3\n"; sorted(string(got)) != want {
		t.Errorf("it wrote %q, want %q", got, want)
	}
}
