//go:build linux

package runner_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/worker/runner"
)

// texts returns some objects of words.
func texts(n, lines int) []string {
	r := rand.New(rand.NewPCG(7, 11))
	all := make([]string, n)
	for i := range all {
		var b strings.Builder
		for range lines {
			for range 1 + r.IntN(8) {
				fmt.Fprintf(&b, "w%d ", r.IntN(3000))
			}
			b.WriteByte('\n')
		}
		all[i] = b.String()
	}
	return all
}

func lines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }

// wantLines compares lines, in any order.
func wantLines(t *testing.T, got string, want []string) {
	t.Helper()
	have := lines(got)
	slices.Sort(have)
	if want = slices.Sorted(slices.Values(want)); !slices.Equal(have, want) {
		t.Errorf("%d lines, want %d: %.200q", len(have), len(want), got)
	}
}

func wordLines(input []string) []string {
	var want []string
	for word, n := range sequentialWords(input) {
		want = append(want, fmt.Sprintf("%s\t%d", word, n))
	}
	return want
}

// TestJobs runs jobs from their spec to their output, on all kinds of storage,
// and also with the least memory, and compares with simple loops.
func TestJobs(t *testing.T) {
	t.Parallel()
	plain := plainProgram(t)
	for _, c := range []struct {
		kind  string
		least bool
	}{{"mem", false}, {"file", false}, {"remote", false}, {"mem", true}, {"remote", true}} {
		t.Run(fmt.Sprint(c.kind, c.least), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.kind, func(cfg *runner.Config) {
				if c.least {
					cfg.Self, cfg.Memory = plain, runner.LeastMemory(cfg.Slots)
				}
			})
			input := texts(3, 4000)
			w.write(t, input...)
			all := strings.Join(input, "")

			got, counts := w.run(t, w.submit(t, "words", nil, func(s *plan.Spec) { s.Partitions = 3 }))
			wantLines(t, got, wordLines(input))
			if counts.Maps < 3 || counts.Reduces != 3 || counts.Samples != 0 {
				t.Errorf("words is planned as %+v", counts)
			}

			got, counts = w.run(t, w.submit(t, "matching", map[string]string{"word": "w17"}, nil))
			var matching []string
			for _, line := range lines(all) {
				if strings.Contains(line, "w17") {
					matching = append(matching, line)
				}
			}
			wantLines(t, got, matching)
			if counts.Reduces != 0 {
				t.Errorf("matching is planned as %+v", counts)
			}

			got, counts = w.run(t, w.submit(t, "sorted", nil, func(s *plan.Spec) { s.Partitions = 4 }))
			if want := slices.Sorted(slices.Values(lines(all))); !slices.Equal(lines(got), want) {
				t.Errorf("sorted: %d lines, want %d, or they are in another order", len(lines(got)), len(want))
			}
			if counts.Samples != 1 || counts.Reduces != 4 {
				t.Errorf("sorted is planned as %+v", counts)
			}
		})
	}
}

// TestOwnInput runs jobs that divide their input by functions of their own, or
// make it.
func TestOwnInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mem", nil)
	var want []string
	for i := range 20_000 {
		want = append(want, fmt.Sprintf("%04d", i%10_000))
	}
	w.write(t, strings.Join(want, ""))
	got, counts := w.run(t, w.submit(t, "records", nil, nil))
	wantLines(t, got, want)
	if counts.Maps < 2 {
		t.Errorf("planned as %+v", counts)
	}

	want = nil
	for i := range madeNumbers {
		want = append(want, fmt.Sprint(i))
	}
	got, counts = w.run(t, w.submit(t, "made", nil, func(s *plan.Spec) { s.Input = nil }))
	wantLines(t, got, want)
	if counts.Maps < 2 {
		t.Errorf("planned as %+v", counts)
	}
}

// TestCompressed reads the gzip that it wrote.
func TestCompressed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mem", nil)
	w.write(t, "to be or not to be\n")
	id := w.submit(t, "words", nil, func(s *plan.Spec) { s.Compress = "gzip" })
	first, _ := w.run(t, id)
	if !strings.HasPrefix(first, "\x1f\x8b") {
		t.Errorf("the part is not compressed: %q", first)
	}
	again := w.submit(t, "words", nil, func(s *plan.Spec) { s.Input = []string{w.out + "/" + string(id) + "/part-*.gz"} })
	got, _ := w.run(t, again)
	wantLines(t, got, []string{"be\t1", "not\t1", "or\t1", "to\t1", "1\t2", "2\t2"})
}

// TestReuse verifies that the attempts of a job share one process, and those of
// another job another.
func TestReuse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mem", func(c *runner.Config) { c.Slots = 1 })
	w.write(t, texts(3, 3000)...)
	pids := func(id plan.JobID) (all []int) {
		_, planned := w.prepare(t, id)
		for i := range 3 {
			l := w.launch(id, plan.Map, i)
			l.Planned = planned
			done(t, w.Run(t.Context(), l, &host{}))
			all = append(all, w.number(t, l.Ref, "job process "))
		}
		return slices.Compact(all)
	}
	first := pids(w.submit(t, "words", nil, nil))
	second := pids(w.submit(t, "words", nil, nil))
	if len(first) != 1 || len(second) != 1 || first[0] == second[0] {
		t.Errorf("processes of one job: %v, of another: %v", first, second)
	}
}

// TestGrant verifies that nothing is visible before the grant, and that the
// process of a job that ends meanwhile is not kept.
func TestGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mem", nil)
	w.write(t, "hay\nrake\n")
	id := w.submit(t, "matching", map[string]string{"word": "hay"}, nil)
	l := w.firstMap(t, id)
	h := &host{self: l.Attempt, refuse: make(chan struct{})}
	out := fmt.Sprintf("%s/%s", w.out, id)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		done(t, w.Run(t.Context(), l, h))
	}()
	for h.granted.Load() == 0 {
		select {
		case <-ended:
			t.Fatal("it ended without a grant")
		default:
		}
	}
	if got := w.output(t, out); got != "" {
		t.Errorf("before the grant there is %q", got)
	}
	w.Forget(id) // the master knows of its end from another worker
	close(h.refuse)
	<-ended
	if got := w.output(t, out); got != "hay\n" {
		t.Errorf("after the grant there is %q", got)
	}
	wantGone(t, w.number(t, l.Ref, "job process "))
}
