package planner_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/jobs/library/sort"
	"github.com/windrow-mr/windrow/jobs/library/wordcount"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/allow"
	"github.com/windrow-mr/windrow/worker/planner"
)

const job plan.JobID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"

// site is a store with an operator's list of what jobs may use of it.
type site struct {
	space *store.MemSpace
	roots *allow.List
}

func newSite(t *testing.T, allowed ...string) *site {
	t.Helper()
	s := &site{space: new(store.MemSpace)}
	var err error
	if s.roots, err = allow.New(allowed, store.Options{Mem: s.space}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.roots.Close() })
	return s
}

// put writes an object, whether jobs may write it or not.
func (s *site) put(t *testing.T, bucket, key, body string) {
	t.Helper()
	root, err := store.Open(t.Context(), "mem://"+bucket, store.Options{Mem: s.space})
	if err == nil {
		err = root.Put(t.Context(), key, []byte(body), store.Scratch)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// request returns a request for a plan with all defaults filled in.
func request(t *testing.T, out string, in ...string) planner.Request {
	t.Helper()
	codecs, err := planner.ParseCodecs("", "", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return planner.Request{Job: job, Input: in, Output: out, Slots: 4, Memory: planner.Memory{Bytes: 1 << 30, Attempts: 4}, Codecs: codecs}
}

func words(t *testing.T) planner.Job {
	t.Helper()
	p, err := wordcount.Job().Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return planner.Of(p)
}

func (s *site) make(t *testing.T, j planner.Job, r planner.Request) (*attempts.Table, error) {
	t.Helper()
	return planner.Make(t.Context(), j, r, s.roots, slog.New(slog.DiscardHandler))
}

// TestMakeWithinAnAllowList plans jobs whose roots are below buckets that are
// closed to them.
func TestMakeWithinAnAllowList(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mem://a/logs", "mem://b/out")
	s.put(t, "a", "logs/1.txt", "to be or\nnot to be\n")
	s.put(t, "a", "logs/deep/2.txt", "or not\n")
	s.put(t, "a", "logs/_hidden", "x")
	s.put(t, "a", "logs2/3.txt", "not this one\n")
	for in, want := range map[string]int{"mem://a/logs": 2, "mem://a/logs/": 2, "mem://a/logs/deep": 1, "mem://a/logs/*.txt": 1, "mem://a/logs/**/*.txt": 2, "mem://a/logs/1.txt": 1} {
		table, err := s.make(t, words(t), request(t, "mem://b/out/x", in))
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if n := len(table.Splits[0].Sections); n != want || len(table.Splits) != 1 || table.Partitions != 1 || table.Job != job {
			t.Errorf("%s: %d sections in %+v", in, n, table)
		}
		for _, section := range table.Splits[0].Sections {
			root, err := s.roots.Opened(section.Object.Root)
			if err != nil {
				t.Errorf("%s: the root of %+v: %v", in, section.Object, err)
				continue
			}
			if o, err := root.Stat(t.Context(), section.Object.Key); err != nil || o.Size != section.Length {
				t.Errorf("%s: %+v is %+v, %v", in, section, o, err)
			}
		}
	}
	for _, r := range []planner.Request{
		request(t, "mem://b/out/x", "mem://a/logs2"),
		request(t, "mem://b/out/x", "mem://a"),
		request(t, "mem://b/other", "mem://a/logs"),
		request(t, "mem://b/out?endpoint=http://elsewhere", "mem://a/logs"),
	} {
		if _, err := s.make(t, words(t), r); plan.KindOf(err) != plan.Denied || !planner.Final(err) {
			t.Errorf("%s to %s: %v", r.Input, r.Output, err)
		}
	}
}

// TestOutputsInOtherOutputs verifies that an output in another output is
// refused, as far up as a job may look.
func TestOutputsInOtherOutputs(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mem://a/logs", "mem://b/below/here")
	s.put(t, "a", "logs/1.txt", "x\n")
	// A job has written to mem://b/below, where this one may not look, and to
	// mem://b/below/here/old, where it may.
	s.put(t, "b", "below/"+output.FirstEntry, "{}")
	s.put(t, "b", "below/here/old/"+output.FirstEntry, "{}")
	if _, err := s.make(t, words(t), request(t, "mem://b/below/here/new", "mem://a/logs")); err != nil {
		t.Errorf("a directory above the allowed root is read: %v", err)
	}
	for _, out := range []string{"mem://b/below/here/old/new", "mem://b/below/here/old/x/y/new", "mem://b/below/here/x/_windrow/new", "mem://a/logs/new"} {
		_, err := s.make(t, words(t), request(t, out, "mem://a/logs"))
		wantKind(t, out, err, plan.Invalid)
	}
}

func wantKind(t *testing.T, what string, err error, kind plan.Kind) {
	t.Helper()
	asked, ok := errors.AsType[*planner.Error](err)
	if !ok || asked.Kind != kind {
		t.Errorf("%s: %v, want an error of kind %d", what, err, kind)
	}
	if err != nil && !planner.Final(err) {
		t.Errorf("%s: %v is not final", what, err)
	}
}

// TestWrongRequests verifies that wrong requests are refused, with a text that
// names the error.
func TestWrongRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mem://a")
	s.put(t, "a", "in/1.txt", strings.Repeat("words\n", 1000))
	s.put(t, "a", "empty/_x", "")
	two := words(t)
	two.Inputs = append(two.Inputs, two.Inputs[0])
	two.Inputs[0].Name, two.Inputs[1].Name = "left", "right"
	binary := words(t)
	binary.Outputs = []planner.Output{{Ext: ".bin"}}
	generating := words(t)
	generating.Inputs[0].Generate = func(context.Context, int) ([]plan.Section, error) { return nil, nil }
	for name, c := range map[string]struct {
		job    planner.Job
		change func(*planner.Request)
		kind   plan.Kind
		text   string
	}{
		"no output":               {words(t), func(r *planner.Request) { r.Output = "" }, plan.Invalid, "--out"},
		"partitions":              {words(t), func(r *planner.Request) { r.Partitions = -1 }, plan.Invalid, "-1"},
		"too many partitions":     {words(t), func(r *planner.Request) { r.Partitions = attempts.MaxPartitions + 1 }, plan.Invalid, "100001"},
		"split size":              {words(t), func(r *planner.Request) { r.SplitSize = -5 }, plan.Invalid, "-5"},
		"no input":                {words(t), func(r *planner.Request) { r.Input = nil }, plan.Invalid, "--input"},
		"missing input":           {words(t), func(r *planner.Request) { r.Input = []string{"mem://a/none"} }, plan.NotFound, "mem://a/none"},
		"hidden objects only":     {words(t), func(r *planner.Request) { r.Input = []string{"mem://a/empty/"} }, plan.NotFound, "no objects"},
		"an input named twice":    {words(t), func(r *planner.Request) { r.Input = []string{"mem://a/in", "mem://a/in/1.txt"} }, plan.Invalid, "twice"},
		"a name too few":          {two, func(*planner.Request) {}, plan.Invalid, "left, right"},
		"a name that is not":      {two, func(r *planner.Request) { r.Input = []string{"middle=mem://a/in"} }, plan.Invalid, "middle"},
		"one of two":              {two, func(r *planner.Request) { r.Input = []string{"left=mem://a/in"} }, plan.Invalid, "right"},
		"input that is made":      {generating, func(*planner.Request) {}, plan.Invalid, "makes its own"},
		"the index does not fit":  {words(t), func(r *planner.Request) { r.Partitions, r.Memory.Bytes = 90_000, 64<<20 }, plan.Invalid, "at most"},
		"parts that are not text": {binary, func(r *planner.Request) { r.Codecs.Output = compress.Gzip }, plan.Invalid, ".bin"},
		"output in input":         {words(t), func(r *planner.Request) { r.Output = "mem://a/in/out" }, plan.Invalid, "the next run"},
	} {
		r := request(t, "mem://a/out", "mem://a/in")
		c.change(&r)
		_, err := s.make(t, c.job, r)
		wantKind(t, name, err, c.kind)
		if !strings.Contains(fmt.Sprint(err), c.text) {
			t.Errorf("%s: %v does not say %q", name, err, c.text)
		}
	}
	for what, err := range map[string]error{"output": second(planner.ParseCodecs("bzip2", "", 0, 0)), "input": second(planner.ParseCodecs("", "rar", 0, 0)), "limit": second(planner.ParseCodecs("", "", 0, -1))} {
		wantKind(t, what, err, plan.Invalid)
	}
}

func second[T any](_ T, err error) error { return err }

// TestCutsOfAnotherProcess verifies that the job's own functions are called with
// the caller's context, and that their errors come back.
func TestCutsOfAnotherProcess(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mem://a")
	s.put(t, "a", "in/1", strings.Repeat("0123456789", 100))
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "here")
	var asked int64
	g := plan.OneShuffle(plan.Counts{Reduces: 1})
	g.Steps[0].Inputs = []int{0, 1}
	j := planner.Job{Name: "other", Graph: g, Outputs: []planner.Output{{}}, Inputs: []planner.Input{
		{Name: "cut", Cut: func(ctx context.Context, o plan.Object, target int64) ([]plan.Section, error) {
			if ctx.Value(key{}) != "here" {
				return nil, errors.New("it has another context")
			}
			asked = target
			return []plan.Section{{Object: o, Length: 990}, {Object: o, Offset: 990, Length: 10}}, nil
		}},
		{Name: "made", Generate: func(ctx context.Context, slots int) ([]plan.Section, error) {
			if ctx.Value(key{}) != "here" {
				return nil, errors.New("it has another context")
			}
			return make([]plan.Section, slots), nil
		}},
	}}
	r := request(t, "mem://a/out", "cut=mem://a/in")
	r.SplitSize, r.Slots = 100, 3
	table, err := planner.Make(ctx, j, r, s.roots, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var lengths []int64
	for _, split := range table.Splits {
		lengths = append(lengths, split.Bytes())
	}
	if asked != 100 || fmt.Sprint(lengths) != "[990 10 0 0 0]" || table.Splits[4].Input != 1 || table.Input != 1000 {
		t.Errorf("asked for %d; got %+v", asked, table)
	}
	broken := errors.New("the process has ended")
	for i := range j.Inputs {
		broke := j
		broke.Inputs = append([]planner.Input(nil), j.Inputs...)
		if i == 0 {
			broke.Inputs[0].Cut = func(context.Context, plan.Object, int64) ([]plan.Section, error) { return nil, broken }
		} else {
			broke.Inputs[1].Generate = func(context.Context, int) ([]plan.Section, error) { return nil, broken }
		}
		if _, err := planner.Make(ctx, broke, r, s.roots, slog.New(slog.DiscardHandler)); !errors.Is(err, broken) || planner.Final(err) {
			t.Errorf("input %d: %v", i, err)
		}
	}
}

// TestSortsAreSampled verifies that a job with ranges gets a sample unless it has
// one partition.
func TestSortsAreSampled(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mem://a")
	s.put(t, "a", "in/1.txt", strings.Repeat("words\n", 10_000))
	p, err := sort.Job().Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := request(t, "mem://a/out", "mem://a/in")
	for _, partitions := range []int{1, 5} {
		r.Partitions = partitions
		table, err := s.make(t, planner.Of(p), r)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := table.Counts(), (plan.Counts{Samples: min(partitions-1, 1), Maps: 1, Reduces: partitions}); got != want {
			t.Errorf("%d partitions: %+v", partitions, got)
		}
		if partitions > 1 && len(table.Samples[0].Sections) < 64 {
			t.Errorf("the sample has %d sections", len(table.Samples[0].Sections))
		}
	}
}

// TestProbe verifies that Probe asks whether parts can be created once, and
// refuses a store that ignores the condition.
func TestProbe(t *testing.T) {
	t.Parallel()
	root, err := store.Open(t.Context(), "mem://", store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	table := attempts.Table{Input: 1 << 30}
	if err := table.Probe(t.Context(), root); err != nil || !table.PartOnce {
		t.Errorf("a store that keeps its promises: %v, %v", table.PartOnce, err)
	}
	for o, err := range root.List(t.Context(), "") {
		t.Errorf("the probe leaves %s, %v", o.Key, err)
	}
	careless, err := store.Open(t.Context(), "mem://", store.Options{Wrap: func(d driver.Driver) driver.Driver { return overwriting{d} }})
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Probe(t.Context(), careless); err == nil || !strings.Contains(err.Error(), "create-once") {
		t.Errorf("a store that overwrites: %v", err)
	}
}

// overwriting is a store that ignores the condition of a write.
type overwriting struct{ driver.Driver }

func (d overwriting) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	o.IfAbsent = false
	return d.Driver.Put(ctx, key, body, o)
}

// TestMemory verifies how memory is divided among attempts.
func TestMemory(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, c := range []struct {
		memory                       planner.Memory
		share, remoteShare, lookBack int64
	}{
		{planner.Memory{Bytes: 1024 * mib, Attempts: 4}, 256 * mib, 216 * mib, 64 * mib},
		{planner.Memory{Bytes: 64 * mib, Attempts: 1}, 64 * mib, 24 * mib, 16 * mib},
		{planner.Memory{Bytes: 4096 * mib, Attempts: 2}, 2048 * mib, 2008 * mib, 512 * mib},
		{planner.Memory{Bytes: 16 * mib, Attempts: 1}, 16 * mib, 4 * mib, 8 * mib},
	} {
		if got := [...]int64{c.memory.Share(false), c.memory.Share(true), c.memory.Window()}; got != [...]int64{c.share, c.remoteShare, c.lookBack} {
			t.Errorf("%+v: %d", c.memory, got)
		}
	}
}

// TestBytes verifies that sizes have the form that users read.
func TestBytes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 1 << 20: "1 MiB", 1<<20 - 1: "1 MiB", 1<<30 + 1<<29: "1.5 GiB"} {
		if got := planner.Bytes(n); got != want && (n != 1<<20-1 || got != "1.0 MiB") {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}
