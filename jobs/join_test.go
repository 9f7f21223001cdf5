package jobs_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// field returns a mapper that emits the second word of a line under the first.
func byFirst(_ *jobs.Context, line []byte, emit jobs.Emit[string, string]) error {
	key, value, _ := strings.Cut(string(line), " ")
	emit(key, value)
	return nil
}

// sized emits the length of the second word of a line under the first.
func sized(_ *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
	key, value, _ := strings.Cut(string(line), " ")
	emit(key, int64(len(value)))
	return nil
}

// row is a pair of an input.
type row struct{ key, value string }

// rows returns random rows: keys that only one side has, keys of many values, empty keys,
// and keys that begin other keys.
func rows(r *rand.Rand, n int) []row {
	names := []string{"", "a", "aa", "a\x00", "b", "hot", "c", "d", "e", "f"}
	var all []row
	for range n {
		key := names[min(int(r.ExpFloat64()*3), len(names)-1)]
		all = append(all, row{key, strings.Repeat("x", r.IntN(5))})
	}
	return all
}

func asLines(all []row) string {
	var b strings.Builder
	for _, r := range all {
		b.WriteString(r.key + " " + r.value + "\n")
	}
	return b.String()
}

// joinJob returns a job that joins two inputs in all ways, each to an output of its own.
func joinJob() *jobs.Job {
	text := func(v *string) string {
		if v == nil {
			return "none"
		}
		return *v
	}
	size := func(v *int64) string {
		if v == nil {
			return "none"
		}
		return fmt.Sprint(*v)
	}
	line := func(parts ...string) []byte { return []byte(strings.Join(parts, "|")) }
	return jobs.Define("joins", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		left := jobs.Map(jobs.ReadLines(p).Named("left"), byFirst)
		right := jobs.Map(jobs.ReadLines(p).Named("right"), sized)
		jobs.Join(left, right, func(_ *jobs.Context, k string, l string, r int64, emit func([]byte)) error {
			emit(line(k, l, size(&r)))
			return nil
		}).WriteTSV().Named("inner")
		jobs.LeftJoin(left, right, func(_ *jobs.Context, k string, l string, r *int64, emit func([]byte)) error {
			emit(line(k, l, size(r)))
			return nil
		}).WriteTSV().Named("left")
		jobs.FullJoin(left, right, func(_ *jobs.Context, k string, l *string, r *int64, emit func([]byte)) error {
			emit(line(k, text(l), size(r)))
			return nil
		}).WriteTSV().Named("full")
		pair := func(p jobs.Pair[string, string]) []byte { return line(p.Key, p.Value) }
		jobs.Convert(jobs.SemiJoin(left, right), pair).WriteTSV().Named("semi")
		jobs.Convert(jobs.AntiJoin(left, right), pair).WriteTSV().Named("anti")
		jobs.Join(right, right, func(_ *jobs.Context, k string, a, b int64, emit func([]byte)) error {
			emit(line(k, size(&a), size(&b)))
			return nil
		}).WriteTSV().Named("self")
		jobs.CoGroup(left, right, func(_ *jobs.Context, k string, left iter.Seq[string], right iter.Seq[int64], emit func([]byte)) error {
			var lefts, rights, again int
			var sum int64
			for range left {
				lefts++
			}
			for r := range right {
				rights++
				for s := range right { // a range within another
					sum += r * s
				}
			}
			for range right {
				again++
			}
			emit(line(k, fmt.Sprint(lefts), fmt.Sprint(rights), fmt.Sprint(again), fmt.Sprint(sum)))
			return nil
		}).WriteTSV().Named("groups")
		return nil
	})
}

// joined are the right outputs of joinJob, by nested loops.
func joined(left, right []row) map[string][]string {
	want := map[string][]string{}
	add := func(name string, parts ...any) {
		var texts []string
		for _, p := range parts {
			texts = append(texts, fmt.Sprint(p))
		}
		want[name] = append(want[name], strings.Join(texts, "|"))
	}
	keys := map[string]bool{}
	for _, l := range left {
		keys[l.key] = true
		matches := 0
		for _, r := range right {
			if l.key == r.key {
				matches++
				for _, name := range []string{"inner", "left", "full"} {
					add(name, l.key, l.value, len(r.value))
				}
			}
		}
		if matches > 0 {
			add("semi", l.key, l.value)
			continue
		}
		add("anti", l.key, l.value)
		add("left", l.key, l.value, "none")
		add("full", l.key, l.value, "none")
	}
	for _, r := range right {
		keys[r.key] = true
		if !slices.ContainsFunc(left, func(l row) bool { return l.key == r.key }) {
			add("full", r.key, "none", len(r.value))
		}
		for _, s := range right {
			if r.key == s.key {
				add("self", r.key, len(r.value), len(s.value))
			}
		}
	}
	for key := range keys {
		var lefts, rights, sum int
		for _, l := range left {
			if l.key == key {
				lefts++
			}
		}
		for _, r := range right {
			if r.key == key {
				rights++
				for _, s := range right {
					if s.key == key {
						sum += len(r.value) * len(s.value)
					}
				}
			}
		}
		add("groups", key, lefts, rights, rights, sum)
	}
	for _, lines := range want {
		slices.Sort(lines)
	}
	return want
}

// TestJoins verifies all joins of random inputs, with empty and missing sides, keys of
// many values and keys that begin others, against nested loops.
func TestJoins(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 3))
		left, right := rows(r, r.IntN(40)), rows(r, r.IntN(20))
		got, err := minirun.Run(t.Context(), joinJob(), minirun.Options{Split: 1 + r.Int64N(60), Partitions: 1 + r.IntN(4)},
			minirun.Object{Input: "left", Name: "l", Text: asLines(left)}, minirun.Object{Input: "right", Name: "r", Text: asLines(right)})
		if err != nil {
			t.Fatal(err)
		}
		want := joined(left, right)
		for _, name := range []string{"inner", "left", "full", "semi", "anti", "self", "groups"} {
			var lines []string
			if text := got.Of(name); text != "" {
				lines = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			}
			slices.Sort(lines)
			if !slices.Equal(lines, want[name]) {
				t.Errorf("seed %d: %s is %q, want %q", seed, name, lines, want[name])
			}
		}
	}
}

// TestThreeWayJoin verifies a join of a join.
func TestThreeWayJoin(t *testing.T) {
	t.Parallel()
	job := jobs.Define("three", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		input := func(name string) jobs.Pairs[string, string] { return jobs.Map(jobs.ReadLines(p).Named(name), byFirst) }
		ab := jobs.Join(input("a"), input("b"), func(_ *jobs.Context, k, a, b string, emit func(row2)) error {
			emit(row2{b, k + a})
			return nil
		})
		jobs.Join(jobs.Map(ab, func(_ *jobs.Context, r row2, emit jobs.Emit[string, string]) error {
			emit(r.Key, r.Value)
			return nil
		}), input("c"), func(_ *jobs.Context, k, ab, c string, emit func([]byte)) error {
			emit([]byte(ab + k + c))
			return nil
		}).WriteTSV()
		return nil
	})
	got, err := minirun.Run(t.Context(), job, minirun.Options{Partitions: 3},
		minirun.Object{Input: "a", Name: "a", Text: "k1 x\nk2 y\n"}, minirun.Object{Input: "b", Name: "b", Text: "k1 m\nk1 n\nk3 m\n"},
		minirun.Object{Input: "c", Name: "c", Text: "m 1\nm 2\nn 3\n"})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"k1xm1", "k1xm2", "k1xn3"}; !slices.Equal(got.Sorted(), want) {
		t.Errorf("%q, want %q", got.Sorted(), want)
	}
}

type row2 struct{ Key, Value string }
