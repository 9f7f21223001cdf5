package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
)

const maxLine = 8 << 10 // bytes of a line that is logged in one piece

// collector keeps the beginning and the end of an output, and logs the lines of
// the beginning. It never blocks the process for long.
type collector struct {
	log    *slog.Logger
	to     io.Writer // nil: lines are logged
	stream string
	keep   int

	mu    sync.Mutex
	head  []byte
	tail  []byte // a ring, once it is full
	at    int    // where the ring begins
	total int64

	line   []byte // owned by the collecting goroutine
	silent bool
}

// collect reads until the output ends.
func (c *collector) collect(r io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		c.add(buf[:n])
		if err != nil {
			break
		}
	}
	if len(c.line) > 0 {
		c.logLine(c.line)
	}
}

func (c *collector) add(p []byte) {
	c.mu.Lock()
	logged := p[:min(len(p), c.keep-len(c.head))]
	c.head = append(c.head, logged...)
	c.total += int64(len(p))
	c.end(p[len(logged):])
	c.mu.Unlock()
	if c.to != nil {
		_, _ = c.to.Write(p) // the kept part has it at least
		return
	}
	for len(logged) > 0 {
		i := bytes.IndexByte(logged, '\n')
		if i < 0 {
			i = len(logged)
		}
		c.line = append(c.line, logged[:i]...)
		if i < len(logged) || len(c.line) >= maxLine {
			c.logLine(c.line)
			c.line = c.line[:0]
		}
		logged = logged[min(i+1, len(logged)):]
	}
	if c.total > int64(c.keep) && !c.silent {
		c.silent = true
		c.log.LogAttrs(context.Background(), slog.LevelWarn, "the job process writes much: from here only the end of its output is kept", slog.String("stream", c.stream))
	}
}

func (c *collector) logLine(line []byte) {
	c.log.LogAttrs(context.Background(), slog.LevelInfo, string(bytes.ToValidUTF8(line, []byte("�"))), slog.String("stream", c.stream))
}

// end keeps the last bytes.
func (c *collector) end(p []byte) {
	p = p[max(0, len(p)-c.keep):]
	for len(p) > 0 {
		if len(c.tail) < c.keep {
			n := min(len(p), c.keep-len(c.tail))
			c.tail = append(c.tail, p[:n]...)
			p = p[n:]
			continue
		}
		n := copy(c.tail[c.at:], p)
		c.at = (c.at + n) % c.keep
		p = p[n:]
	}
}

// String returns the kept text, with a note of the bytes dropped in between.
func (c *collector) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b bytes.Buffer
	b.Write(c.head)
	if dropped := c.total - int64(len(c.head)) - int64(len(c.tail)); dropped > 0 {
		fmt.Fprintf(&b, "\n[… %d bytes dropped …]\n", dropped)
	}
	b.Write(c.tail[c.at:])
	b.Write(c.tail[:c.at])
	return b.String()
}
