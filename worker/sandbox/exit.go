package sandbox

import (
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// A Cause is why a process ended.
type Cause int

// The causes.
const (
	Exited      Cause = iota + 1 // by itself, with a status other than 0
	Signaled                     // by a signal from outside
	OutOfMemory                  // it used more memory than it may
	NoProgress                   // it went too long without progress
	Stopped                      // by Stop
	Canceled                     // the context of Start ended
)

var causeNames = [...]string{
	Exited: "exited", Signaled: "signaled", OutOfMemory: "out of memory", NoProgress: "no progress", Stopped: "stopped", Canceled: "canceled",
}

// String returns the cause in words.
func (c Cause) String() string {
	if c > 0 && int(c) < len(causeNames) {
		return causeNames[c]
	}
	return "unknown cause"
}

// Exit says how a process ended.
type Exit struct {
	Cause  Cause
	Code   int            // the exit status; -1 when a signal ended it
	Signal syscall.Signal // the signal that ended it; 0 when it exited
	Limit  int64          // of memory, in bytes; 0 for none
	Peak   int64          // the most memory that was seen, in bytes
	Idle   time.Duration  // how long it went without progress, for NoProgress
	Err    error          // why the context ended, for Canceled
	Stderr string         // the kept part of standard error
}

// Error says how the process ended, and what to do.
func (e *Exit) Error() string {
	switch e.Cause {
	case OutOfMemory:
		used := "it used " + mebibytes(e.Peak)
		if e.Peak <= e.Limit { // its last request was for more than all that was seen
			used = "it asked for more than it may, having used " + mebibytes(e.Peak)
		}
		return fmt.Sprintf("the job process ran out of memory: %s, and its limit is %s: give the worker more --memory or fewer --slots, or let the job keep less at a time%s",
			used, mebibytes(e.Limit), e.lastWords())
	case NoProgress:
		return fmt.Sprintf("the job process made no progress for %v and was killed: it may be in an endless loop or a deadlock; its stacks are in its log, and if the job is only slow, give the worker a longer --no-progress%s",
			e.Idle.Round(time.Millisecond), e.lastWords())
	case Stopped:
		return "the job process was stopped"
	case Canceled:
		return fmt.Sprintf("the job process was stopped: %v", e.Err)
	case Signaled:
		return fmt.Sprintf("the job process was ended by signal %d (%v)%s", int(e.Signal), e.Signal, e.lastWords())
	default:
		return fmt.Sprintf("the job process exited with status %d%s", e.Code, e.lastWords())
	}
}

// Unwrap returns why the context ended.
func (e *Exit) Unwrap() error { return e.Err }

// fatal matches the beginning of the line in which a Go program says why it
// ends.
var fatal = regexp.MustCompile(`^(panic|fatal error|SIG[A-Z]+): `)

// lastWords returns the most useful line of standard error: the one of a panic, a
// fatal error or a signal, else the last. The process is asked for its stacks by
// SIGQUIT; its own words come before them.
func (e *Exit) lastWords() string {
	last := ""
	for line := range strings.Lines(e.Stderr) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "SIGQUIT: ") {
			break
		}
		if fatal.MatchString(line) {
			last = line
			break
		}
		if line != "" {
			last = line
		}
	}
	if len(last) > 500 {
		last = strings.ToValidUTF8(last[:500], "") + "…"
	}
	if last == "" {
		return ""
	}
	return ": " + last
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// exhausted reports whether a Go program ended because the system gave it no
// more memory.
func exhausted(code int, stderr string) bool {
	return code == 2 && (strings.Contains(stderr, "fatal error: runtime: out of memory") ||
		strings.Contains(stderr, "fatal error: out of memory") || strings.Contains(stderr, "cannot allocate memory"))
}
