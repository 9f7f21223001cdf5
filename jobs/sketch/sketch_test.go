package sketch_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/jobstest"
	"github.com/windrow-mr/windrow/jobs/sketch"
)

// zipf returns n numbers, some of which are very frequent.
func zipf(r *rand.Rand, n int) []uint64 {
	z := rand.NewZipf(r, 1.1, 1, 1<<30)
	values := make([]uint64, n)
	for i := range values {
		values[i] = z.Uint64()
	}
	return values
}

// mix is a bijection whose results look random (splitmix64).
func mix(v uint64) uint64 {
	v += 0x9e3779b97f4a7c15
	v = (v ^ v>>30) * 0xbf58476d1ce4e5b9
	v = (v ^ v>>27) * 0x94d049bb133111eb
	return v ^ v>>31
}

// accumulator is what Distinct and Numbers have in common.
type accumulator[A any] interface {
	*A
	Merge(o *A)
	AppendBinary(dst []byte) ([]byte, error)
	UnmarshalBinary(b []byte) error
}

// tree adds values in a random order, in a random tree of merges, in which
// accumulators travel now and then, and returns the root's encoding.
func tree[A any, P accumulator[A], V any](t *testing.T, r *rand.Rand, values []V, add func(P, V)) []byte {
	t.Helper()
	values = slices.Clone(values)
	r.Shuffle(len(values), func(i, j int) { values[i], values[j] = values[j], values[i] })
	parts := make([]A, 1+r.IntN(20))
	for _, v := range values {
		add(&parts[r.IntN(len(parts))], v)
	}
	for len(parts) > 1 {
		i := r.IntN(len(parts) - 1)
		last := len(parts) - 1
		if r.IntN(2) == 0 {
			b, err := P(&parts[last]).AppendBinary(nil)
			if err == nil {
				err = P(&parts[last]).UnmarshalBinary(b)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		P(&parts[i]).Merge(&parts[last])
		parts = parts[:last]
	}
	b, err := P(&parts[0]).AppendBinary([]byte("head"))
	if err != nil || !bytes.HasPrefix(b, []byte("head")) {
		t.Fatalf("%.10q, %v", b, err)
	}
	return b[4:]
}

// TestMergesInAnyOrder verifies that an estimate depends on the values alone: the same
// values, in any order and any tree of merges, give the same bytes.
func TestMergesInAnyOrder(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	for run, n := range []int{0, 1, 31, 32, 33, 200, 5000, 12_000, 20_000, 100_000} {
		r := rand.New(rand.NewPCG(seed, uint64(run)))
		values := make([]uint64, n)
		numbers := make([]float64, n)
		for i := range values {
			values[i] = mix(r.Uint64N(uint64(n)*4/5 + 1))
			numbers[i] = math.Exp(r.NormFloat64()*5) * float64(r.IntN(3)-1) // some are 0, and some -0
		}
		set := func(d *sketch.Distinct, v uint64) { d.Add(v) }
		number := func(d *sketch.Numbers, v float64) {
			if err := d.Add(v); err != nil {
				t.Error(err)
			}
		}
		sets, bins := tree(t, r, values, set), tree(t, r, numbers, number)
		for range 5 {
			if !bytes.Equal(sets, tree(t, r, values, set)) {
				t.Fatalf("Distinct of %d values depends on their order, seed %d", n, seed)
			}
			if !bytes.Equal(bins, tree(t, r, numbers, number)) {
				t.Fatalf("Numbers of %d values depends on their order, seed %d", n, seed)
			}
		}
		var d sketch.Distinct
		if err := d.UnmarshalBinary(sets); err != nil {
			t.Fatal(err)
		}
		slices.Sort(values)
		exact := float64(len(slices.Compact(values)))
		if got := float64(d.Count()); math.Abs(got-exact) > exact*0.035 || exact <= 32 && got != exact {
			t.Errorf("%v different values are estimated as %v", exact, got)
		}
		wantQuantiles(t, bins, numbers)
	}
}

func wantQuantiles(t *testing.T, encoded []byte, numbers []float64) {
	t.Helper()
	var d sketch.Numbers
	if err := d.UnmarshalBinary(encoded); err != nil {
		t.Fatal(err)
	}
	slices.Sort(numbers)
	for _, q := range []float64{0, 0.001, 0.25, 0.5, 0.9, 0.999, 1} {
		got := d.Quantile(q)
		if len(numbers) == 0 {
			if !math.IsNaN(got) {
				t.Errorf("quantile %v of nothing is %v", q, got)
			}
			continue
		}
		want := numbers[int(q*float64(len(numbers)-1))]
		if math.Abs(got-want) > math.Abs(want)*0.01000001 || len(numbers) <= 32 && got != want {
			t.Errorf("quantile %v of %d numbers is %v, want %v", q, len(numbers), got, want)
		}
	}
}

// number maps a line "key number" to a pair.
func number(_ *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
	key, text, _ := strings.Cut(string(line), " ")
	n, err := strconv.ParseInt(text, 10, 64)
	emit(key, n)
	return err
}

func define(f func(in jobs.Pairs[string, int64]) jobs.Records[string]) *jobs.Job {
	return jobs.Define("sketching", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		f(jobs.Map(jobs.ReadLines(p), number)).WriteTSV()
		return nil
	})
}

var distinct = define(func(in jobs.Pairs[string, int64]) jobs.Records[string] {
	return jobs.Convert(sketch.CountDistinct(in), func(p jobs.Pair[string, int64]) string { return fmt.Sprint(p.Key, " ", p.Value) })
})

var quantiles = define(func(in jobs.Pairs[string, int64]) jobs.Records[string] {
	return jobs.Convert(sketch.Quantiles(in, 0.5, 0.99, 0), func(p jobs.Pair[string, []float64]) string {
		return fmt.Sprint(p.Key, " ", p.Value[0], " ", p.Value[1], " ", p.Value[2])
	})
})

// lines returns random lines, of keys with few values and keys with many.
func lines(r *rand.Rand, n int) (text []string, byKey map[string][]float64) {
	byKey = map[string][]float64{}
	for range n {
		key := fmt.Sprint("k", r.IntN(1+r.IntN(40)))
		v := int64(math.Exp(r.Float64() * 15))
		text = append(text, fmt.Sprint(key, " ", v))
		byKey[key] = append(byKey[key], float64(v))
	}
	for _, values := range byKey {
		slices.Sort(values)
	}
	return text, byKey
}

// TestSketchesOnRandomInputs verifies the estimates of whole jobs by exact answers, and
// that they are the same however the work is divided.
func TestSketchesOnRandomInputs(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	for i := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, i))
		text, byKey := lines(r, 1+r.IntN(20_000))
		for name, job := range map[string]*jobs.Job{"CountDistinct": distinct, "Quantiles": quantiles} {
			var first []string
			for range 2 {
				o := minirun.Options{Split: 1 + r.Int64N(100_000), Partitions: 1 + r.IntN(4), Table: []int64{1, 2 << 20, 4 << 20}[r.IntN(3)], NoCombiner: r.IntN(2) == 0}
				got, err := minirun.Run(t.Context(), job, o, minirun.Lines(text...))
				if err != nil {
					t.Fatalf("%s, seed %d, run %d, %+v: %v", name, seed, i, o, err)
				}
				if first == nil {
					first = got.Sorted()
				}
				if !slices.Equal(first, got.Sorted()) {
					t.Fatalf("%s, seed %d, run %d, %+v: the result depends on how the work is divided", name, seed, i, o)
				}
			}
			if len(first) != len(byKey) {
				t.Fatalf("%s, seed %d, run %d: %d keys, want %d", name, seed, i, len(first), len(byKey))
			}
			for _, line := range first {
				f := strings.Fields(line)
				values := byKey[f[0]]
				wants := []float64{float64(len(slices.Compact(slices.Clone(values))))}
				tolerance := 0.035
				if name == "Quantiles" {
					n := float64(len(values) - 1)
					wants, tolerance = []float64{values[int(n*0.5)], values[int(n*0.99)], values[0]}, 0.01000001
				}
				for j, want := range wants {
					if x, err := strconv.ParseFloat(f[j+1], 64); err != nil || math.Abs(x-want) > want*tolerance {
						t.Errorf("%s, seed %d, run %d: %q, want %v", name, seed, i, line, wants)
					}
				}
			}
		}
	}
}

// TestSketchesAreStrict verifies the sketches on the engine, in every way of dividing
// the work.
func TestSketchesAreStrict(t *testing.T) {
	t.Parallel()
	text, _ := lines(rand.New(rand.NewPCG(3, 4)), 3000)
	jobstest.Run(t, distinct, jobstest.Lines(text...), jobstest.Strict())
	jobstest.Run(t, quantiles, jobstest.Lines(text...), jobstest.Strict())
	jobstest.Run(t, frequent(2), jobstest.Lines("b", "a", "c", "b", "a", "b"), jobstest.Strict()).WantInOrder("b\t3\t3", "a\t2\t2")
}

// TestValuesOfAnyType verifies that values count as different by their contents: a
// struct of borrowed bytes, and a slice, which has no order.
func TestValuesOfAnyType(t *testing.T) {
	t.Parallel()
	type visit struct {
		Page []byte
		Hour int32
	}
	visits := jobs.Define("visits", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		sketch.CountDistinct(jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[string, visit]) error {
			emit("struct", visit{line[:1], int32(line[1])})
			return nil
		})).WriteTSV()
		return nil
	})
	slices := jobs.Define("slices", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		sketch.CountDistinct(jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[string, []string]) error {
			emit("slice", []string{string(line[1:]), string(line[:1])})
			return nil
		})).WriteTSV()
		return nil
	})
	in := jobstest.Lines("a1", "b1", "a2", "a1", "b1")
	jobstest.Run(t, visits, in, jobstest.Strict()).Want("struct\t3")
	jobstest.Run(t, slices, in, jobstest.Strict()).Want("slice\t3")
}

func frequent(n int) *jobs.Job {
	return jobs.Define("frequent", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		sketch.HeavyHitters(jobs.ReadLines(p), n).WriteTSV()
		return nil
	})
}

// TestHeavyHittersKeepTheirPromise verifies, on frequent and on rare records, that the
// bounds hold, that they are as near as documented, and that no record is missing that
// is frequent enough.
func TestHeavyHittersKeepTheirPromise(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	for i := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, i))
		n := 1 + r.IntN(12)
		total := 2000 + r.IntN(30_000)
		counts := map[string]int64{}
		var text []string
		for _, v := range zipf(r, total) {
			line := fmt.Sprint("w", v)
			if i%3 == 0 { // nearly all are different
				line = fmt.Sprint("w", r.Uint64N(uint64(total)))
			}
			text = append(text, line)
			counts[line]++
		}
		o := minirun.Options{Split: 1000 + r.Int64N(100_000), Partitions: 1 + r.IntN(4), Table: []int64{1, 2 << 20}[r.IntN(2)], NoCombiner: r.IntN(2) == 0}
		got, err := minirun.Run(t.Context(), frequent(n), o, minirun.Lines(text...))
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		before := int64(math.MaxInt64)
		for line := range strings.Lines(got.Text()) {
			f := strings.Fields(line)
			least, _ := strconv.ParseInt(f[1], 10, 64)
			most, _ := strconv.ParseInt(f[2], 10, 64)
			found[f[0]] = true
			switch c := counts[f[0]]; {
			case c < least || c > most:
				t.Errorf("seed %d, run %d: %s occurs %d times, not %d to %d", seed, i, f[0], c, least, most)
			case float64(most-least) >= 0.1*float64(total)/float64(n):
				t.Errorf("seed %d, run %d: %d to %d of %d is further than promised for %d", seed, i, least, most, total, n)
			case least > before:
				t.Errorf("seed %d, run %d: %d comes after %d", seed, i, least, before)
			}
			before = least
		}
		if len(found) > n || len(found) == 0 && i%3 != 0 { // where all are rare, none may be left
			t.Errorf("seed %d, run %d: %d results of %d", seed, i, len(found), n)
		}
		for line, c := range counts {
			if float64(c) > 1.1*float64(total)/float64(n) && !found[line] {
				t.Errorf("seed %d, run %d: %s is missing, which occurs %d times of %d, n is %d", seed, i, line, c, total, n)
			}
		}
	}
}

// TestFewDifferentRecordsAreExact verifies the documented limit up to which the counts of
// HeavyHitters are exact.
func TestFewDifferentRecordsAreExact(t *testing.T) {
	t.Parallel()
	var text, want []string
	for i := range 40 {
		for range i + 1 {
			text = append(text, fmt.Sprintf("w%02d", i))
		}
	}
	for i := range 2 {
		want = append(want, fmt.Sprintf("w%02d\t%d\t%d", 39-i, 40-i, 40-i))
	}
	rand.New(rand.NewPCG(5, 6)).Shuffle(len(text), func(i, j int) { text[i], text[j] = text[j], text[i] })
	jobstest.Run(t, frequent(2), jobstest.Lines(text...), jobstest.Strict()).WantInOrder(want...)
}

// TestArgumentsThatCannotBe verifies that a wrong argument is an error of the job before
// it runs, and says what is right.
func TestArgumentsThatCannotBe(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]func(p *jobs.Pipeline){
		"1.5 is no quantile: use 0 to 1": func(p *jobs.Pipeline) { sketch.Quantiles(jobs.Map(jobs.ReadLines(p), number), 0.5, 1.5) },
		"NaN is no quantile":             func(p *jobs.Pipeline) { sketch.Quantiles(jobs.Map(jobs.ReadLines(p), number), math.NaN()) },
		"n is 0, but must be 1 to 1000":  func(p *jobs.Pipeline) { sketch.HeavyHitters(jobs.ReadLines(p), 0) },
		"n is 1001":                      func(p *jobs.Pipeline) { sketch.HeavyHitters(jobs.ReadLines(p), 1001) },
		"has no order": func(p *jobs.Pipeline) {
			sketch.HeavyHitters(jobs.Convert(jobs.ReadLines(p), func([]byte) map[string]int { return nil }), 1)
		},
		"func()": func(p *jobs.Pipeline) {
			sketch.CountDistinct(jobs.Map(jobs.ReadLines(p), func(*jobs.Context, []byte, jobs.Emit[string, func()]) error { return nil }))
		},
	} {
		_, err := jobs.Define("wrong", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error { f(p); return nil }).Build(nil, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestNumbersThatCannotBe verifies that a number without a place in the order fails the
// job with the record, whether a key has few values or many.
func TestNumbersThatCannotBe(t *testing.T) {
	t.Parallel()
	job := jobs.Define("floats", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		pairs := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[string, float64]) error {
			v, err := strconv.ParseFloat(string(line), 64)
			emit("all", v)
			return err
		})
		jobs.Convert(sketch.Quantiles(pairs, 0), func(p jobs.Pair[string, []float64]) float64 { return p.Value[0] }).WriteTSV()
		return nil
	})
	for _, before := range []int{0, 40} {
		for _, wrong := range []string{"NaN", "+Inf", "-Inf"} {
			_, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Lines(append(slices.Repeat([]string{"1"}, before), wrong)...))
			if err == nil || !strings.Contains(err.Error(), wrong) || !strings.Contains(err.Error(), fmt.Sprintf("byte %d of", 2*before)) {
				t.Errorf("%s after %d numbers: %v", wrong, before, err)
			}
		}
	}
}

// TestDamagedSketches verifies that damaged encodings are errors, not panics.
func TestDamagedSketches(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 9))
	var d sketch.Distinct
	var n sketch.Numbers
	for range 300 {
		d.Add(r.Uint64())
		if err := n.Add(r.NormFloat64()); err != nil {
			t.Fatal(err)
		}
	}
	sets, _ := d.AppendBinary(nil)
	bins, _ := n.AppendBinary(nil)
	for i := range 5000 {
		for _, good := range [][]byte{sets, bins} {
			bad := slices.Clone(good[:r.IntN(len(good)+1)])
			if len(bad) > 0 && i%2 == 0 {
				bad[r.IntN(min(len(bad), 20))] ^= byte(1 + r.IntN(255))
			}
			_ = new(sketch.Distinct).UnmarshalBinary(bad)
			_ = new(sketch.Numbers).UnmarshalBinary(bad)
		}
	}
	if err := new(sketch.Distinct).UnmarshalBinary(sets[:len(sets)-1]); err == nil {
		t.Error("half a set is decoded")
	}
	if err := new(sketch.Numbers).UnmarshalBinary(bins[:len(bins)-1]); err == nil {
		t.Error("half of the bins are decoded")
	}
}

// BenchmarkSketches measures what a value costs, and reports size and error beside it.
func BenchmarkSketches(b *testing.B) {
	const n = 1_000_000
	values := zipf(rand.New(rand.NewPCG(1, 2)), n)
	sorted := slices.Sorted(slices.Values(values))
	perValue := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/value")
	}
	b.Run("distinct", func(b *testing.B) {
		var d sketch.Distinct
		for b.Loop() {
			d = sketch.Distinct{}
			for _, v := range values {
				d.Add(mix(v))
			}
		}
		perValue(b)
		encoded, _ := d.AppendBinary(nil)
		b.ReportMetric(float64(len(encoded)), "bytes")
		b.ReportMetric(100*math.Abs(float64(d.Count())/float64(len(slices.Compact(slices.Clone(sorted))))-1), "%error")
	})
	b.Run("numbers", func(b *testing.B) {
		var d sketch.Numbers
		for b.Loop() {
			d = sketch.Numbers{}
			for _, v := range values {
				_ = d.Add(float64(v + 1))
			}
		}
		perValue(b)
		encoded, _ := d.AppendBinary(nil)
		b.ReportMetric(float64(len(encoded)), "bytes")
		worst := 0.0
		for q := range 100 {
			want := float64(sorted[int(float64(q)/100*(n-1))] + 1)
			worst = max(worst, math.Abs(d.Quantile(float64(q)/100)/want-1))
		}
		b.ReportMetric(100*worst, "%error")
	})
	b.Run("heavy", func(b *testing.B) {
		text := make([]string, n)
		for i, v := range values {
			text[i] = fmt.Sprint("w", v)
		}
		in := minirun.Lines(text...)
		for b.Loop() {
			if _, err := minirun.Run(b.Context(), frequent(10), minirun.Options{Table: 64 << 20, Split: 4 << 20}, in); err != nil {
				b.Fatal(err)
			}
		}
		perValue(b)
	})
}
