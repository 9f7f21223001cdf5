package jobstest_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/jobstest"
)

// TestCountersThatNoResultCanHold verifies that a job ends before it commits, at its
// first attempt and with words that say what to do, when it observes what is no
// number, or counts under more names than a result has: alone in a task, or over
// all its tasks.
func TestCountersThatNoResultCanHold(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		count func(ctx *jobs.Context, task int)
		tasks int
		want  []string
	}{
		"NaN":      {func(ctx *jobs.Context, _ int) { ctx.Observe("width", math.NaN()) }, 1, []string{`"width"`, "NaN", "finite", "record at byte 0"}},
		"infinite": {func(ctx *jobs.Context, _ int) { ctx.Observe("width", math.Inf(-1)) }, 1, []string{`"width"`, "-Inf", "finite"}},
		"a sum": {func(ctx *jobs.Context, _ int) {
			ctx.Observe("width", math.MaxFloat64)
			ctx.Observe("width", math.MaxFloat64)
		}, 1, []string{"the sum of the statistic", `"width"`}},
		"a sum over tasks": {func(ctx *jobs.Context, _ int) { ctx.Observe("width", math.MaxFloat64) }, 2, []string{"together", "the sum of the statistic"}},
		"names": {func(ctx *jobs.Context, _ int) {
			for i := range 1001 {
				ctx.Count(fmt.Sprint("word ", i), 1)
			}
		}, 1, []string{"1000 names"}},
		"names over tasks": {func(ctx *jobs.Context, task int) {
			for i := range 501 {
				ctx.Observe(fmt.Sprintf("word %d of task %d", i, task), 1)
			}
		}, 2, []string{"together", "1000"}},
		"long names": {func(ctx *jobs.Context, _ int) {
			ctx.Count(strings.Repeat("n", 131072), 1)
			ctx.Observe(strings.Repeat("o", 131073), 1)
		}, 1, []string{"262144 bytes"}},
		"not text": {func(ctx *jobs.Context, _ int) { ctx.Count("caf\xe9", 1) }, 1, []string{`caf\xe9`, "UTF-8"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attempts := make(chan string, 100)
			job := jobs.New("counting", func(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
				attempts <- ctx.Task().Attempt
				tt.count(ctx, ctx.Task().Index)
				emit(line, 1)
				return nil
			}, jobs.Sum)
			var input []jobstest.Option
			for i := range tt.tasks {
				input = append(input, jobstest.File("", fmt.Sprintf("in/%d", i), "line\n"))
			}
			_, err := jobstest.TryRun(t, job, input...)
			if err == nil {
				t.Fatal("the job succeeds")
			}
			for _, text := range append(tt.want, "nothing was committed") {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not contain %q", err, text)
				}
			}
			if n := len(attempts); n != tt.tasks {
				t.Errorf("%d tasks had %d attempts", tt.tasks, n)
			}
		})
	}
}

// TestAllCountersThatAJobMayHave verifies that a job with as many names as are
// documented, over all its tasks, gets them all back.
func TestAllCountersThatAJobMayHave(t *testing.T) {
	t.Parallel()
	job := jobs.New("counting", func(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
		for i := range 1000 {
			ctx.Count(fmt.Sprint("word ", i), 1)
			ctx.Observe(fmt.Sprint("word ", i), -0.5)
		}
		emit(line, 1)
		return nil
	}, jobs.Sum)
	r := jobstest.Run(t, job, jobstest.File("", "in/a", "line\n"), jobstest.File("", "in/b", "line\n"))
	for i := range 1000 {
		name := fmt.Sprint("word ", i)
		if n, s := r.Counter(name), r.Stat(name); n != 2 || s.Count != 2 || s.Sum != -1 || s.Min != -0.5 {
			t.Fatalf("%s is %d, %+v", name, n, s)
		}
	}
}
