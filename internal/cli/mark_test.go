package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOnlyProgramsWithJobsAreStarted submits files that are no programs of windrow, by
// mistake. None is started: it could do anything when it gets the words that ask for
// its jobs. `submit /bin/ls` listed files.
func TestOnlyProgramsWithJobsAreStarted(t *testing.T) {
	t.Parallel()
	_, url := master(t)
	u := newUser(t, "WINDROW_MASTER", url)
	dir := t.TempDir()
	started := filepath.Join(dir, "started")
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho '[]' >"+started+"\necho '[]'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	pkg := filepath.Join(dir, "pkg")
	if err := os.Mkdir(pkg, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"main.go": "package main\n\nimport \"os\"\n\nfunc main() { os.WriteFile(\"" + started + "\", nil, 0o600) }\n",
		"go.mod":  "module example.com/x\n\ngo 1.26\n",
	} {
		if err := os.WriteFile(filepath.Join(pkg, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{script, pkg} {
		code, _, stderr := u.do(t, "submit", path, "--input", "s3://in/x", "--out", "s3://out/x")
		if code != exitInvalid || !strings.Contains(stderr, path+" is not a program with jobs, and was not started") || !strings.Contains(stderr, "windrow.Main") {
			t.Errorf("%s: status %d, %s", path, code, stderr)
		}
	}
	if _, err := os.Stat(started); err == nil {
		t.Error("a program was started")
	}
}
