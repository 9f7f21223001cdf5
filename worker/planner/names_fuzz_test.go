package planner_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/driver"
)

// hides reports whether a wildcard does not match a segment.
func hides(segment string) bool {
	return strings.HasPrefix(segment, ".") || strings.HasPrefix(segment, "_") && !strings.Contains(segment, "=")
}

// expected is what docs/cli.md says of patterns, in the simplest way: by trying all
// lengths of **, and with a regular expression for each segment.
func expected(pattern, key []string) bool {
	switch {
	case len(pattern) == 0:
		return len(key) == 0
	case pattern[0] == "**":
		return expected(pattern[1:], key) || len(key) > 0 && !hides(key[0]) && expected(pattern, key[1:])
	case len(key) == 0 || hides(key[0]) && (pattern[0] == "" || pattern[0][0] != key[0][0]):
		return false
	}
	return expression(pattern[0]).MatchString(key[0]) && expected(pattern[1:], key[1:])
}

// expression translates a segment of a pattern.
func expression(segment string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for rest := segment; rest != ""; {
		switch c := rest[0]; {
		case c == '*':
			b.WriteString(`.*`)
		case c == '?':
			b.WriteString(`.`)
		case c == '\\' && len(rest) > 1:
			rest = rest[1:]
			b.WriteString(regexp.QuoteMeta(rest[:1]))
		case c == '[':
			end := strings.IndexByte(rest, ']')
			b.WriteString(rest[:end+1])
			rest = rest[end:]
		default:
			b.WriteString(regexp.QuoteMeta(rest[:1]))
		}
		rest = rest[1:]
	}
	return regexp.MustCompile(b.String() + `\z`)
}

// word draws a segment of letters that matter to names.
func word(r *rand.Rand, letters []string) string {
	var b strings.Builder
	for range 1 + r.IntN(3) {
		b.WriteString(letters[r.IntN(len(letters))])
	}
	return b.String()
}

func path(r *rand.Rand, letters []string) string {
	segments := make([]string, 1+r.IntN(3))
	for i := range segments {
		segments[i] = word(r, letters)
	}
	return strings.Join(segments, "/")
}

// FuzzInputsReadWhatTheyName draws trees and names. The objects that planning finds, on
// files and in memory, are those that the documented rules name.
func FuzzInputsReadWhatTheyName(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		r := rand.New(rand.NewPCG(seed, 13))
		tree := map[string]bool{}
		for range 1 + r.IntN(12) {
			tree[path(r, []string{"a", "a", "b", "_", ".", "=", "[b", "]", "a*", "x"})] = true
		}
		var keys []string
		for k := range tree {
			above := false // the directory of another key, or in one that is a key
			for other := range tree {
				above = above || strings.HasPrefix(other, k+"/")
			}
			odd := slices.ContainsFunc(strings.Split(k, "/"), func(s string) bool { return strings.Trim(s, ".") == "" })
			if !above && !odd {
				keys = append(keys, k)
			}
		}
		slices.Sort(keys)
		name := path(r, []string{"a", "b", "_", "*", "[ab]", "**", "x", "[_.x]", "."})
		if slices.ContainsFunc(strings.Split(name, "/"), func(s string) bool { return s != "**" && strings.Contains(s, "**") || strings.Trim(s, ".") == "" }) {
			return
		}
		want := wantedKeys(name, keys)
		for kind, found := range map[string]func(*testing.T, string, []string) ([]string, error){"mem": inMemory, "file": inFiles} {
			got, err := found(t, name, keys)
			if err != nil && (plan.KindOf(err) != plan.NotFound || len(want) > 0) {
				t.Errorf("seed %d: %s: %q of %q: %v, want %q", seed, kind, name, keys, err, want)
			}
			if err == nil && !slices.Equal(got, want) {
				t.Errorf("seed %d: %s: %q of %q reads %q, want %q", seed, kind, name, keys, got, want)
			}
		}
	})
}

// wantedKeys returns the keys that a name reads: an object, a directory, or the matches of
// a pattern.
func wantedKeys(name string, keys []string) (want []string) {
	if slices.Contains(keys, name) {
		return []string{name}
	}
	directory := false
	for _, k := range keys {
		below, ok := strings.CutPrefix(k, name+"/")
		directory = directory || ok
		if ok && !slices.ContainsFunc(strings.Split(below, "/"), hides) {
			want = append(want, k)
		}
	}
	if directory {
		return want
	}
	for _, k := range keys {
		if expected(strings.Split(name, "/"), strings.Split(k, "/")) {
			want = append(want, k)
		}
	}
	return want
}

// keysOf plans a job over a name and returns the keys of the objects, below a prefix.
func keysOf(t *testing.T, s *site, url, name string) ([]string, error) {
	t.Helper()
	table, err := s.make(t, words(t), request(t, "mem://out", url+"/"+name))
	if err != nil {
		return nil, err
	}
	var keys []string
	for i := range table.Splits {
		for _, section := range table.Splits[i].Sections {
			keys = append(keys, strings.TrimPrefix(section.Object.Name(), url+"/"))
		}
	}
	slices.Sort(keys)
	return keys, nil
}

func inMemory(t *testing.T, name string, keys []string) ([]string, error) {
	t.Helper()
	s := newSite(t, "mem://in", "mem://out")
	for _, k := range keys {
		if err := s.space.Open("in").Put(t.Context(), k, []byte("x\n"), driver.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	return keysOf(t, s, "mem://in", name)
}

func inFiles(t *testing.T, name string, keys []string) ([]string, error) {
	t.Helper()
	dir := t.TempDir()
	s := newSite(t, dir, "mem://out")
	for _, k := range keys {
		file := filepath.Join(dir, k)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return keysOf(t, s, "file://"+dir, name)
}
