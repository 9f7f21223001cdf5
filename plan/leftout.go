package plan

import (
	"fmt"
	"strings"
)

// LeftOut counts what an input names and a job does not read. A directory that is left
// out counts once, whatever is in it.
type LeftOut struct {
	Hidden  int `json:"hidden"`  // objects and directories whose names begin with _ or a dot
	Links   int `json:"links"`   // symbolic links that lead nowhere
	Special int `json:"special"` // pipes, sockets and devices
	// Untried counts objects that a Trial leaves out, or of which it leaves out parts.
	Untried int `json:"untried,omitempty"`
}

// Total returns the sum.
func (l LeftOut) Total() int { return l.Hidden + l.Links + l.Special + l.Untried }

// Plus returns the sum of both.
func (l LeftOut) Plus(o LeftOut) LeftOut {
	return LeftOut{l.Hidden + o.Hidden, l.Links + o.Links, l.Special + o.Special, l.Untried + o.Untried}
}

// String returns the counts in words, as all commands print them. It is empty if nothing
// is left out.
func (l LeftOut) String() string {
	var texts []string
	for _, c := range []struct {
		n         int
		one, many string
	}{
		{l.Hidden, "object or directory whose name begins with _ or .", "objects or directories whose names begin with _ or ."},
		{l.Links, "symbolic link that leads nowhere", "symbolic links that lead nowhere"},
		{l.Special, "pipe, socket or device", "pipes, sockets or devices"},
		{l.Untried, "object, all or in part, by --limit-objects or --sample", "objects, all or in part, by --limit-objects or --sample"},
	} {
		switch c.n {
		case 0:
		case 1:
			texts = append(texts, "1 "+c.one)
		default:
			texts = append(texts, fmt.Sprintf("%d %s", c.n, c.many))
		}
	}
	return strings.Join(texts, ", ")
}
