// Package nearest finds the name that a user probably meant. Code that reports
// unknown jobs, parameters and flags calls it. It is pure.
//
// It is part of the engine, and may change between minor versions.
package nearest

// longest bounds the words for which a name is looked for, in bytes. The time
// grows with the length, and words may come from outside.
const longest = 64

// Name returns the name that is the fewest edits away from wanted. It returns ""
// when no name is near: one edit, or a third of the length of wanted, and always
// fewer than that length. The names must be a closed set that users know, such as
// flags: a guess among random ids misleads.
func Name(wanted string, names []string) string {
	if len(wanted) > longest {
		return ""
	}
	best, least := "", min(max(len(wanted)/3, 1)+1, len(wanted))
	for _, name := range names {
		if d := distance(wanted, name); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance counts the bytes to insert, delete, replace or swap with their
// neighbour to turn a into b (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
