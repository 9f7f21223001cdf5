// Command chain submits two jobs to a cluster, one after the other: the second one
// reads what the first one wrote. It prints the words that occur most often.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
)

// WordCount counts how often each word occurs.
var WordCount = jobs.New("wordcount", tokenize, jobs.Sum)

// ByCount has the greatest word of each count.
var ByCount = jobs.New("by-count", swap, func(a, b string) string { return max(a, b) })

func tokenize(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
	for word := range bytes.FieldsSeq(line) {
		emit(word, 1)
	}
	return nil
}

func swap(_ *jobs.Context, line []byte, emit jobs.Emit[int64, string]) error {
	word, count, _ := bytes.Cut(line, []byte("\t"))
	n, err := strconv.ParseInt(string(count), 10, 64)
	if err != nil {
		return err
	}
	emit(-n, string(word))
	return nil
}

func main() {
	windrow.Init(WordCount, ByCount) // first: workers start this program, too
	in, out, day := flag.String("in", "", "input `URL`"), flag.String("out", "", "output `URL`"), flag.String("day", "", "`NAME` of this run: the same one continues it")
	flag.Parse()
	if err := chain(context.Background(), os.Stdout, *in, *out, *day); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func chain(ctx context.Context, to io.Writer, in, out, day string) error {
	counted, err := step(ctx, WordCount, day, in, out+"/words")
	if err != nil {
		return err
	}
	sorted, err := step(ctx, ByCount, day, counted.Output(), out+"/by-count")
	if err != nil {
		return err
	}
	return sorted.Cat(ctx, to)
}

// step submits a job and waits for its end. With the key of an earlier call it returns
// the job of that call, which may have ended.
func step(ctx context.Context, job *jobs.Job, day, in, out string) (*windrow.Submission, error) {
	s, err := windrow.Submit(ctx, job, windrow.SubmitOptions{
		Input: []string{in}, Output: out, Partitions: 1, Key: "chain-" + day + "-" + job.Name(),
	})
	if err != nil {
		return nil, err
	}
	_, err = s.Wait(ctx)
	return s, err
}
