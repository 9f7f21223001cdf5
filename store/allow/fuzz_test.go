package allow_test

import (
	"path"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/allow"
)

// FuzzLocate verifies that for any name a root that is allowed is an allowed one
// or below it, and that a key cannot lead out of it.
func FuzzLocate(f *testing.F) {
	for _, s := range []string{
		"mem://a/logs", "mem://a/logs/x*/..", "mem://a/logs/../x", "mem://a/logs?x=1", "mem://u@a/logs", "/srv/none/x", "file:///srv/none/../x",
		"mem://a/logs2", "mem://a/logs/[a-", `mem://a/logs\/x`, "mem://a/logs/%2e%2e/x", "//srv/none", "mem://a/logs/\x00", "FILE:///srv/none",
	} {
		f.Add(s)
	}
	l, err := allow.New([]string{"mem://a/logs", "/srv/none"}, store.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		root, key, err := l.Locate(raw)
		if err != nil {
			if kind := plan.KindOf(err); kind != plan.Denied && kind != plan.Invalid {
				t.Errorf("%q: %v is of kind %v", raw, err, kind)
			}
			return
		}
		inside := false
		for _, allowed := range []string{"mem://a/logs", "file:///srv/none"} {
			inside = inside || root == allowed || strings.HasPrefix(root, allowed+"/")
		}
		if !inside || strings.Contains(root, "?") && strings.HasPrefix(root, "mem") || strings.Contains(root+"/"+key+"/", "/../") {
			t.Errorf("%q gives %q and %q", raw, root, key)
		}
		if _, below, _ := strings.Cut(root, "://"); path.Clean(below) != below {
			t.Errorf("%q gives the root %q", raw, root)
		}
		if err := l.Allows(root); err != nil {
			t.Errorf("%q gives the root %q, and then: %v", raw, root, err)
		}
	})
}
