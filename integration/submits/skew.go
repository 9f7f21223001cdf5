package main

import (
	"fmt"
	"iter"

	"github.com/windrow-mr/windrow/jobs"
)

type skewParams struct {
	As   string `help:"what becomes of the pairs: reduce, fold or join"`
	Rows int    `help:"pairs that each line makes"`
	Hot  int    `help:"how many of ten have the hot key"`
}

// hotKey has the bytes of an escape sequence, which a terminal must not get.
const hotKey = "hot\x1b[31m"

// skewed has a key with many of its pairs.
func skewed() *jobs.Job {
	return jobs.Define("skewed", skewParams{Rows: 15_000, Hot: 6}, func(p *jobs.Pipeline, a skewParams) error {
		lines := jobs.ReadLines(p)
		pairs := jobs.Map(lines, func(_ *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
			for i := range a.Rows {
				key := hotKey
				if i%10 >= a.Hot {
					key = fmt.Sprintf("%s-%d", line, i)
				}
				emit(key, 1)
			}
			return nil
		})
		count := func(_ *jobs.Context, key string, values iter.Seq[int64], emit func(jobs.Pair[string, int64])) error {
			var sum int64
			for v := range values {
				sum += v
			}
			if sum > 1 {
				emit(jobs.Pair[string, int64]{Key: key, Value: sum})
			}
			return nil
		}
		switch a.As {
		case "fold":
			pairs.Fold(jobs.Sum[int64]).WriteTSV()
		case "join":
			names := jobs.Map(lines, func(_ *jobs.Context, line []byte, emit jobs.Emit[string, string]) error {
				emit(string(line), "a name")
				return nil
			})
			jobs.CoGroup(pairs, names, func(ctx *jobs.Context, key string, left iter.Seq[int64], _ iter.Seq[string], emit func(jobs.Pair[string, int64])) error {
				return count(ctx, key, left, emit)
			}).WriteTSV()
		default:
			jobs.Reduce(pairs, count).WriteTSV()
		}
		return nil
	})
}
