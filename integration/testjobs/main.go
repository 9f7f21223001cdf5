// Command testjobs is a program with jobs of its own, some of which misbehave,
// for the integration tests.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/integration/graphs"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/library/sort"
)

type misbehaviour struct {
	At string `help:"the line at which to misbehave" required:"true"`
}

// each makes a job that copies lines and does f at the chosen one.
func each(name string, f func(ctx *jobs.Context) error) *jobs.Job {
	return jobs.Define(name, misbehaviour{}, func(p *jobs.Pipeline, a misbehaviour) error {
		jobs.Map(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
			if string(line) == a.At {
				if err := f(ctx); err != nil {
					return err
				}
			}
			emit(line, 1)
			return nil
		}).Fold(jobs.Sum[int64]).WriteTSV()
		return nil
	})
}

type hotParams struct {
	Rows int `help:"pairs that each line makes"`
}

// hot gives nine of ten pairs one key, and counts and measures the values of
// each key without combining them.
func hot(p *jobs.Pipeline, a hotParams) error {
	pairs := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, []byte]) error {
		value := bytes.Repeat([]byte("v"), 100)
		for i := range a.Rows {
			key := []byte("hot")
			if i%10 == 9 {
				key = fmt.Appendf(nil, "%s-%d", line, i)
			}
			emit(key, value)
		}
		return nil
	})
	jobs.Reduce(pairs, func(_ *jobs.Context, key []byte, values iter.Seq[[]byte], emit func(jobs.Pair[string, int64])) error {
		var n, size int64
		for v := range values {
			n++
			size += int64(len(v))
		}
		if size != 100*n {
			return fmt.Errorf("%d values of %s have %d bytes", n, key, size)
		}
		emit(jobs.Pair[string, int64]{Key: string(key), Value: n})
		return nil
	}).WriteTSV()
	return nil
}

func main() {
	all := append(wastes(),
		jobs.Define("tally", slowParams{}, tally),
		jobs.Define("stages", slowParams{}, stages),
		jobs.Define("rounds", slowParams{}, rounds),
		graphs.Job(),
		jobs.Define("copies", copiesParams{}, copies),
		jobs.Define("badkeys", copiesParams{}, badKeys),
		jobs.Define("sides", copiesParams{}, sides),
		sort.Job(),
		each("fails", func(*jobs.Context) error { return errors.New("the line is not good") }),
		each("panics", func(*jobs.Context) error { panic("out of cheese") }),
		each("rewrites", func(ctx *jobs.Context) error {
			path := strings.TrimPrefix(ctx.Position().Object, "file://")
			return os.WriteFile(path, []byte("something else\n"), 0o600)
		}),
		each("hangs", func(ctx *jobs.Context) error {
			fmt.Fprintln(os.Stderr, "hanging")
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(10 * time.Minute):
				return nil
			}
		}),
		jobs.Define("hot", hotParams{Rows: 1000}, hot),
	)
	if n, ok := killAfter(); ok {
		os.Exit(killed(os.Args[1:], n, all))
	}
	windrow.Main(all...)
}
