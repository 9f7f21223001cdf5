package jobs_test

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// TestAFunctionWithoutANameIsNamedByFileAndLine verifies that an error leads to the
// code that failed, although the compiler's name of a closure, such as
// main.count.func3.1, leads nowhere.
func TestAFunctionWithoutANameIsNamedByFileAndLine(t *testing.T) {
	t.Parallel()
	var place string
	job := build(func(p *jobs.Pipeline) {
		_, file, line, _ := runtime.Caller(0)
		place = fmt.Sprintf("%s:%d", filepath.Base(file), line+2) // of the function below
		jobs.FlatMap(jobs.ReadLines(p), func(*jobs.Context, []byte, func([]byte)) error { return errBoom }).WriteTSV()
	})
	_, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Lines("a line"))
	wantError(t, err, "FlatMap func at "+place+" failed on the record", "boom")

	named := build(func(p *jobs.Pipeline) { jobs.FlatMap(jobs.ReadLines(p), namedBoom).WriteTSV() })
	_, err = minirun.Run(t.Context(), named, minirun.Options{}, minirun.Lines("a line"))
	wantError(t, err, "FlatMap jobs_test.namedBoom failed on the record")

	unused := build(func(p *jobs.Pipeline) {
		lines := jobs.ReadLines(p)
		lines.Filter(func([]byte) bool { return true })
		lines.WriteTSV()
	})
	_, err = unused.Build(nil, nil)
	wantError(t, err, "nothing uses the result of Filter func at described_test.go:")
	plan, err := job.Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(plan.Text, ".go:") {
		t.Errorf("the text of a plan depends on lines of the source, which change without a change of the job: %s", plan.Text)
	}
}

func namedBoom(*jobs.Context, []byte, func([]byte)) error { return errBoom }

// TestJobsHaveADescription verifies that a job can say what it does, in one line, and
// that the text changes nothing else about it.
func TestJobsHaveADescription(t *testing.T) {
	t.Parallel()
	plain := wordCount()
	job := plain.Described("count the words")
	if job.Description() != "count the words" || plain.Description() != "" {
		t.Errorf("descriptions are %q and %q: want one for the job that was described, and none for the other", job.Description(), plain.Description())
	}
	a, err := plain.Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := job.Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Text != b.Text {
		t.Errorf("a description makes another pipeline:\n%s\n%s", a.Text, b.Text)
	}
	for _, text := range []string{"two\nlines", "a bell \a", strings.Repeat("long ", 41)} {
		_, err := plain.Described(text).Build(nil, nil)
		wantError(t, err, "job wordcount", "one line of at most 200 bytes")
	}
}

// TestInputsOfAJobAreKnownBeforeItRuns verifies that a list of jobs can name the inputs
// of each, whatever its parameters, and that listing decides nothing.
func TestInputsOfAJobAreKnownBeforeItRuns(t *testing.T) {
	t.Parallel()
	type params struct {
		Pattern string `required:"true"`
		Rounds  int
	}
	joins := jobs.Define("joins", params{}, func(p *jobs.Pipeline, a params) error {
		jobs.Once(p, "now", func() (string, error) {
			t.Error("listing a job's inputs called the function of a Once")
			return "", nil
		})
		orders, users := jobs.ReadLines(p).Named("orders"), jobs.ReadLines(p).Named("users")
		jobs.Map(orders, tokenize).Merge(jobs.Map(users, tokenize)).Fold(jobs.Sum).WriteTSV()
		return nil
	})
	needy := jobs.Define("needy", params{}, func(p *jobs.Pipeline, a params) error {
		jobs.ReadLines(p).Named("lines"[:10/a.Rounds]).WriteTSV()
		return nil
	})
	for _, c := range []struct {
		job  *jobs.Job
		want []string
	}{{joins, []string{"orders", "users"}}, {wordCount(), nil}, {needy, nil}} {
		if got := c.job.Inputs(); !slices.Equal(got, c.want) {
			t.Errorf("job %s: named inputs %q, want %q", c.job.Name(), got, c.want)
		}
	}
}
