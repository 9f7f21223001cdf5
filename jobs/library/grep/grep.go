// Package grep is the job that keeps the lines that match a pattern.
//
// Its constructor runs in every process of the job. The job is safe for
// concurrent use and has no errors of its own. It is map-only: a part per map
// task.
package grep

import (
	"regexp"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
)

// Params are the parameters of grep.
type Params struct {
	Pattern *regexp.Regexp `help:"keep lines that match this regular expression (RE2 syntax)" required:"true"`
	Invert  bool           `help:"keep the other lines"`
}

// Job returns the job grep: lines in, lines out, in the order of the input
// within a part.
func Job() *jobs.Job {
	return jobs.Define("grep", Params{}, func(p *jobs.Pipeline, params Params) error {
		keep := func(line []byte) bool { return params.Pattern.Match(line) != params.Invert }
		jobs.ReadLines(p).Filter(keep).Write(text.Lines{})
		return nil
	}).Described("keep the lines that match a regular expression, or the others")
}
