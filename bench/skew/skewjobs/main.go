// Command skewjobs has the jobs that bench/skew measures. They read lines "key value" of
// whole numbers, and write a line "key TAB number" for each key.
package main

import (
	"bytes"
	"fmt"
	"iter"
	"strconv"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/sketch"
)

func main() {
	windrow.Main(
		over("fold", func(in jobs.Pairs[[]byte, int64]) jobs.Records[jobs.Pair[[]byte, int64]] {
			return in.Fold(jobs.Sum)
		}),
		over("reduce", func(in jobs.Pairs[[]byte, int64]) jobs.Records[jobs.Pair[[]byte, int64]] {
			return jobs.Reduce(in, func(_ *jobs.Context, key []byte, values iter.Seq[int64], emit func(jobs.Pair[[]byte, int64])) error {
				var sum int64
				for v := range values {
					sum += v
				}
				emit(jobs.Pair[[]byte, int64]{Key: key, Value: sum})
				return nil
			})
		}),
		over("sketch", sketch.CountDistinct[[]byte, int64]),
		over("set-thousand", sets(1_000)),
		over("set-million", sets(1_000_000)),
	)
}

// over returns a job that computes a number for each key.
func over(name string, of func(in jobs.Pairs[[]byte, int64]) jobs.Records[jobs.Pair[[]byte, int64]]) *jobs.Job {
	return jobs.Define(name, struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		of(jobs.Map(jobs.ReadLines(p), parse)).WriteTSV()
		return nil
	})
}

func parse(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
	key, value, ok := bytes.Cut(line, []byte(" "))
	n, err := strconv.ParseInt(string(value), 10, 64)
	if !ok || err != nil {
		return fmt.Errorf("%q is not a key and a number", line)
	}
	emit(key, n)
	return nil
}

// sets counts the different values of a key, modulo a number, by keeping all of them: its
// accumulators grow.
func sets(of int64) func(in jobs.Pairs[[]byte, int64]) jobs.Records[jobs.Pair[[]byte, int64]] {
	return func(in jobs.Pairs[[]byte, int64]) jobs.Records[jobs.Pair[[]byte, int64]] {
		all := jobs.Aggregate(in, func(set *map[int64]struct{}, v int64) {
			if *set == nil {
				*set = map[int64]struct{}{}
			}
			(*set)[v%of] = struct{}{}
		}, func(set, other *map[int64]struct{}) {
			for v := range *other {
				(*set)[v] = struct{}{}
			}
		})
		return jobs.FlatMap(all, func(_ *jobs.Context, a jobs.Pair[[]byte, map[int64]struct{}], emit func(jobs.Pair[[]byte, int64])) error {
			emit(jobs.Pair[[]byte, int64]{Key: a.Key, Value: int64(len(a.Value))})
			return nil
		})
	}
}
