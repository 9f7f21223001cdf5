package remote

import (
	"bytes"
	"io"
	"os"
	"testing"
	"testing/iotest"
)

// TestMarksAreFound verifies that the marks that are looked for are those that programs
// have.
func TestMarksAreFound(t *testing.T) {
	t.Parallel()
	for what, mark := range map[string]string{"answers for": answersMark, "can run tasks of": worksMark} {
		if got := string(sought(what)); got != mark {
			t.Errorf("looks for %q, programs have %q", got, mark)
		}
	}
}

// TestMarkAnywhere verifies that the mark is found wherever it is in a file, and
// however the file is read.
func TestMarkAnywhere(t *testing.T) {
	t.Parallel()
	const what = "marker"
	for _, at := range []int{0, 1, 1<<20 - 7, 1<<20 - 6, 1<<20 - 3, 1 << 20, 2<<20 - 8, 3<<20 - 2} {
		text := bytes.Repeat([]byte("mark"), 1<<20)
		copy(text[at:], what)
		for _, r := range []io.Reader{bytes.NewReader(text), iotest.HalfReader(bytes.NewReader(text)), bytes.NewReader(text[:at+len(what)])} {
			if found, err := contains(r, []byte(what)); !found || err != nil {
				t.Errorf("at %d: %v, %v", at, found, err)
			}
		}
		if found, err := contains(bytes.NewReader(text[:at+len(what)-1]), []byte(what)); found || err != nil {
			t.Errorf("without its last byte, at %d: %v, %v", at, found, err)
		}
	}
	if _, err := contains(iotest.ErrReader(os.ErrPermission), []byte(what)); err == nil {
		t.Error("an error is lost")
	}
}
