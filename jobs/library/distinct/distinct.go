// Package distinct is the job that keeps each line once.
//
// Its constructor runs in every process of the job. The job is safe for
// concurrent use and has no errors of its own.
package distinct

import (
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
)

// Job returns the job distinct: lines in, each different line out once, in the
// order of their bytes within a part. Lines are compared as bytes, without
// their ends.
func Job() *jobs.Job {
	return jobs.Define("distinct", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		once := jobs.Map(jobs.ReadLines(p), whole).Fold(same)
		jobs.Convert(once, line).Write(text.Lines{})
		return nil
	}).Described("keep each different line of text once")
}

func whole(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, struct{}]) error {
	emit(line, struct{}{})
	return nil
}

func same(a, _ struct{}) struct{} { return a }

func line(p jobs.Pair[[]byte, struct{}]) []byte { return p.Key }
