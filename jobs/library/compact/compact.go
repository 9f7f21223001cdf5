// Package compact is the job that merges many small objects into few.
//
// Its constructor runs in every process of the job. The job is safe for
// concurrent use and has no errors of its own. It is map-only: a part per map
// task.
package compact

import (
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
)

// Job returns the job compact: lines in, the same lines out, in the order of
// the input. The small objects of a map task become one part, so the size of
// splits is the size of parts: choose it with --split-size. A last line without
// its end gets one, and a byte order mark at the beginning of an object is left out;
// all other bytes stay as they are, CR LF too.
func Job() *jobs.Job {
	return jobs.Define("compact", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, text.Lines{KeepCR: true}).Write(text.Lines{KeepCR: true})
		return nil
	}).Described("rewrite the lines of text into fewer objects")
}
