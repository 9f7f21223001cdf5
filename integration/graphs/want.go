package graphs

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// mostRows is how many rows a stream of a test may have.
const mostRows = 10_000

// Want returns the lines of each output for these inputs: in their order where it is
// determined, elsewhere sorted.
func (g *Graph) Want(texts map[string]string) map[string][]string {
	want, ok := g.want(texts)
	if !ok {
		panic("the inputs are too big; use those of Texts") //nolint:forbidigo // a mistake in a test
	}
	return want
}

func (g *Graph) want(texts map[string]string) (want map[string][]string, ok bool) {
	streams := make([][]Row, len(g.ops))
	for i := range g.ops {
		o := &g.ops[i]
		var in [2][]Row
		for k, f := range o.from {
			in[k] = streams[f]
		}
		if len(o.from) == 2 && len(in[0])*len(in[1]) > 100*mostRows {
			return nil, false // nested loops would take too long
		}
		switch len(o.from) {
		case 0:
			for line := range strings.Lines(texts[g.Inputs[o.n]]) {
				rowsOf(strings.TrimSuffix(line, "\n"), func(r Row) { streams[i] = append(streams[i], r) })
			}
		case 1:
			streams[i] = oneOf(o, in[0])
		default:
			streams[i] = twoOf(o, in[0], in[1])
		}
		if len(streams[i]) > mostRows {
			return nil, false
		}
	}
	want = map[string][]string{}
	for _, out := range g.Outputs {
		lines := []string{}
		for _, r := range streams[out.of] {
			lines = append(lines, fmt.Sprintf("%s\t%d", r.Key, r.Value))
		}
		if !out.Ordered {
			slices.Sort(lines)
		}
		want[out.Name] = lines
	}
	return want, true
}

// numbersOf returns the numbers of each key.
func numbersOf(in []Row) map[string][]int64 {
	all := map[string][]int64{}
	for _, r := range in {
		all[r.Key] = append(all[r.Key], r.Value)
	}
	return all
}

func total(numbers []int64) (sum int64) {
	for _, n := range numbers {
		sum += n
	}
	return sum
}

func sortedBy(in []Row, compare func(a, b Row) int) []Row {
	return slices.SortedFunc(slices.Values(in), compare)
}

func byKey(a, b Row) int {
	if c := strings.Compare(a.Key, b.Key); c != 0 {
		return c
	}
	return cmp.Compare(a.Value, b.Value)
}

func oneOf(o *op, in []Row) (out []Row) {
	emit := func(r Row) { out = append(out, r) }
	n := int(1 + o.n%5)
	switch o.kind {
	case "map", "convert", "filter", "flat":
		for _, r := range in {
			switch {
			case o.kind == "flat":
				several(o, r, emit)
			case o.kind != "filter":
				emit(changed(o, r))
			case kept(o, r):
				emit(r)
			}
		}
		return out
	case "sort":
		return sortedBy(in, byKey)
	case "sortvalues":
		return sortedBy(in, compared)
	case "distinct":
		return slices.Compact(sortedBy(in, byKey))
	case "topall":
		out = sortedBy(in, compared)
		return out[max(0, len(out)-n):]
	case "count":
		if len(in) > 0 {
			emit(Row{Key: "count", Value: int64(len(in))})
		}
		return out
	}
	for key, numbers := range numbersOf(in) {
		slices.Sort(numbers)
		count, sum := int64(len(numbers)), total(numbers)
		switch o.kind {
		case "sum":
			emit(Row{Key: key, Value: sum})
		case "max", "last":
			emit(Row{Key: key, Value: slices.Max(numbers)})
		case "first":
			emit(Row{Key: key, Value: slices.Min(numbers)})
		case "combine":
			reduced(key, 1, sum, emit)
		case "aggregate", "reduce":
			reduced(key, count, sum, emit)
		case "countby":
			emit(Row{Key: key, Value: count})
		case "top":
			for _, v := range numbers[max(0, len(numbers)-n):] {
				emit(Row{Key: key, Value: v})
			}
		case "reduceby":
			var hash int64
			for _, v := range numbers {
				hash = inOrder(hash, v)
			}
			emit(Row{Key: key, Value: hash})
		default:
			panic("no operation is called " + o.kind) //nolint:forbidigo // a mistake in this package
		}
	}
	return out
}

func loopedOf(o *op, in, other []Row) []Row {
	var before int64
	for range rounds(o) {
		switch o.n / 5 % 4 {
		case 0:
			in = oneOf(&op{kind: "sum"}, slices.Concat(in, other))
		case 1:
			in = twoOf(&op{kind: "leftjoin"}, in, other)
		case 2:
			in = twoOf(&op{kind: "side"}, oneOf(&op{kind: "max"}, in), other)
		default:
			in = twoOf(&op{kind: "side"}, other, in)
		}
		var sum int64
		for i := range in {
			in[i].Value = inRound(in[i].Value, before)
			sum += in[i].Value
		}
		if before = sum; ends(o, sum) || len(in) > mostRows {
			break
		}
	}
	return in
}

func twoOf(o *op, left, right []Row) (out []Row) {
	emit := func(r Row) { out = append(out, r) }
	lefts, rights := numbersOf(left), numbersOf(right)
	switch o.kind {
	case "merge":
		return oneOf(&op{kind: "sum"}, slices.Concat(left, right))
	case "mergesort":
		return sortedBy(slices.Concat(left, right), byKey)
	case "loop":
		return loopedOf(o, left, right)
	case "cogroup":
		keys := maps.Clone(lefts)
		maps.Copy(keys, rights)
		for key := range keys {
			together(key, int64(len(lefts[key])), int64(len(rights[key])), total(lefts[key]), total(rights[key]), emit)
		}
		return out
	}
	for _, l := range left {
		found := false
		for _, r := range right {
			if o.kind == "intjoin" && l.Value == r.Value {
				emit(Row{Key: l.Key + r.Key, Value: r.Value})
			}
			if l.Key != r.Key {
				continue
			}
			found = true
			if o.kind == "join" || o.kind == "leftjoin" || o.kind == "fulljoin" {
				emit(met(l.Key, &l.Value, &r.Value))
			}
		}
		switch {
		case o.kind == "side":
			emit(Row{Key: l.Key, Value: (l.Value + total(rights[l.Key])) % most})
		case found && o.kind == "semijoin", !found && o.kind == "antijoin":
			emit(l)
		case !found && (o.kind == "leftjoin" || o.kind == "fulljoin"):
			emit(met(l.Key, &l.Value, nil))
		}
	}
	for _, r := range right {
		if o.kind == "fulljoin" && lefts[r.Key] == nil {
			emit(met(r.Key, nil, &r.Value))
		}
	}
	return out
}
