package nearest_test

import (
	"testing"

	"github.com/windrow-mr/windrow/plan/nearest"
)

func TestName(t *testing.T) {
	t.Parallel()
	names := []string{"grep", "sort", "teragen", "terasort", "wordcount"}
	for wanted, want := range map[string]string{
		"wordcoutn": "wordcount", "wordcount": "wordcount", "word-count": "wordcount", "Sort": "sort",
		"terasrot": "terasort", "gerp": "grep", "pagerank": "", "x": "", "": "",
	} {
		if got := nearest.Name(wanted, names); got != want {
			t.Errorf("Name(%q) = %q, want %q", wanted, got, want)
		}
	}
}
