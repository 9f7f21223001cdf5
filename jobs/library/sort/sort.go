// Package sort is the job that sorts lines.
//
// Its constructor runs in every process of the job. The job is safe for
// concurrent use and has no errors of its own.
package sort

import (
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
)

// Job returns the job sort: lines in, the same lines out, in the order of their
// bytes over all parts, like LC_ALL=C sort. Line ends become LF.
func Job() *jobs.Job {
	return jobs.Define("sort", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		sorted := jobs.Map(jobs.ReadLines(p), whole).Sort()
		jobs.Convert(sorted, line).Write(text.Lines{})
		return nil
	}).Described("sort the lines of text by their bytes")
}

func whole(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, struct{}]) error {
	emit(line, struct{}{})
	return nil
}

func line(p jobs.Pair[[]byte, struct{}]) []byte { return p.Key }
