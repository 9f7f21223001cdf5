package measure

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// script writes a program to run.
func script(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestExecuteMeasures(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "program")
	script(t, program, `i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo "$1"`)
	var out bytes.Buffer
	u, err := Execute(t.Context(), &out, program, "hello")
	if err != nil || out.String() != "hello\n" {
		t.Fatalf("output %q (%v)", out.String(), err)
	}
	if u.CPU <= 0 || u.Wall <= 0 || u.Memory < 100<<10 || u.Memory > 4<<30 {
		t.Errorf("used %+v", u)
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Execute(stopped, &out, program); !errors.Is(err, context.Canceled) {
		t.Errorf("after an interrupt: %v", err)
	}
}

// TestExecuteLeavesOutTuning is not parallel: it sets a variable of this
// process.
func TestExecuteLeavesOutTuning(t *testing.T) {
	t.Setenv("GOGC", "off")
	program := filepath.Join(t.TempDir(), "program")
	script(t, program, `echo "<$GOGC>"`)
	var out bytes.Buffer
	if _, err := Execute(t.Context(), &out, program); err != nil || out.String() != "<>\n" {
		t.Errorf("GOGC is %q in the program (%v)", out.String(), err)
	}
}

func TestReplaceBlock(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "doc.md")
	const before, after = "# Title\n<!-- a: measured -->\n", "<!-- a: end -->\nmore\n<!-- b: measured -->\nkept\n<!-- b: end -->\n"
	if err := os.WriteFile(name, []byte(before+"old\n"+after), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"new\nlines\n", "newer\n"} {
		if err := ReplaceBlock(name, "a", text); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != before+text+after {
			t.Errorf("document %q (%v), want %q between its lines", got, err, text)
		}
	}
	if err := ReplaceBlock(name, "c", "x"); err == nil || !strings.Contains(err.Error(), "<!-- c: measured -->") {
		t.Errorf("error %v, want one about the line that is not there", err)
	}
}
