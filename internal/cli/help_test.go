package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs/library"
)

// helped runs a command line that reaches no cluster.
func helped(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return newUser(t).do(t, args...)
}

// TestHelpShowsFlagsAndJobs verifies that a user learns from the help of run, plan and
// submit which jobs there are, what they do, and which flags they take.
func TestHelpShowsFlagsAndJobs(t *testing.T) {
	t.Parallel()
	for command, flags := range map[string][]string{
		"run":    {"--input", "--out", "--memory", "--chaos-seed"},
		"plan":   {"--input", "--out", "--memory", "--text"},
		"submit": {"--input", "--out", "--label", "--detach", "--master", "--token-file"},
	} {
		code, stdout, stderr := helped(t, command, "--help")
		if code != exitOK || stderr != "" {
			t.Errorf("%s --help: exit %d: %s", command, code, stderr)
		}
		for _, job := range library.All() {
			if job.Description() == "" || !strings.Contains(stdout, job.Description()) {
				t.Errorf("%s --help does not say what %s does: %q", command, job.Name(), job.Description())
			}
		}
		for _, flag := range flags {
			if !strings.Contains(stdout, "   "+flag) {
				t.Errorf("%s --help does not list %s:\n%s", command, flag, stdout)
			}
		}
		if _, job, _ := helped(t, command, "grep", "--help"); !strings.Contains(job, "--pattern") && !strings.Contains(job, "regular expression") {
			t.Errorf("%s grep --help does not show the job's parameters", command)
		}
	}
}

// TestHelpOfAnything verifies that help can be asked for in any order of words, and that
// a topic that does not exist is a mistake, with exit status 2.
func TestHelpOfAnything(t *testing.T) {
	t.Parallel()
	for line, tt := range map[string]struct {
		code int
		says string // on standard output for help, else on standard error
	}{
		"help":                        {exitOK, "COMMANDS:"},
		"--help":                      {exitOK, "COMMANDS:"},
		"help help":                   {exitOK, "show the help of a command"},
		"h ls":                        {exitOK, "windrow ls"},
		"help run grep":               {exitOK, "--pattern"},
		"run --help grep":             {exitOK, "--pattern"},
		"run grep -h":                 {exitOK, "--pattern"},
		"run grep --input x --help":   {exitOK, "--pattern"},
		"logs 01JD/map/7 --help":      {exitOK, "windrow logs"},
		"workers drain w --help":      {exitOK, "windrow workers drain"},
		"help rnu":                    {exitInvalid, `unknown command "rnu"; did you mean "run"?`},
		"--help rnu":                  {exitInvalid, `did you mean "run"?`},
		"help xyzzy":                  {exitInvalid, `unknown command "xyzzy"; there are`},
		"help run gerp":               {exitInvalid, `unknown job "gerp"; did you mean "grep"?`},
		"run --help gerp":             {exitInvalid, `unknown job "gerp"`},
		"help workers lss":            {exitInvalid, `unknown command "lss"; did you mean "ls"?`},
		"help completion fsh":         {exitInvalid, `unknown shell "fsh"`},
		"jobs nope":                   {exitInvalid, `unexpected argument "nope"`},
		"context nope":                {exitInvalid, `unknown command "nope"; there are ls, use`},
		"run nope --help":             {exitInvalid, `unknown job "nope"`},
		"-v":                          {exitInvalid, "unknown flag -v\n"},
		"run grep --partition 3":      {exitInvalid, "unknown flag --partition; did you mean --partitions?"},
		"submit grep --label foo":     {exitInvalid, `--label "foo" is not of the form NAME=VALUE`},
		"submit grep --label =foo":    {exitInvalid, `--label "=foo" is not of the form NAME=VALUE`},
		"submit nosuch --label a=foo": {exitInvalid, `unknown job "nosuch"`},
	} {
		words := strings.Fields(line)
		if strings.Contains(line, "--label") {
			words = append(words, "--pattern", "x", "--input", "s3://in", "--out", "s3://out", "--master", "http://127.0.0.1:1")
		}
		code, stdout, stderr := helped(t, words...)
		said := stdout
		if tt.code != exitOK {
			said = stderr
		}
		if code != tt.code || !strings.Contains(said, tt.says) {
			t.Errorf("windrow %s: exit %d, want %d and %q: %s%s", line, code, tt.code, tt.says, stdout, stderr)
		}
	}
}

// twoJobs is a program with two jobs. One has a constructor that refuses a parameter.
const twoJobs = `package main

import (
	"errors"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
)

type params struct {
	Least int ` + "`help:\"the least number that counts\"`" + `
}

func main() {
	windrow.Main(jobs.Define("joins", params{1}, func(p *jobs.Pipeline, a params) error {
		if a.Least < 0 {
			return errors.New("least is less than nothing")
		}
		a1, b1 := jobs.ReadLines(p).Named("orders"), jobs.ReadLines(p).Named("users")
		key := func(line []byte) []byte { return line }
		jobs.KeyBy(a1, key).Merge(jobs.KeyBy(b1, key)).Fold(func(a, _ []byte) []byte { return a }).WriteTSV()
		return nil
	}).Described("join orders and users"), jobs.New("second", func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
		emit(line, 1)
		return nil
	}, jobs.Sum))
}
`

// TestHelpOfAJobInAPackage verifies that the parameters of a job are shown before it is
// submitted, whatever package it is in, and that errors about it are those of submit: a
// user knows no command that windrow gives to the program.
func TestHelpOfAJobInAPackage(t *testing.T) {
	t.Parallel()
	pkg, err := os.MkdirTemp(".", "testdata-two-jobs-") // within the module, which it imports
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(pkg) })
	if err := os.WriteFile(filepath.Join(pkg, "main.go"), []byte(twoJobs), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "two")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", program, "./"+pkg)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	for line, wants := range map[string][]string{
		"--help":        {"joins", "join orders and users", "second", "submit the job second", "--label"},
		"joins --help":  {"--least", "the least number that counts", "orders, users: give each as --input NAME=URL", "--label"},
		"joins x -h":    {"--least"},
		"second --help": {"--input", "--label"},
	} {
		code, stdout, stderr := helped(t, append([]string{"submit", program}, strings.Fields(line)...)...)
		if code != exitOK {
			t.Errorf("%s: exit %d: %s", line, code, stderr)
		}
		for _, want := range wants {
			if !strings.Contains(stdout, want) {
				t.Errorf("submit PROGRAM %s does not show %q:\n%s", line, want, stdout)
			}
		}
	}
	if _, stdout, _ := helped(t, "submit", "./"+pkg, "joins", "--help"); !strings.Contains(stdout, "--least") {
		t.Errorf("the help of a package does not show the parameters of its job:\n%s", stdout)
	}
	_, url := master(t)
	u := newUser(t, "WINDROW_MASTER", url)
	code, _, stderr := u.do(t, "submit", program, "joins", "--least", "-1", "--input", "orders=s3://in/x", "--input", "users=s3://in/y", "--out", "s3://out/x")
	if code != exitInvalid || !strings.Contains(stderr, "job joins: least is less than nothing") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	for _, word := range []string{"describe", "-o json", "two: two"} {
		if strings.Contains(stderr, word) {
			t.Errorf("the error shows %q, which is no business of the user: %s", word, stderr)
		}
	}

	list := exec.CommandContext(t.Context(), program, "jobs", "-o", "json")
	said, err := list.Output()
	var all []jobReport
	if err == nil {
		err = json.Unmarshal(said, &all)
	}
	if err != nil || len(all) != 2 || all[0].Description != "join orders and users" || strings.Join(all[0].Inputs, " ") != "orders users" {
		t.Errorf("the list of jobs is %s (%v)", said, err)
	}
	text, err := exec.CommandContext(t.Context(), program, "jobs").Output()
	for _, want := range []string{"join orders and users", "--input users=URL", "least"} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("the list of jobs does not show %q: %s (%v)", want, text, err)
		}
	}
}
