package windrow_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/internal/committed"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// orders expects that each line has a customer, and a number that no other line has.
func orders() *jobs.Job {
	type params struct {
		Least int `help:"lines that are expected"`
	}
	return jobs.Define("orders", params{}, func(p *jobs.Pipeline, a params) error {
		p.Expect(fmt.Sprintf("records >= %d", a.Least))
		lines := jobs.Convert(jobs.ReadLines(p), func(line []byte) string { return string(line) })
		lines = jobs.Expect(lines, "orders without a customer", func(line string) bool {
			_, customer, _ := strings.Cut(line, " ")
			return customer != ""
		})
		lines = jobs.ExpectUnique(lines, "orders with the number of another", func(line string) string {
			number, _, _ := strings.Cut(line, " ")
			return number
		})
		lines.WriteTSV()
		return nil
	})
}

// TestExpectations runs jobs that expect things of their records, over random lines, and
// compares what they count with plain Go. The output is published if, and only if, all of
// it is as expected.
func TestExpectations(t *testing.T) {
	t.Parallel()
	published, staged := 0, 0
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 1))
		n, faults := r.IntN(200), r.IntN(3)
		var lines []string
		seen := map[string]bool{}
		nameless, repeated := 0, 0
		for i := range n {
			number := i
			if faults > 0 && r.IntN(20) == 0 {
				number = r.IntN(i + 1)
			}
			line := strconv.Itoa(number)
			if seen[line] {
				repeated++
			}
			seen[line] = true
			if faults > 1 && r.IntN(30) == 0 {
				nameless++
			} else {
				line += " someone"
			}
			lines = append(lines, line)
		}
		least := r.IntN(220)
		stores := store.Options{Mem: new(store.MemSpace)}
		in, err := store.Open(t.Context(), "mem://in", stores)
		check(t, err)
		check(t, in.Put(t.Context(), "orders", []byte(strings.Join(lines, "\n")), store.Durable))
		result, err := windrow.Run(t.Context(), orders(), windrow.Options{Input: []string{"mem://in"}, Output: "mem://out", SplitSize: 50 + r.Int64N(2000), Stores: stores,
			Params: map[string]string{"least": strconv.Itoa(least)}, Expect: []string{"bad = 0", "count(other) = 0"}})
		var want []string
		if n < least {
			want = append(want, fmt.Sprintf("records >= %d: there are %d", least, n))
		}
		if nameless > 0 {
			want = append(want, fmt.Sprintf("count(orders without a customer) = 0: it is %d", nameless))
		}
		if repeated > 0 {
			want = append(want, fmt.Sprintf("count(orders with the number of another) = 0: it is %d", repeated))
		}
		var text bytes.Buffer
		out, openErr := store.Open(t.Context(), "mem://out", stores)
		check(t, openErr)
		if len(want) == 0 {
			check(t, err)
			published++
			if result.Manifest.Records != int64(n) {
				t.Errorf("seed %d: %d records, want %d", seed, result.Manifest.Records, n)
			}
			check(t, committed.Copy(t.Context(), &text, "mem://out", stores))
		} else {
			staged++
			failed, ok := errors.AsType[*windrow.Error](err)
			if !ok || failed.Kind != windrow.Unmet || !strings.Contains(err.Error(), "expected "+strings.Join(want, "; ")+"; the output is staged") {
				t.Fatalf("seed %d: %v, want %q", seed, err, want)
			}
			if _, err := output.Read(t.Context(), out); plan.KindOf(err) != plan.NotFound {
				t.Errorf("seed %d: it is published: %v", seed, err)
			}
			check(t, committed.CopyStaged(t.Context(), &text, "mem://out", stores))
		}
		got := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
		slices.Sort(got)
		slices.Sort(lines)
		if n > 0 && !slices.Equal(got, lines) {
			t.Errorf("seed %d: the output has other lines than the input", seed)
		}
	}
	if published == 0 || staged == 0 {
		t.Errorf("%d jobs published their output, and %d staged it: there must be both", published, staged)
	}
}

// TestExpectationsOfAJobThatCannotBe: a mistake in an expectation is found before anything
// runs.
func TestExpectationsOfAJobThatCannotBe(t *testing.T) {
	t.Parallel()
	wrong := jobs.Define("wrong", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		p.Expect("lines >= 1")
		jobs.ReadLines(p).WriteTSV()
		return nil
	})
	for name, tt := range map[string]struct {
		job    *jobs.Job
		expect string
		says   string
	}{
		"in the job":        {wrong, "", `Expect: expectation "lines >= 1"`},
		"in the options":    {orders(), "records > 1", `expectation "records > 1"`},
		"of no such output": {orders(), "records(rejects) = 0", "one output, which has no name"},
	} {
		stores := store.Options{Mem: new(store.MemSpace)}
		in, err := store.Open(t.Context(), "mem://in", stores)
		check(t, err)
		check(t, in.Put(t.Context(), "orders", []byte("1 a\n"), store.Durable))
		o := windrow.Options{Input: []string{"mem://in"}, Output: "mem://out", Stores: stores}
		if tt.expect != "" {
			o.Expect = []string{tt.expect}
		}
		if _, err := windrow.Run(t.Context(), tt.job, o); plan.KindOf(err) != windrow.Invalid || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestExpectationsAreOfTheJob: workers that build the job again must expect the same.
func TestExpectationsAreOfTheJob(t *testing.T) {
	t.Parallel()
	for _, least := range []string{"3", "40"} {
		made, err := orders().Build(map[string]string{"least": least}, nil)
		check(t, err)
		want := []string{"records >= " + least, "count(orders without a customer) = 0", "count(orders with the number of another) = 0"}
		if got := plan.Declared(made.Text); !slices.Equal(got, want) {
			t.Errorf("the text of the job has the expectations %q, want %q", got, want)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
