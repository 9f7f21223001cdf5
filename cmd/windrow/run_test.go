package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/azure/azuretest"
	"github.com/windrow-mr/windrow/store/s3/s3test"
	"github.com/windrow-mr/windrow/worker/jobproc"
)

// asProgram, set in the environment, makes the test binary the program under
// test: the library that parses command lines takes one at a time.
const asProgram = "WINDROW_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	// A job process has nothing of its worker's environment.
	if os.Getenv(asProgram) != "" || len(os.Args) == 2 && os.Args[1] == jobproc.Verb {
		main()
		return
	}
	s3test.SetCredentials()
	azuretest.SetCredentials()
	os.Exit(m.Run())
}

// windrow runs the program in a process of its own.
func windrow(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), asProgram+"=yes", "GORACE=halt_on_error=1 exitcode=66")
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// must runs a command that has to succeed and returns what it printed.
func must(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := windrow(t, args...)
	if code != 0 {
		t.Fatalf("windrow %s: exit %d\n%s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// in puts a key into the URL of a bucket.
func in(url, key string) string {
	bucket, query, _ := strings.Cut(url, "?")
	return bucket + "/" + key + "?" + query
}

// text writes an input of words, and returns its path, its lines in order, and
// how often it has each word, one a line and in order.
func text(t *testing.T, lines int) (path, sorted, counted string) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	counts := map[string]int{}
	all := make([]string, lines)
	for i := range all {
		words := make([]string, 1+r.IntN(12))
		for j := range words {
			words[j] = fmt.Sprintf("w%06d", r.IntN(200)*r.IntN(200)*r.IntN(20))
			counts[words[j]]++
		}
		all[i] = strings.Join(words, " ")
	}
	path = filepath.Join(t.TempDir(), "input.txt")
	if err := os.WriteFile(path, []byte(strings.Join(all, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	var rows []string
	for w, n := range counts {
		rows = append(rows, fmt.Sprintf("%s\t%d\n", w, n))
	}
	slices.Sort(rows)
	return path, strings.Join(all, "\n") + "\n", strings.Join(rows, "")
}

// fakeS3 starts an S3 server in this process behind a front. It ignores the
// condition of create-once on objects in parts.
func fakeS3(t *testing.T, front func(w http.ResponseWriter, r *http.Request, server http.Handler)) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("test"); err != nil {
		t.Fatal(err)
	}
	inner := gofakes3.New(backend).Server()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { front(w, r, inner) }))
	t.Cleanup(server.Close)
	return "s3://test?region=us-east-1&use_path_style=true&endpoint=" + server.URL
}

// listed returns the keys of a bucket.
func listed(t *testing.T, url string) (keys []string) {
	t.Helper()
	root, err := store.Open(t.Context(), url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for o, err := range root.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

// corpus is an input, and what comes out.
type corpus struct{ path, sorted, counted string }

func newCorpus(t *testing.T) corpus {
	t.Helper()
	path, sorted, counted := text(t, 200_000)
	if len(sorted) < 9<<20 {
		t.Fatalf("%d bytes fit into one part", len(sorted))
	}
	return corpus{path, sorted, counted}
}

// newSmallCorpus is for what needs no objects in parts.
func newSmallCorpus(t *testing.T) corpus {
	t.Helper()
	path, sorted, counted := text(t, 20_000)
	return corpus{path, sorted, counted}
}

// run sorts a corpus into a store, and counts its words from there; at gives the
// URL of a key.
func (c corpus) run(t *testing.T, at func(key string) string) {
	t.Helper()
	must(t, "run", "sort", "--input", c.path, "--out", at("sorted"), "--partitions", "1")
	if got := must(t, "cat", at("sorted")); got != c.sorted {
		t.Errorf("sorted: %d bytes, want %d, or in another order", len(got), len(c.sorted))
	}
	must(t, "run", "wordcount", "--input", at("sorted"), "--out", at("words"), "--split-size", "1MiB", "--partitions", "3")
	lines := strings.SplitAfter(must(t, "cat", at("words")), "\n")
	slices.Sort(lines)
	if got := strings.Join(lines, ""); got != c.counted {
		t.Errorf("counted: %d bytes, want %d, or others", len(got), len(c.counted))
	}
}

// TestRunOnFileStore is what the other kinds of stores are held against: all
// must give what text says.
func TestRunOnFileStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, at := newSmallCorpus(t), func(key string) string { return filepath.Join(dir, key) }
	c.run(t, at)
	c.runPacked(t, at)
}

// TestRunWithoutMultipartOnce: a store that ignores the condition of
// create-once on objects in parts gets right output all the same.
func TestRunWithoutMultipartOnce(t *testing.T) {
	t.Parallel()
	url := fakeS3(t, func(w http.ResponseWriter, r *http.Request, server http.Handler) { server.ServeHTTP(w, r) })
	c, at := newCorpus(t), func(key string) string { return in(url, key) }
	c.run(t, at)
	newSmallCorpus(t).runPacked(t, at)
	if code, _, stderr := windrow(t, "run", "sort", "--input", c.path, "--out", in(url, "sorted"), "--partitions", "1"); code == 0 {
		t.Errorf("a second run wrote over the first: %s", stderr)
	}
}

// TestRunRefusesHeedlessStore: nothing is committed to a store that ignores the
// condition of create-once altogether, and nothing stays there.
func TestRunRefusesHeedlessStore(t *testing.T) {
	t.Parallel()
	var puts []string
	url := fakeS3(t, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
		r.Header.Del("If-None-Match")
		if r.Method == http.MethodPut || r.Method == http.MethodPost {
			puts = append(puts, r.URL.Path) // one after another: the probe
		}
		server.ServeHTTP(w, r)
	})
	path, _, _ := text(t, 10)
	refused(t, path, url)
	for _, p := range puts {
		if !strings.Contains(p, "/_windrow/probe/") {
			t.Errorf("%s was written", p)
		}
	}
	if len(puts) == 0 {
		t.Error("nobody looked")
	}
}

// refused runs a job with output to a store that ignores create-once.
func refused(t *testing.T, input, url string) {
	t.Helper()
	code, stdout, stderr := windrow(t, "run", "wordcount", "--input", input, "--out", in(url, "out"))
	if code == 0 || stdout != "" {
		t.Errorf("exit %d, printed %q", code, stdout)
	}
	for _, want := range []string{"s3://test/out", "does not honour create-once", "Write to another store"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q does not say %q", stderr, want)
		}
	}
	if keys := listed(t, url); len(keys) != 0 {
		t.Errorf("left behind: %q", keys)
	}
}
