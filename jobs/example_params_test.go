package jobs_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// slowParams are the parameters of a job that searches a log.
type slowParams struct {
	Pattern *regexp.Regexp `help:"keep requests whose path matches" required:"true"`
	Longer  time.Duration  `help:"keep requests that took longer"`
}

// slow keeps lines "duration path" of slow requests.
var slow = jobs.Define("slow", slowParams{Longer: time.Second}, func(p *jobs.Pipeline, params slowParams) error {
	if params.Longer < 0 {
		return fmt.Errorf("longer %v: want a positive duration", params.Longer)
	}
	jobs.ReadLines(p).Filter(func(line []byte) bool {
		duration, path, _ := bytes.Cut(line, []byte(" "))
		d, err := time.ParseDuration(string(duration))
		return err == nil && d > params.Longer && params.Pattern.Match(path)
	}).Write(text.Lines{})
	return nil
})

// The fields of a struct are the job's parameters. Users set them by name, and
// the constructor may refuse values.
func ExampleDefine_parameters() {
	show(slow, map[string]string{"pattern": "^/api/", "longer": "500ms"}, "700ms /api/jobs", "2s /", "3ms /api/x")
	show(slow, map[string]string{"longer": "soon"})
	show(slow, map[string]string{"pattern": "x", "longer": "-1s"})
	// Output:
	// 700ms /api/jobs
	// job slow: parameter pattern is required: give it as --param pattern=…
	// parameter longer: "soon" is not a duration such as 90s or 30m: time: invalid duration "soon"
	// job slow: longer -1s: want a positive duration
}

// Params describes a job's parameters, for programs that show or check them.
func ExampleJob_Params() {
	for _, p := range slow.Params() {
		fmt.Printf("%s: %s; required %v, default %q\n", p.Name, p.Help, p.Required, p.Default)
	}
	// Output:
	// pattern: keep requests whose path matches; required true, default ""
	// longer: keep requests that took longer; required false, default "1s"
}

// A program that runs a job passes parameters as texts. ParamTexts makes them of
// the job's own struct.
func ExampleParamTexts() {
	texts, err := jobs.ParamTexts(slowParams{Pattern: regexp.MustCompile("^/api/"), Longer: 2 * time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(texts["pattern"], texts["longer"])
	// Output: ^/api/ 2m0s
}

// A constructor must not look at the clock, since it runs in many processes. The
// value of Once is that of the submission in all of them.
func ExampleOnce_clock() {
	now := func() (time.Time, error) { return time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), nil } // time.Now
	job := jobs.Define("recent", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		since := jobs.Once(p, "now", now).AddDate(0, 0, -30).Format(time.DateOnly)
		jobs.ReadLines(p).Filter(func(line []byte) bool { return string(line) >= since }).Write(text.Lines{})
		return nil
	})
	show(job, nil, "2026-05-30 mow", "2026-06-02 rake", "2026-06-30 bale")
	// Output:
	// 2026-06-02 rake
	// 2026-06-30 bale
}

// A job with several inputs names each. Users pass them as NAME=URL. Merge joins
// their pairs, and a Reduce sees all values of a key.
func ExampleRecords_Named() {
	tagged := func(tag string) func(*jobs.Context, []byte, jobs.Emit[string, string]) error {
		return func(_ *jobs.Context, line []byte, emit jobs.Emit[string, string]) error {
			id, name, _ := bytes.Cut(line, []byte(" "))
			emit(string(id), tag+string(name))
			return nil
		}
	}
	list := func(_ *jobs.Context, id string, names iter.Seq[string], emit func(string)) error {
		emit(id + ": " + strings.Join(slices.Sorted(names), ", "))
		return nil
	}
	job := jobs.Define("join", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		users := jobs.Map(jobs.ReadLines(p).Named("users"), tagged("user "))
		orders := jobs.Map(jobs.ReadLines(p).Named("orders"), tagged("order "))
		jobs.Reduce(users.Merge(orders), list).WriteTSV()
		return nil
	})
	result, err := minirun.Run(context.Background(), job, minirun.Options{Partitions: 1},
		minirun.Object{Input: "users", Name: "users.txt", Text: "7 ann\n9 bob\n"},
		minirun.Object{Input: "orders", Name: "orders.txt", Text: "9 rake\n7 scythe\n9 fork\n"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// 7: order scythe, user ann
	// 9: order fork, order rake, user bob
}
