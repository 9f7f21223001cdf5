package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeep(t *testing.T) {
	t.Parallel()
	doc := filepath.Join(t.TempDir(), "doc.md")
	const before, after = "Text.\n\n<!-- a: measured -->\n", "<!-- a: end -->\nMore.\n"
	if err := os.WriteFile(doc, []byte(before+"old\n"+after), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(t.Context(), []string{doc, "a"}, strings.NewReader("BenchmarkX 1\n\tBenchmarkY 2\n"), &out); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(doc)
	if err != nil || string(kept) != before+out.String()+after {
		t.Errorf("document %q (%v), printed %q", kept, err, out.String())
	}
	for _, says := range []string{"Commit ", "Load", "\n    BenchmarkX 1\n    BenchmarkY 2\n"} {
		if !strings.Contains(out.String(), says) {
			t.Errorf("%q is without %q", out.String(), says)
		}
	}
	if err := run(t.Context(), []string{doc, "a"}, strings.NewReader(" \n"), &out); err == nil || !strings.Contains(err.Error(), "no figures") {
		t.Errorf("error %v, want one about figures that are missing", err)
	}
	if again, err := os.ReadFile(doc); err != nil || string(again) != string(kept) {
		t.Errorf("document %q (%v) after a failure", again, err)
	}
	if err := run(t.Context(), []string{doc}, strings.NewReader("x"), &out); !errors.Is(err, errUsage) {
		t.Errorf("error %v, want how to use it", err)
	}
}
