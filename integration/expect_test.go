package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestExpectationsInTheSameWords verifies that run and submit refuse to publish the same
// outputs, in the same words and with the same exit status; that what they staged can be
// read, published and discarded, by its place and, on a cluster, by the job; and that
// readers of the output do not see it until then.
func TestExpectationsInTheSameWords(t *testing.T) {
	t.Parallel()
	in, master := file(t, "in.txt", "a\nb\nb\n"), startDev(t)
	ways := map[string][]string{"run": {"run", "wordcount"}, "submit": {"submit", "wordcount", "--master", master}}
	for verb, way := range ways {
		args := func(out string, more ...string) []string {
			return append(append(slices.Clip(way), "--input", in, "--out", out), more...)
		}
		out := filepath.Join(t.TempDir(), "out")
		must(t, plain, args(out, "--expect", "records = 2", "--expect", "change <= 0%", "--expect", "bad <= 0%")...)
		old := must(t, plain, "cat", out)
		const unmet = "expected records >= 3: there are 2; count(none) >= 1: it is 0; the output is staged: windrow cat --staged file://"
		expect := []string{"--on-exists", "append", "--expect", "records >= 3", "--expect", "count(none) >= 1", "--expect", "records <= 2"}
		r := do(t, plain, args(out, expect...)...)
		if r.code != 8 || !strings.Contains(r.stderr, unmet) {
			t.Fatalf("%s: exit %d, %s", verb, r.code, r.stderr)
		}
		if got := must(t, plain, "cat", out); got != old {
			t.Errorf("%s: the contents are %q, and were %q", verb, got, old)
		}
		if _, err := os.Stat(filepath.Join(out, "_SUCCESS")); !os.IsNotExist(err) {
			t.Errorf("%s: _SUCCESS is there while parts are staged: %v", verb, err)
		}
		const both = "a\t1\na\t1\nb\t2\nb\t2\n"
		if got := sorted(must(t, plain, "cat", "--staged", out)); got != both {
			t.Errorf("%s: staged is %q", verb, got)
		}
		if got := must(t, plain, "head", "-n", "9", "-o", "csv", "--staged", out); strings.Count(got, "b") < 2 {
			t.Errorf("%s: head shows %q", verb, got)
		}
		if r := do(t, plain, args(out, "--on-exists", "append")...); r.code != 6 || !strings.Contains(r.stderr, "publish or discard") {
			t.Errorf("%s: another job: exit %d, %s", verb, r.code, r.stderr)
		}
		id := regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{26}\b`).FindString(r.stderr)
		if verb == "submit" {
			if r := do(t, plain, "retry", id, "--master", master); r.code != 6 || !strings.Contains(r.stderr, "publish or discard") {
				t.Errorf("retry: exit %d, %s", r.code, r.stderr)
			}
			must(t, plain, "publish", id, "--master", master)
			must(t, plain, "publish", id, "--master", master) // as by a second click
			if r := do(t, plain, "discard", id, "--master", master); r.code != 5 || !strings.Contains(r.stderr, "nothing is staged") {
				t.Errorf("discard of what is published: exit %d, %s", r.code, r.stderr)
			}
			if got := must(t, plain, "get", id, "--master", master); !strings.Contains(got, "expected records >= 3") {
				t.Errorf("get says %s", got)
			}
		} else if r := do(t, plain, "publish", out); r.code != 0 || !strings.Contains(r.stderr, "is published: 4 records in file://"+out) {
			t.Errorf("publish: exit %d, %s", r.code, r.stderr)
		}
		if got := sorted(must(t, plain, "cat", out)); got != both {
			t.Errorf("%s: published is %q", verb, got)
		}
		if got, err := os.ReadFile(filepath.Join(out, "_SUCCESS")); err != nil || !strings.Contains(string(got), id) {
			t.Errorf("%s: _SUCCESS is %q, %v", verb, got, err)
		}
		if r := do(t, plain, args(out, "--on-exists", "replace", "--expect", "change <= 10%", "--expect", "records >= 9")...); r.code != 8 || strings.Contains(r.stderr, "change") {
			t.Errorf("%s, replacing: exit %d, %s", verb, r.code, r.stderr)
		}
		must(t, plain, "discard", out)
		if got := sorted(must(t, plain, "cat", out)); got != both {
			t.Errorf("%s: after it was discarded the contents are %q", verb, got)
		}
		if r := do(t, plain, "publish", out); r.code != 5 || !strings.Contains(r.stderr, "nothing is staged") {
			t.Errorf("publish of nothing: exit %d, %s", r.code, r.stderr)
		}
		for text, says := range map[string]string{"records > 1": `--expect: expectation "records > 1"`, "records(x) >= 1": "one output, which has no name"} {
			if r := do(t, plain, args(filepath.Join(t.TempDir(), "none"), "--expect", text)...); r.code != 2 || !strings.Contains(r.stderr, says) {
				t.Errorf("%s --expect %q: exit %d, %s", verb, text, r.code, r.stderr)
			}
		}
	}
	for text, code := range map[string]int{"records >= 1": 0, "records(x) >= 1": 2} {
		if r := do(t, plain, "plan", "wordcount", "--input", in, "--out", filepath.Join(t.TempDir(), "none"), "--expect", text); r.code != code {
			t.Errorf("plan --expect %q: exit %d, %s", text, r.code, r.stderr)
		}
	}
}
