package planner

import (
	"path"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/output"
)

// names decides which keys below a directory an input reads. It is a pattern, one
// element for each segment of a key. A name that begins with _ or . is matched only by
// an element that begins with the same character, and so by no wildcard.
type names struct {
	segments []string
	literal  bool // the segments are names and not patterns
	begin    []int
}

// anyDepth is the element that matches any number of segments.
const anyDepth = "**"

// everything matches all keys.
func everything() *names { return pattern(anyDepth) }

// pattern returns the names that a pattern of store.Match matches.
func pattern(text string) *names {
	n := &names{segments: strings.Split(text, "/")}
	n.begin = n.closure([]int{0})
	return n
}

// exactly returns the names with one name.
func exactly(key string) *names {
	n := &names{segments: strings.Split(key, "/"), literal: true}
	n.begin = n.closure([]int{0})
	return n
}

// all reports whether all keys match that have no hidden part.
func (n *names) all() bool { return !n.literal && len(n.segments) == 1 && n.segments[0] == anyDepth }

// deep reports whether matches can be at any depth.
func (n *names) deep() bool { return !n.literal && slices.Contains(n.segments, anyDepth) }

// closure adds the places behind elements that need no segment. Places are in order.
func (n *names) closure(places []int) []int {
	for i := 0; i < len(places); i++ {
		p := places[i]
		if p < len(n.segments) && !n.literal && n.segments[p] == anyDepth && !slices.Contains(places, p+1) {
			places = append(places, p+1)
		}
	}
	slices.Sort(places)
	return places
}

// step returns the places in the pattern behind a segment of a key. hidden also lets
// wildcards match names that begin with _ or a dot.
func (n *names) step(places []int, segment string, hidden bool) []int {
	hidden = hidden || !output.Hidden(segment)
	var next []int
	add := func(p int) {
		if !slices.Contains(next, p) {
			next = append(next, p)
		}
	}
	for _, p := range places {
		switch {
		case p == len(n.segments):
		case n.literal:
			if n.segments[p] == segment {
				add(p + 1)
			}
		case n.segments[p] == anyDepth:
			if hidden {
				add(p)
			}
		case (hidden || n.segments[p] != "" && n.segments[p][0] == segment[0]) && matches(n.segments[p], segment):
			add(p + 1)
		}
	}
	return n.closure(next)
}

// matches reports whether one element of a pattern matches a segment.
func matches(element, segment string) bool {
	ok, err := path.Match(element, segment)
	return ok && err == nil
}

// walk returns the places behind all segments of a key.
func (n *names) walk(key string, hidden bool) []int {
	places := n.begin
	for segment := range strings.SplitSeq(key, "/") {
		if places = n.step(places, segment, hidden); len(places) == 0 {
			return nil
		}
	}
	return places
}

// match says whether a key is read, and whether it would be if its name had no part that
// begins with _ or a dot.
func (n *names) match(key string) (read, hidden bool) {
	if n.all() {
		hidden = output.Hidden(key)
		return !hidden, hidden
	}
	end := func(places []int) bool { return slices.Contains(places, len(n.segments)) }
	if end(n.walk(key, false)) {
		return true, false
	}
	return false, end(n.walk(key, true))
}

// enter says the same of a directory, which has a final slash: whether anything below it
// is read. Directories of one state have the same matches below; that of the beginning is
// empty.
func (n *names) enter(dir string) (state string, read, hidden bool) {
	dir = strings.TrimSuffix(dir, "/")
	more := func(places []int) bool { return len(places) > 0 && places[0] < len(n.segments) }
	places := n.walk(dir, false)
	if more(places) {
		return n.state(places), true, false
	}
	return "", false, more(n.walk(dir, true))
}

func (n *names) state(places []int) string {
	if slices.Equal(places, n.begin) {
		return ""
	}
	var b strings.Builder
	for _, p := range places {
		b.WriteRune(rune(p + 1))
	}
	return b.String()
}

// partsBegin begins the names of all parts of outputs.
const partsBegin = "part-"

// readsPart reports whether the parts of an output in a directory can match. The
// directory has no final slash, and is empty for that in which keys begin.
func (n *names) readsPart(dir string) bool {
	places := n.begin
	if dir != "" {
		places = n.walk(dir, false)
	}
	rest := func(p int) bool { // whether the elements from p on can match nothing
		return !slices.ContainsFunc(n.segments[p:], func(s string) bool { return s != anyDepth || n.literal })
	}
	for _, p := range places {
		if p == len(n.segments) {
			continue
		}
		if n.segments[p] == anyDepth && !n.literal {
			if rest(p) {
				return true
			}
			continue
		}
		begin := n.segments[p]
		if !n.literal {
			if end := strings.IndexAny(begin, `*?[\`); end >= 0 {
				begin = begin[:end]
				if rest(p+1) && (strings.HasPrefix(begin, partsBegin) || strings.HasPrefix(partsBegin, begin)) {
					return true
				}
				continue
			}
		}
		if rest(p+1) && strings.HasPrefix(begin, partsBegin) {
			return true
		}
	}
	return false
}
