package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/bench/inputs"
	"github.com/windrow-mr/windrow/bench/measure"
	"github.com/windrow-mr/windrow/bench/measure/measuretest"
)

// TestSmallGrowth measures all series once, as a user would, into a document.
func TestSmallGrowth(t *testing.T) {
	t.Parallel()
	measuretest.ReadSources(t, "../..")
	dir, docs := t.TempDir(), t.TempDir()
	doc, plots := filepath.Join(docs, "doc.md"), filepath.Join(docs, "plots")
	if err := os.WriteFile(doc, []byte("<!-- growth: measured -->\n<!-- growth: end -->\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	if code := command([]string{"-size", "small", "-runs", "1", "-dir", dir, "-doc", doc, "-plots", plots}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), stdout.String()) {
		t.Errorf("the document is not what was printed:\n%s\nprinted:\n%s", text, stdout.String())
	}
	rows := 0
	for line := range strings.Lines(stdout.String()) {
		if cells := strings.Split(line, "|"); strings.HasPrefix(line, "| wordcount") || strings.HasPrefix(line, "| terasort") {
			rows++
			for i, c := range cells[2 : len(cells)-3] { // all but spills and requests
				if c = strings.TrimSpace(c); c == "0" || c == "0.00" || c == "" {
					t.Errorf("figure %d is %q: %s", i+1, c, line)
				}
			}
		}
	}
	if want := 2*5 + 2*2 + 2*2 + 3; rows != want {
		t.Errorf("%d rows, want %d:\n%s", rows, want, stdout.String())
	}
	for _, s := range allSeries(sizes()[0]) {
		svg, err := os.ReadFile(filepath.Join(plots, s.file()))
		if err != nil {
			t.Fatal(err)
		}
		wantPicture(t, string(svg), s.name)
	}
	measuretest.WantEmpty(t, dir)
}

// wantPicture verifies that the XML is well-formed and says what it shows.
func wantPicture(t *testing.T, svg, says string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Errorf("%v in\n%s", err, svg)
			return
		}
	}
	if !strings.HasPrefix(svg, "<svg ") || !strings.Contains(svg, says) || strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Errorf("no picture of %s:\n%s", says, svg)
	}
}

// TestInterruptRemovesFiles verifies that an interrupt stops the programs and
// leaves no files.
func TestInterruptRemovesFiles(t *testing.T) {
	t.Parallel()
	measuretest.Interrupt(t, syscall.SIGTERM, "making input", measuretest.Build(t), "-series", "objects")
}

func TestTimeoutEnds(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	code := command([]string{"-timeout", "1ms", "-dir", t.TempDir()}, io.Discard, &stderr)
	if code != measure.ExitFailed || !strings.Contains(stderr.String(), "-timeout") {
		t.Errorf("exit code %d, %q; want 1 and a word about -timeout", code, stderr.String())
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-size", "big"}, {"-runs", "0"}, {"-series", "data,nap"}, {"-series", ""}, {"-timeout", "0"}, {"data"}, {"-nap"}} {
		if code := command(args, io.Discard, io.Discard); code != measure.ExitUsage {
			t.Errorf("%q: exit code %d, want %d", args, code, measure.ExitUsage)
		}
	}
	o, err := parse([]string{"-series", "objects,data", "-size", "full"}, io.Discard)
	if err != nil || len(o.series) != 2 || o.series[0].name != "data" || o.series[1].name != "objects" {
		t.Fatalf("options %+v (%v)", o, err)
	}
	words, many := o.series[0].lines[0].points, o.series[1].lines[0].points
	if words[0].bytes != 1e8 || words[len(words)-1].bytes != 1e10 || many[len(many)-1].objects != 1e5 || many[0].objects != 1 {
		t.Errorf("full size grows from %d to %d bytes and from %d to %d objects, want 0.1 to 10 GB and 1 to 100,000",
			words[0].bytes, words[len(words)-1].bytes, many[0].objects, many[len(many)-1].objects)
	}
}

func TestInputsHoldTheBaseOverAndOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	base := filepath.Join(dir, "base")
	const text, longest = "one two\nthree\nfour  five six\n", 15
	if err := os.WriteFile(base, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for n, test := range []struct {
		size, files int64
		want        string // of all files, one after the other
		words       int64
	}{
		{int64(len(text)), 1, text, 6},
		{int64(2 * len(text)), 1, text + text, 12},
		{int64(len(text)), 3, text, 6},
		{20, 1, "one two\nthree\nfour  five six\n", 6}, // the line that reaches the size is whole
		{14, 1, "one two\nthree\n", 3},
		{int64(3 * len(text)), 7, text + text + text, 18},
	} {
		path := filepath.Join(dir, "in", strings.Repeat("x", n+1))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		in, err := makeInput(t.Context(), base, path, inputs.Words, test.size, test.files)
		if err != nil {
			t.Fatal(err)
		}
		names := []string{path}
		if test.files > 1 {
			if names, err = filepath.Glob(filepath.Join(path, "*")); err != nil || int64(len(names)) != test.files {
				t.Errorf("%d files (%v), want %d", len(names), err, test.files)
			}
		}
		var got strings.Builder
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got.Write(text)
			if most := test.size/test.files + longest; int64(len(text)) > most {
				t.Errorf("%d bytes in %d files: %s holds %d, want %d at most: want files of about one size", test.size, test.files, name, len(text), most)
			}
		}
		if got.String() != test.want || in.words != test.words || in.bytes != int64(len(test.want)) {
			t.Errorf("%d bytes in %d files: %q with %d words and %d bytes, want %q with %d", test.size, test.files, got.String(), in.words, in.bytes, test.want, test.words)
		}
	}
}

func TestChecksFindWhatIsWrong(t *testing.T) {
	t.Parallel()
	record := func(key string) string { return key + strings.Repeat(".", recordSize-len(key)) }
	for _, test := range []struct {
		job  job
		text string
		in   input
		says string
	}{
		{wordcount(), "b\t2\na\t10\n", input{words: 12}, ""},
		{wordcount(), "", input{}, ""},
		{wordcount(), "b\t2\na\t10\n", input{words: 13}, "add up to 12 words"},
		{wordcount(), "b\t2\nb\t10\n", input{words: 12}, "twice"},
		{wordcount(), "b\tx\n", input{words: 12}, "no digit"},
		{terasort(), record("aaaaaaaaaa") + record("aaaaaaaaab"), input{bytes: 200}, ""},
		{terasort(), record("aaaaaaaaaa") + record("aaaaaaaaab"), input{bytes: 300}, "3 records in the input"},
		{terasort(), record("aaaaaaaaab") + record("aaaaaaaaaa"), input{bytes: 200}, "is before"},
		{terasort(), record("aaaaaaaaab") + "a", input{bytes: 100}, "1 records and 1 bytes"},
	} {
		c := checkOf(test.job)
		var err error
		for i := range len(test.text) { // a byte at a time: writes end anywhere
			if _, err = io.WriteString(c, test.text[i:i+1]); err != nil {
				break
			}
		}
		if err == nil {
			err = c.complete(test.in)
		}
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%.30q: error %v, want %q", test.text, err, test.says)
		}
	}
}

// TestWhatDoesNotFitIsSaid verifies that a series without room is reported.
func TestWhatDoesNotFitIsSaid(t *testing.T) {
	t.Parallel()
	g := &grower{log: io.Discard, room: 5e9}
	g.size, g.dir = sizes()[2], t.TempDir()
	s := series{name: "data", x: "input, GB", unit: 1e9, lines: []line{{job: terasort(), points: []point{{x: 3e9, bytes: 3e9, objects: 1}}}}}
	if err := g.line(t.Context(), "", &s.lines[0]); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	g.write(&out, &s)
	if !strings.Contains(out.String(), "Left out is terasort at 3: it needs 14 GB of files, and there is room for 5.") {
		t.Errorf("table\n%s", out.String())
	}
	wantPicture(t, s.plot().svg(), "nothing was measured")
}

// TestPlotPlacesPoints verifies that equal ratios are equal distances on
// logarithmic axes.
func TestPlotPlacesPoints(t *testing.T) {
	t.Parallel()
	used := func(d time.Duration) []measure.Usage { return []measure.Usage{{CPU: d, Wall: d}} }
	s := series{name: "slots", x: "slots", unit: 1, linear: true, lines: []line{{job: wordcount(), points: []point{
		{x: 1, runs: used(time.Second)}, {x: 10, runs: used(10 * time.Second)}, {x: 100, runs: used(100 * time.Second)}}}}}
	p := s.plot()
	a, ok := p.axes()
	if !ok {
		t.Fatal("no axes")
	}
	for _, d := range []struct {
		name             string
		from, middle, to float64
	}{{"x", a.px(1), a.px(10), a.px(100)}, {"y", a.py(100), a.py(10), a.py(1)}} {
		if gap := (d.middle - d.from) - (d.to - d.middle); d.from >= d.middle || gap > 1e-6 || gap < -1e-6 {
			t.Errorf("%s: %v, %v and %v are not equally far", d.name, d.from, d.middle, d.to)
		}
	}
	if a.px(1) < left || a.px(100) > left+plotWidth || a.py(1) > top+plotHeight || a.py(100) < top {
		t.Errorf("points are outside of the frame: %+v", a)
	}
	svg := p.svg()
	wantPicture(t, svg, "linear")
	if circles := strings.Count(svg, "<circle"); circles != 2*3 {
		t.Errorf("%d dots, want 3 of wall and 3 of CPU time", circles)
	}
}
