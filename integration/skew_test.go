package integration

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// TestSkewIsReported verifies that run, submit, get and counters name, in the same words,
// the key that makes one task of a Reduce or of a join do far more than the others, with
// the share that a loop counts, and that jobs without such a key, and a Fold, which
// combines its pairs before the shuffle, are not said to have one.
func TestSkewIsReported(t *testing.T) {
	t.Parallel()
	const lines, rows = 100, 15_000
	var text strings.Builder
	for i := range lines {
		fmt.Fprintf(&text, "line-%d\n", i)
	}
	skew := regexp.MustCompile(`(?m)^ *skew {3,}(.*)$`)
	program, in, master := static(t, "./submits"), file(t, "in.txt", text.String()), startDev(t)
	for name, c := range map[string]struct {
		args  []string
		hot   int64 // of ten pairs
		says  string
		extra int64 // pairs beside them
	}{
		"reduce":        {[]string{"--as", "reduce"}, 6, "use Fold or Aggregate", 0},
		"join":          {[]string{"--as", "join"}, 6, "use Broadcast", lines},
		"even":          {[]string{"--as", "reduce", "--hot", "0"}, 0, "", 0},
		"fold":          {[]string{"--as", "fold"}, 6, "", 0},
		"a small share": {[]string{"--as", "reduce", "--hot", "1"}, 1, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"--input", in, "--partitions", "4", "--rows", fmt.Sprint(rows), "-o", "json"}, c.args...)
			ran := do(t, program, append([]string{"run", "skewed", "--out", filepath.Join(t.TempDir(), "out"), "--slots", "2"}, args...)...)
			sent := do(t, program, append([]string{"submit", "skewed", "--out", filepath.Join(t.TempDir(), "out"), "--master", master}, args...)...)
			if ran.code != 0 || sent.code != 0 {
				t.Fatalf("run: %s\nsubmit: %s", ran.stderr, sent.stderr)
			}
			id := regexp.MustCompile(`"id": *"(\w{26})"`).FindStringSubmatch(sent.stdout)
			if id == nil {
				t.Fatalf("submit shows no job: %s", sent.stdout)
			}
			reports := map[string]string{"run": ran.stdout, "submit": sent.stdout}
			texts := map[string]string{"run": ran.stderr, "submit": sent.stderr}
			for _, verb := range []string{"get", "counters"} {
				reports[verb] = must(t, program, verb, id[1], "--master", master, "-o", "json")
				texts[verb] = must(t, program, verb, id[1], "--master", master)
			}
			var words string
			for who, report := range reports {
				var r struct {
					Skew []plan.Skew `json:"skew"`
				}
				if err := json.Unmarshal([]byte(report), &r); err != nil {
					t.Fatalf("%s: %v: %s", who, err, report)
				}
				if c.says == "" {
					if len(r.Skew) > 0 || skew.MatchString(texts[who]) {
						t.Errorf("%s reports %+v: %s", who, r.Skew, texts[who])
					}
					continue
				}
				pairs := c.hot * lines * rows / 10
				share := float64(pairs) / float64(lines*rows+c.extra)
				if len(r.Skew) != 1 {
					t.Errorf("%s reports %+v", who, r.Skew)
					continue
				}
				s := r.Skew[0]
				if s.Stage != "reduce" || s.Key != `"hot\x1b[31m"` || s.Of != "pairs" || s.Pairs != pairs || s.Share < share-1e-9 || s.Share > share+1e-9 ||
					s.Times < 6 || s.Times > 8 || s.Bytes < 16*pairs || s.Bytes > 20*pairs || !strings.Contains(s.Advice, c.says) {
					t.Errorf("%s reports %+v, want %d pairs, a share of %f", who, s, pairs, share)
				}
				line := skew.FindStringSubmatch(texts[who])
				switch {
				case line == nil || !strings.Contains(line[1], fmt.Sprintf(`reduce: key "hot\x1b[31m" has %.1f %% of the pairs`, 100*share)):
					t.Errorf("%s says %q", who, texts[who])
				case words == "":
					words = line[1]
				case line[1] != words:
					t.Errorf("%s says %q, and another command %q", who, line[1], words)
				}
			}
		})
	}
}
