package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/bench/inputs"
)

func TestSameRows(t *testing.T) {
	t.Parallel()
	d := &driver{dir: t.TempDir()}
	want, got := filepath.Join(d.dir, "want"), filepath.Join(d.dir, "got")
	for _, test := range []struct{ got, says string }{
		{"b\t2\t0.5\na\t1\t100.25\n", ""},
		{"a\t1\t100.25000000001\nb\t2\t5e-1\n", ""},
		{"a\t1\t100.250001\nb\t2\t0.5\n", "line 1"},
		{"a\t2\t100.25\nb\t2\t0.5\n", "line 1"},
		{"a\t1\t100.25\nc\t2\t0.5\n", "line 2"},
		{"a\t1\t100.25\nb\t2\tNaN\n", "line 2"},
		{"a\t1\t100.25\nb\t2\t0.5\t1\n", "line 2"},
		{"a\t1\t100.25\n", "ends before line 2"},
		{"a\t1\t100.25\nb\t2\t0.5\nb\t2\t0.5\n", "continues"},
	} {
		for name, text := range map[string]string{want: "a\t1\t100.25\nb\t2\t0.5\n", got: test.got} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := d.sameRows(t.Context(), want, got)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%q: error %v, want %q", test.got, err, test.says)
		}
	}
}

// TestTopOf verifies that words of equal counts are in order, as in the output top.
func TestTopOf(t *testing.T) {
	t.Parallel()
	got, err := topOf(newPlain(strings.NewReader("a\t1\nb\t9\nc\t3\nd\t4\ne\t5\nf\t6\ng\t7\nh\t8\ni\t1\nj\t10\nk\t3\nl\t3\n")))
	const want = "j\t10\nb\t9\nh\t8\ng\t7\nf\t6\ne\t5\nd\t4\nc\t3\nk\t3\nl\t3\n"
	if err != nil || got != want {
		t.Errorf("top %q, want %q (%v)", got, want, err)
	}
}

func TestQueriesNameFiles(t *testing.T) {
	t.Parallel()
	join := job{input: inputs.Orders, with: inputs.Products, query: joinQuery}
	sql := tableQuery(&join, []string{"/it's/orders", "/products"})
	for _, part := range []string{"FROM read_csv('/it''s/orders', columns={'number'", "JOIN read_csv('/products', columns={'product'"} {
		if !strings.Contains(sql, part) {
			t.Errorf("no %q in %s", part, sql)
		}
	}
	for _, j := range allJobs() {
		if j.query != "" && strings.Contains(strings.ReplaceAll(tableQuery(&j, []string{"/a", "/b"}), "columns={'", ""), "{") {
			t.Errorf("%s: a table has no file", j.name)
		}
	}
}

func TestRoom(t *testing.T) {
	t.Parallel()
	full := sizes()[2]
	if least := full.room(allJobs()); least < 6*50*full.groups {
		t.Errorf("room for %d bytes is too little for the table of groups", least)
	}
	if most := full.room([]job{{input: inputs.Words}}); most != 6e9 {
		t.Errorf("room for %d bytes of words, want 6e9", most)
	}
}
