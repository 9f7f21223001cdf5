package cli

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/store/fault"
)

// TestManualOfChaos verifies that the manual lists all faults, and that its plans
// of faults are valid.
func TestManualOfChaos(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, _ := strings.Cut(string(text), "\n## Chaos\n")
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9]+)` \\|").FindAllStringSubmatch(chapter, -1) {
		listed = append(listed, m[1])
	}
	_, err = fault.Parse("none:1%")
	_, there, _ := strings.Cut(err.Error(), "there are ")
	want := strings.Split(there, ", ")
	slices.Sort(want)
	slices.Sort(listed)
	if !slices.Equal(listed, want) {
		t.Errorf("the manual lists %q, but there are %q", listed, want)
	}
	plans := regexp.MustCompile(`--chaos '([^']*)'`).FindAllStringSubmatch(chapter, -1)
	if len(plans) < 3 {
		t.Errorf("the manual shows only %d plans", len(plans))
	}
	for _, m := range plans {
		if _, err := fault.Parse(m[1]); err != nil {
			t.Error(err)
		}
	}
}

func TestChaosText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		report fault.Report
		want   string
	}{
		{fault.Report{Seed: 7, Injected: []fault.Count{{Fault: "503", Times: 1312}, {Fault: "reset", Times: 41}, {Fault: "flip", Times: 3}}},
			"1,312 × 503, 41 × reset, 3 × flip (seed 7)"},
		{fault.Report{Seed: 8}, "no fault (seed 8)"},
		{fault.Report{Injected: []fault.Count{{Fault: "cut", Times: 1}}, LeftOut: []fault.Count{{Fault: "flip", Times: 12}}},
			"1 × cut (seed 0); left out 12 × flip, in bytes for which the store has no checksum"},
	} {
		if got := chaosText(c.report); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
