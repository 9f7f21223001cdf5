package plan

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// Limits of the counters and statistics of a job, over all its tasks. Every attempt
// sends them, and the record of a run keeps them.
const (
	MaxNames     = 1000      // names of counters, and as many of statistics
	MaxNameBytes = 256 << 10 // of all these names together
)

// TallyError says that a job counts or observes more than a result can hold. Its
// kind is Invalid: the next attempt would do the same.
type TallyError struct{ Text string }

// Error returns the text.
func (e *TallyError) Error() string { return e.Text }

// FailureKind returns Invalid.
func (e *TallyError) FailureKind() Kind { return Invalid }

// FewNames returns a *TallyError unless so many names of one sort, with so many
// bytes of names of both sorts, are within the limits.
func FewNames(n, bytes int) error {
	switch {
	case n > MaxNames:
		return &TallyError{fmt.Sprintf("a job may have %d names of counters and %d of statistics, over all its tasks, and this is one more: "+
			"a name is for a kind of thing, not for each thing", MaxNames, MaxNames)}
	case bytes > MaxNameBytes:
		return &TallyError{fmt.Sprintf("the names of a job's counters and statistics may have %d bytes, over all its tasks, and these have more: "+
			"a name is for a kind of thing, not for each thing", MaxNameBytes)}
	default:
		return nil
	}
}

// Finite returns a *TallyError unless a statistic has only finite numbers, which
// every format of results can hold.
func (s Stat) Finite(name string) error {
	for _, v := range []float64{s.Min, s.Max} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return &TallyError{fmt.Sprintf("the statistic %q observed %v: it takes finite numbers; leave the others out, or count them by Count", name, v)}
		}
	}
	if math.IsNaN(s.Sum) || math.IsInf(s.Sum, 0) {
		return &TallyError{fmt.Sprintf("the sum of the statistic %q is greater than a float64 can hold: observe smaller numbers", name)}
	}
	return nil
}

// Check returns a *TallyError unless the counters and statistics are within the
// limits of a job.
func (t *Tally) Check() error {
	bytes := 0
	for name := range t.Counts {
		bytes += len(name)
	}
	for name, s := range t.Stats {
		bytes += len(name)
		if err := s.Finite(name); err != nil {
			return err
		}
	}
	return FewNames(max(len(t.Counts), len(t.Stats)), bytes)
}

// CheckName returns a *TallyError unless a name of a counter or a statistic is
// text: results are JSON, in which two names that are not could become the same.
func CheckName(name string) error {
	if utf8.ValidString(name) {
		return nil
	}
	return &TallyError{fmt.Sprintf("the name %+q of a counter or a statistic is not UTF-8", name)}
}
