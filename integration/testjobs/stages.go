package main

import (
	"fmt"
	"iter"
	"strings"

	"github.com/windrow-mr/windrow/jobs"
)

// stages counts words, sums the counts of words that begin alike, joins both to an output
// "shares", and writes the words in the order of their counts to an output "ranks". Its
// tasks take a while, and mark what they do.
func stages(p *jobs.Pipeline, a slowParams) error {
	begun := &attempts{file: a.Marks}
	words := jobs.Map(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
		if err := begun.mark(ctx); err != nil {
			return err
		}
		for w := range strings.FieldsSeq(string(line)) {
			emit(w, 1)
		}
		return rest(ctx, a.Map)
	})
	counts := jobs.Reduce(words, func(ctx *jobs.Context, word string, ones iter.Seq[int64], emit func(jobs.Pair[string, int64])) error {
		if err := begun.mark(ctx); err != nil {
			return err
		}
		ctx.Count("keys", 1)
		emit(jobs.Pair[string, int64]{Key: word, Value: total(ones)})
		return rest(ctx, a.Reduce)
	}).Named("counts")
	byBegin := jobs.Map(counts, func(_ *jobs.Context, c jobs.Pair[string, int64], emit jobs.Emit[string, int64]) error {
		emit(begin(c.Key), c.Value)
		return nil
	})
	alike := jobs.Reduce(byBegin, func(ctx *jobs.Context, begin string, counts iter.Seq[int64], emit func(jobs.Pair[string, int64])) error {
		if err := begun.mark(ctx); err != nil {
			return err
		}
		emit(jobs.Pair[string, int64]{Key: begin, Value: total(counts)})
		return rest(ctx, a.Reduce)
	}).Named("alike")
	shares := jobs.Join(jobs.KeyBy(counts, func(c jobs.Pair[string, int64]) string { return begin(c.Key) }),
		jobs.KeyBy(alike, func(c jobs.Pair[string, int64]) string { return c.Key }),
		func(ctx *jobs.Context, _ string, c, all jobs.Pair[string, int64], emit func(share)) error {
			if err := begun.mark(ctx); err != nil {
				return err
			}
			emit(share{c.Key, c.Value, all.Value})
			return rest(ctx, a.Reduce)
		}).Named("shares")
	shares.WriteTSV().Named("shares")
	ranks := jobs.Map(shares, func(_ *jobs.Context, s share, emit jobs.Emit[int64, string]) error {
		emit(s.Count, s.Word)
		return nil
	}).Sort().Named("ranks")
	jobs.FlatMap(ranks, func(ctx *jobs.Context, r jobs.Pair[int64, string], emit func(string)) error {
		if err := begun.mark(ctx); err != nil {
			return err
		}
		emit(fmt.Sprint(r.Key, " ", r.Value))
		return rest(ctx, a.Reduce)
	}).WriteTSV().Named("ranks")
	return nil
}

// share is a word with its count, and that of all words that begin alike.
type share struct {
	Word       string
	Count, All int64
}

func begin(word string) string { return word[:min(len(word), 4)] }

func total(numbers iter.Seq[int64]) (sum int64) {
	for n := range numbers {
		sum += n
	}
	return sum
}
