package schedule

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/nearest"
)

// Problem is a mistake in a Spec, or a notice about it.
type Problem struct {
	Field string // such as "output", "ready.success[0]" or "job.params.day"
	Text  string
}

// Error is the error of a Spec: all mistakes that were found. Its kind is plan.Invalid.
type Error struct{ Problems []Problem }

// Error returns a line for each mistake.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Field + ": " + p.Text
	}
	return strings.Join(lines, "\n")
}

// FailureKind returns plan.Invalid.
func (e *Error) FailureKind() plan.Kind { return plan.Invalid }

// checker collects mistakes.
type checker struct{ problems []Problem }

func (c *checker) addf(field, format string, args ...any) {
	c.problems = append(c.problems, Problem{field, fmt.Sprintf(format, args...)})
}

func (c *checker) add(field string, err error) {
	if err != nil {
		c.addf(field, "%v", err)
	}
}

// oneOf checks a field that has one of a few values, or none.
func (c *checker) oneOf(field, value string, values ...string) {
	if value == "" || slices.Contains(values, value) {
		return
	}
	if near := nearest.Name(value, values); near != "" {
		c.addf(field, "%q is none of %s; did you mean %q?", value, strings.Join(values, ", "), near)
		return
	}
	c.addf(field, "%q is none of %s", value, strings.Join(values, ", "))
}

// notNegative checks a number.
func (c *checker) notNegative(field string, n int64) {
	if n < 0 {
		c.addf(field, "%d is negative", n)
	}
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// fields checks the fields that do not depend on others, or on the times.
func (c *checker) fields(s *Spec) {
	if !nameForm.MatchString(s.Name) {
		c.addf("name", "%q is not a name: it has letters, digits, -, _ and ., begins with a letter or a digit, and has at most 100 bytes", s.Name)
	}
	if s.Job.Name == "" && s.Job.Program == "" {
		c.addf("job.name", "no job is named")
	}
	c.notNegative("job.partitions", int64(s.Job.Partitions))
	c.add("job.attempts", plan.CheckAttempts(s.Job.Attempts))
	_, err := plan.ParseBadRecords(s.Job.BadRecords)
	c.add("job.badRecords", err)
	c.oneOf("dst", s.DST, once, literal)
	c.oneOf("onExists", s.OnExists, failExists, replaces, appends)
	c.oneOf("catchup.order", s.Catchup.Order, oldest, newest)
	c.overlap(s.Overlap)
	if s.Catchup.Off && (s.Catchup != Catchup{Off: true}) {
		c.addf("catchup.off", "catchup is off, and has other fields: remove off or them")
	}
	if !s.End.IsZero() && !s.End.After(s.Start) {
		c.addf("end", "%s is not after start", s.End.Format(time.RFC3339))
	}
	for _, n := range []struct {
		field string
		value int64
	}{
		{"ready.minObjects", int64(s.Ready.MinObjects)}, {"catchup.maxRuns", int64(s.Catchup.MaxRuns)}, {"retries.max", int64(s.Retries.Max)},
		{"pauseAfterFailures", int64(s.PauseAfterFailures)}, {"priority", int64(s.Priority)},
		{"jitter", int64(s.Jitter)}, {"ready.quiet", int64(s.Ready.Quiet)}, {"ready.timeout", int64(s.Ready.Timeout)}, {"catchup.window", int64(s.Catchup.Window)},
		{"startingDeadline", int64(s.StartingDeadline)}, {"runTimeout", int64(s.RunTimeout)}, {"retries.backoff", int64(s.Retries.Backoff)}, {"freshness", int64(s.Freshness)},
		{"history.succeeded", int64(s.History.Succeeded)}, {"history.failed", int64(s.History.Failed)},
	} {
		c.notNegative(n.field, n.value)
	}
	if s.Start.Nanosecond() != 0 || s.End.Nanosecond() != 0 {
		c.addf("start", "start and end must be whole seconds")
	}
	for i, text := range s.Expect {
		_, err := plan.ParseExpectation(text)
		c.add(fmt.Sprintf("expect[%d]", i), err)
	}
	for i, name := range s.DependsOn {
		if name == s.Name {
			c.addf(fmt.Sprintf("dependsOn[%d]", i), "the schedule depends on itself")
		} else if !nameForm.MatchString(name) {
			c.addf(fmt.Sprintf("dependsOn[%d]", i), "%q is not the name of a schedule", name)
		}
	}
	for i, n := range s.Notify {
		field := fmt.Sprintf("notify[%d]", i)
		if (n.Webhook == "") == (len(n.Command) == 0) {
			c.addf(field, "it needs a webhook or a command, and not both")
		}
		if n.Webhook != "" && !strings.HasPrefix(n.Webhook, "https://") && !strings.HasPrefix(n.Webhook, "http://") {
			c.addf(field+".webhook", "%q is not an http or https URL", n.Webhook)
		}
		for j, on := range n.On {
			c.oneOf(fmt.Sprintf("%s.on[%d]", field, j), on, "failed", "skipped", "paused", "late", "succeeded")
		}
	}
}

func (c *checker) overlap(text string) {
	n, ok := strings.CutPrefix(text, parallel)
	if !ok {
		c.oneOf("overlap", text, queue, skip, replaces, "parallel:N")
		return
	}
	if runs, err := strconv.Atoi(n); err != nil || runs < 1 || runs > 1000 {
		c.addf("overlap", "%q: write parallel and the number of runs, from 1 to 1000, such as parallel:4", text)
	}
}
