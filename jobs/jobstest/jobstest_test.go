package jobstest_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/jobstest"
	"github.com/windrow-mr/windrow/jobs/library"
)

type none = struct{}

func words(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
	for w := range bytes.FieldsSeq(line) {
		emit(w, 1)
	}
	return nil
}

// recorder replaces a test that should fail.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatal(args ...any) {
	r.failures = append(r.failures, fmt.Sprint(args...))
}

func TestAJobThatIsRightPasses(t *testing.T) {
	t.Parallel()
	r := jobstest.Run(t, jobs.New("wordcount", words, jobs.Sum), jobstest.Lines("to be or", "not to be"), jobstest.Strict())
	r.Want("to\t2", "be\t2", "or\t1", "not\t1")
	if got := len(r.Lines()); got != 4 {
		t.Errorf("%d lines, want 4", got)
	}
}

// tasks is a job whose output names the tasks that ran.
func tasks() *jobs.Job {
	return jobs.Define("tasks", none{}, func(p *jobs.Pipeline, _ none) error {
		pairs := jobs.Map(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, int]) error {
			emit(line, ctx.Task().Index)
			return nil
		})
		jobs.Reduce(pairs, func(ctx *jobs.Context, _ []byte, values iter.Seq[int], emit func([]byte)) error {
			for m := range values {
				emit(fmt.Appendf(nil, "map %d", m))
				emit(fmt.Appendf(nil, "reduce %d", ctx.Task().Index))
			}
			return nil
		}).Write(text.Lines{})
		return nil
	})
}

func TestWorkIsDividedHoweverSmallItIs(t *testing.T) {
	t.Parallel()
	seen := func(r *jobstest.Result, stage string) int {
		lines := slices.DeleteFunc(r.Lines(), func(l string) bool { return !strings.HasPrefix(l, stage) })
		slices.Sort(lines)
		return len(slices.Compact(lines))
	}
	small := jobstest.Run(t, tasks(), jobstest.Lines("a", "b"))
	if seen(small, "map") < 2 {
		t.Errorf("two lines were mapped by one task: %q", small.Lines())
	}
	var lines []string
	for i := range 100 {
		lines = append(lines, fmt.Sprint("line ", i))
	}
	big := jobstest.Run(t, tasks(), jobstest.Lines(lines...))
	if seen(big, "map") < 2 || seen(big, "reduce") < 2 {
		t.Errorf("100 lines were processed by tasks %q", big.Lines())
	}
	_, err := jobstest.TryRun(t, tasks(), jobstest.Lines(lines...), jobstest.Strict())
	if err == nil || !strings.Contains(err.Error(), "one task for everything") {
		t.Errorf("a job whose output names its tasks is strict: %v", err)
	}
}

func TestWantShowsTheDifference(t *testing.T) {
	t.Parallel()
	rec := &recorder{TB: t}
	r := jobstest.Run(rec, jobs.New("wordcount", words, jobs.Sum), jobstest.Lines("a b a"))
	r.Want("b\t1", "a\t2")
	r.WantInOrder("a\t2", "b\t1", "b\t1")
	r.Want("a\t2", "a\t2", "b\t2")
	if len(rec.failures) != 2 {
		t.Fatalf("%d failures, want 2: %q", len(rec.failures), rec.failures)
	}
	if want := `- "b\t1"`; !strings.HasSuffix(rec.failures[0], want) {
		t.Errorf("got %s, want %s", rec.failures[0], want)
	}
	if want := "- \"a\\t2\"\n+ \"b\\t1\"\n- \"b\\t2\""; !strings.HasSuffix(rec.failures[1], want) {
		t.Errorf("got %s, want %s", rec.failures[1], want)
	}
}

func TestSortedOutputIsInOrder(t *testing.T) {
	t.Parallel()
	for _, job := range library.All() {
		if job.Name() != "sort" {
			continue
		}
		rec := &recorder{TB: t}
		r := jobstest.Run(rec, job, jobstest.Lines("pear", "fig", "apple"), jobstest.Lines("fig"), jobstest.Strict())
		r.WantInOrder("apple", "fig", "fig", "pear")
		r.WantInOrder("fig", "apple", "fig", "pear")
		if len(rec.failures) != 1 || !strings.Contains(rec.failures[0], "another order") {
			t.Errorf("failures %q, want one that says that the order is another", rec.failures)
		}
	}
}

type params struct {
	Pattern *regexp.Regexp `required:"true"`
	Prefix  string
	Times   int
}

func prefixed() *jobs.Job {
	return jobs.Define("prefixed", params{Prefix: ">", Times: 2}, func(p *jobs.Pipeline, a params) error {
		kept := jobs.ReadLines(p).Filter(a.Pattern.Match)
		jobs.Convert(kept, func(l []byte) []byte { return append([]byte(strings.Repeat(a.Prefix, a.Times)), l...) }).Write(text.Lines{})
		return nil
	})
}

func TestParamsAreTextsOrAStruct(t *testing.T) {
	t.Parallel()
	lines := jobstest.Lines("ab", "b")
	jobstest.Run(t, prefixed(), lines, jobstest.Params(map[string]string{"pattern": "^b"})).Want(">>b")
	jobstest.Run(t, prefixed(), lines, jobstest.Params(params{Pattern: regexp.MustCompile("a"), Prefix: "-", Times: 3})).Want("---ab")
	jobstest.Run(t, prefixed(), lines, jobstest.Params(params{Pattern: regexp.MustCompile("a")})).Want("ab")
	for want, v := range map[string]any{
		"pattern is required": params{Prefix: "x"},
		"not a whole number":  map[string]string{"pattern": "x", "times": "x"},
		"must be a struct":    17,
	} {
		if _, err := jobstest.TryRun(t, prefixed(), lines, jobstest.Params(v)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", v, err, want)
		}
	}
}

func TestFilesOfNamedInputs(t *testing.T) {
	t.Parallel()
	job := jobs.Define("both", none{}, func(p *jobs.Pipeline, _ none) error {
		mark := func(mark string) func(*jobs.Context, []byte, jobs.Emit[[]byte, string]) error {
			return func(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, string]) error {
				emit(line, fmt.Sprintf("%s %s@%d", mark, ctx.Position().Object, ctx.Position().Offset))
				return nil
			}
		}
		left := jobs.Map(jobs.ReadLines(p).Named("left"), mark("l"))
		right := jobs.Map(jobs.ReadLines(p).Named("right"), mark("r"))
		left.Merge(right).Fold(func(a, b string) string { return min(a, b) + ", " + max(a, b) }).WriteTSV()
		return nil
	})
	jobstest.Run(t, job, jobstest.File("left", "a", "x\ny"), jobstest.File("right", "dir/b", "x\n"), jobstest.File("left", "empty", ""), jobstest.Strict()).
		Want("x\tl mem://test/in/left/a@0, r mem://test/in/right/dir/b@0", "y\tl mem://test/in/left/a@2")
	for want, options := range map[string][]jobstest.Option{
		"two objects called a": {jobstest.File("left", "a", ""), jobstest.File("left", "a", "")},
		"a pattern of names":   {jobstest.File("left", "a*", "")},
		`no input named "up"`:  {jobstest.File("left", "a", "x"), jobstest.File("right", "a", "x"), jobstest.File("up", "a", "x")},
	} {
		if _, err := jobstest.TryRun(t, job, options...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestNoLinesGiveNoOutput(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, jobs.New("wordcount", words, jobs.Sum), jobstest.Lines(), jobstest.Strict()).Want()
}

func TestAJobThatMakesItsInputTakesNone(t *testing.T) {
	t.Parallel()
	for _, job := range library.All() {
		if job.Name() == "teragen" {
			r := jobstest.Run(t, job, jobstest.Params(map[string]string{"records": "500"}), jobstest.Strict())
			if len(r.Text()) != 50_000 {
				t.Errorf("%d bytes, want 50,000", len(r.Text()))
			}
		}
	}
}

func TestErrorsNameTheRecord(t *testing.T) {
	t.Parallel()
	errOdd := errors.New("odd one out")
	job := jobs.New("picky", func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
		if string(line) == "odd" {
			return errOdd
		}
		emit(line, 1)
		return nil
	}, jobs.Sum)
	_, err := jobstest.TryRun(t, job, jobstest.Lines("even", "odd"))
	var failed *windrow.Error
	if !errors.As(err, &failed) || failed.Kind != windrow.JobFailed {
		t.Fatalf("got %v, want a *windrow.Error of kind JobFailed", err)
	}
	if want := "byte 5 of mem://test/in/lines: odd one out"; !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	rec := &recorder{TB: t}
	if jobstest.Run(rec, job, jobstest.Lines("odd")); len(rec.failures) != 1 || !strings.Contains(rec.failures[0], "odd one out") {
		t.Errorf("failures %q, want the job's", rec.failures)
	}
}

func TestCountersAndStatistics(t *testing.T) {
	t.Parallel()
	job := jobs.New("sizes", func(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
		ctx.Count("lines", 1)
		ctx.Observe("size", float64(len(line)))
		emit(line, 1)
		return nil
	}, jobs.Sum)
	r := jobstest.Run(t, job, jobstest.Lines("a", "bb", "cccc"))
	if n := r.Counter("lines"); n != 3 {
		t.Errorf("%d lines were counted, want 3", n)
	}
	if s := r.Stat("size"); s.Count != 3 || s.Sum != 7 || s.Min != 1 || s.Max != 4 {
		t.Errorf("sizes are %+v, want 3, sum 7, from 1 to 4", s)
	}
	if n, s := r.Counter("other"), r.Stat("other"); n != 0 || s.Count != 0 {
		t.Errorf("a name without counts has %d and %+v", n, s)
	}
}
