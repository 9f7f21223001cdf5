package runner

import (
	"bytes"
	"fmt"

	"github.com/windrow-mr/windrow/plan/plural"
)

// kept is the beginning and the end of a text that comes line by line. Calls
// must not overlap.
type kept struct {
	limit int // of each, in bytes
	head  []byte
	tail  []byte // its last limit bytes count
	full  bool   // the head takes no more
	lines int64  // that the tail lost
}

// add appends a line, without its line feed.
func (k *kept) add(line []byte) {
	if !k.full && len(k.head)+len(line) < k.limit {
		k.head = append(append(k.head, line...), '\n')
		return
	}
	k.full = true
	k.tail = append(append(k.tail, line...), '\n')
	if len(k.tail) >= 2*k.limit {
		k.cut()
	}
}

// cut leaves the last whole lines of the tail.
func (k *kept) cut() {
	from := max(len(k.tail)-k.limit, 0)
	if from == 0 {
		return
	}
	if i := bytes.IndexByte(k.tail[from:], '\n'); i >= 0 && from+i+1 < len(k.tail) && k.tail[from-1] != '\n' {
		from += i + 1
	}
	k.lines += int64(bytes.Count(k.tail[:from], []byte("\n")))
	k.tail = k.tail[:copy(k.tail, k.tail[from:])]
}

// text returns the kept text, with a note of the lines dropped in between.
func (k *kept) text() []byte {
	k.cut()
	out := bytes.Clone(k.head)
	if k.lines > 0 {
		out = fmt.Appendf(out, "[… %s dropped …]\n", plural.Of(k.lines, "line"))
	}
	return append(out, k.tail...)
}
