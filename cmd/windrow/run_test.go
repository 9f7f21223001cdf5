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

// asProgram, set in the environment, runs the test binary as the program under
// test: the library that parses command lines takes one at a time.
const asProgram = "WINDROW_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	// A job process does not inherit its worker's environment.
	if os.Getenv(asProgram) != "" || len(os.Args) == 2 && os.Args[1] == jobproc.Verb {
		main()
		return
	}
	s3test.SetCredentials()
	azuretest.SetCredentials()
	os.Exit(m.Run())
}

// windrow runs the program in its own process.
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

// must runs a command that must succeed, and returns what it printed.
func must(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := windrow(t, args...)
	if code != 0 {
		t.Fatalf("windrow %s: exit %d\n%s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// in adds a key to the URL of a bucket.
func in(url, key string) string {
	bucket, query, _ := strings.Cut(url, "?")
	return bucket + "/" + key + "?" + query
}

// text writes an input of words. It returns the path, the lines in order, and the
// number of each word, one a line and in order.
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

// fakeS3 starts an S3 server in this process behind a handler. The server ignores
// the condition of create-once on objects in parts.
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

// corpus is an input, and the outputs of jobs on it.
type corpus struct{ path, sorted, counted string }

func newCorpus(t *testing.T) corpus {
	t.Helper()
	path, sorted, counted := text(t, 200_000)
	if len(sorted) < 9<<20 {
		t.Fatalf("%d bytes fit into one part", len(sorted))
	}
	return corpus{path, sorted, counted}
}

// newSmallCorpus returns a corpus that fits into one part.
func newSmallCorpus(t *testing.T) corpus {
	t.Helper()
	path, sorted, counted := text(t, 20_000)
	return corpus{path, sorted, counted}
}

// run sorts a corpus into a store, and counts its words from there. at returns the
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
		t.Errorf("counted: %d bytes, want %d, or different ones", len(got), len(c.counted))
	}
}

// TestRunOnFileStore verifies the outputs on files. The tests of other stores
// expect the same.
func TestRunOnFileStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, at := newSmallCorpus(t), func(key string) string { return filepath.Join(dir, key) }
	c.run(t, at)
	c.runPacked(t, at)
}

// TestRunWithoutMultipartOnce verifies that the output is right on a store that
// ignores the condition of create-once on objects in parts.
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

// TestRunRefusesStoreWithoutCreateOnce verifies that a run commits nothing and
// leaves nothing on a store that ignores the condition of create-once.
func TestRunRefusesStoreWithoutCreateOnce(t *testing.T) {
	t.Parallel()
	var puts []string
	url := fakeS3(t, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
		r.Header.Del("If-None-Match")
		if r.Method == http.MethodPut || r.Method == http.MethodPost {
			puts = append(puts, r.URL.Path) // the probe writes one after another
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
		t.Error("the store was not probed")
	}
}

// refused verifies that a job is refused whose output is in a store that ignores
// create-once.
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
