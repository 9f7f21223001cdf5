package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// startDev starts a cluster in one process, and returns the URL of its master.
func startDev(t *testing.T) string {
	t.Helper()
	cmd := command(t, plain, "dev", "--root", t.TempDir(), "--listen", "127.0.0.1:0", "--cgroup", "off", "--cache", t.TempDir(), "--slots", "1", "--memory", "256MiB")
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	found, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(found)
		address := regexp.MustCompile(`--master (\S+)`)
		for lines := bufio.NewScanner(said); lines.Scan(); {
			if m := address.FindStringSubmatch(lines.Text()); m != nil {
				select {
				case found <- m[1]:
				default:
				}
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		_ = cmd.Wait() // it was asked to end
	})
	url, ok := <-found
	if !ok {
		t.Fatal("windrow dev ended at once")
	}
	return url
}

// TestLeftOutInTheSameWords verifies that run, plan, submit, watch, get and the API report
// the same objects as left out, in the same words, that a cluster's job processes read the
// same objects as run, whatever their names, and that a refusal says the same everywhere.
func TestLeftOutInTheSameWords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"a.txt": "a\n", "bad\xff.txt": "b\n", "deep/c[1].txt": "c\n", "_year=2026/d.txt": "d\n", "_x.txt": "no\n", ".hidden/e.txt": "no\n", "_tmp/f.txt": "no\n", "line\nfeed.txt": "g\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"l.txt": "a.txt", "dead": "none", "loop": "."} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	const words = "3 objects or directories whose names begin with _ or ., 1 symbolic link that leads nowhere, 1 pipe, socket or device"
	const want = "a\t1\nb\t1\nc\t1\nd\t1\ng\t1\n"
	master := startDev(t)
	out := func() string { return filepath.Join(t.TempDir(), "out") }
	ran, submitted := out(), out()
	shown := map[string]string{
		"plan":   must(t, plain, "plan", "wordcount", "--input", dir, "--out", out()),
		"run":    do(t, plain, "run", "wordcount", "--input", dir, "--out", ran).stderr,
		"submit": do(t, plain, "submit", "wordcount", "--input", dir, "--out", submitted, "--master", master).stderr,
	}
	for who, out := range map[string]string{"run": ran, "submit": submitted} {
		if got := sorted(must(t, plain, "cat", out)); got != want {
			t.Errorf("%s counts %q, want %q: %s", who, got, want, shown[who])
		}
	}
	id := regexp.MustCompile(`job (\w{26})`).FindStringSubmatch(shown["submit"])
	if id == nil {
		t.Fatalf("submit shows no job: %s", shown["submit"])
	}
	shown["get"] = must(t, plain, "get", id[1], "--master", master)
	for who, text := range shown {
		if !strings.Contains(text, "left out") || !strings.Contains(text, words) {
			t.Errorf("%s does not say %q: %s", who, words, text)
		}
	}
	type counts struct {
		LeftOut   int
		LeftOutBy struct{ Hidden, Links, Special int }
	}
	var fromRun, fromPlan counts
	var fromGet struct{ Progress counts }
	for _, asked := range []struct {
		into any
		args []string
	}{
		{&fromRun, []string{"run", "wordcount", "--input", dir, "--out", out(), "-o", "json"}},
		{&fromPlan, []string{"plan", "wordcount", "--input", dir, "--out", out(), "-o", "json"}},
		{&fromGet, []string{"get", id[1], "--master", master, "-o", "json"}},
	} {
		if err := json.Unmarshal([]byte(must(t, plain, asked.args...)), asked.into); err != nil {
			t.Fatal(err)
		}
	}
	if fmt.Sprint(fromRun) != "{5 {3 1 1}}" || fromPlan != fromRun || fromGet.Progress != fromRun {
		t.Errorf("in JSON: run %v, plan %v, get %v", fromRun, fromPlan, fromGet.Progress)
	}
	// A link that leads out of the directory is refused everywhere, in the same words.
	if err := os.Symlink("/etc", filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	const refusal = "a symbolic link leads out of the directory that is read: name its target instead, or remove it"
	for _, args := range [][]string{{"plan", "wordcount"}, {"run", "wordcount"}, {"submit", "wordcount", "--master", master}} {
		r := do(t, plain, append(args, "--input", dir, "--out", out())...)
		if r.code != 2 || !strings.Contains(r.stderr, refusal) || !strings.Contains(r.stderr, dir+"/out") {
			t.Errorf("%s: exit %d: %s", args[0], r.code, r.stderr)
		}
	}
	for _, args := range [][]string{{"plan", "wordcount"}, {"run", "wordcount"}, {"submit", "wordcount", "--master", master}} {
		r := do(t, plain, append(args, "--input", filepath.Join(dir, "bad\xff.txt"), "--out", out())...)
		if r.code != 2 || !strings.Contains(r.stderr, "is not UTF-8: name the directory") {
			t.Errorf("%s of a name that is not UTF-8: exit %d: %s", args[0], r.code, r.stderr)
		}
	}
}
