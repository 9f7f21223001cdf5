package integration

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/store/s3/s3test"
)

// truncatedGzip returns the first half of a compressed text.
func truncatedGzip(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for i := range 10000 {
		if _, err := w.Write([]byte{byte(i), byte(i * 7), byte(i * i), '\n'}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()[:b.Len()/2]
}

// TestBadInput verifies that a user who makes a common mistake gets an exit
// status, a sentence that names the mistake, no stack, and no output.
func TestBadInput(t *testing.T) {
	t.Parallel()
	good := file(t, "good.txt", "a b\n")
	long := file(t, "long.txt", strings.Repeat("x", 20<<20))
	gz := file(t, "cut.gz", truncatedGzip(t))
	four := file(t, "four.txt", "a\nb\nc\nd\n")
	const out = "OUT" // placeholder for a fresh directory
	for name, c := range map[string]struct {
		program *string
		args    []string
		code    int
		words   []string
	}{
		"missing input":     {&windrow, []string{"wordcount", "--input", "/nowhere/at/all.txt", "--out", out}, 5, []string{"/nowhere/at"}},
		"missing pattern":   {&windrow, []string{"wordcount", "--input", filepath.Dir(good) + "/*.csv", "--out", out}, 5, []string{"*.csv", "no objects"}},
		"empty directory":   {&windrow, []string{"wordcount", "--input", t.TempDir(), "--out", out}, 5, []string{"no objects"}},
		"no input":          {&windrow, []string{"wordcount", "--out", out}, 2, []string{"--input"}},
		"no output":         {&windrow, []string{"wordcount", "--input", good}, 2, []string{"--out"}},
		"truncated gzip":    {&windrow, []string{"wordcount", "--input", gz, "--out", out}, 1, []string{"cut.gz", "unexpected EOF"}},
		"long record":       {&windrow, []string{"wordcount", "--input", long, "--out", out}, 1, []string{"long.txt", "byte 0", "limit"}},
		"unwritable output": {&windrow, []string{"wordcount", "--input", good, "--out", "/proc/windrow"}, 0, []string{"/proc"}},
		"output is a file":  {&windrow, []string{"wordcount", "--input", good, "--out", four}, 0, []string{"four.txt"}},
		"unknown job":       {&windrow, []string{"wordcuont", "--input", good, "--out", out}, 2, []string{`"wordcuont"`, `"wordcount"`}},
		"unknown parameter": {&windrow, []string{"grep", "--input", good, "--out", out, "--param", "patern=x"}, 2, []string{"patern", "pattern"}},
		"missing parameter": {&windrow, []string{"grep", "--input", good, "--out", out}, 2, []string{"pattern"}},
		"bad parameter":     {&windrow, []string{"grep", "--input", good, "--out", out, "--pattern", "("}, 2, []string{"pattern", "missing closing )"}},
		"parameter form":    {&windrow, []string{"grep", "--input", good, "--out", out, "--param", "pattern"}, 2, []string{"NAME=VALUE"}},
		"unknown flag":      {&windrow, []string{"wordcount", "--inptu", good, "--out", out}, 2, []string{"--inptu", "--input"}},
		"extra argument":    {&windrow, []string{"wordcount", "--input", good, "--out", out, "more"}, 2, []string{`"more"`}},
		"bad scheme":        {&windrow, []string{"wordcount", "--input", "ftp://host/x", "--out", out}, 2, []string{"ftp", "s3"}},
		"bad memory":        {&windrow, []string{"wordcount", "--input", good, "--out", out, "--memory", "lots"}, 2, []string{"--memory", "lots"}},
		"little memory":     {&windrow, []string{"wordcount", "--input", good, "--out", out, "--memory", "1MiB"}, 2, []string{"1 MiB", "64 MiB"}},
		"many slots":        {&windrow, []string{"wordcount", "--input", good, "--out", out, "--slots", "100", "--memory", "256MiB"}, 2, []string{"6.2 GiB", "256 MiB"}},
		"bad slots":         {&windrow, []string{"wordcount", "--input", good, "--out", out, "--slots", "-1"}, 2, []string{"--slots"}},
		"bad partitions":    {&windrow, []string{"wordcount", "--input", good, "--out", out, "--partitions", "0"}, 2, []string{"--partitions"}},
		"bad split size":    {&windrow, []string{"wordcount", "--input", good, "--out", out, "--split-size", "-5"}, 2, []string{"--split-size"}},
		"bad mode":          {&windrow, []string{"wordcount", "--input", good, "--out", out, "--on-exists", "merge"}, 2, []string{"merge", "replace"}},
		"bad compression":   {&windrow, []string{"wordcount", "--input", good, "--out", out, "--compress", "rar"}, 2, []string{"rar", "zstd"}},
		"bad format":        {&windrow, []string{"wordcount", "--input", good, "--out", out, "-o", "/tmp/x"}, 2, []string{"--out"}},
		"out inside in":     {&windrow, []string{"wordcount", "--input", filepath.Dir(good), "--out", filepath.Dir(good)}, 2, []string{"--out"}},
		"output in memory":  {&windrow, []string{"wordcount", "--input", good, "--out", "mem://x"}, 2, []string{"mem://"}},
		"input twice":       {&windrow, []string{"wordcount", "--input", good, "--input", good, "--out", out}, 2, []string{"twice"}},
		"odd size":          {&windrow, []string{"wordcount", "--input", good, "--out", out, "--memory", "1km"}, 2, []string{"1km"}},
		"many tasks":        {&windrow, []string{"wordcount", "--input", long, "--out", out, "--split-size", "1"}, 2, []string{"--split-size", "map tasks"}},
		"user error":        {&testjobs, []string{"fails", "--input", four, "--out", out, "--at", "c"}, 1, []string{"four.txt", "byte 4", "the line is not good"}},
		"user panic":        {&testjobs, []string{"panics", "--input", four, "--out", out, "--at", "c"}, 1, []string{"four.txt", "byte 4", "out of cheese"}},
		"no S3 in binary":   {&testjobs, []string{"hot", "--input", "s3://bucket/x", "--out", out}, 2, []string{"store/s3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "out")
			args := []string{"run"}
			for _, a := range c.args {
				if a == out {
					a = dir
				}
				args = append(args, a)
			}
			r := do(t, *c.program, args...)
			if c.code == 0 && r.code == 0 || c.code != 0 && r.code != c.code {
				t.Errorf("exit %d, want %d", r.code, c.code)
			}
			for _, w := range c.words {
				if !strings.Contains(r.stderr, w) {
					t.Errorf("the error does not say %q", w)
				}
			}
			if strings.Contains(r.stderr, "goroutine ") || strings.Contains(r.stdout, "goroutine ") {
				t.Error("the error shows a stack")
			}
			if names := visible(t, dir); len(names) > 0 {
				t.Errorf("left visible: %v", names)
			}
			if t.Failed() {
				t.Logf("%s\n%s", strings.Join(args, " "), r.stderr)
			}
		})
	}
}

// TestUnknownCommand verifies the messages for mistakes at the top level.
func TestUnknownCommand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		code int
		word string
	}{
		{[]string{"rum"}, 2, `"run"`},
		{[]string{"--halp"}, 2, "--help"},
		{[]string{"cat"}, 2, "no output or input named"},
		{[]string{"cat", t.TempDir()}, 5, "holds no objects"},
		{[]string{"cat", "/nowhere/at/all"}, 5, "/nowhere/at/all"},
		{[]string{"jobs", "x"}, 2, `"x"`},
		{[]string{"run"}, 2, "no job named"},
	} {
		if r := do(t, windrow, c.args...); r.code != c.code || !strings.Contains(r.stderr, c.word) {
			t.Errorf("%v: exit %d, want %d; %q does not say %q", c.args, r.code, c.code, r.stderr, c.word)
		}
	}
	if r := do(t, windrow, "--help"); r.code != 0 || !strings.Contains(r.stdout, "Exit status") {
		t.Errorf("--help: exit %d, %q", r.code, r.stdout)
	}
}

// TestStoreWithoutCreateOnce verifies that a run refuses a bucket that accepts
// the condition of a create-once and ignores it.
func TestStoreWithoutCreateOnce(t *testing.T) {
	t.Parallel()
	s3test.SetCredentials()
	objects := map[string][]byte{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPut:
			var b bytes.Buffer
			if _, err := b.ReadFrom(r.Body); err != nil {
				t.Error(err)
			}
			objects[r.URL.Path] = b.Bytes()
			w.Header().Set("ETag", `"x"`)
		case http.MethodGet, http.MethodHead:
			b, ok := objects[r.URL.Path]
			if !ok && strings.Trim(r.URL.Path, "/") != "b" {
				w.WriteHeader(http.StatusNotFound)
			}
			_, _ = w.Write(b)
		}
	}))
	t.Cleanup(server.Close)
	in := file(t, "in.txt", "a\n")
	r := do(t, windrow, "run", "wordcount", "--input", in, "--out", "s3://b/out?region=us-east-1&use_path_style=true&endpoint="+server.URL)
	if r.code == 0 || !strings.Contains(r.stderr, "create-once") && !strings.Contains(r.stderr, "cannot commit safely") {
		t.Errorf("exit %d, %q", r.code, r.stderr)
	}
}

// TestChangedInput verifies that a job fails when its input is overwritten
// meanwhile.
func TestChangedInput(t *testing.T) {
	t.Parallel()
	in := file(t, "in.txt", "stop\n"+strings.Repeat("a b c\n", 1<<20))
	out := filepath.Join(t.TempDir(), "out")
	r := do(t, testjobs, "run", "rewrites", "--input", in, "--out", out, "--at", "stop", "--split-size", "1MiB", "--slots", "1")
	if r.code != 1 || !strings.Contains(r.stderr, "in.txt") || !strings.Contains(r.stderr, "not the version") && !strings.Contains(r.stderr, "changed") {
		t.Errorf("exit %d, %q", r.code, r.stderr)
	}
	if _, err := os.Stat(filepath.Join(out, "_SUCCESS")); err == nil {
		t.Error("the output is marked as a success")
	}
}
