package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/windrow-mr/windrow/internal/embedded"
)

// logEvery is the time between two lines of progress where there is no terminal.
const logEvery = 10 * time.Second

// progress shows the progress of a run: a line that changes in place on a terminal,
// or a line every ten seconds elsewhere.
type progress struct {
	to    io.Writer
	job   string
	quiet bool
	width int // of the terminal, 0 when there is none

	mu   sync.Mutex
	last time.Duration // when the last line was logged
	rate rate
	on   bool // the terminal shows a line
}

func newProgress(to io.Writer, job string, quiet bool) *progress {
	p := &progress{to: to, job: job, quiet: quiet}
	if f, ok := to.(*os.File); ok && os.Getenv("TERM") != "dumb" {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil {
			p.width = w
		}
	}
	return p
}

// show shows the newest progress.
func (p *progress) show(now embedded.Progress) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate.add(now.Elapsed, now.Bytes)
	if p.width > 0 {
		line := []rune(p.line(now))
		if len(line) >= p.width {
			line = line[:p.width-1]
		}
		fmt.Fprintf(p.to, "\r%s\x1b[K", string(line))
		p.on = true
		return
	}
	if now.Elapsed-p.last >= logEvery {
		p.last = now.Elapsed
		fmt.Fprintln(p.to, p.line(now))
	}
}

// clear removes the line.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.on {
		fmt.Fprint(p.to, "\r\x1b[K")
		p.on = false
	}
}

// line describes the progress in a line.
func (p *progress) line(now embedded.Progress) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", p.job, now.Phase)
	if now.Tasks > 0 {
		fmt.Fprintf(&b, " %d/%d", now.Done, now.Tasks)
	}
	if p.width > 0 {
		const cells = 16
		full := int(now.Fraction * cells)
		fmt.Fprintf(&b, " %s%s", strings.Repeat("█", full), strings.Repeat("░", cells-full))
	}
	fmt.Fprintf(&b, " %.0f%%", now.Fraction*100)
	if now.Phase == "map" {
		fmt.Fprintf(&b, " · %s/s", embedded.Bytes(p.rate.perSecond()))
	}
	if now.Shuffled > 0 {
		fmt.Fprintf(&b, " · shuffled %s", embedded.Bytes(now.Shuffled))
	}
	if now.Retried > 0 {
		fmt.Fprintf(&b, " · %d retried", now.Retried)
	}
	fmt.Fprintf(&b, " · %v", now.Elapsed.Round(time.Second))
	if now.Fraction > 0.02 && now.Fraction < 1 {
		left := time.Duration(float64(now.Elapsed) * (1 - now.Fraction) / now.Fraction)
		fmt.Fprintf(&b, ", about %v left", left.Round(time.Second))
	}
	return b.String()
}

// rate is the speed over the last seconds.
type rate struct {
	at    []time.Duration
	bytes []int64
}

// window is the time over which the speed is measured.
const window = 5 * time.Second

func (r *rate) add(at time.Duration, bytes int64) {
	r.at, r.bytes = append(r.at, at), append(r.bytes, bytes)
	for len(r.at) > 2 && at-r.at[0] > window {
		r.at, r.bytes = r.at[1:], r.bytes[1:]
	}
}

func (r *rate) perSecond() int64 {
	n := len(r.at)
	if n < 2 || r.at[n-1] == r.at[0] {
		return 0
	}
	return int64(float64(r.bytes[n-1]-r.bytes[0]) / (r.at[n-1] - r.at[0]).Seconds())
}
