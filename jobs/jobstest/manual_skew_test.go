package jobstest_test

import (
	"fmt"
	"hash/crc32"
	"iter"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/jobstest"
)

// Skew.

// Salted is a page with a number, which divides the visits of one page among tasks.
type Salted struct {
	Page string
	Salt uint32
}

// LongestQuery finds the longest query of each page, in two steps.
var LongestQuery = jobs.Define("longest-query", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	visits := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[Salted, string]) error {
		var page, query string
		if _, err := fmt.Sscan(string(line), &page, &query); err != nil {
			return err
		}
		emit(Salted{page, crc32.ChecksumIEEE(line) % 16}, query)
		return nil
	})
	parts := jobs.Reduce(visits, func(_ *jobs.Context, key Salted, queries iter.Seq[string], emit func(jobs.Pair[string, string])) error {
		emit(jobs.Pair[string, string]{Key: key.Page, Value: longestOf(queries)})
		return nil
	}).Named("parts")
	pages := jobs.Map(parts, func(_ *jobs.Context, part jobs.Pair[string, string], emit jobs.Emit[string, string]) error {
		emit(part.Key, part.Value)
		return nil
	})
	jobs.Reduce(pages, func(_ *jobs.Context, page string, queries iter.Seq[string], emit func(jobs.Pair[string, string])) error {
		emit(jobs.Pair[string, string]{Key: page, Value: longestOf(queries)})
		return nil
	}).WriteTSV()
	return nil
})

func longestOf(all iter.Seq[string]) (most string) {
	for s := range all {
		if len(s) > len(most) || len(s) == len(most) && s < most {
			most = s
		}
	}
	return most
}

func TestLongestQuery(t *testing.T) {
	t.Parallel()
	lines := []string{"/ a", "/ abc", "/faq xy", "/ abd", "/faq x"}
	for i := range 100 {
		lines = append(lines, fmt.Sprintf("/ %d", i%100))
	}
	jobstest.Run(t, LongestQuery, jobstest.Lines(lines...), jobstest.Strict()).Want("/\tabc", "/faq\txy")
}
