package main

import (
	"iter"
	"strings"

	"github.com/windrow-mr/windrow/jobs"
)

// mostRounds is how many rounds the job rounds declares; it needs 20.
const mostRounds, neededRounds = 30, 20

// rounds counts words, and adds one to each count in each round. A round learns its
// number from what the round before has observed. Its tasks mark what they do.
func rounds(p *jobs.Pipeline, a slowParams) error {
	begun := &attempts{file: a.Marks}
	counts := jobs.Map(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
		if err := begun.mark(ctx); err != nil {
			return err
		}
		for w := range strings.FieldsSeq(string(line)) {
			emit(w, 1)
		}
		return rest(ctx, a.Map)
	}).Fold(jobs.Sum)
	counts.Loop(mostRounds, func(counts jobs.Records[jobs.Pair[string, int64]]) jobs.Records[jobs.Pair[string, int64]] {
		again := jobs.Map(counts, func(_ *jobs.Context, c jobs.Pair[string, int64], emit jobs.Emit[string, int64]) error {
			emit(c.Key, c.Value)
			return nil
		})
		return jobs.Reduce(again, func(ctx *jobs.Context, word string, counts iter.Seq[int64], emit func(jobs.Pair[string, int64])) error {
			if err := begun.mark(ctx); err != nil {
				return err
			}
			ctx.Observe("round", ctx.Previous("round").Max+1)
			emit(jobs.Pair[string, int64]{Key: word, Value: total(counts) + 1})
			return rest(ctx, a.Reduce)
		}).Named("sums")
	}, func(seen map[string]jobs.Stat) bool { return seen["round"].Max == neededRounds }).WriteTSV()
	return nil
}
