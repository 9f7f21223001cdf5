package allow

import (
	"net/url"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// name is a root's URL in its parts, without query. Its path is clean and has no
// slash at either end.
type name struct{ scheme, host, path string }

// String returns the name as a URL.
func (n name) String() string {
	base := n.scheme + "://" + n.host
	if n.scheme != "file" && n.path == "" {
		return base
	}
	return base + "/" + n.path
}

// below returns the part of n below other; it is empty if both are the same.
func (n name) below(other name) (string, bool) {
	if n.scheme != other.scheme || n.host != other.host {
		return "", false
	}
	if other.path == "" || n.path == other.path {
		return n.path[len(other.path):], true
	}
	return strings.CutPrefix(n.path, other.path+"/")
}

// join returns the name of a key below n.
func (n name) join(key string) name {
	n.path = strings.Trim(n.path+"/"+key, "/")
	return n
}

// parse reads the name of a root as a job gives it. It takes the text literally: it
// decodes, cleans and completes nothing.
func parse(raw string) (name, error) {
	n, err := parseInput(raw)
	if err == nil && strings.Contains("/"+n.path+"/", "//") && n.path != "" {
		err = driver.Fail(plan.Invalid, `it has the segment "": write the path without detours`)
	}
	if err != nil {
		return name{}, err
	}
	return n, nil
}

// parseInput is parse for the name of an input. Keys in a bucket can have empty segments,
// which stand for themselves.
func parseInput(raw string) (name, error) {
	if strings.ContainsFunc(raw, unicode.IsControl) {
		return name{}, driver.Fail(plan.Invalid, "it has control characters")
	}
	scheme, rest, isURL := strings.Cut(raw, "://")
	switch {
	case !isURL && !strings.HasPrefix(raw, "/"):
		return name{}, driver.Fail(plan.Invalid, "it is neither a URL nor an absolute path, and other machines have other working directories")
	case !isURL:
		scheme, rest = "file", raw
	case !isScheme(scheme):
		return name{}, driver.Fail(plan.Invalid, "%q is no scheme: a URL is scheme://bucket/path, in lower case before the colon", scheme)
	}
	n := name{scheme: scheme}
	if scheme == "file" {
		if !strings.HasPrefix(rest, "/") {
			return name{}, driver.Fail(plan.Invalid, "a file URL is file:///absolute/path, with three slashes")
		}
		n.path = rest[1:]
	} else {
		if strings.Contains(rest, "?") {
			return name{}, driver.Fail(plan.Denied, "URL parameters come from the operator's --allow only: leave out the question mark and what follows it")
		}
		n.host, n.path, _ = strings.Cut(rest, "/")
		if strings.Contains(n.host, "@") {
			return name{}, driver.Fail(plan.Invalid, "a URL must not hold credentials: masters and workers have their own")
		}
		if n.host == "" && scheme != "mem" {
			return name{}, driver.Fail(plan.Invalid, "the URL names no bucket")
		}
	}
	n.path = strings.TrimSuffix(n.path, "/")
	if n.path == "" {
		return n, nil
	}
	for segment := range strings.SplitSeq(n.path, "/") {
		if segment == "" && scheme == "file" || segment == "." || segment == ".." {
			return name{}, driver.Fail(plan.Invalid, "it has the segment %q: write the path without detours", segment)
		}
	}
	return n, nil
}

// parseAllowed reads a name and a query as an operator gives them.
func parseAllowed(raw string) (n name, query string, err error) {
	scheme, _, isURL := strings.Cut(raw, "://")
	switch {
	case raw == "":
		return name{}, "", driver.Fail(plan.Invalid, "the URL is empty")
	case !isURL:
		abs, err := filepath.Abs(raw)
		if err != nil {
			return name{}, "", err
		}
		raw = abs
	case scheme != "file":
		var found bool
		raw, query, found = strings.Cut(raw, "?")
		if _, err := url.ParseQuery(query); err != nil {
			// The parser's own error quotes the query, which may hold a secret.
			return name{}, "", driver.Fail(plan.Invalid, "the query of the URL is malformed")
		}
		if found {
			query = "?" + query
		}
	}
	if n, err = parse(raw); err != nil {
		return name{}, "", err
	}
	if store.IsPattern(n.path) {
		return name{}, "", driver.Fail(plan.Invalid, "a pattern cannot be allowed: name the directory or the prefix that jobs may use")
	}
	return n, query, nil
}

// isScheme reports whether a word may be the scheme of a URL.
func isScheme(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '+' && c != '-' && c != '.'
	})
}

// mostShown is how much of a name an error quotes, in bytes.
const mostShown = 512

// shown returns a URL fit for messages: no userinfo, no query, no control
// characters, and at most a few lines.
func shown(raw string) string {
	if scheme, rest, isURL := strings.Cut(raw, "://"); isURL && scheme != "file" {
		rest, _, _ = strings.Cut(rest, "?")
		host, path, slash := strings.Cut(rest, "/")
		raw = scheme + "://" + host[strings.LastIndexByte(host, '@')+1:]
		if slash {
			raw += "/" + path
		}
	}
	if len(raw) > mostShown {
		raw = raw[:mostShown] + "…"
	}
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, raw), "?")
}
