package store_test

import (
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// FuzzLocate verifies that any text for an input is split into a root and a
// key, or refused by an error that shows no secret. The parts lead back to the
// input.
func FuzzLocate(f *testing.F) {
	for _, s := range []string{
		"/data/x.txt", "s3://b/logs/", "s3://b/a/x.txt?region=r", "s3://b/logs/2026-*/x*.gz", "s3://b", "s3://", "file:///a/b", "file://a",
		"gs://b/%2f/[a-z]", "mem:///x", "s3://u:hunter2@b/x", "s3://b/[", "s3://b/a?b?c=hunter2", "s3://b/x?%zz=hunter2", "", "://", "relative/**/x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		root, key, err := store.Locate(raw)
		if err != nil {
			const secret = "hunter2"
			scheme, rest, isURL := strings.Cut(raw, "://")
			host, _, _ := strings.Cut(rest, "/")
			user, _, hasUser := strings.Cut(host, "@")
			if isURL && hasUser && scheme != "file" && !strings.Contains(strings.Replace(raw, user, "", 1), secret) &&
				strings.Contains(err.Error(), secret) {
				t.Errorf("%q: the error shows the secret: %v", raw, err)
			}
			if plan.KindOf(err) == plan.Unknown {
				t.Errorf("%q: %v is of no kind", raw, err)
			}
			return
		}
		scheme, _, ok := strings.Cut(root, "://")
		if !ok || scheme == "" && !strings.HasPrefix(raw, "://") {
			t.Errorf("%q has the root %q", raw, root)
		}
		if scheme != "file" && !strings.Contains(scheme, "?") { // Open knows no such scheme
			trimmed, query, _ := strings.Cut(raw, "?")
			base, rootQuery, _ := strings.Cut(root, "?")
			if query != rootQuery || !strings.HasPrefix(trimmed, base) || !strings.HasSuffix(trimmed, key) {
				t.Errorf("%q is split into %q and %q", raw, root, key)
			}
		}
		if !store.IsPattern(key) && !store.Match(key, key) {
			t.Errorf("%q: the key %q does not match itself", raw, key)
		}
	})
}
