// Command firstjob is the first job of docs/writing-jobs.md: it counts words.
package main

import (
	"bytes"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
)

// WordCount counts how often each word occurs.
var WordCount = jobs.New("wordcount", tokenize, jobs.Sum)

func tokenize(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
	for word := range bytes.FieldsSeq(line) {
		emit(word, 1)
	}
	return nil
}

func main() { windrow.Main(WordCount) }
