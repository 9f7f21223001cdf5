package integration

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/store/s3/s3test"
)

// goSource returns the source of Go's standard library: real text that exists
// wherever these tests run.
func goSource(t *testing.T) string {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(root)), "src")
}

// goTexts are the ends of the names of goTexts in Go's source. It also has zip archives,
// UTF-16 and others, which a job that reads text refuses.
var goTexts = []string{".go", ".s", ".txt", ".md", ".c", ".html"}

// TestWordCountOfGo counts the words of Go's source in several ways. It
// verifies that all of them agree with the simple count.
func TestWordCountOfGo(t *testing.T) {
	t.Parallel()
	want := sorted(must(t, countwords, append([]string{goSource(t)}, goTexts...)...))
	input := []string{"run", "wordcount"}
	for _, suffix := range goTexts {
		input = append(input, "--input", goSource(t)+"/**/*"+suffix)
	}
	s3 := s3test.Start(t)
	for name, args := range map[string][]string{
		"files":                        {"--out", filepath.Join(t.TempDir(), "words")},
		"bucket":                       {"--out", s3With(s3, "words")},
		"50 partitions, little memory": {"--out", filepath.Join(t.TempDir(), "words"), "--partitions", "50", "--memory", "64MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			must(t, plain, append(slices.Clone(input), args...)...)
			if got := sorted(must(t, plain, "cat", args[1])); got != want {
				t.Errorf("%d bytes of counts differ from the simple count's %d bytes", len(got), len(want))
			}
		})
	}
}

// s3With adds a key to a bucket's URL.
func s3With(url, key string) string {
	bucket, query, _ := strings.Cut(url, "?")
	return bucket + "/" + key + "?" + query
}

// TestCoreutils compares with tr, sort and uniq, which are independent
// programs.
func TestCoreutils(t *testing.T) {
	t.Parallel()
	in := filepath.Join(goSource(t), "net", "http", "server.go")
	out := filepath.Join(t.TempDir(), "out")
	must(t, windrow, "run", "wordcount", "--input", in, "--out", out, "--split-size", "5KiB")
	shell := exec.CommandContext(t.Context(), "sh", "-c",
		`tr -s ' \t\n\v\f\r' '\n' < "$1" | sed '/^$/d' | sort | uniq -c | sed -E 's/^ *([0-9]+) (.*)$/\2\t\1/' | sort`, "sh", in)
	shell.Env = append(os.Environ(), "LC_ALL=C")
	want, err := shell.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := sorted(must(t, windrow, "cat", out)); got != sorted(string(want)) {
		t.Errorf("got %d bytes, tr | sort | uniq -c gives %d", len(got), len(want))
	}
}

// TestChain verifies that a job reads the compressed output of another, through
// a bucket.
func TestChain(t *testing.T) {
	t.Parallel()
	s3 := s3test.Start(t)
	in := file(t, "in.txt", "b\na\nc\nb\n")
	must(t, windrow, "run", "sort", "--input", in, "--out", s3With(s3, "sorted"), "--compress", "gzip", "--partitions", "2")
	if got := must(t, windrow, "cat", s3With(s3, "sorted")); got != "a\nb\nb\nc\n" {
		t.Errorf("sorted %q", got)
	}
	out := filepath.Join(t.TempDir(), "out")
	must(t, windrow, "run", "wordcount", "--input", s3With(s3, "sorted"), "--out", out, "--compress", "zstd")
	if got := sorted(must(t, windrow, "cat", out)); got != "a\t1\nb\t2\nc\t1\n" {
		t.Errorf("counted %q", got)
	}
	if names := visible(t, out); len(names) != 1 || !strings.HasSuffix(names[0], ".zst") {
		t.Errorf("parts are %v", names)
	}
}

// TestReport verifies the output of -o json, and that the card does not go to
// standard output.
func TestReport(t *testing.T) {
	t.Parallel()
	in := file(t, "in.txt", "to be or\nnot to be\n")
	r := do(t, windrow, "run", "wordcount", "--input", in, "--out", filepath.Join(t.TempDir(), "out"), "-o", "json")
	var got struct {
		Job            string
		Input, Written struct{ Records, Bytes int64 }
		Parts          []struct {
			Name    string
			Records int64
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
		t.Fatalf("%v\n%s%s", err, r.stdout, r.stderr)
	}
	if got.Job != "wordcount" || got.Input.Records != 2 || got.Input.Bytes != 19 || got.Written.Records != 4 || len(got.Parts) != 1 {
		t.Errorf("report %+v", got)
	}
	if !strings.Contains(r.stderr, "read") || strings.Contains(r.stderr, "requests") {
		t.Errorf("no card on standard error: %q", r.stderr)
	}
	if r := do(t, windrow, "run", "wordcount", "--input", in, "--out", filepath.Join(t.TempDir(), "out"), "--quiet"); r.stdout+r.stderr != "" {
		t.Errorf("--quiet prints %q", r.stdout+r.stderr)
	}
}

// TestJobs verifies that the jobs are listed, and that a job's help shows its
// parameters.
func TestJobs(t *testing.T) {
	t.Parallel()
	list := must(t, windrow, "jobs")
	for _, name := range []string{"wordcount", "grep", "sort", "measurements", "teragen", "terasort", "teravalidate"} {
		if !strings.Contains(list, "\n"+name) {
			t.Errorf("%s is not listed:\n%s", name, list)
		}
	}
	var reports []struct{ Name string }
	if err := json.Unmarshal([]byte(must(t, windrow, "jobs", "-o", "json")), &reports); err != nil || len(reports) < 7 {
		t.Errorf("-o json: %v, %d jobs", err, len(reports))
	}
	if help := must(t, windrow, "run", "grep", "--help"); !strings.Contains(help, "--pattern") {
		t.Errorf("the help of grep does not show its parameter:\n%s", help)
	}
}

// TestParameterFlags verifies both ways to set a parameter.
func TestParameterFlags(t *testing.T) {
	t.Parallel()
	in := file(t, "in.txt", "apple\nbanana\ncherry\n")
	for _, args := range [][]string{{"--param", "pattern=an+a"}, {"--pattern", "an+a"}} {
		out := filepath.Join(t.TempDir(), "out")
		must(t, windrow, slices.Concat([]string{"run", "grep", "--input", in, "--out", out}, args)...)
		if got := must(t, windrow, "cat", out); got != "banana\n" {
			t.Errorf("%v kept %q", args, got)
		}
	}
}

// TestVersion verifies the form of the version.
func TestVersion(t *testing.T) {
	t.Parallel()
	if v := must(t, windrow, "version"); !strings.HasPrefix(v, "github.com/windrow-mr/windrow ") || !strings.Contains(v, runtime.Version()) {
		t.Errorf("version %q", v)
	}
}

// TestHiddenInput verifies that objects which are skipped are counted.
func TestHiddenInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"a.txt": "a\n", "_b.txt": "b\n", ".c.txt": "c\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "out")
	r := do(t, windrow, "run", "wordcount", "--input", dir, "--out", out)
	if got := must(t, windrow, "cat", out); got != "a\t1\n" || !strings.Contains(r.stderr, "2 objects or directories whose names begin with _ or .") {
		t.Errorf("counted %q, reported %q", got, r.stderr)
	}
}

// TestGlob verifies that a pattern reads the objects that it names.
func TestGlob(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"2026-01/a.log", "2026-02/b.log", "2026-02/c.txt", "2025-12/d.log"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name[len(name)-5:len(name)-4]+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "out")
	must(t, windrow, "run", "wordcount", "--input", filepath.Join(dir, "2026-*", "*.log"), "--out", out)
	if got := sorted(must(t, windrow, "cat", out)); got != "a\t1\nb\t1\n" {
		t.Errorf("counted %q", got)
	}
}

// lines returns a scanner over a text, for tests that look at one line at a
// time.
func lines(text string) *bufio.Scanner { return bufio.NewScanner(strings.NewReader(text)) }
