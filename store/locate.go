package store

import (
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/driver"
)

// Locate splits the URL of an input into a root to open and a key, or a pattern
// of keys, in it. An empty key means all objects of the root.
//
//	/data/dir                   file:///data/dir    ""
//	/data/x.txt                 file:///data        "x.txt"
//	s3://b/logs/                s3://b/logs         ""
//	s3://b/a/x.txt?region=r     s3://b/a?region=r   "x.txt"
//	s3://b/logs/2026-*/x*.gz    s3://b/logs         "2026-*/x*.gz"
//	s3://b/logs//x.txt          s3://b/logs         "/x.txt"
//	s3://b/logs//               s3://b/logs         "/"
//
// Only the store knows whether x.txt in a bucket is an object or what others
// call a directory. A caller that finds no such object lists "x.txt/". A key that
// ends in a slash is a directory. A local path that exists is taken literally, with
// its special characters escaped in the key, and a symbolic link to a file stands for
// that file. In a URL the question mark begins the query and is no wildcard.
func Locate(rawURL string) (rootURL, key string, err error) {
	fail := func(err error) (string, string, error) {
		kind, cause := driver.Cause(err)
		return "", "", &Error{Op: "locate", URL: redact(rawURL), Kind: kind, Err: cause}
	}
	u, err := splitURL(rawURL)
	if err != nil {
		return fail(err)
	}
	if u.scheme == "file" {
		dir, key := locateFile(u.path)
		if err := checkPattern(key); err != nil {
			return fail(err)
		}
		return "file://" + dir, key, nil
	}
	trimmed, query, hasQuery := strings.Cut(rawURL, "?")
	if hasQuery {
		query = "?" + query
	}
	base := u.scheme + "://" + u.host
	rest := strings.TrimPrefix(trimmed, base)
	dir, key := splitPattern(rest)
	// Buckets have keys with empty segments, which no root has.
	if at := strings.Index(dir, "//"); at >= 0 {
		dir, key = dir[:at+1], dir[at+1:]+key
	}
	if IsPattern(key) {
		key = strings.TrimSuffix(key, "/") // as in paths
	}
	if err := checkPattern(key); err != nil {
		return fail(err)
	}
	return base + strings.TrimSuffix(dir, "/") + query, key, nil
}

// locateFile splits a local path into a directory and a key below it.
func locateFile(p string) (dir, key string) {
	info, err := os.Stat(p)
	switch {
	case err == nil && info.IsDir():
		return p, ""
	case err == nil:
		p = target(p)
		return filepath.Dir(p), escapePattern(filepath.Base(p))
	}
	dir, key = splitPattern(p)
	if dir == "" {
		dir = "/"
	}
	return filepath.Clean(dir), key
}

// target returns the path of the file that a symbolic link leads to, and other paths as
// they are. The directories that link and file have in common keep the names that they
// have in the path: these may be links, too.
func target(p string) string {
	link, err := os.Lstat(p)
	if err != nil || link.Mode()&os.ModeSymlink == 0 {
		return p
	}
	file, err := filepath.EvalSymlinks(p)
	if err != nil {
		return p
	}
	for above := filepath.Dir(p); ; above = filepath.Dir(above) {
		dir, err := filepath.EvalSymlinks(above)
		if err != nil {
			return file
		}
		if rel, err := filepath.Rel(dir, file); err == nil && filepath.IsLocal(rel) {
			return filepath.Join(above, rel)
		}
		if above == filepath.Dir(above) {
			return file
		}
	}
}

// splitPattern cuts before the segment with the first special character, or
// else before the last segment.
func splitPattern(p string) (dir, key string) {
	end := strings.IndexAny(p, specials)
	if end < 0 {
		end = len(p)
	}
	cut := strings.LastIndexByte(p[:end], '/') + 1
	return p[:cut], p[cut:]
}

// specials are the characters with a meaning in patterns.
const specials = `*?[\`

// IsPattern reports whether a key that Locate returned is more than a literal
// name.
//
//go:noinline
func IsPattern(key string) bool { return strings.ContainsAny(key, specials) }

// Literal returns the only name that a key of Locate can stand for, and false if it is a
// pattern with a wildcard.
func Literal(key string) (name string, ok bool) {
	if !IsPattern(key) {
		return key, true
	}
	var b strings.Builder
	for i := 0; i < len(key); i++ {
		switch c := key[i]; {
		case c == '\\' && i+1 < len(key):
			i++
			b.WriteByte(key[i])
		case strings.IndexByte(specials, c) >= 0:
			return "", false
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), true
}

// escapePattern returns the pattern that matches a literal name.
func escapePattern(name string) string {
	if !IsPattern(name) {
		return name
	}
	var b strings.Builder
	for _, c := range []byte(name) {
		if strings.IndexByte(specials, c) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// checkPattern refuses patterns that path.Match cannot read. Match would treat
// them as patterns that nothing matches.
func checkPattern(pattern string) error {
	for s := range strings.SplitSeq(pattern, "/") {
		if s == "**" {
			continue
		}
		if _, err := path.Match(s, ""); err != nil {
			return driver.Fail(plan.Invalid, "the pattern %q is malformed: a bracket or a backslash has no partner; write \\[ and \\\\ for the characters themselves", s)
		}
	}
	return nil
}

// Match reports whether a key matches a pattern, segment by segment. *, ? and
// [a-z] match within a segment as in path.Match, and a segment ** matches any
// number of segments, including none.
func Match(pattern, key string) bool {
	return matchSegments(strings.Split(pattern, "/"), strings.Split(key, "/"))
}

// matchSegments is the usual wildcard matching with one point to return to:
// only the last ** needs to be tried at other lengths.
func matchSegments(pattern, key []string) bool {
	p, k := 0, 0
	star, mark := -1, 0
	for k < len(key) {
		switch {
		case p < len(pattern) && pattern[p] == "**":
			star, mark = p, k
			p++
		case p < len(pattern) && matchOne(pattern[p], key[k]):
			p++
			k++
		case star >= 0:
			mark++
			p, k = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == "**" {
		p++
	}
	return p == len(pattern)
}

func matchOne(pattern, segment string) bool {
	ok, err := path.Match(pattern, segment)
	return ok && err == nil
}
