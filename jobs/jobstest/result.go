package jobstest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/plan"
)

// Result is the output of a job, with its counters and statistics. It never
// changes.
type Result struct {
	tb    testing.TB
	job   string
	run   *windrow.Result
	parts [][]byte
}

// Text returns the whole output: all parts, one after the other.
func (r *Result) Text() string { return string(bytes.Join(r.parts, nil)) }

// Lines returns the lines of the output, without their ends, part by part. In
// most jobs the hash of a key decides which part holds a line. The lines of a
// job that sorts are in order over all parts.
func (r *Result) Lines() []string {
	var lines []string
	for _, part := range r.parts {
		lines = append(lines, cut(part)...)
	}
	return lines
}

// cut returns the lines of a part.
func cut(part []byte) []string {
	if len(part) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(part), "\n"), "\n")
}

// Want fails the test when the output's lines are not these. Their order does
// not matter, their number does.
func (r *Result) Want(lines ...string) {
	r.tb.Helper()
	got, want := sorted(r.Lines()), sorted(lines)
	if !slices.Equal(got, want) {
		r.tb.Errorf("the output of job %s is wrong: - is missing, + is too much\n%s", r.job, diff(want, got))
	}
}

// WantInOrder fails the test when the output's lines, part by part, are not
// exactly these. It is for jobs that sort.
func (r *Result) WantInOrder(lines ...string) {
	r.tb.Helper()
	got := r.Lines()
	if slices.Equal(got, lines) {
		return
	}
	if slices.Equal(sorted(got), sorted(lines)) {
		r.tb.Errorf("the lines of job %s are right, but in another order:\ngot  %q\nwant %q", r.job, got, lines)
		return
	}
	r.tb.Errorf("the output of job %s is wrong: - is missing, + is too much\n%s", r.job, diff(lines, got))
}

// BadRecords returns how many records and keys the job has left out. See the option
// BadRecords.
func (r *Result) BadRecords() int64 { return r.run.Tally.Bad }

// Counter returns the count of the job's functions under a name, or 0.
func (r *Result) Counter(name string) int64 { return r.run.Tally.Counts[name] }

// Stat returns the statistics of the job's functions under a name, or the zero
// Stat.
func (r *Result) Stat(name string) plan.Stat { return r.run.Tally.Stats[name] }

func sorted(lines []string) []string {
	lines = slices.Clone(lines)
	slices.Sort(lines)
	return lines
}

const (
	shown     = 20  // lines of a difference
	shownLine = 200 // bytes of a line
)

// diff shows the lines that only one side has, - of a and + of b, in order. A
// line that occurs more often on one side is shown that many times.
func diff(a, b []string) string {
	a, b = sorted(a), sorted(b)
	var out strings.Builder
	n, lost := 0, false
	show := func(sign, line string) {
		if n++; n <= shown {
			fmt.Fprintf(&out, "%s %.*q\n", sign, shownLine, line)
		}
		lost = lost || strings.Contains(line, "\xff")
	}
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			show("-", a[0])
			a = a[1:]
		case len(a) == 0 || b[0] < a[0]:
			show("+", b[0])
			b = b[1:]
		default:
			a, b = a[1:], b[1:]
		}
	}
	if n > shown {
		fmt.Fprintf(&out, "and %d more lines\n", n-shown)
	}
	if lost {
		out.WriteString("A byte \\xff may come from a []byte that a function kept: borrowed bytes are valid until it returns, so copy bytes that must last.\n")
	}
	return strings.TrimSuffix(out.String(), "\n")
}
