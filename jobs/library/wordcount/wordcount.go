// Package wordcount is the job that counts words.
//
// Its constructor runs in every process of the job. The job is safe for
// concurrent use and has no errors of its own. It counts occurrences.
package wordcount

import "github.com/windrow-mr/windrow/jobs"

// Job returns the job wordcount: lines in, "word TAB count" out, in order of
// words within a part. Words are separated by ASCII white space. They are
// bytes, and compared as bytes.
func Job() *jobs.Job {
	return jobs.New("wordcount", words, jobs.Sum[int64]).Described("count how often each word of text occurs")
}

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

// space reports whether c is a blank, tab, line feed, vertical tab, form feed
// or carriage return.
func space(c byte) bool { return c == ' ' || c-'\t' < 5 }
