package cli

import (
	"bytes"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"

	"github.com/windrow-mr/windrow/client"
)

// hostile sets a terminal's title, clears it, and hides what follows.
const hostile = "\x1b]0;owned\x07\x1b[2J\rgone\x08\x7f\u009b31m"

// TestControlCharactersAreVisible: no control character but a line feed and a tab
// reaches the terminal, however the text is cut into writes, and other text is as it was.
func TestControlCharactersAreVisible(t *testing.T) {
	t.Parallel()
	const plain = "Zürich\t¡Â£!\n日本 🌾\n"
	for cut := 1; cut < 6; cut++ {
		var b bytes.Buffer
		v := &visible{to: &b}
		text := plain + hostile + plain
		r := iotest.OneByteReader(strings.NewReader(text))
		buffer := make([]byte, 0, cut)
		one := make([]byte, 1)
		for {
			n, err := r.Read(one)
			if buffer = append(buffer, one[:n]...); len(buffer) == cut || err != nil {
				if _, err := v.Write(buffer); err != nil {
					t.Fatal(err)
				}
				buffer = buffer[:0]
			}
			if err != nil {
				break
			}
		}
		want := plain + `\x1b]0;owned\x07\x1b[2J\x0dgone\x08\x7f\x9b31m` + plain
		if got := b.String(); got != want {
			t.Errorf("written in pieces of %d bytes: %q, want %q", cut, got, want)
		}
	}
}

// TestNamesAreShownOnOneLine: a name cannot make a line or a column of its own.
func TestNamesAreShownOnOneLine(t *testing.T) {
	t.Parallel()
	if got := shown("a\nb\tc" + hostile); strings.ContainsFunc(got, unicode.IsControl) || !strings.HasPrefix(got, `a\x0ab\x09c\x1b]0;`) {
		t.Errorf("%q", got)
	}
	if got := shown("Zürich 日本"); got != "Zürich 日本" {
		t.Errorf("%q", got)
	}
}

// TestCountersOfOthers: the name of a counter, which a job chose, does not reach the
// terminal as it is.
func TestCountersOfOthers(t *testing.T) {
	t.Parallel()
	var out, notes bytes.Buffer
	p := &Program{Stdout: &out, Stderr: &notes}
	n := client.Counters{Complete: true, Counts: map[string]int64{hostile: 3}, Stats: map[string]client.Stat{"a\n" + hostile: {Count: 1}}}
	if err := writeCounters(p, &n); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.SplitAfter(out.String(), "\n") {
		if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), unicode.IsControl) {
			t.Errorf("%q", line)
		}
	}
	if lines := strings.Count(out.String(), "\n"); lines != 7 {
		t.Errorf("%d lines: %q", lines, out.String())
	}
}

// TestErrorsOfOthers: an error quotes what a user typed, and what others named.
func TestErrorsOfOthers(t *testing.T) {
	t.Parallel()
	var out, notes bytes.Buffer
	if code := serially(t, Program{Args: []string{"windrow", "cat", "/nowhere/" + hostile}, Stdout: &out, Stderr: &notes}); code != exitNotFound && code != exitInvalid {
		t.Errorf("exit %d", code)
	}
	if text := notes.String(); !strings.Contains(text, `\x1b]0;owned`) || strings.ContainsFunc(strings.ReplaceAll(text, "\n", ""), unicode.IsControl) {
		t.Errorf("%q", text)
	}
}

// TestATerminalGetsNoBinary verifies that bytes which are no text are refused in place of
// written to a terminal, and that control characters in text are visible there.
func TestATerminalGetsNoBinary(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := &textOnly{to: &visible{to: &b}}
	if _, err := w.Write([]byte("PAR1\x15\x00\x15")); err == nil || !strings.Contains(err.Error(), "windrow head") || b.Len() > 0 {
		t.Errorf("%q is written, %v", b.String(), err)
	}
	if _, err := w.Write([]byte("é\x1b[2J\n")); err != nil || b.String() != "é\\x1b[2J\n" {
		t.Errorf("%q is written, %v", b.String(), err)
	}
}
