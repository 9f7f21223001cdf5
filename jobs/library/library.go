// Package library lists the jobs that are built into Windrow. The command
// windrow runs them. Each has a folder of its own and can serve as an example.
//
// Jobs are immutable and safe for concurrent use.
package library

import (
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/library/compact"
	"github.com/windrow-mr/windrow/jobs/library/distinct"
	"github.com/windrow-mr/windrow/jobs/library/grep"
	"github.com/windrow-mr/windrow/jobs/library/index"
	"github.com/windrow-mr/windrow/jobs/library/measurements"
	"github.com/windrow-mr/windrow/jobs/library/sort"
	"github.com/windrow-mr/windrow/jobs/library/teragen"
	"github.com/windrow-mr/windrow/jobs/library/terasort"
	"github.com/windrow-mr/windrow/jobs/library/teravalidate"
	"github.com/windrow-mr/windrow/jobs/library/wordcount"
)

// All returns the jobs in order of their names.
func All() []*jobs.Job {
	return []*jobs.Job{
		compact.Job(),
		distinct.Job(),
		grep.Job(),
		index.Job(),
		measurements.Job(),
		sort.Job(),
		teragen.Job(),
		terasort.Job(),
		teravalidate.Job(),
		wordcount.Job(),
	}
}
