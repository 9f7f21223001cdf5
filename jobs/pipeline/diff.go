package pipeline

import (
	"fmt"
	"strings"
)

// Diff shows the lines in which two pipeline texts differ, - of the first, + of
// the second. The texts have few lines, so it compares them by line number.
func Diff(a, b string) string {
	left, right := strings.Split(a, "\n"), strings.Split(b, "\n")
	var out strings.Builder
	for i := range max(len(left), len(right)) {
		var l, r string
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		if l == r {
			continue
		}
		if l != "" {
			fmt.Fprintf(&out, "- %s\n", l)
		}
		if r != "" {
			fmt.Fprintf(&out, "+ %s\n", r)
		}
	}
	return strings.TrimSuffix(out.String(), "\n")
}
