package main

import (
	"fmt"
	"iter"
	"os"
	"strings"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
)

// copiesParams say on which lines jobs fail. Another value stands for another program.
type copiesParams struct {
	Bad  string `help:"the line on which the job fails" default:"-"`
	List string `help:"a file of lines on which it fails too, as the machine has it at that moment"`
}

// check returns an error for a bad line.
func (a copiesParams) check(line string) error {
	if line == a.Bad {
		return fmt.Errorf("%s is bad", line)
	}
	if a.List == "" {
		return nil
	}
	listed, err := os.ReadFile(a.List)
	if err == nil && strings.Contains(string(listed), line+"\n") {
		err = fmt.Errorf("%s is listed", line)
	}
	return err
}

// copies copies lines.
func copies(p *jobs.Pipeline, a copiesParams) error {
	jobs.FlatMap(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit func([]byte)) error {
		emit(line)
		return a.check(string(line))
	}).Write(text.Lines{})
	return nil
}

// badKeys counts lines, and fails on a key.
func badKeys(p *jobs.Pipeline, a copiesParams) error {
	lines := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
		emit(line, 1)
		return nil
	})
	jobs.Reduce(lines, func(_ *jobs.Context, key []byte, values iter.Seq[int64], emit func(jobs.Pair[string, int64])) error {
		var n int64
		for v := range values {
			n += v
		}
		emit(jobs.Pair[string, int64]{Key: string(key), Value: n})
		return a.check(string(key))
	}).WriteTSV()
	return nil
}

// sides copies lines, and adds the number of lines of another input to each.
func sides(p *jobs.Pipeline, a copiesParams) error {
	good := func(_ *jobs.Context, line []byte, emit func([]byte)) error {
		emit(line)
		return a.check(string(line))
	}
	size := jobs.Broadcast(jobs.FlatMap(jobs.ReadLines(p).Named("side"), good), func(rows iter.Seq[[]byte]) (int, error) {
		n := 0
		for range rows {
			n++
		}
		return n, nil
	})
	jobs.FlatMap(jobs.FlatMap(jobs.ReadLines(p).Named("main"), good), func(ctx *jobs.Context, line []byte, emit func([]byte)) error {
		emit(fmt.Appendf(nil, "%s %d", line, size.Get(ctx)))
		return nil
	}).Write(text.Lines{})
	return nil
}
