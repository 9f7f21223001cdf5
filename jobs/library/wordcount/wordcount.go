// Package wordcount is the job that counts words.
//
// Its constructor runs wherever the job does; the job is safe for concurrent
// use and has no errors of its own. Counts are of occurrences.
package wordcount

import "github.com/windrow-mr/windrow/jobs"

// Job returns the job wordcount: lines in, "word TAB count" out, in order of
// words within a part. Words are what stands between ASCII white space; they
// are bytes, compared as such.
func Job() *jobs.Job { return jobs.New("wordcount", words, jobs.Sum[int64]) }

func words(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
	for i := 0; i < len(line); {
		for i < len(line) && space(line[i]) {
			i++
		}
		start := i
		for i < len(line) && !space(line[i]) {
			i++
		}
		if i > start {
			emit(line[start:i], 1)
		}
	}
	return nil
}

// space is true for blank, tab, line feed, vertical tab, form feed and carriage
// return.
func space(c byte) bool { return c == ' ' || c-'\t' < 5 }
