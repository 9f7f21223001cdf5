package scheduler

import (
	"fmt"
	"slices"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// logging is a master of a job of many maps, all of whose appends win.
type logging struct {
	*State
	records []Record
	n       int // maps reported
}

func newLogging(maps int) *logging {
	l := &logging{State: New(Config{Epoch: 1, Counts: plan.Counts{Maps: maps}})}
	l.feed(Lead{}, Joined{"w", 1})
	return l
}

func (l *logging) feed(events ...Event) {
	for len(events) > 0 {
		e := events[0]
		events = events[1:]
		for _, c := range l.Step(0, e) {
			switch c := c.(type) {
			case Append:
				l.records = append(l.records, Record{c.Record.Epoch, slices.Clone(c.Record.Entries)})
				events = append(events, Appended{})
			case CheckEpoch:
				events = append(events, Checked{true})
			case Launch:
				if l.job.writes(l.job.place(c.Task.Group())) {
					events = append(events, Asked{c.Task, c.Attempt})
				}
			case Grant:
				l.n++
			case CommitOutput:
				events = append(events, OutputCommitted{})
			default:
			}
		}
	}
}

// finish reports the attempt that runs.
func (l *logging) finish() {
	for _, a := range l.attempts.those(func(*attempt) bool { return true }) {
		l.feed(Reported{Task: a.task, Attempt: a.id, Winner: a.id})
	}
}

// used returns the entries of accounts in the records.
func (l *logging) used() (all []Used) {
	for _, r := range l.records {
		for _, e := range r.Entries {
			if u, ok := e.(Used); ok {
				all = append(all, u)
			}
		}
	}
	return all
}

// TestUsageIsLoggedSeldom verifies that the log has few entries of a worker that
// reports its requests with each of a thousand tasks. At no time does the log
// have less than two thirds of the requests reported before its last record, and
// it has all in the end.
func TestUsageIsLoggedSeldom(t *testing.T) {
	t.Parallel()
	const maps, each = 1000, 12
	l := newLogging(maps)
	a := Account{"w.1", "s3"}
	for i := range maps {
		reported := plan.Usage{Gets: int64(each * (i + 1)), BytesDown: int64(1000 * (i + 1))}
		l.feed(Spent{a, reported})
		l.finish()
		if logged := l.job.Used()[a]; 3*logged.Gets < 2*reported.Gets {
			t.Fatalf("after %d tasks the log has %d gets of %d", i+1, logged.Gets, reported.Gets)
		}
	}
	if l.job.Status != Succeeded {
		t.Fatalf("the job is %v", l.job.Status)
	}
	if got := l.job.Used()[a]; got.Gets != each*maps || got.BytesDown != 1000*maps {
		t.Errorf("the log has %+v", got)
	}
	if n := len(l.used()); n > 25 {
		t.Errorf("%d entries", n)
	}
}

// TestUsageOnItsWay verifies that the growth of an account during an append is
// due by the same rule.
func TestUsageOnItsWay(t *testing.T) {
	t.Parallel()
	s := New(Config{Epoch: 1, Counts: plan.Counts{Maps: 2, Reduces: 1}})
	a := Account{"w.1", "s3"}
	step := func(e Event) (used []int64) {
		for _, c := range s.Step(0, e) {
			if c, ok := c.(Append); ok {
				for _, e := range c.Record.Entries {
					if u, ok := e.(Used); ok {
						used = append(used, u.Usage.Gets)
					}
				}
			}
		}
		return used
	}
	for _, e := range []Event{Lead{}, Joined{"w", 2}, Appended{}, Appended{}} { // the fence, the plan
		step(e)
	}
	report := func(i int) Event {
		id := plan.AttemptID{Epoch: 1, N: uint32(i + 1)}
		return Reported{Task: plan.TaskID{Phase: plan.Map, Index: i}, Attempt: id, Winner: id}
	}
	step(Spent{a, plan.Usage{Gets: 10}})
	if got := step(report(0)); !slices.Equal(got, []int64{10}) {
		t.Errorf("the first record has %d", got)
	}
	step(Spent{a, plan.Usage{Gets: 11}})
	step(Appended{})
	if got := step(report(1)); got != nil {
		t.Errorf("the next record has %d, though it has grown little", got)
	}
	step(Spent{a, plan.Usage{Gets: 15}})
	if got := step(Taken{Record{Epoch: 1}}); !slices.Equal(got, []int64{15}) {
		t.Errorf("the record after one that was lost has %d", got)
	}
}

// TestUsageIsCountedOnce verifies that repeated and late reports change nothing,
// and that the log has each request once if a second master appends the first
// one's entries again.
func TestUsageIsCountedOnce(t *testing.T) {
	t.Parallel()
	l := newLogging(2)
	one, two := Account{"w.1", "s3"}, Account{"w.2", "s3"}
	early, late := Spent{one, plan.Usage{Puts: 3, Gets: 9}}, Spent{one, plan.Usage{Puts: 4, Gets: 9}}
	l.feed(early, late, early, Spent{two, plan.Usage{Puts: 10}}, late)
	l.finish()
	l.feed(early, late)
	l.finish()
	if got, want := fmt.Sprint(l.job.Used()), fmt.Sprint(map[Account]plan.Usage{one: late.Usage, two: {Puts: 10}}); got != want {
		t.Errorf("the log has %s, want %s", got, want)
	}
	var job Job
	for _, r := range l.records {
		job.Fold(r)
		job.Fold(Record{r.Epoch, []Entry{Used{one, early.Usage}}})
	}
	if got, want := fmt.Sprint(job.Used()), fmt.Sprint(l.job.Used()); got != want {
		t.Errorf("folded with others' entries the log has %s, want %s", got, want)
	}
}
