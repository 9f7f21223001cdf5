// Package index is the job that makes an inverted index of text.
//
// Its constructor runs in every process of the job. The job is safe for
// concurrent use and has no errors of its own. Offsets are bytes.
package index

import (
	"iter"

	"github.com/windrow-mr/windrow/jobs"
)

// Place is where a word occurs.
type Place struct {
	Word   string
	Object string
	Offset int64 // of the word: the jobs.Position of its line, plus the word's own offset in the line
}

// Job returns the job index: lines in, "word TAB object TAB offset" out, a line
// for each occurrence, in order of words, objects and offsets within a part.
// All places of a word are in one part, however many there are. Words are
// separated by ASCII white space, as in wordcount.
func Job() *jobs.Job {
	return jobs.Define("index", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.ReduceBy(jobs.Map(jobs.ReadLines(p), places), list).WriteTSV()
		return nil
	}).Described("list the places of each word of text")
}

// at is a word's place as a key: grouped by word, in order of places.
type at = jobs.By[[]byte, jobs.Position]

func places(ctx *jobs.Context, line []byte, emit jobs.Emit[at, struct{}]) error {
	place := ctx.Position()
	begin := place.Offset
	for i := 0; i < len(line); {
		for i < len(line) && space(line[i]) {
			i++
		}
		start := i
		for i < len(line) && !space(line[i]) {
			i++
		}
		if i > start {
			place.Offset = begin + int64(start)
			emit(at{Key: line[start:i], Order: place}, struct{}{})
		}
	}
	return nil
}

// space reports whether c is a blank, tab, line feed, vertical tab, form feed
// or carriage return.
func space(c byte) bool { return c == ' ' || c-'\t' < 5 }

func list(_ *jobs.Context, word []byte, places iter.Seq2[jobs.Position, struct{}], emit func(Place)) error {
	w := string(word)
	for p := range places {
		emit(Place{w, p.Object, p.Offset})
	}
	return nil
}
