// Package graphs makes random jobs of several stages for tests, and the output that each
// must have. A seed determines the job, so the processes of a cluster can build it from a
// parameter.
//
// All records of a job are rows. The functions of a job and those that find the expected
// output share how one row is changed. How rows are grouped, joined, merged and sorted is
// written twice: here by operations of package jobs, in want.go by loops over slices.
package graphs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/jobs"
)

// Row is a record of all streams.
type Row = jobs.Pair[string, int64]

// Most is the greatest number of shuffles of a job.
const Most = 6

// Graph is a random job.
type Graph struct {
	Inputs  []string // names; one "" if there is one
	Outputs []Output
	ops     []op
}

// Output is an output of a job.
type Output struct {
	Name    string // "" if there is one
	Ordered bool   // the order of its lines is determined
	of      int    // the operation whose rows it has
}

// op is an operation. Its rows are a stream.
type op struct {
	kind    string
	from    []int // operations
	n       int64 // decides what its functions do
	root    int   // the operation that begins its step
	ordered bool
	used    bool
}

// shuffles are the operations that begin a step, by the number of streams that they read.
var shuffles = [][]string{nil,
	{"sum", "max", "combine", "aggregate", "reduce", "reduceby", "sort", "sortvalues", "distinct", "top", "topall", "first", "last", "count", "countby"},
	{"merge", "mergesort", "join", "leftjoin", "fulljoin", "semijoin", "antijoin", "cogroup", "intjoin", "side", "loop", "loop"},
}

// functions are operations on single rows.
var functions = []string{"map", "filter", "convert", "flat"}

// New returns the job of a seed.
func New(seed uint64) *Graph {
	for again := uint64(0); ; again++ {
		g := draw(rand.New(rand.NewPCG(seed, again)))
		job := jobs.Define("graph", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error { g.Build(p); return nil })
		// Side inputs of a constructor may wait for each other, which is refused.
		if _, err := job.Build(nil, nil); err == nil || !strings.Contains(err.Error(), "wait for each other") {
			return g
		}
	}
}

func draw(r *rand.Rand) *Graph {
	g := &Graph{Inputs: []string{""}}
	if n := 1 + r.IntN(3); n > 1 {
		g.Inputs = nil
		for i := range n {
			g.Inputs = append(g.Inputs, fmt.Sprintf("in%d", i))
		}
	}
	for i := range g.Inputs {
		g.ops = append(g.ops, op{kind: "read", n: int64(i), root: i})
	}
	for range 1 + r.IntN(Most) {
		for range r.IntN(3) {
			g.add(op{kind: functions[r.IntN(len(functions))], from: []int{g.pick(r)}, n: r.Int64N(100)})
		}
		if r.IntN(5) < 3 {
			g.add(op{kind: shuffles[1][r.IntN(len(shuffles[1]))], from: []int{g.pick(r)}, n: r.Int64N(100)})
			continue
		}
		o := op{kind: shuffles[2][r.IntN(len(shuffles[2]))], from: []int{g.pick(r), g.pick(r)}, n: r.Int64N(100)}
		if o.kind == "side" && !g.canSee(o.from[0], o.from[1]) {
			o.kind = "join"
		}
		g.add(o)
	}
	for i := range g.ops {
		if o := &g.ops[i]; !o.used || r.IntN(6) == 0 {
			g.Outputs = append(g.Outputs, Output{Name: fmt.Sprintf("out%d", i), Ordered: o.ordered, of: i})
		}
	}
	// The only output of a job of one shuffle has no directory, whether it has a name or
	// not.
	if len(g.Outputs) == 1 && r.IntN(2) == 0 {
		g.Outputs[0].Name = ""
	}
	return g
}

// pick returns a stream, most often one of the last.
func (g *Graph) pick(r *rand.Rand) int {
	n := len(g.ops)
	return max(n-1-int(r.ExpFloat64()*1.5), r.IntN(n)*r.IntN(2))
}

// add adds an operation.
func (g *Graph) add(o op) {
	for _, f := range o.from {
		g.ops[f].used = true
	}
	o.root = len(g.ops)
	switch {
	case slices.Contains(functions, o.kind) || o.kind == "side":
		o.root, o.ordered = g.ops[o.from[0]].root, g.ops[o.from[0]].ordered
	case o.kind == "sort", o.kind == "sortvalues", o.kind == "mergesort":
		o.ordered = true
	}
	g.ops = append(g.ops, o)
}

// canSee reports whether functions on a stream can have another as a side input: it is not
// made of what their step has. An input can always be one, because it is read apart.
func (g *Graph) canSee(stream, side int) bool {
	root := g.ops[side].root
	return g.ops[root].kind == "read" || !g.madeOf(root, g.ops[stream].root)
}

// madeOf reports whether a stream is made of rows of the step that begins at root.
func (g *Graph) madeOf(stream, root int) bool {
	o := &g.ops[stream]
	return o.root == root || slices.ContainsFunc(append([]int{o.root}, o.from...), func(f int) bool { return f != stream && g.madeOf(f, root) })
}

// Shuffles returns the number of operations that begin a step, or load a side input.
func (g *Graph) Shuffles() (n int) {
	for _, o := range g.ops {
		if o.kind != "read" && !slices.Contains(functions, o.kind) {
			n++
		}
	}
	return n
}

// String lists the operations.
func (g *Graph) String() string {
	var all []string
	for i, o := range g.ops {
		all = append(all, fmt.Sprintf("%d %s/%d of %v", i, o.kind, o.n, o.from))
	}
	for _, o := range g.Outputs {
		all = append(all, fmt.Sprintf("%q writes %d", o.Name, o.of))
	}
	return strings.Join(all, ", ")
}

// Texts draws an object for each input, small enough for the job.
func (g *Graph) Texts(r *rand.Rand) map[string]string {
	for lines := []int{2, 30, 200}[r.IntN(3)]; ; lines /= 2 {
		texts := map[string]string{}
		for _, name := range g.Inputs {
			var b strings.Builder
			for range r.IntN(lines + 1) {
				for range r.IntN(9) {
					fmt.Fprintf(&b, "%s ", word(int(r.ExpFloat64()*12)))
				}
				b.WriteByte('\n')
			}
			texts[name] = b.String()
		}
		if _, ok := g.want(texts); ok {
			return texts
		}
	}
}

// word returns a word; words begin others.
func word(n int) string { return strings.Repeat(string(rune('a'+n%7)), 1+n/7) }

// The functions on rows. Numbers stay small, so that no sum is too big.
const most = 100_003

func changed(o *op, r Row) Row {
	switch o.n % 4 {
	case 0:
		r.Key = r.Key[:min(len(r.Key), int(o.n/4%3))]
	case 1:
		r.Key = fmt.Sprintf("%s%d", r.Key[:min(len(r.Key), 1)], r.Value%7)
	case 2:
		r.Value = (r.Value*31 + o.n + int64(len(r.Key))) % most
	default:
		r.Key, r.Value = fmt.Sprint(r.Value%17), int64(len(r.Key))
	}
	return r
}

func kept(o *op, r Row) bool { return (r.Value+int64(len(r.Key))+o.n)%3 != 0 }

func several(o *op, r Row, emit func(Row)) {
	for i := range (r.Value + o.n) & 3 {
		emit(Row{Key: r.Key, Value: (r.Value + i) % most})
	}
}

func rowsOf(line string, emit func(Row)) {
	for w := range strings.FieldsSeq(line) {
		emit(Row{Key: w, Value: int64(len(line)) % 23})
	}
}

func compared(a, b Row) int {
	if a.Value != b.Value {
		return int(a.Value - b.Value)
	}
	return strings.Compare(a.Key, b.Key)
}

// numbers and the like are what the groups of rows become.
func reduced(key string, n, sum int64, emit func(Row)) {
	emit(Row{Key: key, Value: sum % most})
	if n%2 == 0 {
		emit(Row{Key: key + "+", Value: n})
	}
}

func met(key string, l, r *int64) Row {
	number := func(v *int64) int64 {
		if v == nil {
			return -1
		}
		return *v
	}
	return Row{Key: key, Value: (number(l)*37 + number(r)) % most}
}

// rounds is how many rounds a loop may have, and ends whether none follows after one with
// that sum.
func rounds(o *op) int { return 1 + int(o.n%5) }

func ends(o *op, sum int64) bool { return (sum+o.n)%4 == 0 }

// inRound is what a round of a loop does with a number: it adds what the round before has
// observed.
func inRound(n, before int64) int64 { return (n + before + 1) % most }

func together(key string, lefts, rights, leftSum, rightSum int64, emit func(Row)) {
	emit(Row{Key: key, Value: (lefts*1009 + rights*31 + leftSum + 3*rightSum) % most})
}
