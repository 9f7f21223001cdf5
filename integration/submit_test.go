package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// answer is what the program submits prints.
type answer struct {
	ID, Kind, Error, Text string
	Known                 bool
	Uploads, Lines        int
	Fraction              float64
}

// static builds a program as workers can run it.
func static(t *testing.T, pkg string, more ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), filepath.Base(pkg))
	build := exec.CommandContext(t.Context(), "go", slices.Concat([]string{"build", noDebug, "-o", out}, more, []string{pkg})...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	return out
}

// submitter runs the program submits for a cluster, without contexts of the user.
func submitter(t *testing.T, program, master string) func(args ...string) answer {
	home := t.TempDir()
	return func(args ...string) (a answer) {
		t.Helper()
		cmd := command(t, program, args...)
		cmd.Env = append(cmd.Env, "WINDROW_MASTER="+master, "HOME="+home, "XDG_CONFIG_HOME="+home)
		r := finish(t, cmd)
		if err := json.Unmarshal([]byte(r.stdout), &a); r.code != 0 || err != nil {
			t.Fatalf("%q: exit %d, %v: %s", args, r.code, err, r.stderr)
		}
		return a
	}
}

// TestSubmitFromGo verifies that a program submits a job of its own, waits for it and
// reads its output, that the cluster gets the program once, and that a key returns the
// same job to another process, also when a value of Once has changed.
func TestSubmitFromGo(t *testing.T) {
	t.Parallel()
	program, in, out := static(t, "./submits"), file(t, "in.txt", "to be or\nnot to be\n"), t.TempDir()
	do := submitter(t, program, startDev(t))
	const counted = "be\t2\nnot\t1\nor\t1\nto\t2\n"
	first := do("-in", in, "-out", out+"/1", "-key", "k")
	if first.Error != "" || sorted(first.Text) != counted || first.Lines != 4 || first.Known || first.Uploads != 1 || first.Fraction != 1 {
		t.Errorf("the first time: %+v", first)
	}
	if again := do("-in", in, "-out", out+"/1", "-key", "k"); again.ID != first.ID || !again.Known || again.Uploads != 0 || sorted(again.Text) != counted {
		t.Errorf("with the same key: %+v, want %s", again, first.ID)
	}
	if next := do("-in", in, "-out", out+"/2"); next.ID == first.ID || next.Known || next.Uploads != 0 || sorted(next.Text) != counted {
		t.Errorf("the next job: %+v", next)
	}
	if clash := do("-in", in, "-out", out+"/3", "-key", "k"); clash.Kind != "conflict" || !strings.Contains(clash.Error, first.ID) {
		t.Errorf("another submission with the key: %+v", clash)
	}
	dated := do("-job", "dated", "-in", in, "-out", out+"/4", "-key", "d")
	if again := do("-job", "dated", "-in", in, "-out", out+"/4", "-key", "d"); dated.Error != "" || again.ID != dated.ID || !again.Known {
		t.Errorf("with the same key and another time of day: %+v, want %s (%s)", again, dated.ID, dated.Error)
	}
	if built := do("-package", "./submits", "-in", in, "-out", out+"/5"); built.Error != "" || sorted(built.Text) != counted || built.Uploads != 1 {
		t.Errorf("a package: %+v", built)
	}
}

// TestFilesAreShipped verifies that functions read the files that were shipped with a job
// by their names, under run, submit and Submit, and that the error for a missing one is
// the same everywhere.
func TestFilesAreShipped(t *testing.T) {
	t.Parallel()
	program, in, out, master := static(t, "./submits"), file(t, "in.txt", "you\nall\n"), t.TempDir(), startDev(t)
	greeting := file(t, "greeting.txt", "hello ")
	do := submitter(t, program, master)
	const greeted = "hello all\t1\nhello you\t1\n"
	const missing = `there is no file "greeting": no files were shipped with the job; name it with --file greeting=PATH`
	for _, verb := range []string{"run", "submit"} {
		args := []string{verb, "greets", "--input", in, "--out", filepath.Join(out, verb)}
		if verb == "submit" {
			args = append(args, "--master", master)
		}
		if r := finish(t, command(t, program, args...)); r.code != 1 || !strings.Contains(r.stderr, missing) {
			t.Errorf("%s without the file: exit %d, %s", verb, r.code, r.stderr)
		}
		must(t, program, append(args, "--file", "greeting="+greeting)...)
		if got := sorted(must(t, program, "cat", filepath.Join(out, verb))); got != greeted {
			t.Errorf("%s: %q", verb, got)
		}
		for arg, says := range map[string]string{"greeting": "is not of the form NAME=PATH", "a=" + in + "/none": "file a: open", "a=" + out: "is not a file"} {
			if r := finish(t, command(t, program, append(args, "--file", arg)...)); r.code != 2 || !strings.Contains(r.stderr, says) {
				t.Errorf("%s --file %s: exit %d, %s", verb, arg, r.code, r.stderr)
			}
		}
	}
	if a := do("-job", "greets", "-in", in, "-out", out+"/go", "-file", greeting, "-key", "g"); sorted(a.Text) != greeted {
		t.Errorf("from Go: %+v", a)
	}
	if err := os.WriteFile(greeting, []byte("bye "), 0o600); err != nil {
		t.Fatal(err)
	}
	if a := do("-job", "greets", "-in", in, "-out", out+"/go", "-file", greeting, "-key", "g"); a.Kind != "conflict" {
		t.Errorf("another file with the same key: %+v", a)
	}
}

// TestSubmitFromGoFails verifies that a job that a program submits fails with the kind
// and the words of Run, and that a program that workers could not use is refused before
// anything is sent.
func TestSubmitFromGoFails(t *testing.T) {
	t.Parallel()
	program, in, out := static(t, "./submits"), file(t, "in.txt", "to be\nbad line\n"), t.TempDir()
	do := submitter(t, program, startDev(t))
	for name, c := range map[string]struct {
		kind, says string
		args       []string
	}{
		"a function fails": {"failed", "failed: task map/0: Map main.strict failed on the record at byte 6 of file://" + in + ": the line is not good", []string{"-job", "fails", "-in", in}},
		"no input":         {"not found", "/nothing: there is no such object, directory or prefix", []string{"-in", out + "/nothing"}},
		"no output":        {"invalid", "no output: name one with --out", []string{"-in", in, "-out", ""}},
		"a wrong option":   {"invalid", "attempts -1", []string{"-attempts", "-1", "-in", in}},
	} {
		for _, how := range []string{"run", "submit"} {
			a := do(append([]string{"-out", filepath.Join(out, how, name), "-how", how}, c.args...)...)
			if a.Kind != c.kind || !strings.Contains(a.Error, c.says) {
				t.Errorf("%s, %s: %s, %q, want %s and %q", name, how, a.Kind, a.Error, c.kind, c.says)
			}
		}
	}
	for name, c := range map[string]struct {
		kind, says string
		args       []string
	}{
		"another job":        {"invalid", "not the one of this name that windrow.Init got", []string{"-how", "other", "-in", in, "-out", out + "/b"}},
		"another package":    {"invalid", "../plan/nearest is not a package main", []string{"-package", "../plan/nearest", "-in", in, "-out", out + "/c"}},
		"not a job process":  {"invalid", "./countwords is a program that workers cannot start", []string{"-package", "./countwords", "-in", in, "-out", out + "/d"}},
		"cancelled":          {"cancelled", "was cancelled", []string{"-job", "hangs", "-how", "cancel", "-in", in, "-out", out + "/e"}},
		"the caller ends it": {"canceled", "continues", []string{"-how", "leave", "-in", in, "-out", out + "/f"}},
	} {
		if a := do(c.args...); a.Kind != c.kind || !strings.Contains(a.Error, c.says) {
			t.Errorf("%s: %s, %q, want %s and %q", name, a.Kind, a.Error, c.kind, c.says)
		}
	}
}

// TestSubmitWithoutInit verifies that a program that workers could not start is refused,
// with what it lacks, and that a program that only submits packages is not taken for one
// that workers can start.
func TestSubmitWithoutInit(t *testing.T) {
	t.Parallel()
	program, in := static(t, "./submits", "-tags", "noinit"), file(t, "in.txt", "to be\n")
	do := submitter(t, program, "http://127.0.0.1:1") // no master is needed
	if a := do("-in", in, "-out", t.TempDir()); a.Kind != "invalid" || !strings.Contains(a.Error, "must begin with windrow.Init") || !strings.Contains(a.Error, "SubmitOptions.Package") {
		t.Errorf("%+v", a)
	}
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	for _, mark := range []string{"\x1ewindrow: this program answers for its jobs\x1e", "\x1ewindrow: this program can run tasks of its jobs\x1e"} {
		if strings.Contains(string(text), mark) {
			t.Errorf("the program has the mark %q", mark)
		}
	}
}

// TestSubmittedChain runs the program of the manual that chains two jobs, twice: the second time
// the same jobs answer.
func TestSubmittedChain(t *testing.T) {
	t.Parallel()
	program, in, out, master := static(t, "../docs/chain"), file(t, "in.txt", "to be or\nnot to be\nto\n"), t.TempDir(), startDev(t)
	for range 2 {
		cmd := command(t, program, "-in", in, "-out", out, "-day", "monday")
		cmd.Env = append(cmd.Env, "WINDROW_MASTER="+master, "HOME="+out, "XDG_CONFIG_HOME="+out)
		if r := finish(t, cmd); r.code != 0 || r.stdout != "-3\tto\n-2\tbe\n-1\tor\n" {
			t.Errorf("exit %d, %q: %s", r.code, r.stdout, r.stderr)
		}
	}
	if listed := must(t, plain, "ls", "--master", master, "-o", "json"); strings.Count(listed, `"id"`) != 2 {
		t.Errorf("the jobs are %s", listed)
	}
}
