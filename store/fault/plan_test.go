package fault_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/store/fault"
)

var rewrite = flag.Bool("rewrite", false, "write what Parse says into testdata")

// blocks reads a file of paragraphs; lines that begin with # are comments.
func blocks(t *testing.T, name string) [][]string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]string
	for paragraph := range strings.SplitSeq(string(text), "\n\n") {
		if paragraph = strings.Trim(paragraph, "\n"); !strings.HasPrefix(paragraph, "#") {
			all = append(all, strings.Split(paragraph, "\n"))
		}
	}
	if len(all) < 10 {
		t.Fatalf("%s has only %d cases", name, len(all))
	}
	return all
}

// TestParse reads plans and prints them.
func TestParse(t *testing.T) {
	t.Parallel()
	for _, b := range blocks(t, "testdata/good.txt") {
		text, want := b[0], b[len(b)-1]
		if len(b) > 2 {
			text = strings.Join(b[:len(b)-1], "\n")
		}
		p, err := fault.Parse(text)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if got := p.String(); got != want {
			t.Errorf("%q is printed as %q, want %q", text, got, want)
		}
		again, err := fault.Parse(p.String())
		if err != nil || again.String() != p.String() {
			t.Errorf("%q is read again as %q, %v", p.String(), again, err)
		}
	}
}

// TestParseRefuses reads invalid plans. The errors name the word, its place,
// and the valid ones.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const name = "testdata/bad.txt"
	var out strings.Builder
	out.WriteString("# A plan that is wrong, and what is said about it.\n")
	for _, b := range blocks(t, name) {
		text := strings.TrimPrefix(b[0], "empty")
		_, err := fault.Parse(text)
		if err == nil {
			t.Errorf("%q was read", text)
			continue
		}
		out.WriteString("\n" + b[0] + "\n" + err.Error() + "\n")
		if want := b[len(b)-1]; err.Error() != want && !*rewrite {
			t.Errorf("%q\n got %s\nwant %s", text, err, want)
		}
	}
	if *rewrite {
		if err := os.WriteFile(name, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzParse verifies that a plan that is read prints as one that reads as the
// same plan.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"503:10%, reset:2%, flip:0.1%", `500:#1-2 put key="a b,c" burst=3`, "stall:@3- read after=64KiB for=1m30s",
		"lost:0.000001% as=412", "bandwidth:100% rate=1GiB/s", "slow:1% for=1ns,,", `key="`, "503:1% burst=1001",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := fault.Parse(text)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		again, err := fault.Parse(p.String())
		if err != nil {
			t.Fatalf("%q is printed as %q, which is refused: %v", text, p, err)
		}
		if again.String() != p.String() {
			t.Errorf("%q is printed as %q, and that as %q", text, p, again)
		}
	})
}
