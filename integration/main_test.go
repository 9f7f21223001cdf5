package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// noDebug leaves out of programs the tables that debuggers read, a third of the linker's work.
const noDebug = "-ldflags=-s -w"

// The programs under test, built once.
var (
	windrow    string // with the race detector, and failpoints
	plain      string // as users build it
	testjobs   string // a binary with jobs of its own, see testjobs/
	countwords string // an oracle, see countwords/
)

func TestMain(m *testing.M) {
	// Under nohup, the processes that tests start would inherit that SIGHUP is
	// ignored; a signal that is caught is not inherited.
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "windrow-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	windrow, plain, testjobs = filepath.Join(dir, "race", "windrow"), filepath.Join(dir, "windrow"), filepath.Join(dir, "testjobs")
	countwords = filepath.Join(dir, "countwords")
	for _, args := range [][]string{
		{"build", noDebug, "-race", "-tags", "failpoint", "-o", windrow, "../cmd/windrow"},
		{"build", noDebug, "-o", plain, "../cmd/windrow"},
		{"build", noDebug, "-o", testjobs, "./testjobs"},
		{"build", noDebug, "-o", countwords, "./countwords"},
	} {
		build := exec.Command("go", args...)
		if args[len(args)-1] == "./testjobs" { // which workers run, too
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
		}
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go %s: %v\n%s", strings.Join(args, " "), err, out)
			return 1
		}
	}
	return m.Run()
}

// result describes how a process ended.
type result struct {
	code           int // exit status, -1 when a signal ended it
	stdout, stderr string
	took           time.Duration
}

// command prepares a process; it is killed when the test ends.
func command(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "WINDROW_") || strings.HasPrefix(v, "GOMEMLIMIT")
	}), "GORACE=halt_on_error=1 exitcode=66")
	return cmd
}

// finish runs a command to its end.
func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &stdout
	}
	cmd.Stderr = &stderr
	start := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, context.Canceled) {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), time.Since(start)}
}

// do runs a program to its end.
func do(t *testing.T, program string, args ...string) result {
	t.Helper()
	return finish(t, command(t, program, args...))
}

// must runs a program that has to succeed and returns its output.
func must(t *testing.T, program string, args ...string) string {
	t.Helper()
	r := do(t, program, args...)
	if r.code != 0 {
		t.Fatalf("%s %s: exit %d\n%s", filepath.Base(program), strings.Join(args, " "), r.code, r.stderr)
	}
	return r.stdout
}

// sorted returns the lines of a text in order.
func sorted(text string) string {
	lines := strings.SplitAfter(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// file writes an input file and returns its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// visible returns the names that a tool would take for data when it lists a
// local output directory.
func visible(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "_") && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}
