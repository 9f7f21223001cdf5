package compact_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/library/compact"
)

// TestBytesStayAsTheyAre verifies that the output has the bytes of the input, in order:
// the ends of lines too, which may be mixed. CR LF became LF.
func TestBytesStayAsTheyAre(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	pieces := []string{"a", "\r", "\n", "\r\n", "\r\r\n", "\xff", " ", "\t", "long" + strings.Repeat("x", 300)}
	for range 200 {
		var text strings.Builder
		for range r.IntN(60) {
			text.WriteString(pieces[r.IntN(len(pieces))])
		}
		want := text.String()
		result, err := minirun.Run(t.Context(), compact.Job(), minirun.Options{Split: 1 + r.Int64N(100)}, minirun.Object{Name: "o", Text: want})
		if err != nil {
			t.Fatal(err)
		}
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n" // a last line without its end gets one
		}
		if got := result.Text(); got != want {
			t.Fatalf("of %q is made %q", want, got)
		}
	}
}
