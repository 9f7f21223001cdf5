package floor_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/bench/floor"
)

func TestSectionsCutBehindEnds(t *testing.T) {
	t.Parallel()
	comma := func(c byte) bool { return c == ',' }
	for _, text := range []string{"", "a", ",", ",,,,", "a,b,c,d", "abcdefgh", "abcdefgh,", "a,bcdefghijk,l", "aaaa,bbbb,cccc,dddd,"} {
		for n := 1; n < 12; n++ {
			sections := floor.Sections([]byte(text), n, comma)
			if len(sections) != n {
				t.Fatalf("%q in %d: %d sections", text, n, len(sections))
			}
			joined := ""
			for k, s := range sections {
				if s.From != len(joined) {
					t.Errorf("%q in %d: section %d begins at %d, not %d", text, n, k, s.From, len(joined))
				}
				joined += string(s.Data)
				if len(joined) > 0 && len(joined) < len(text) && !strings.HasSuffix(joined, ",") {
					t.Errorf("%q in %d: section %d ends within %q", text, n, k, s.Data)
				}
			}
			if joined != text {
				t.Errorf("%q in %d: sections hold %q", text, n, joined)
			}
		}
	}
}

func TestProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in, out, empty := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "empty")
	for name, text := range map[string]string{in: "some text", empty: ""} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	upper := func(data []byte, out *os.File) error {
		_, err := out.Write(bytes.ToUpper(data))
		return err
	}
	for from, want := range map[string]string{in: "SOME TEXT", empty: ""} {
		if code := floor.Main([]string{"upper", from, out}, io.Discard, upper); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if got, err := os.ReadFile(out); err != nil || string(got) != want {
			t.Errorf("output %q, want %q (%v)", got, want, err)
		}
	}
	fail := func([]byte, *os.File) error { return errors.New("line 7 is crooked") }
	for _, test := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"fail", in, out}, 1, []string{"fail: ", in, "line 7 is crooked"}},
		{[]string{"fail", filepath.Join(dir, "none"), out}, 1, []string{filepath.Join(dir, "none")}},
		{[]string{"fail", in, filepath.Join(dir, "no", "out")}, 1, []string{filepath.Join(dir, "no", "out")}},
		{[]string{"fail", in}, 2, []string{"usage: fail IN OUT"}},
	} {
		var stderr bytes.Buffer
		if code := floor.Main(test.args, &stderr, fail); code != test.code {
			t.Errorf("%q: exit code %d, want %d", test.args, code, test.code)
		}
		for _, s := range test.says {
			if !strings.Contains(stderr.String(), s) {
				t.Errorf("%q says %q, without %q", test.args, stderr.String(), s)
			}
		}
	}
}

func TestEachReturnsEveryError(t *testing.T) {
	t.Parallel()
	odd := errors.New("odd")
	done := make([]bool, 5)
	err := floor.Each(5, func(k int) error {
		done[k] = true
		if k%2 == 1 {
			return odd
		}
		return nil
	})
	if !errors.Is(err, odd) || strings.Count(err.Error(), "odd") != 2 {
		t.Errorf("error %v, want odd twice", err)
	}
	for k, d := range done {
		if !d {
			t.Errorf("%d was left out", k)
		}
	}
}
