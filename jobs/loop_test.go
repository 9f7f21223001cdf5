package jobs_test

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/plan"
)

// edge is a line "a b" of a graph without directions.
type edge struct{ A, B int64 }

func edgeOf(ctx *jobs.Context, line []byte, emit func(edge)) error {
	ctx.Count("edges", 1)
	a, b, ok := strings.Cut(string(line), " ")
	from, err := strconv.ParseInt(a, 10, 64)
	to, err2 := strconv.ParseInt(b, 10, 64)
	if err := errors.Join(err, err2); err != nil || !ok {
		return fmt.Errorf("%q is no edge: %w", line, err)
	}
	emit(edge{from, to})
	return nil
}

// components labels every node of a graph with the least node that it is connected to.
// The edges are read again in each round.
func components(p *jobs.Pipeline, rounds int, done func(map[string]jobs.Stat) bool) {
	edges := jobs.FlatMap(jobs.ReadLines(p), edgeOf)
	both := jobs.FlatMap(edges, func(_ *jobs.Context, e edge, emit func(edge)) error {
		emit(e)
		emit(edge{e.B, e.A})
		return nil
	})
	nodes := jobs.Map(both, func(_ *jobs.Context, e edge, emit jobs.Emit[int64, int64]) error {
		emit(e.A, e.A)
		return nil
	}).Fold(jobs.Min)
	nodes.Loop(rounds, func(labels jobs.Records[jobs.Pair[int64, int64]]) jobs.Records[jobs.Pair[int64, int64]] {
		own := jobs.Map(labels, func(_ *jobs.Context, l jobs.Pair[int64, int64], emit jobs.Emit[int64, int64]) error {
			emit(l.Key, l.Value)
			return nil
		})
		sent := jobs.Join(jobs.KeyBy(both, func(e edge) int64 { return e.A }), own,
			func(_ *jobs.Context, _ int64, e edge, label int64, emit func(jobs.Pair[int64, int64])) error {
				emit(jobs.Pair[int64, int64]{Key: e.B, Value: label})
				return nil
			})
		return jobs.CoGroup(own, jobs.Map(sent, func(_ *jobs.Context, l jobs.Pair[int64, int64], emit jobs.Emit[int64, int64]) error {
			emit(l.Key, l.Value)
			return nil
		}), func(ctx *jobs.Context, node int64, own, sent iter.Seq[int64], emit func(jobs.Pair[int64, int64])) error {
			var label int64
			for l := range own {
				label = l
			}
			least := label
			for l := range sent {
				least = min(least, l)
			}
			if least != label {
				ctx.Observe("changed", 1)
			}
			emit(jobs.Pair[int64, int64]{Key: node, Value: least})
			return nil
		})
	}, done).WriteTSV()
}

// unions finds the least node of every component without the package.
func unions(text string) (lines []string, edges int64) {
	parent := map[int64]int64{}
	var find func(n int64) int64
	find = func(n int64) int64 {
		if p, ok := parent[n]; ok && p != n {
			return find(p)
		}
		parent[n] = n
		return n
	}
	for line := range strings.Lines(text) {
		var a, b int64
		_, _ = fmt.Sscan(line, &a, &b)
		a, b = find(a), find(b)
		parent[max(a, b)] = min(a, b)
		edges++
	}
	for n := range parent {
		lines = append(lines, fmt.Sprintf("%d\t%d", n, find(n)))
	}
	slices.Sort(lines)
	return lines, edges
}

// TestLoop compares the components of random graphs with those that union-find finds. A
// loop that has converged runs no further round, and what is read again in each round is
// counted once.
func TestLoop(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 7))
		var b strings.Builder
		nodes := 2 + r.IntN(30)
		for range 1 + r.IntN(40) {
			fmt.Fprintf(&b, "%d %d\n", r.IntN(nodes), r.IntN(nodes))
		}
		want, edges := unions(b.String())
		var rounds []int64 // how many labels changed in each
		job := build(func(p *jobs.Pipeline) {
			components(p, 40, func(seen map[string]jobs.Stat) bool {
				rounds = append(rounds, seen["changed"].Count)
				return seen["changed"].Count == 0
			})
		})
		got, err := minirun.Run(t.Context(), job, minirun.Options{Split: 1 + r.Int64N(100), Partitions: 1 + r.IntN(4)}, minirun.Object{Name: "graph", Text: b.String()})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !slices.Equal(got.Sorted(), want) {
			t.Errorf("seed %d: %q, want %q", seed, got.Sorted(), want)
		}
		var changed int64
		for i, n := range rounds {
			changed += n
			if last := i == len(rounds)-1; last != (n == 0) {
				t.Errorf("seed %d: the rounds changed %d labels, the loop ends after the first that changes none", seed, rounds)
			}
		}
		if n := got.Tally.Stats["changed"].Count; n != changed {
			t.Errorf("seed %d: the job observed %d changes, its rounds %d", seed, n, rounds)
		}
		if n := got.Tally.Counts["edges"]; n != edges {
			t.Errorf("seed %d: %d edges were counted, there are %d", seed, n, edges)
		}
	}
}

// TestRoundsSeeWhatTheRoundBeforeObserved verifies statistics of rounds: those of
// functions in front of the first shuffle of a round are of that round, too.
func TestRoundsSeeWhatTheRoundBeforeObserved(t *testing.T) {
	t.Parallel()
	var decided []map[string]jobs.Stat
	job := build(func(p *jobs.Pipeline) {
		lines := jobs.FlatMap(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit func(int64)) error {
			ctx.Observe("before", 1) // of no round
			n, err := strconv.ParseInt(string(line), 10, 64)
			emit(n)
			return err
		})
		lines.Loop(4, func(numbers jobs.Records[int64]) jobs.Records[int64] {
			doubled := jobs.Map(numbers, func(ctx *jobs.Context, n int64, emit jobs.Emit[int64, int64]) error {
				ctx.Observe("sent", float64(n))
				emit(n, n)
				return nil
			}).Fold(jobs.Sum)
			return jobs.FlatMap(doubled, func(ctx *jobs.Context, rec jobs.Pair[int64, int64], emit func(int64)) error {
				ctx.Observe("total", float64(rec.Value))
				emit(rec.Value + int64(ctx.Previous("total").Sum))
				return nil
			})
		}, func(seen map[string]jobs.Stat) bool {
			decided = append(decided, seen)
			return false
		}).WriteTSV()
	})
	// 1, 2 and 3: each round adds the sum of the round before to every number.
	got, err := minirun.Run(t.Context(), job, minirun.Options{Split: 2, Partitions: 3}, minirun.Object{Name: "n", Text: "1\n2\n3\n"})
	if err != nil {
		t.Fatal(err)
	}
	numbers, sum := []float64{1, 2, 3}, 0.0
	for round := range 4 {
		stat := jobs.Stat{Min: numbers[0], Max: numbers[2]}
		for i := range numbers {
			stat.Count++
			stat.Sum += numbers[i]
		}
		if round < 3 {
			if s := decided[round]; len(s) != 2 || s["sent"] != stat || s["total"] != stat {
				t.Errorf("round %d decides by %v, want %v", round+1, s, stat)
			}
		}
		for i := range numbers {
			numbers[i] += sum
		}
		sum = stat.Sum
	}
	if len(decided) != 3 {
		t.Errorf("%d decisions on 4 rounds, want 3", len(decided))
	}
	var want []string
	for _, n := range numbers {
		want = append(want, fmt.Sprint(n))
	}
	slices.Sort(want)
	if !slices.Equal(got.Sorted(), want) {
		t.Errorf("got %q, want %q", got.Sorted(), want)
	}
	if n := got.Tally.Stats["before"].Count; n != 3 {
		t.Errorf("observed %d times in front of the loop, want 3", n)
	}
}

// TestFunctionsOfTwoStepsCountOnce verifies that a function which runs in two steps, for a
// side input and beside it, counts once, and writes once what it sets aside.
func TestFunctionsOfTwoStepsCountOnce(t *testing.T) {
	t.Parallel()
	job := build(func(p *jobs.Pipeline) {
		bad := jobs.Output(p, "bad", text.Lines{})
		numbers := jobs.FlatMap(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit func(int64)) error {
			n, err := strconv.ParseInt(string(line), 10, 64)
			if err == nil {
				ctx.Observe("good", float64(n))
				emit(n)
				return nil
			}
			ctx.Count("bad", 1)
			bad.Emit(ctx, line)
			return nil
		})
		total := jobs.Broadcast(numbers, func(rows iter.Seq[int64]) (sum int64, _ error) {
			for n := range rows {
				sum += n
			}
			return sum, nil
		})
		jobs.Map(numbers, func(ctx *jobs.Context, n int64, emit jobs.Emit[string, int64]) error {
			emit("share", 100*n/total.Get(ctx))
			return nil
		}).Fold(jobs.Sum).WriteTSV().Named("shares")
	})
	got, err := minirun.Run(t.Context(), job, minirun.Options{Split: 3, Partitions: 2}, minirun.Object{Name: "n", Text: "10\nx\n30\ny\n60\n"})
	if err != nil {
		t.Fatal(err)
	}
	if shares := got.Of("shares"); shares != "share\t100\n" {
		t.Errorf("the shares are %q", shares)
	}
	aside := strings.Fields(got.Of("bad"))
	slices.Sort(aside)
	if !slices.Equal(aside, []string{"x", "y"}) {
		t.Errorf("%q are set aside, want x and y once", aside)
	}
	if n, s := got.Tally.Counts["bad"], got.Tally.Stats["good"]; n != 2 || s != (plan.Stat{Count: 3, Sum: 100, Min: 10, Max: 60}) {
		t.Errorf("counted %d bad lines and observed %v", n, s)
	}
}

// TestFunctionsOfALateRoundCount verifies that a function which the second round of a loop
// uses, and the rest of the job, counts and emits where it always runs: the second round
// does not come.
func TestFunctionsOfALateRoundCount(t *testing.T) {
	t.Parallel()
	job := build(func(p *jobs.Pipeline) {
		aside := jobs.Output(p, "aside", text.Lines{})
		lines := jobs.FlatMap(jobs.ReadLines(p).Named("lines"), func(ctx *jobs.Context, line []byte, emit func([]byte)) error {
			ctx.Count("lines", 1)
			aside.Emit(ctx, line)
			emit(line)
			return nil
		})
		round := 0
		jobs.Count(jobs.ReadLines(p).Named("start")).Loop(3, func(in jobs.Records[int64]) jobs.Records[int64] {
			if round++; round == 1 {
				return in
			}
			return jobs.Count(lines)
		}, func(map[string]jobs.Stat) bool { return true }).WriteTSV().Named("loop")
		lines.Write(text.Lines{}).Named("all")
	})
	got, err := minirun.Run(t.Context(), job, minirun.Options{Partitions: 2}, minirun.Object{Input: "lines", Name: "l", Text: "a\nb\n"}, minirun.Object{Input: "start", Name: "s", Text: "x\n"})
	if err != nil {
		t.Fatal(err)
	}
	if n := got.Tally.Counts["lines"]; n != 2 || got.Of("aside") != "a\nb\n" || got.Of("all") != "a\nb\n" || got.Of("loop") != "1\n" {
		t.Errorf("%d lines, %q aside, all %q, loop %q", n, got.Of("aside"), got.Of("all"), got.Of("loop"))
	}
}

// TestNamesOfRounds verifies the names of a loop's steps.
func TestNamesOfRounds(t *testing.T) {
	t.Parallel()
	job := build(func(p *jobs.Pipeline) {
		counted(p).Loop(3, func(in jobs.Records[jobs.Pair[[]byte, int64]]) jobs.Records[jobs.Pair[[]byte, int64]] {
			return jobs.Map(in, func(_ *jobs.Context, w jobs.Pair[[]byte, int64], emit jobs.Emit[[]byte, int64]) error {
				emit(w.Key, w.Value)
				return nil
			}).Fold(jobs.Sum).Named("sums")
		}, nil).Named("words").WriteTSV()
	})
	p, err := job.Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range p.Steps {
		names = append(names, p.Steps[i].String())
	}
	want := []string{"map", "fold/reduce", "sums.1/reduce", "words.1/decide", "words.2/map", "sums.2/reduce", "words.2/decide", "words.3/map", "sums.3/reduce", "words/map"}
	slices.Sort(names)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("the steps are %q, want %q", names, want)
	}
	if n := strings.Count(p.Text, "\n"); n > 20 {
		t.Errorf("the text of a loop has %d lines:\n%s", n, p.Text)
	}
}

// TestLoopsThatCannotBe verifies the errors for mistakes in loops.
func TestLoopsThatCannotBe(t *testing.T) {
	t.Parallel()
	type numbers = jobs.Records[int64]
	id := func(in numbers) numbers { return in }
	read := func(p *jobs.Pipeline) numbers {
		return jobs.FlatMap(jobs.ReadLines(p), func(_ *jobs.Context, _ []byte, _ func(int64)) error { return nil })
	}
	for name, test := range map[string]struct {
		make func(p *jobs.Pipeline)
		want string
	}{
		"no round": {func(p *jobs.Pipeline) { read(p).Loop(0, id, nil).WriteTSV() }, "the number of rounds is 0, but must be 1 to 1000"},
		"no step":  {func(p *jobs.Pipeline) { read(p).Loop(2, nil, nil).WriteTSV() }, "Loop: its function is nil"},
		"a loop inside": {func(p *jobs.Pipeline) {
			read(p).Loop(2, func(in numbers) numbers { return in.Loop(2, id, nil) }, nil).WriteTSV()
		}, "in the step of another Loop"},
		"an output inside": {func(p *jobs.Pipeline) {
			read(p).Loop(2, func(in numbers) numbers { in.WriteTSV(); return in }, nil).WriteTSV()
		}, "in the step of a Loop, where a round need not come"},
		"an input inside": {func(p *jobs.Pipeline) {
			read(p).Loop(2, func(numbers) numbers { return read(p) }, nil).WriteTSV()
		}, "in the step of a Loop, where a round need not come"},
		"a round used outside": {func(p *jobs.Pipeline) {
			var inner numbers
			read(p).Loop(2, func(in numbers) numbers { inner = in.Filter(func(int64) bool { return true }); return inner }, nil).WriteTSV()
			inner.WriteTSV()
		}, "belongs to a round of Loop func at loop_test.go"},
		"nothing returned": {func(p *jobs.Pipeline) { read(p).Loop(2, func(numbers) numbers { return numbers{} }, nil).WriteTSV() }, "in round 1 is not of this job"},
		"not used":         {func(p *jobs.Pipeline) { in := read(p); in.Loop(2, id, nil); in.WriteTSV() }, "nothing uses the result of Loop"},
	} {
		_, err := build(test.make).Build(nil, nil)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestDecisionsThatFail verifies errors of functions that decide, and of functions that ask
// for statistics of a round to which they do not belong.
func TestDecisionsThatFail(t *testing.T) {
	t.Parallel()
	loop := func(done func(map[string]jobs.Stat) bool, after func(*jobs.Context, []byte, func([]byte)) error) *jobs.Job {
		return build(func(p *jobs.Pipeline) {
			out := jobs.ReadLines(p).Loop(2, func(in jobs.Records[[]byte]) jobs.Records[[]byte] { return in }, done)
			jobs.FlatMap(out, after).WriteTSV()
		})
	}
	pass := func(_ *jobs.Context, b []byte, emit func([]byte)) error { emit(b); return nil }
	for name, test := range map[string]struct {
		job  *jobs.Job
		want string
	}{
		"panic": {loop(func(map[string]jobs.Stat) bool { panic("out of rounds") }, pass), "Loop func at loop_test.go"},
		"outside of a loop": {loop(nil, func(ctx *jobs.Context, _ []byte, _ func([]byte)) error {
			ctx.Previous("moved")
			return nil
		}), `Context.Previous("moved"): the function belongs to no round of a Loop`},
	} {
		_, err := minirun.Run(t.Context(), test.job, minirun.Options{Partitions: 1}, minirun.Object{Name: "n", Text: "1\n"})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
