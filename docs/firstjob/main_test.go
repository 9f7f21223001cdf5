package main

import (
	"testing"

	"github.com/windrow-mr/windrow/jobs/jobstest"
)

func TestWordCount(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, WordCount, jobstest.Lines("to be or", "not to be"), jobstest.Strict()).
		Want("to\t2", "be\t2", "or\t1", "not\t1")
}
