package jobs_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/plan"
)

// build returns a job of this constructor without parameters.
func build(f func(p *jobs.Pipeline)) *jobs.Job {
	return jobs.Define("a-job", none{}, func(p *jobs.Pipeline, _ none) error { f(p); return nil })
}

func counted(p *jobs.Pipeline) jobs.Records[jobs.Pair[[]byte, int64]] {
	return jobs.Map(jobs.ReadLines(p), tokenize).Fold(jobs.Sum)
}

func wantError(t *testing.T, err error, wants ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", wants)
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func TestPlanErrors(t *testing.T) {
	t.Parallel()
	keyed := func(p *jobs.Pipeline) jobs.Pairs[map[string]int, func()] {
		return jobs.Map(jobs.ReadLines(p), func(*jobs.Context, []byte, jobs.Emit[map[string]int, func()]) error { return nil })
	}
	again := func(_ *jobs.Context, p jobs.Pair[[]byte, int64], emit jobs.Emit[int64, int64]) error {
		emit(p.Value, 1)
		return nil
	}
	for name, c := range map[string]struct {
		f     func(p *jobs.Pipeline)
		wants []string
	}{
		"no output":         {func(p *jobs.Pipeline) {}, []string{"no output", "Write"}},
		"two outputs":       {func(p *jobs.Pipeline) { r := counted(p); r.WriteTSV(); r.WriteTSV().Named("x") }, []string{"2 outputs", "Named"}},
		"outputs of a name": {func(p *jobs.Pipeline) { r := counted(p); r.WriteTSV().Named("x"); r.WriteTSV().Named("x") }, []string{"two outputs are called x"}},
		"stages of a name": {func(p *jobs.Pipeline) {
			jobs.Map(counted(p).Named("x"), again).Fold(jobs.Sum).Named("x").WriteTSV()
		}, []string{"two stages are called x"}},
		"unused":             {func(p *jobs.Pipeline) { counted(p).WriteTSV(); counted(p) }, []string{"nothing uses", "Fold"}},
		"key and value type": {func(p *jobs.Pipeline) { keyed(p).Sort().Write(nil) }, []string{"map[string]int", "has no order", "func()", "3 errors"}},
		"two inputs of no name": {func(p *jobs.Pipeline) {
			jobs.Map(jobs.ReadLines(p), tokenize).Merge(jobs.Map(jobs.ReadLines(p), tokenize)).Fold(jobs.Sum).WriteTSV()
		}, []string{"two inputs", "Named"}},
		"two inputs of one name": {func(p *jobs.Pipeline) {
			a := jobs.Map(jobs.ReadLines(p).Named("x"), tokenize)
			a.Merge(jobs.Map(jobs.ReadLines(p).Named("x"), tokenize)).Fold(jobs.Sum).WriteTSV()
		}, []string{"two inputs are called x"}},
		"name of what is no input": {func(p *jobs.Pipeline) {
			jobs.ReadLines(p).Filter(func([]byte) bool { return true }).Named("x").WriteTSV()
		}, []string{"Named", "Read"}},
		"bad input name": {func(p *jobs.Pipeline) { jobs.ReadLines(p).Named("A b").WriteTSV() }, []string{"A b", "lower-case"}},
		"combine and fold": {func(p *jobs.Pipeline) {
			jobs.Map(jobs.ReadLines(p), tokenize).Combine(jobs.Sum).Fold(jobs.Sum).WriteTSV()
		}, []string{"Combine"}},
		"partition and sort": {func(p *jobs.Pipeline) {
			jobs.Map(jobs.ReadLines(p), tokenize).Partition(func([]byte, int) int { return 0 }).Sort().WriteTSV()
		}, []string{"Partition", "Sort"}},
		"nil function": {func(p *jobs.Pipeline) {
			jobs.Map[[]byte, string, int64](jobs.ReadLines(p), nil).Fold(nil).WriteTSV()
		}, []string{"Map: its function is nil", "Fold: its function is nil"}},
		"nil reader": {func(p *jobs.Pipeline) { jobs.Read[string](p, nil).WriteTSV() }, []string{"ReadLines"}},
		"nil writer": {func(p *jobs.Pipeline) { jobs.ReadLines(p).Write(nil) }, []string{"WriteTSV"}},
		"no text form": {func(p *jobs.Pipeline) {
			jobs.Convert(jobs.ReadLines(p), func([]byte) map[string]int { return nil }).WriteTSV()
		}, []string{"map[string]int", "another format"}},
		"panic": {func(p *jobs.Pipeline) { panic("boom") }, []string{"constructor panicked", "boom"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := build(c.f).Build(nil, nil)
			wantError(t, err, append(c.wants, "a-job")...)
		})
	}
}

func TestConstructorsMustBeDeterministic(t *testing.T) {
	t.Parallel()
	calls := 0
	job := build(func(p *jobs.Pipeline) {
		calls++
		jobs.ReadLines(p).Named([]string{"even", "odd"}[calls%2]).Write(text.Lines{Max: calls})
	})
	_, err := job.Build(nil, nil)
	wantError(t, err, "two different pipelines", `- 1 Read "odd"`, `+ 1 Read "even"`, `"Max":1`, `"Max":2`, "jobs.Once")
}

func TestOnceIsDecidedAtSubmission(t *testing.T) {
	t.Parallel()
	calls := 0
	var seen []time.Time
	job := build(func(p *jobs.Pipeline) {
		at := jobs.Once(p, "start", func() (time.Time, error) {
			calls++
			return time.Unix(int64(calls), 5).UTC(), nil
		})
		seen = append(seen, at)
		jobs.ReadLines(p).WriteTSV()
	})
	first, err := job.Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := job.Build(nil, first.Once)
	if err != nil {
		t.Fatal(err)
	}
	if calls != 1 {
		t.Errorf("f ran %d times, want once", calls)
	}
	for _, at := range seen {
		if !at.Equal(time.Unix(1, 5)) {
			t.Errorf("a constructor saw %v", at)
		}
	}
	if first.Hash != second.Hash || first.Hash != sha256.Sum256([]byte(first.Text)) {
		t.Error("the two pipelines have different hashes, or ones that are not of their text")
	}
	_, err = job.Build(nil, map[string][]byte{})
	wantError(t, err, "start", "submission")
	third, err := job.Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if third.Hash == first.Hash {
		t.Error("another value of Once left the hash as it was")
	}
}

func TestOnceErrors(t *testing.T) {
	t.Parallel()
	fail := build(func(p *jobs.Pipeline) {
		jobs.Once(p, "x", func() (int, error) { return 0, errors.New("boom") })
		jobs.ReadLines(p).WriteTSV()
	})
	_, err := fail.Build(nil, nil)
	wantError(t, err, "Once x", "boom")
	large := build(func(p *jobs.Pipeline) {
		jobs.Once(p, "x", func() (string, error) { return strings.Repeat("x", 2<<20), nil })
		jobs.ReadLines(p).WriteTSV()
	})
	_, err = large.Build(nil, nil)
	wantError(t, err, "Once x", "2097152 bytes")
	double := build(func(p *jobs.Pipeline) {
		jobs.Once(p, "x", func() (int, error) { return 1, nil })
		jobs.Once(p, "x", func() (int, error) { return 2, nil })
		jobs.ReadLines(p).WriteTSV()
	})
	_, err = double.Build(nil, nil)
	wantError(t, err, "two Once values are called x")
}

func TestTheHashIsOfWhatMatters(t *testing.T) {
	t.Parallel()
	hash := func(job *jobs.Job, params map[string]string) string {
		t.Helper()
		p, err := job.Build(params, nil)
		if err != nil {
			t.Fatal(err)
		}
		return p.Text + fmt.Sprintf("%x", p.Hash)
	}
	grep := grep() // once: an inlined function has one symbol for each place
	a := hash(grep, map[string]string{"pattern": "x"})
	if b := hash(grep, map[string]string{"pattern": "x", "invert": "false"}); a != b {
		t.Errorf("giving the default makes another pipeline: %s, %s", a, b)
	}
	if a == hash(grep, map[string]string{"pattern": "y"}) {
		t.Error("another parameter leaves the pipeline as it was")
	}
	other := func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error { return nil }
	if hash(wordCount(), nil) == hash(jobs.New("wordcount", other, jobs.Sum[int64]), nil) {
		t.Error("another mapper leaves the pipeline as it was")
	}
}

type level int

func (l *level) UnmarshalText(b []byte) error {
	if string(b) != "high" {
		return errors.New("want high")
	}
	*l = 1
	return nil
}

func (l level) MarshalText() ([]byte, error) { return []byte("high"), nil }

type paramTypes struct {
	Text      string `help:"some text"`
	Count     int
	Small     uint8
	Ratio     float64
	On        bool
	HTTPPort  int64
	Wait      time.Duration
	Pattern   *regexp.Regexp
	Level     level
	List      []int
	Renamed   string `name:"other-name"`
	Needed    int    `required:"true"`
	Map       map[string]int
	forbidden int
}

func TestParams(t *testing.T) {
	t.Parallel()
	var got paramTypes
	defaults := paramTypes{Text: "a", Wait: time.Minute, List: []int{1, 2}, forbidden: 1}
	job := jobs.Define("params", defaults, func(p *jobs.Pipeline, params paramTypes) error {
		got = params
		jobs.ReadLines(p).WriteTSV()
		return nil
	})
	byName := map[string]jobs.Param{}
	var names []string
	for _, p := range job.Params() {
		byName[p.Name] = p
		names = append(names, p.Name)
	}
	if want := "text count small ratio on http-port wait pattern level list other-name needed map"; strings.Join(names, " ") != want {
		t.Errorf("parameters are %q, want %q", names, want)
	}
	if p := byName["text"]; p.Default != "a" || p.Help != "some text" || p.Type != "text" || p.Required {
		t.Errorf("text is described as %+v", p)
	}
	if p := byName["wait"]; p.Default != "1m0s" || !strings.Contains(p.Type, "duration") {
		t.Errorf("wait is described as %+v", p)
	}
	if p := byName["needed"]; !p.Required || p.Default != "" {
		t.Errorf("needed is described as %+v", p)
	}
	_, err := job.Build(map[string]string{
		"text": "b c", "count": "-5", "small": "200", "ratio": "1.5", "on": "true", "http-port": "80", "wait": "90s",
		"pattern": "a+", "level": "high", "list": "[3]", "other-name": "n", "needed": "1", "map": `{"x":1}`,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Text != "b c" || got.Count != -5 || got.Small != 200 || got.Ratio != 1.5 || !got.On || got.HTTPPort != 80 ||
		got.Wait != 90*time.Second || got.Pattern.String() != "a+" || got.Level != 1 || len(got.List) != 1 || got.Renamed != "n" ||
		got.Needed != 1 || got.Map["x"] != 1 || got.forbidden != 1 {
		t.Errorf("the constructor got %+v", got)
	}
	if defaults.List[0] != 1 {
		t.Error("a value was written into the defaults")
	}
}

func TestParamErrors(t *testing.T) {
	t.Parallel()
	job := jobs.Define("params", paramTypes{}, func(p *jobs.Pipeline, _ paramTypes) error {
		jobs.ReadLines(p).WriteTSV()
		return nil
	})
	for name, c := range map[string]struct {
		params map[string]string
		wants  []string
	}{
		"required":   {nil, []string{"needed is required", "--param needed="}},
		"near":       {map[string]string{"cuont": "1"}, []string{"unknown parameter cuont", "did you mean count?"}},
		"far":        {map[string]string{"zzzzzzzzz": "1"}, []string{"unknown parameter zzzzzzzzz", "text, count"}},
		"number":     {map[string]string{"count": "x"}, []string{"parameter count", `"x"`, `"x" is not a whole number`}},
		"range":      {map[string]string{"small": "256"}, []string{"parameter small", "out of range"}},
		"duration":   {map[string]string{"wait": "5 parsecs"}, []string{"parameter wait", "90s"}},
		"pattern":    {map[string]string{"pattern": "("}, []string{"parameter pattern", "missing closing"}},
		"own":        {map[string]string{"level": "low"}, []string{"parameter level", "want high"}},
		"json":       {map[string]string{"list": "1,2"}, []string{"parameter list", "JSON"}},
		"all at one": {map[string]string{"count": "x", "small": "-1"}, []string{"count", "small", "needed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := job.Build(c.params, nil)
			wantError(t, err, c.wants...)
		})
	}
	_, err := wordCount().Build(map[string]string{"x": "1"}, nil)
	wantError(t, err, "unknown parameter x", "none")
}

func TestBadDefinitions(t *testing.T) {
	t.Parallel()
	_, err := jobs.New("Word Count", tokenize, jobs.Sum).Build(nil, nil)
	wantError(t, err, "Word Count", "lower-case")
	_, err = jobs.Define("x", 5, func(*jobs.Pipeline, int) error { return nil }).Build(nil, nil)
	wantError(t, err, "must be a struct", "int")
	_, err = jobs.Define("x", struct {
		A string `name:"b"`
		B string
	}{}, func(*jobs.Pipeline, struct {
		A string `name:"b"`
		B string
	}) error {
		return nil
	}).Build(nil, nil)
	wantError(t, err, "two parameters are called b")
}

// badSplit returns sections that do not cover the object.
type badSplit struct{}

func (badSplit) Split(obj jobs.Object, _ int64) ([]jobs.Section, error) {
	return []jobs.Section{{Object: obj, Offset: 0, Length: 2}, {Object: obj, Offset: 3, Length: obj.Size - 3}}, nil
}

func (badSplit) Scan(*jobs.Context, *jobs.Section, func([]byte) error) error { return io.EOF }

func TestSectionsMustCoverAnObject(t *testing.T) {
	t.Parallel()
	p, err := build(func(p *jobs.Pipeline) { jobs.Read(p, badSplit{}).WriteTSV() }).Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Inputs[0].Split(plan.Object{Root: "mem://x", Key: "k", Size: 10}, 5)
	wantError(t, err, "mem://x/k", "byte 3", "2 bytes")
}

func TestRangesCoverObjectsOnce(t *testing.T) {
	t.Parallel()
	for _, record := range []int64{1, 7, 100} {
		for size := int64(0); size < 2000; size += 13 {
			for _, target := range []int64{1, 50, 333, 5000} {
				var end int64
				for _, s := range jobs.Ranges(jobs.Object{Name: "o", Size: size}, target, record) {
					if s.Offset != end || s.Length <= 0 || s.Offset%record != 0 {
						t.Fatalf("size %d, target %d, record %d: section %+v after byte %d", size, target, record, s, end)
					}
					if s.Length > 2*target+record {
						t.Errorf("size %d, target %d: a section of %d bytes", size, target, s.Length)
					}
					end += s.Length
				}
				if end != size {
					t.Fatalf("size %d, target %d, record %d: sections end at %d", size, target, record, end)
				}
			}
		}
	}
}

func TestOutputNames(t *testing.T) {
	t.Parallel()
	ext := func(f func(p *jobs.Pipeline)) (string, bool) {
		t.Helper()
		p, err := build(f).Build(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return p.Outputs[0].Ext, p.Outputs[0].Compressible
	}
	if e, c := ext(func(p *jobs.Pipeline) { counted(p).WriteTSV() }); e != ".tsv" || !c {
		t.Errorf("WriteTSV makes %s, compressible %v", e, c)
	}
	if e, c := ext(func(p *jobs.Pipeline) { jobs.ReadLines(p).Write(text.Lines{}) }); e != ".txt" || !c {
		t.Errorf("Lines makes %s, compressible %v", e, c)
	}
}
