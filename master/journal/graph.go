package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// mostGraph bounds the numbers and names by which a graph is described at rest.
const mostGraph = 1 << 20

// graphFields adds a graph to the fields of an entry: the number Least, the steps and
// the exchanges, each list behind its length. In a graph with loops, these follow, and
// what belongs to which of their rounds.
func graphFields(fields []any, g *plan.Graph) []any {
	list := func(places []int) {
		fields = append(fields, len(places))
		for _, p := range places {
			fields = append(fields, p)
		}
	}
	fields = append(fields, g.Least, len(g.Steps))
	for i := range g.Steps {
		s := &g.Steps[i]
		fields = append(fields, s.Stage, uint8(s.Phase), s.Tasks, s.Reads-plan.None, flag(s.Parts))
		list(s.Sides)
		list(s.Writes)
	}
	fields = append(fields, len(g.Exchanges))
	for i := range g.Exchanges {
		x := &g.Exchanges[i]
		fields = append(fields, x.Partitions, x.Estimate)
		list(x.Writers)
		list(x.Sampled)
	}
	if len(g.Loops) == 0 {
		return fields
	}
	fields = append(fields, len(g.Loops))
	for i := range g.Loops {
		l := &g.Loops[i]
		fields = append(fields, l.Round, flag(l.Ended))
		list(l.States)
	}
	for i := range g.Steps {
		s := &g.Steps[i]
		fields = append(fields, s.Loop, s.Round, s.Last)
		list(s.Observes)
	}
	return fields
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// encodeGraph returns a graph at rest, outside of an entry.
func encodeGraph(g *plan.Graph) ([]byte, error) {
	var b bytes.Buffer
	e := msgpack.NewEncoder(&b)
	e.UseCompactInts(true)
	fields := graphFields(nil, g)
	if err := e.EncodeArrayLen(len(fields)); err != nil {
		return nil, err
	}
	err := e.EncodeMulti(fields...)
	return b.Bytes(), err
}

// decodeGraph is the inverse of encodeGraph.
func decodeGraph(b []byte) (*plan.Graph, error) {
	d := decoder{msgpack.NewDecoder(bytes.NewReader(b)), nil}
	n, err := d.in.DecodeArrayLen()
	if err != nil {
		return nil, err
	}
	g := d.graph(n)
	if _, err := d.in.PeekCode(); d.err == nil && err != io.EOF { //nolint:errorlint // the decoder passes it on as it is
		return nil, errors.New("a graph continues behind its end")
	}
	return g, d.err
}

// graph reads a graph that takes so many fields, and refuses one that cannot be run.
func (d *decoder) graph(fields int) *plan.Graph {
	r := graphReader{d: d, left: fields}
	g := &plan.Graph{Least: r.count()}
	for range r.length() {
		r.left--
		s := plan.Step{Group: plan.Group{Stage: d.text(), Phase: plan.Phase(r.small())}, Tasks: r.count(), Reads: r.count() + plan.None, Parts: r.small() != 0}
		s.Sides, s.Writes = r.list(), r.list()
		if d.err != nil {
			return nil
		}
		g.Steps = append(g.Steps, s)
	}
	for range r.length() {
		r.left--
		x := plan.Exchange{Partitions: r.count(), Estimate: d.signed()}
		x.Writers, x.Sampled = r.list(), r.list()
		if d.err != nil {
			return nil
		}
		g.Exchanges = append(g.Exchanges, x)
	}
	if r.left > 0 {
		r.loops(g)
	}
	if r.left != 0 {
		d.fail(errors.New("a graph is longer or shorter than it says"))
	}
	if d.err == nil {
		if err := scheduler.CheckGraph(g); err != nil {
			d.fail(fmt.Errorf("a graph that cannot be run: %w", err))
		}
	}
	if d.err != nil {
		return nil
	}
	return g
}

// loops reads the loops of a graph, and which steps belong to them.
func (r *graphReader) loops(g *plan.Graph) {
	for range r.length() {
		l := plan.Loop{Round: r.count(), Ended: r.small() != 0}
		l.States = r.list()
		g.Loops = append(g.Loops, l)
	}
	for i := range g.Steps {
		s := &g.Steps[i]
		s.Loop, s.Round, s.Last = r.count(), r.count(), r.count()
		s.Observes = r.list()
	}
}

// graphReader reads the fields of a graph and counts them.
type graphReader struct {
	d    *decoder
	left int
}

//go:noinline
func (r *graphReader) count() int {
	r.left--
	return r.d.count()
}

//go:noinline
func (r *graphReader) small() uint8 {
	r.left--
	return r.d.small()
}

// length reads the length of a list, of which every element is a field at least.
func (r *graphReader) length() int {
	n := r.count()
	if n > max(r.left, 0) {
		r.d.fail(errors.New("a graph is longer than it says"))
		return 0
	}
	return n
}

func (r *graphReader) list() []int {
	var all []int
	for range r.length() {
		all = append(all, r.count())
	}
	return all
}

// name reads the name of a stage.
func (d *decoder) name() string {
	s := d.text()
	if n := len(s); d.err == nil && (n == 0 || n > scheduler.MostName) {
		d.fail(fmt.Errorf("the name of a stage has %d bytes", n))
	}
	return s
}
