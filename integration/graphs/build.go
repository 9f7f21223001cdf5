package graphs

import (
	"cmp"
	"fmt"
	"iter"
	"strconv"

	"github.com/windrow-mr/windrow/jobs"
)

type params struct {
	Seed uint64 `help:"of the graph"`
}

// Job returns a job whose graph is that of the seed in its parameter.
func Job() *jobs.Job {
	return jobs.Define("graph", params{Seed: 1}, func(p *jobs.Pipeline, a params) error {
		New(a.Seed).Build(p)
		return nil
	})
}

// Build adds the job to a pipeline.
func (g *Graph) Build(p *jobs.Pipeline) {
	streams := make([]jobs.Records[Row], len(g.ops))
	for i := range g.ops {
		o := &g.ops[i]
		switch len(o.from) {
		case 0:
			lines := jobs.ReadLines(p)
			if name := g.Inputs[o.n]; name != "" {
				lines = lines.Named(name)
			}
			streams[i] = jobs.FlatMap(lines, func(_ *jobs.Context, line []byte, emit func(Row)) error {
				rowsOf(string(line), emit)
				return nil
			})
		case 1:
			streams[i] = one(o, streams[o.from[0]])
		default:
			streams[i] = two(o, streams[o.from[0]], streams[o.from[1]])
		}
	}
	for _, o := range g.Outputs {
		if sink := streams[o.of].WriteTSV(); o.Name != "" {
			sink.Named(o.Name)
		}
	}
}

func pairs(in jobs.Records[Row]) jobs.Pairs[string, int64] {
	return jobs.Map(in, func(_ *jobs.Context, r Row, emit jobs.Emit[string, int64]) error {
		emit(r.Key, r.Value)
		return nil
	})
}

// texts has numbers as texts of one length. A Sort orders the values of a key by their
// encodings, which says nothing for numbers.
func texts(in jobs.Records[Row]) jobs.Pairs[string, string] {
	return jobs.Map(in, func(_ *jobs.Context, r Row, emit jobs.Emit[string, string]) error {
		emit(r.Key, fmt.Sprintf("%015d", r.Value+positive))
		return nil
	})
}

const positive = 1e12 // greater than all numbers

func sorted(in jobs.Pairs[string, string]) jobs.Records[Row] {
	return jobs.FlatMap(in.Sort(), func(_ *jobs.Context, r jobs.Pair[string, string], emit func(Row)) error {
		n, err := strconv.ParseInt(r.Value, 10, 64)
		emit(Row{Key: r.Key, Value: n - positive})
		return err
	})
}

// byNumber has the numbers of rows as keys.
func byNumber(in jobs.Records[Row]) jobs.Pairs[int64, string] {
	return jobs.Map(in, func(_ *jobs.Context, r Row, emit jobs.Emit[int64, string]) error {
		emit(r.Value, r.Key)
		return nil
	})
}

// one is an operation on a stream.
func one(o *op, in jobs.Records[Row]) jobs.Records[Row] {
	switch o.kind {
	case "map", "convert":
		return jobs.Convert(in, func(r Row) Row { return changed(o, r) })
	case "filter":
		return in.Filter(func(r Row) bool { return kept(o, r) })
	case "flat":
		return jobs.FlatMap(in, func(_ *jobs.Context, r Row, emit func(Row)) error {
			several(o, r, emit)
			return nil
		})
	case "sum":
		return pairs(in).Fold(jobs.Sum)
	case "max":
		return pairs(in).Fold(jobs.Max)
	case "combine":
		return reduce(pairs(in).Combine(jobs.Sum), func(key string, _, sum int64, emit func(Row)) { reduced(key, 1, sum, emit) })
	case "aggregate":
		type sums struct{ N, Sum int64 }
		all := jobs.Aggregate(pairs(in), func(acc *sums, v int64) { acc.N, acc.Sum = acc.N+1, acc.Sum+v },
			func(acc, other *sums) { acc.N, acc.Sum = acc.N+other.N, acc.Sum+other.Sum })
		return jobs.FlatMap(all, func(_ *jobs.Context, r jobs.Pair[string, sums], emit func(Row)) error {
			reduced(r.Key, r.Value.N, r.Value.Sum, emit)
			return nil
		})
	case "reduce":
		return reduce(pairs(in), reduced)
	case "reduceby":
		return reduceBy(in)
	case "sort":
		return sorted(texts(in))
	case "sortvalues":
		return jobs.Convert(byNumber(in).Sort(), func(r jobs.Pair[int64, string]) Row { return Row{Key: r.Value, Value: r.Key} })
	}
	return combined(o, in)
}

// combined is an operation on a stream that is made of a fold.
func combined(o *op, in jobs.Records[Row]) jobs.Records[Row] {
	n := int(1 + o.n%5)
	switch o.kind {
	case "distinct":
		return in.Distinct()
	case "top":
		return pairs(in).Top(n, cmp.Compare)
	case "topall":
		return in.Top(n, compared)
	case "first":
		return pairs(in).First(cmp.Compare)
	case "last":
		return pairs(in).Last(cmp.Compare)
	case "count":
		return jobs.Convert(jobs.Count(in), func(n int64) Row { return Row{Key: "count", Value: n} })
	case "countby":
		return jobs.CountBy(in, func(r Row) string { return r.Key })
	}
	panic("no operation is called " + o.kind) //nolint:forbidigo // a mistake in this package
}

func reduce(in jobs.Pairs[string, int64], f func(key string, n, sum int64, emit func(Row))) jobs.Records[Row] {
	return jobs.Reduce(in, func(_ *jobs.Context, key string, values iter.Seq[int64], emit func(Row)) error {
		var n, sum int64
		for v := range values {
			n, sum = n+1, sum+v
		}
		f(key, n, sum, emit)
		return nil
	})
}

// reduceBy hashes the numbers of each key in their order.
func reduceBy(in jobs.Records[Row]) jobs.Records[Row] {
	ordered := jobs.Map(in, func(_ *jobs.Context, r Row, emit jobs.Emit[jobs.By[string, int64], string]) error {
		emit(jobs.By[string, int64]{Key: r.Key, Order: r.Value}, r.Key)
		return nil
	})
	return jobs.ReduceBy(ordered, func(_ *jobs.Context, key string, values iter.Seq2[int64, string], emit func(Row)) error {
		var hash int64
		for n, again := range values {
			hash = inOrder(hash, n+int64(len(again)-len(key)))
		}
		emit(Row{Key: key, Value: hash})
		return nil
	})
}

func inOrder(hash, n int64) int64 { return (hash*31 + n) % most }

// two is an operation on two streams.
func two(o *op, left, right jobs.Records[Row]) jobs.Records[Row] {
	switch o.kind {
	case "merge":
		return pairs(left).Merge(pairs(right)).Fold(jobs.Sum)
	case "mergesort":
		return sorted(texts(left).Merge(texts(right)))
	case "join":
		return jobs.Join(pairs(left), pairs(right), func(_ *jobs.Context, key string, l, r int64, emit func(Row)) error {
			emit(met(key, &l, &r))
			return nil
		})
	case "leftjoin":
		return jobs.LeftJoin(pairs(left), pairs(right), func(_ *jobs.Context, key string, l int64, r *int64, emit func(Row)) error {
			emit(met(key, &l, r))
			return nil
		})
	case "fulljoin":
		return jobs.FullJoin(pairs(left), pairs(right), func(_ *jobs.Context, key string, l, r *int64, emit func(Row)) error {
			emit(met(key, l, r))
			return nil
		})
	case "semijoin":
		return jobs.SemiJoin(pairs(left), pairs(right))
	case "antijoin":
		return jobs.AntiJoin(pairs(left), pairs(right))
	case "cogroup":
		return coGroup(left, right)
	case "intjoin": // keys of a fixed width, and values of two types
		numbers := jobs.KeyBy(right, func(r Row) int64 { return r.Value })
		return jobs.Join(byNumber(left), numbers, func(_ *jobs.Context, _ int64, l string, r Row, emit func(Row)) error {
			emit(Row{Key: l + r.Key, Value: r.Value})
			return nil
		})
	case "side":
		return withSide(left, right)
	case "loop":
		return looped(o, left, right)
	}
	panic("no operation is called " + o.kind) //nolint:forbidigo // a mistake in this package
}

func coGroup(left, right jobs.Records[Row]) jobs.Records[Row] {
	return jobs.CoGroup(pairs(left), pairs(right), func(_ *jobs.Context, key string, left, right iter.Seq[int64], emit func(Row)) error {
		var lefts, rights, leftSum, rightSum int64
		for l := range left {
			lefts, leftSum = lefts+1, leftSum+l
			for range right { // is read again
				break
			}
		}
		for r := range right {
			rights, rightSum = rights+1, rightSum+r
		}
		together(key, lefts, rights, leftSum, rightSum, emit)
		return nil
	})
}

// looped changes rows in rounds, each of which sees the other stream.
func looped(o *op, in, other jobs.Records[Row]) jobs.Records[Row] {
	return in.Loop(rounds(o), func(state jobs.Records[Row]) jobs.Records[Row] {
		var next jobs.Records[Row]
		switch o.n / 5 % 4 {
		case 0:
			next = pairs(state).Merge(pairs(other)).Fold(jobs.Sum)
		case 1:
			next = two(&op{kind: "leftjoin"}, state, other)
		case 2:
			next = withSide(pairs(state).Fold(jobs.Max), other)
		default:
			next = withSide(sorted(texts(other)), state)
		}
		return jobs.FlatMap(next, func(ctx *jobs.Context, r Row, emit func(Row)) error {
			r.Value = inRound(r.Value, int64(ctx.Previous("value").Sum))
			ctx.Observe("value", float64(r.Value))
			emit(r)
			return nil
		})
	}, func(seen map[string]jobs.Stat) bool { return ends(o, int64(seen["value"].Sum)) })
}

// withSide adds to the number of each row those of all rows of its key in a side input.
func withSide(in, side jobs.Records[Row]) jobs.Records[Row] {
	sums := jobs.Broadcast(side, func(rows iter.Seq[Row]) (map[string]int64, error) {
		all := map[string]int64{}
		for r := range rows {
			all[r.Key] += r.Value
		}
		return all, nil
	})
	return jobs.FlatMap(in, func(ctx *jobs.Context, r Row, emit func(Row)) error {
		emit(Row{Key: r.Key, Value: (r.Value + sums.Get(ctx)[r.Key]) % most})
		return nil
	})
}
