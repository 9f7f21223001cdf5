package runner

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

const (
	// logTime bounds one write of a log.
	logTime = 20 * time.Second
	// logsAtOnce bounds the logs of ended attempts that are being written.
	logsAtOnce = 16
)

// attemptLog holds an attempt's output and the worker's notes on it.
type attemptLog struct {
	root *store.Root
	key  string

	mu     sync.Mutex
	begin  string // first line
	end    string // last line
	lines  kept   // of both outputs, in between
	errors kept   // of standard error alone
	dirty  bool   // something is not written yet
}

// newLog begins the log of an attempt.
func (r *Runner) newLog(ref cluster.Ref) *attemptLog {
	return &attemptLog{root: r.cfg.Root, key: plan.LogKey(ref.Job, ref.Task, ref.Attempt), dirty: true,
		begin: fmt.Sprintf("[%s] attempt %v of task %v on %s, worker process %d\n",
			time.Now().UTC().Format(time.RFC3339), ref.Attempt, ref.Task, r.cfg.Host, r.pid),
		lines: kept{limit: r.cfg.KeepOutput}, errors: kept{limit: r.cfg.KeepOutput}}
}

// line takes a line that a process printed.
func (l *attemptLog) line(text []byte, stderr bool) {
	text = bytes.ToValidUTF8(bytes.TrimSuffix(text, []byte("\r")), []byte("�"))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines.add(text)
	if stderr {
		l.errors.add(text)
	}
	l.dirty = true
}

// note adds a line of the worker's.
func (l *attemptLog) note(format string, args ...any) {
	l.line(fmt.Appendf(nil, "[%s] "+format, append([]any{time.Now().UTC().Format(time.RFC3339)}, args...)...), false)
}

// finish adds the last line.
func (l *attemptLog) finish(o *cluster.Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	words := "done"
	switch o.Result {
	case cluster.Failed:
		words = "failed: " + o.Text
	case cluster.Lost:
		words = "given up: " + o.Text
	default:
	}
	l.end = fmt.Sprintf("[%s] %s, after %v\n", time.Now().UTC().Format(time.RFC3339), words, o.Took.Round(time.Millisecond))
	l.dirty = true
}

// standardError returns the kept text of standard error.
func (l *attemptLog) standardError() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.errors.text())
}

// write writes the log to the store, if there is something new in it.
func (l *attemptLog) write(ctx context.Context) error {
	l.mu.Lock()
	text := append(append([]byte(l.begin), l.lines.text()...), l.end...)
	dirty := l.dirty
	l.dirty = false
	l.mu.Unlock()
	if !dirty {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, logTime)
	defer cancel()
	err := l.root.Put(ctx, l.key, text, store.Scratch)
	if err != nil {
		l.mu.Lock()
		l.dirty = true
		l.mu.Unlock()
	}
	return err
}

// refresh writes the log at times until ctx ends.
func (l *attemptLog) refresh(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = l.write(ctx) // tried again, and logged at the end
		}
	}
}

// outlet is one output of a process. It divides the output into lines, and
// finds the markers that end the output of an attempt.
type outlet struct {
	stderr bool

	mu      sync.Mutex
	to      *attemptLog // nil between attempts
	marker  []byte      // nil when none is waited for
	reached chan struct{}
	buf     []byte // bytes that make no line yet
}

var _ io.Writer = (*outlet)(nil)

// maxLine is the length from which a line is cut, in bytes.
const maxLine = 8 << 10

// direct sends later output to a log, until the marker.
func (o *outlet) direct(to *attemptLog, marker string) (reached <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.to, o.marker, o.reached = to, []byte(marker), make(chan struct{})
	return o.reached
}

// detach drops later output. Bytes that make no line yet become one.
func (o *outlet) detach() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.buf) > 0 {
		o.emit(o.buf)
		o.buf = o.buf[:0]
	}
	o.to, o.marker = nil, nil
}

// Write takes bytes as they come. It never fails.
func (o *outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			o.buf = append(o.buf, p...)
			break
		}
		line := p[:i]
		if len(o.buf) > 0 {
			o.buf = append(o.buf, line...)
			line = o.buf
		}
		o.whole(line)
		o.buf, p = o.buf[:0], p[i+1:]
	}
	// A marker that may have begun stays in one piece.
	for len(o.buf) > maxLine+len(o.marker) {
		o.emit(o.buf[:maxLine])
		o.buf = o.buf[:copy(o.buf, o.buf[maxLine:])]
	}
	return n, nil
}

// whole takes a line. A line that ends with the marker is an attempt's last.
func (o *outlet) whole(line []byte) {
	last := false
	if len(o.marker) > 0 {
		line, last = bytes.CutSuffix(line, o.marker[:len(o.marker)-1])
	}
	if !last || len(line) > 0 {
		for len(line) > 2*maxLine {
			o.emit(line[:maxLine])
			line = line[maxLine:]
		}
		o.emit(line)
	}
	if last {
		close(o.reached)
		o.to, o.marker = nil, nil
	}
}

func (o *outlet) emit(line []byte) {
	if o.to != nil {
		o.to.line(line, o.stderr)
	}
}
