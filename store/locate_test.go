package store_test

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

func TestLocate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"x.txt", "odd[1]*.txt", "sub/y.txt"} {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ url, root, key string }{
		{dir, "file://" + dir, ""},
		{dir + "/", "file://" + dir, ""},
		{dir + "/x.txt", "file://" + dir, "x.txt"},
		{"file://" + dir + "/sub/y.txt", "file://" + dir + "/sub", "y.txt"},
		{dir + "/missing", "file://" + dir, "missing"},
		{dir + "/odd[1]*.txt", "file://" + dir, `odd\[1]\*.txt`},
		{dir + "/s*/y.t?t", "file://" + dir, "s*/y.t?t"},
		{dir + "/**/y.txt", "file://" + dir, "**/y.txt"},
		{"/x-*", "file:///", "x-*"},
		{"s3://b", "s3://b", ""},
		{"s3://b/", "s3://b", ""},
		{"s3://b/logs/", "s3://b/logs", ""},
		{"s3://b/x.txt", "s3://b", "x.txt"},
		{"s3://b/a/x.txt?region=r&x=*", "s3://b/a?region=r&x=*", "x.txt"},
		{"s3://b/logs/2026-*/x*.gz", "s3://b/logs", "2026-*/x*.gz"},
		{"s3://b/l*gs/x", "s3://b", "l*gs/x"},
		{"mem://name/a/b", "mem://name/a", "b"},
	} {
		root, key, err := store.Locate(c.url)
		if err != nil || root != c.root || key != c.key {
			t.Errorf("%q: root %q, key %q, %v; want %q, %q", c.url, root, key, err, c.root, c.key)
		}
	}
	for _, bad := range []string{"", "s3://b/x[1", dir + "/y[", `s3://b/x\`} {
		_, _, err := store.Locate(bad)
		wantKind(t, err, plan.Invalid)
	}
	if store.IsPattern("a/b-c.txt") || !store.IsPattern("a/*") {
		t.Error("IsPattern")
	}
}

// TestLocateOpens verifies that the parts lead back to the object.
func TestLocateOpens(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "odd[1]*.txt")
	if err := os.WriteFile(name, []byte("found"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, pattern, err := store.Locate(name)
	if err != nil {
		t.Fatal(err)
	}
	r := open(t, root, store.Options{})
	var found []string
	for o, err := range r.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if store.Match(pattern, o.Key) {
			found = append(found, o.Key)
		}
	}
	if len(found) != 1 || found[0] != "odd[1]*.txt" {
		t.Errorf("found %q", found)
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, key string
		want         bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"*", "a/b", false},
		{"a*/b?c", "axx/bxc", true},
		{"**", "a/b/c", true},
		{"**/x", "x", true},
		{"**/x", "a/b/x", true},
		{"a/**", "a", true},
		{"a/**/b", "a/x/b/y/b", true},
		{"a/**/b", "a/x/c", false},
		{"**/a/**/b/*.gz", "z/a/b/b/c/b/x.gz", true},
		{"[a-c]/*", "b/", true},
		{"2026-*/x*.gz", "2026-01/x1.gz", true},
		{"[", "[", false},
	} {
		if got := store.Match(c.pattern, c.key); got != c.want {
			t.Errorf("Match(%q, %q) = %v, want %v", c.pattern, c.key, got, c.want)
		}
	}
}

// FuzzMatch compares with matching by recursion, as a definition would have it.
func FuzzMatch(f *testing.F) {
	var naive func(pattern, key []string) bool
	naive = func(pattern, key []string) bool {
		if len(pattern) == 0 {
			return len(key) == 0
		}
		if pattern[0] == "**" {
			return naive(pattern[1:], key) || len(key) > 0 && naive(pattern, key[1:])
		}
		if len(key) == 0 {
			return false
		}
		ok, err := path.Match(pattern[0], key[0])
		return err == nil && ok && naive(pattern[1:], key[1:])
	}
	f.Add("a/**/b/**/c", "a/b/x/b/c")
	f.Add("**/*a*/**", "ab/ba/c")
	f.Fuzz(func(t *testing.T, pattern, key string) {
		if strings.Count(pattern, "**") > 6 || len(key) > 100 {
			return // the naive way takes exponential time
		}
		got := store.Match(pattern, key)
		if want := naive(strings.Split(pattern, "/"), strings.Split(key, "/")); got != want {
			t.Errorf("Match(%q, %q) = %v, want %v", pattern, key, got, want)
		}
	})
}
