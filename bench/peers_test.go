package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/bench/measure"
)

func TestSameMeasurements(t *testing.T) {
	t.Parallel()
	want := filepath.Join(t.TempDir(), "want")
	if err := os.WriteFile(want, []byte("a\t-1.0/0.5/2.0\nb\t3.0/3.1/3.2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ got, says string }{
		{"a\t-1.0\t0.5\t2.0\nb\t3.0\t3.0501\t3.2\n", ""},
		{"a\t-1.0\t0.45\t2.0\nb\t3.0\t3.15\t3.2\n", ""},
		{"a\t-1.0\t0.5\t2.0\nb\t3.0\t3.16\t3.2\n", "line 2"},
		{"a\t-1.1\t0.5\t2.0\nb\t3.0\t3.1\t3.2\n", "line 1"},
		{"a\t-1.0\t0.5\t2.1\nb\t3.0\t3.1\t3.2\n", "line 1"},
		{"c\t-1.0\t0.5\t2.0\nb\t3.0\t3.1\t3.2\n", "line 1"},
		{"a\t-1.0\tNaN\t2.0\nb\t3.0\t3.1\t3.2\n", "line 1"},
		{"a\t-1.0\t0.5\t2.0\n", "ends before line 2"},
		{"a\t-1.0\t0.5\t2.0\nb\t3.0\t3.1\t3.2\nc\t1\t1\t1\n", "continues"},
		{"", "ends before line 1"},
	} {
		err := sameMeasurements(t.Context(), want, strings.NewReader(test.got))
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: error %v, want %q", test.got, err, test.says)
		}
	}
}

// TestSortIsAPeer runs the peer that every system with GNU coreutils has, on
// input that is already in order: its floor would write the same bytes.
func TestSortIsAPeer(t *testing.T) {
	t.Parallel()
	d := &driver{dir: t.TempDir()}
	j := job{library: "terasort", memory: 64 << 20, peer: gnuSort}
	d.jobs = []job{j}
	if err := d.findPeers(t.Context()); err != nil {
		if strings.Contains(err.Error(), "coreutils") {
			t.Log("no GNU sort here: ", err)
			return
		}
		t.Fatal(err)
	}
	if !strings.Contains(d.versions, "GNU coreutils") {
		t.Errorf("versions %q", d.versions)
	}
	sorted, mixed := filepath.Join(d.dir, "sorted"), filepath.Join(d.dir, "mixed")
	for name, text := range map[string]string{sorted: "A 1\nB 2\na 3\n", mixed: "a 3\nB 2\nA 1\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(d.dir, "out")
	if u, err := d.peer(t.Context(), &j, []string{mixed}, sorted, out); err != nil || u.Wall <= 0 {
		t.Errorf("used %v (%v)", u, err)
	}
	if _, err := d.peer(t.Context(), &j, []string{mixed}, mixed, out); err == nil || !strings.Contains(err.Error(), "line 1 at offset 0") {
		t.Errorf("error %v, want one about line 1: the floor's output is in another order", err)
	}
}

func TestStatementsQuotePaths(t *testing.T) {
	t.Parallel()
	sql := statements(&job{library: "wordcount", memory: 1 << 30}, []string{"/it's/in"}, "/out", "/scratch")
	if !strings.Contains(sql, "read_csv('/it''s/in'") || !strings.Contains(sql, "memory_limit='1024MiB'") {
		t.Errorf("statements %s", sql)
	}
}

func TestPeersThatAreMissing(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	code := command([]string{"-peers", "-duckdb", filepath.Join(t.TempDir(), "none"), "-size", "small"}, &stderr, &stderr)
	if code != measure.ExitFailed || !strings.Contains(stderr.String(), "make bench-peers") {
		t.Errorf("exit code %d, %q; want 1 and how to install it", code, stderr.String())
	}
}
