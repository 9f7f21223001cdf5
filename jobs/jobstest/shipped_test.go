package jobstest_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/jobstest"
)

// Shipped files.

// Stops counts words, except those of a list that is shipped with the job.
var Stops = jobs.New("stops", func(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
	stops, err := ctx.File("stop-words")
	if err != nil {
		return err
	}
	for word := range bytes.FieldsSeq(line) {
		if !slices.ContainsFunc(bytes.Fields(stops), func(stop []byte) bool { return bytes.Equal(stop, word) }) {
			emit(word, 1)
		}
	}
	return nil
}, jobs.Sum)

func TestStops(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, Stops, jobstest.Lines("to be or", "not to be"), jobstest.ShippedFile("stop-words", "or\nto\n"), jobstest.Strict()).
		Want("be\t2", "not\t1")
}

// TestShippedFilesThatAreMissing verifies that the error for a file that was not shipped
// lists those that were.
func TestShippedFilesThatAreMissing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		says    string
		options []jobstest.Option
	}{
		{"no files were shipped with the job; name it with --file stop-words=PATH", nil},
		{"the files that were shipped with the job are a, words", []jobstest.Option{jobstest.ShippedFile("words", "x"), jobstest.ShippedFile("a", "")}},
		{"two files called a", []jobstest.Option{jobstest.ShippedFile("a", "x"), jobstest.ShippedFile("a", "")}},
		{"without = and control characters", []jobstest.Option{jobstest.ShippedFile("a=b", "x")}},
		{"more than the 67108864 bytes", []jobstest.Option{jobstest.ShippedFile("a", strings.Repeat("x", 40<<20)), jobstest.ShippedFile("b", strings.Repeat("x", 25<<20))}},
	} {
		_, err := jobstest.TryRun(t, Stops, append(c.options, jobstest.Lines("to be"))...)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, want %q", err, c.says)
		}
	}
}
