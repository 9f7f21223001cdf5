package nearest_test

import (
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan/nearest"
)

func TestName(t *testing.T) {
	t.Parallel()
	names := []string{"grep", "sort", "teragen", "terasort", "wordcount"}
	for wanted, want := range map[string]string{
		"wordcoutn": "wordcount", "wordcount": "wordcount", "word-count": "wordcount", "Sort": "sort",
		"terasrot": "terasort", "gerp": "grep", "pagerank": "", "x": "", "": "",
		"s": "", "port": "sort", "part": "", // two edits turn four letters into another word
		"01JD0000000000000000000099": "", strings.Repeat("wordcount", 1_000_000): "",
	} {
		if got := nearest.Name(wanted, names); got != want {
			t.Errorf("Name(%.100q) = %q, want %q", wanted, got, want)
		}
	}
}
