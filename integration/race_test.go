package integration

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	engine "github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs/library/wordcount"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/store"
)

// TestTwoProcesses verifies that of two runs that start on one output at once,
// one wins and the other reports a conflict.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	a, b := file(t, "a.txt", "a\n"), file(t, "b.txt", "b\n")
	for round := range 12 / oneIn {
		out := filepath.Join(t.TempDir(), fmt.Sprint(round))
		results := make([]result, 2)
		var both sync.WaitGroup
		for i, in := range []string{a, b} {
			cmd := command(t, windrow, "run", "wordcount", "--input", in, "--out", out)
			both.Go(func() { results[i] = finish(t, cmd) })
		}
		both.Wait()
		codes := []int{results[0].code, results[1].code}
		slices.Sort(codes)
		if !slices.Equal(codes, []int{0, 6}) {
			t.Fatalf("exit %v, want 0 and 6\n%s%s", codes, results[0].stderr, results[1].stderr)
		}
		want := "a\t1\n"
		if results[1].code == 0 {
			want = "b\t1\n"
		}
		if got := must(t, windrow, "cat", out); got != want {
			t.Fatalf("the output is %q, the winner wrote %q", got, want)
		}
	}
}

// TestRacesForOneOutput verifies that of two runs that race again and again,
// in this process, one wins and its output is whole, and the other gets a
// conflict.
func TestRacesForOneOutput(t *testing.T) {
	t.Parallel()
	stores := store.Options{Mem: new(store.MemSpace)}
	for i, text := range []string{"a", "b"} {
		root, err := store.Open(t.Context(), fmt.Sprintf("mem://in%d", i), stores)
		if err != nil {
			t.Fatal(err)
		}
		if err := root.Put(t.Context(), "in.txt", []byte(text), store.Scratch); err != nil {
			t.Fatal(err)
		}
	}
	job := wordcount.Job()
	for round := range 120 / oneIn {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			out := fmt.Sprintf("mem://out%d", round)
			errs := make([]error, 2)
			var both sync.WaitGroup
			for i := range errs {
				both.Go(func() {
					_, errs[i] = engine.Run(t.Context(), job, engine.Options{Input: []string{fmt.Sprintf("mem://in%d/in.txt", i)}, Output: out, Stores: stores, Slots: 1})
				})
			}
			both.Wait()
			winner := slices.Index(errs, nil)
			if winner < 0 {
				t.Fatalf("round %d: neither won: %v", round, errs)
			}
			if e, ok := errors.AsType[*engine.Error](errs[1-winner]); !ok || e.Kind != engine.Conflict || strings.Contains(e.Error(), "no sign of life") {
				t.Fatalf("round %d: the loser got %v", round, errs[1-winner])
			}
			root, err := store.Open(t.Context(), out, stores)
			if err != nil {
				t.Fatal(err)
			}
			m, err := output.Read(t.Context(), root)
			if err != nil || len(m.Parts) != 1 {
				t.Fatalf("round %d: %+v, %v", round, m, err)
			}
			text, err := root.Get(t.Context(), m.Parts[0].Name, 100)
			if want := []string{"a\t1\n", "b\t1\n"}[winner]; err != nil || string(text) != want {
				t.Fatalf("round %d: %q, %v; the winner wrote %q", round, text, err, want)
			}
		})
	}
}

// TestReadWhileReplaced verifies that every read of an output that is replaced
// again and again is all old or all new.
func TestReadWhileReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	inputs := []string{file(t, "a.txt", strings.Repeat("a b c d e f g\n", 5)), file(t, "b.txt", strings.Repeat("a b c d e f g\n", 7))}
	replace := func(i int) result {
		return do(t, windrow, "run", "wordcount", "--input", inputs[i%2], "--out", out, "--partitions", "5", "--on-exists", "replace")
	}
	if r := replace(0); r.code != 0 {
		t.Fatal(r.stderr)
	}
	done := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		defer close(done)
		for i := range 15 {
			if r := replace(i + 1); r.code != 0 {
				t.Errorf("replace %d: exit %d %s", i, r.code, r.stderr)
			}
		}
	})
	seen := map[string]int{}
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		r := do(t, windrow, "cat", out)
		if r.code != 0 {
			t.Errorf("cat: exit %d %s", r.code, r.stderr)
		}
		seen[sorted(r.stdout)]++
	}
	writing.Wait()
	for _, n := range []int{5, 7} {
		var want strings.Builder
		for _, w := range "abcdefg" {
			fmt.Fprintf(&want, "%c\t%d\n", w, n)
		}
		if seen[want.String()] == 0 {
			t.Errorf("the contents with %d of each word were never seen", n)
		}
		delete(seen, want.String())
	}
	if len(seen) > 0 {
		t.Errorf("seen what was never committed: %v", seen)
	}
}
