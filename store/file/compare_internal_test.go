package file

import (
	"strings"
	"testing"
)

func FuzzCompareEntries(f *testing.F) {
	f.Add("a", true, "a-", false)
	f.Add("a", true, "a0", true)
	f.Add("日", false, "日本", true)
	f.Fuzz(func(t *testing.T, a string, aDir bool, b string, bDir bool) {
		if a == b || strings.Contains(a+b, "/") {
			return // no directory has two entries of one name, or one with a slash
		}
		name := func(s string, dir bool) string {
			if dir {
				return s + "/"
			}
			return s
		}
		got, want := compareEntries(a, aDir, b, bDir), strings.Compare(name(a, aDir), name(b, bDir))
		if got < 0 != (want < 0) {
			t.Errorf("compare %q and %q: %d, want %d", name(a, aDir), name(b, bDir), got, want)
		}
	})
}
