package embedded_test

import (
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/store"
)

func splitWords(_ *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
	for w := range strings.FieldsSeq(string(line)) {
		emit(w, 1)
	}
	return nil
}

// ranked counts words, writes the counts, sorts them by count, and counts how many words
// have each count.
func ranked() *jobs.Job {
	return jobs.Define("ranked", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		counts := jobs.Map(jobs.ReadLines(p), splitWords).Fold(jobs.Sum).Named("counts")
		counts.WriteTSV().Named("counts")
		byCount := jobs.Map(counts, func(_ *jobs.Context, c jobs.Pair[string, int64], emit jobs.Emit[int64, string]) error {
			emit(c.Value, c.Key)
			return nil
		})
		byCount.Sort().WriteTSV().Named("sorted")
		jobs.Map(counts, func(_ *jobs.Context, c jobs.Pair[string, int64], emit jobs.Emit[int64, int64]) error {
			emit(c.Value, 1)
			return nil
		}).Fold(jobs.Sum).WriteTSV().Named("frequencies")
		return nil
	})
}

// partsOf returns the text of the parts of a named output, in order.
func partsOf(t *testing.T, root *store.Root, name string) string {
	t.Helper()
	var b strings.Builder
	for _, p := range readManifest(t, root).Parts {
		if strings.HasPrefix(p.Name, name+"/") {
			body, err := root.Get(t.Context(), p.Name, 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			b.Write(body)
		}
	}
	return b.String()
}

// TestStages verifies a job of three shuffles and three outputs against plain Go, with
// different splits, partitions and memory.
func TestStages(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 7))
		var body strings.Builder
		counts := map[string]int64{}
		for range 3000 {
			for range 1 + r.IntN(9) {
				w := fmt.Sprintf("w%d", int(r.ExpFloat64()*300))
				counts[w]++
				body.WriteString(w + " ")
			}
			body.WriteByte('\n')
		}
		words := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
			return int(counts[a]-counts[b])*1000 + strings.Compare(a, b)
		})
		var sorted strings.Builder
		frequencies := map[int64]int64{}
		for _, w := range words {
			fmt.Fprintf(&sorted, "%d\t%s\n", counts[w], w)
			frequencies[counts[w]]++
		}
		var list, often []string
		for w, n := range counts {
			list = append(list, fmt.Sprintf("%s\t%d", w, n))
		}
		for n, k := range frequencies {
			often = append(often, fmt.Sprintf("%d\t%d", n, k))
		}
		slices.Sort(list)
		slices.Sort(often)
		o := options(t)
		in, err := store.Open(t.Context(), "mem://in", o.Stores)
		if err != nil {
			t.Fatal(err)
		}
		if err := in.Put(t.Context(), "text", []byte(body.String()), store.Scratch); err != nil {
			t.Fatal(err)
		}
		o.SplitSize, o.Partitions, o.Slots = 5000+r.Int64N(20000), r.IntN(5), 1+r.IntN(3)
		got, err := embedded.Run(t.Context(), ranked(), o)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		out, err := store.Open(t.Context(), "mem://out", o.Stores)
		if err != nil {
			t.Fatal(err)
		}
		if text := partsOf(t, out, "sorted"); text != sorted.String() {
			t.Errorf("seed %d: sorted has %d bytes, want %d", seed, len(text), sorted.Len())
		}
		for name, want := range map[string][]string{"counts": list, "frequencies": often} {
			lines := strings.Split(strings.TrimSpace(partsOf(t, out, name)), "\n")
			slices.Sort(lines)
			if !slices.Equal(lines, want) {
				t.Errorf("seed %d: %s has %d lines, want %d", seed, name, len(lines), len(want))
			}
		}
		if got.Tally.RecordsIn != 3000 {
			t.Errorf("seed %d: %d records were read", seed, got.Tally.RecordsIn)
		}
	}
}

func readManifest(t *testing.T, root *store.Root) *output.Manifest {
	t.Helper()
	m, err := output.Read(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestJoinsAndSideInputs verifies joins of two inputs, with a key of more values than a
// slot has memory for, and a side input, in an embedded run.
func TestJoinsAndSideInputs(t *testing.T) {
	t.Parallel()
	const hot, long = 3000, 20_000 // values of one key, and their bytes
	job := jobs.Define("joined", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		key := func(line []byte) string { return string(line[:1]) }
		left := jobs.KeyBy(jobs.ReadLines(p).Named("left"), key)
		right := jobs.KeyBy(jobs.ReadLines(p).Named("right"), key)
		names := jobs.Broadcast(jobs.ReadLines(p).Named("names"), jobs.Index(key))
		jobs.FlatMap(jobs.Join(left, right, func(_ *jobs.Context, k string, l, r []byte, emit func(jobs.Pair[string, int64])) error {
			emit(jobs.Pair[string, int64]{Key: k, Value: int64(len(l) + len(r))})
			return nil
		}), func(ctx *jobs.Context, v jobs.Pair[string, int64], emit func(jobs.Pair[string, int64])) error {
			v.Key = string(names.Get(ctx)[v.Key])
			emit(v)
			return nil
		}).WriteTSV()
		return nil
	})
	o := options(t)
	o.Slots, o.Memory = 1, 64<<20
	o.Input = []string{"left=mem://in/left", "right=mem://in/right", "names=mem://in/names"}
	in, err := store.Open(t.Context(), "mem://in", o.Stores)
	if err != nil {
		t.Fatal(err)
	}
	big := strings.Repeat("a"+strings.Repeat("x", long-1)+"\n", hot)
	for name, text := range map[string]string{"left": "a1\na22\nb\n", "right": big + "c\n", "names": "apple\nbanana\n"} {
		w, err := in.Create(t.Context(), name, store.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	r, err := embedded.Run(t.Context(), job, o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(t, o)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat(fmt.Sprintf("apple\t%d\n", long+2), hot) + strings.Repeat(fmt.Sprintf("apple\t%d\n", long+3), hot)
	if !slices.Equal(slices.Sorted(strings.SplitSeq(got, "\n")), slices.Sorted(strings.SplitSeq(want, "\n"))) {
		t.Errorf("the output has %d bytes, want %d", len(got), len(want))
	}
	if r.Tally.PeakMemory > 64<<20 {
		t.Errorf("a task held %d bytes", r.Tally.PeakMemory)
	}
}

// TestNamedOutputsAreRead verifies that a job reads one of several outputs of another,
// and only what is committed there.
func TestNamedOutputsAreRead(t *testing.T) {
	t.Parallel()
	o := options(t)
	if _, err := embedded.Run(t.Context(), ranked(), o); err != nil {
		t.Fatal(err)
	}
	out, err := store.Open(t.Context(), "mem://out", o.Stores)
	if err != nil {
		t.Fatal(err)
	}
	// A job that was killed has left a part.
	if err := out.Put(t.Context(), "counts/part-r-00000-deadbeef.0.tsv", []byte("straw\t7\n"), store.Scratch); err != nil {
		t.Fatal(err)
	}
	next := o
	next.Input, next.Output = []string{"mem://out/counts"}, "mem://next"
	copied := jobs.Define("copy", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.ReadLines(p).WriteTSV()
		return nil
	})
	if _, err := embedded.Run(t.Context(), copied, next); err != nil {
		t.Fatal(err)
	}
	root, err := store.Open(t.Context(), "mem://next", o.Stores)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, p := range readManifest(t, root).Parts {
		b, err := root.Get(t.Context(), p.Name, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(b)
	}
	if got.String() != counted {
		t.Errorf("the next job read %q, want %q", got.String(), counted)
	}
}

// TestManyDirectories verifies an output of more directories than a task may have parts
// open, on files: every record is in its directory, in one part of each task.
func TestManyDirectories(t *testing.T) {
	t.Parallel()
	const directories, lines = 300, 6000
	job := jobs.Define("fan", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.ReadLines(p).Write(text.Lines{}).PartitionBy(func(line []byte) string {
			return "n=" + string(line[:3])
		})
		return nil
	})
	o := options(t)
	var in strings.Builder
	for i := range lines {
		fmt.Fprintf(&in, "%03d line %d\n", i*7%directories, i)
	}
	root, err := store.Open(t.Context(), "mem://in", o.Stores)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Put(t.Context(), "text", []byte(in.String()), store.Scratch); err != nil {
		t.Fatal(err)
	}
	o.SplitSize, o.Slots = int64(in.Len()/3), 2
	r, err := embedded.Run(t.Context(), job, o)
	if err != nil {
		t.Fatal(err)
	}
	out, err := store.Open(t.Context(), "mem://out", o.Stores)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, p := range readManifest(t, out).Parts {
		b, err := out.Get(t.Context(), p.Name, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		dir, _, _ := strings.Cut(p.Name, "/")
		n := 0
		for line := range strings.Lines(string(b)) {
			n++
			if got[line]++; !strings.HasPrefix(line, dir[len("n="):]+" ") {
				t.Errorf("%s has %q", p.Name, line)
			}
		}
		if int64(n) != p.Records {
			t.Errorf("%s has %d records, its manifest says %d", p.Name, n, p.Records)
		}
	}
	if len(got) != lines || r.Tally.RecordsOut != lines || r.Parts != r.Maps*directories {
		t.Errorf("%d lines, %d records and %d parts of %d tasks", len(got), r.Tally.RecordsOut, r.Parts, r.Maps)
	}
}

// TestRoundsAreSwept verifies that a loop of many rounds holds the temporary data of a few.
func TestRoundsAreSwept(t *testing.T) {
	t.Parallel()
	stores := store.Options{Mem: new(store.MemSpace)}
	root, err := store.Open(t.Context(), "mem://test", stores)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := root.Put(t.Context(), "in", []byte("a 1\nb 2\nc 3\n"), store.Durable); err != nil {
		t.Fatal(err)
	}
	most, rounds := 0, 0
	job := jobs.Define("rounds", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Map(jobs.ReadLines(p), splitWords).Fold(jobs.Sum).Loop(30, func(in jobs.Records[jobs.Pair[string, int64]]) jobs.Records[jobs.Pair[string, int64]] {
			return jobs.Map(in, func(_ *jobs.Context, r jobs.Pair[string, int64], emit jobs.Emit[string, int64]) error {
				emit(r.Key, r.Value+1)
				return nil
			}).Fold(jobs.Sum)
		}, func(map[string]jobs.Stat) bool {
			runs := 0
			for o, err := range root.List(t.Context(), "out/_windrow/tmp/") {
				if err != nil {
					t.Error(err)
				}
				if strings.Contains(o.Key, "/x/") {
					runs++
				}
			}
			rounds, most = rounds+1, max(most, runs)
			return false
		}).WriteTSV()
		return nil
	})
	r, err := embedded.Run(t.Context(), job, embedded.Options{Input: []string{"mem://test/in"}, Output: "mem://test/out", Stores: stores, Partitions: 2, Slots: 2})
	if err != nil {
		t.Fatal(err)
	}
	if rounds != 29 || r.Tally.RecordsOut != 6 {
		t.Errorf("%d decisions, and %d records, want 29 and 6", rounds, r.Tally.RecordsOut)
	}
	// A round leaves two runs of each of two exchanges at most.
	if most == 0 || most > 5*4 {
		t.Errorf("the temporary data had %d runs at once, those of five rounds are 20", most)
	}
}

// noise returns bytes that no compression makes shorter.
func noise(n int) string {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b)
	return string(b)
}

// TestALoopHoldsTheSideInputsOfARound verifies that a loop whose rounds each make a side
// input needs memory for those of one round, however many there are.
func TestALoopHoldsTheSideInputsOfARound(t *testing.T) {
	t.Parallel()
	stores := store.Options{Mem: new(store.MemSpace)}
	root, err := store.Open(t.Context(), "mem://test", stores)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := root.Put(t.Context(), "in", []byte("x\n"), store.Durable); err != nil {
		t.Fatal(err)
	}
	const size, rounds = 2 << 20, 12 // side inputs of 4 MiB each may take 16 MiB of memory
	job := jobs.Define("sides", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		first := jobs.Convert(jobs.ReadLines(p), func([]byte) string { return noise(size) })
		last := first.Loop(rounds, func(state jobs.Records[string]) jobs.Records[string] {
			side := jobs.Broadcast(state, func(rows iter.Seq[string]) (n int, _ error) {
				for row := range rows {
					n += len(row)
				}
				return n, nil
			})
			return jobs.FlatMap(jobs.Count(state), func(ctx *jobs.Context, _ int64, emit func(string)) error {
				emit(noise(side.Get(ctx)))
				return nil
			})
		}, nil)
		jobs.Convert(last, func(state string) int { return len(state) }).WriteTSV()
		return nil
	})
	if _, err := embedded.Run(t.Context(), job, embedded.Options{Input: []string{"mem://test/in"}, Output: "mem://test/out", Stores: stores, Slots: 1, Memory: 64 << 20}); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for _, p := range readManifest(t, root.Sub("out")).Parts {
		body, err := root.Get(t.Context(), "out/"+p.Name, 1<<10)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, body...)
	}
	if string(got) != fmt.Sprintln(size) {
		t.Errorf("got %q, want %d", got, size)
	}
}

// TestPlanHasTheFirstRoundOfALoop verifies that a forecast lists the steps of one round, and
// how many there may be.
func TestPlanHasTheFirstRoundOfALoop(t *testing.T) {
	t.Parallel()
	stores := store.Options{Mem: new(store.MemSpace)}
	root, err := store.Open(t.Context(), "mem://test", stores)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := root.Put(t.Context(), "in", []byte("a b\n"), store.Durable); err != nil {
		t.Fatal(err)
	}
	job := jobs.Define("rounds", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Map(jobs.ReadLines(p), splitWords).Fold(jobs.Sum).Loop(25, func(in jobs.Records[jobs.Pair[string, int64]]) jobs.Records[jobs.Pair[string, int64]] {
			return in.Distinct()
		}, nil).WriteTSV()
		return nil
	})
	p, err := embedded.Look(t.Context(), job, embedded.Options{Input: []string{"mem://test/in"}, Output: "mem://test/out", Stores: stores})
	if err != nil {
		t.Fatal(err)
	}
	rounds := map[string]int{}
	for _, s := range p.Steps {
		rounds[s.Name] = s.Rounds
	}
	if want := map[string]int{"map": 0, "fold/reduce": 0, "distinct.1/reduce": 0, "loop.1/decide": 25, "loop/map": 0}; !maps.Equal(rounds, want) {
		t.Errorf("the steps are %v, want %v", rounds, want)
	}
	if !slices.ContainsFunc(p.Assumed, func(s string) bool { return strings.Contains(s, "each loop runs one round") }) {
		t.Errorf("it assumes %q", p.Assumed)
	}
}

// TestTooManyShufflesForTheMemory verifies that a job whose tasks write to more shuffles than
// their memory has room for is refused before it runs, and runs with more memory.
func TestTooManyShufflesForTheMemory(t *testing.T) {
	t.Parallel()
	stores := store.Options{Mem: new(store.MemSpace)}
	root, err := store.Open(t.Context(), "mem://test", stores)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := root.Put(t.Context(), "in", []byte("a b\n"), store.Durable); err != nil {
		t.Fatal(err)
	}
	const shuffles = 12
	job := jobs.Define("many", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		words := jobs.Map(jobs.ReadLines(p), splitWords)
		for i := range shuffles {
			words.Fold(jobs.Sum).WriteTSV().Named(fmt.Sprint("out", i))
		}
		return nil
	})
	o := embedded.Options{Input: []string{"mem://test/in"}, Output: "mem://test/out", Stores: stores, Slots: 1, Memory: 64 << 20}
	for _, run := range []func() error{
		func() error { _, err := embedded.Look(t.Context(), job, o); return err },
		func() error { _, err := embedded.Run(t.Context(), job, o); return err },
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), "the tasks of map write to 12 shuffles at the same time, which takes 84") || !strings.Contains(err.Error(), "give more --memory or fewer --slots") {
			t.Errorf("with too little memory: %v", err)
		}
	}
	o.Memory = 128 << 20
	if _, err := embedded.Run(t.Context(), job, o); err != nil {
		t.Errorf("with enough memory: %v", err)
	}
	if got := partsOf(t, root.Sub("out"), "out11"); got != "a\t1\nb\t1\n" {
		t.Errorf("the last output is %q", got)
	}
}
