package jobs

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/windrow-mr/windrow/jobs/codec"
	"github.com/windrow-mr/windrow/jobs/internal/tsv"
	"github.com/windrow-mr/windrow/jobs/pipeline"
)

// A Sink is an output of the job. All outputs of a job are committed together.
type Sink[T any] struct {
	p   *Pipeline
	n   *node
	w   Writer[T]
	dir func(rec T) string // of PartitionBy

	codec codec.Value[T] // invalid where records have none
}

// Write makes the records an output of the job, in the format of w.
func (in Records[T]) Write(w Writer[T]) *Sink[T] {
	s := newSink(in.p, "Write", w, in.n)
	s.n.sink.attach = func(r *run) error { return s.attach(r, in) }
	return s
}

// WriteTSV makes the records an output of the job as text: one line each, with tabs
// between the fields of a pair or struct. Package jobs/formats/text lists the
// types that it takes.
func (in Records[T]) WriteTSV() *Sink[T] {
	if err := tsv.Check[T](); err != nil {
		in.p.fail("WriteTSV: %w", err)
	}
	return in.Write(tsvWriter[T]{})
}

// Output declares an output to which functions write records by Emit, beside those that
// they pass on. Functions that are attached after it can do so.
func Output[T any](p *Pipeline, name string, w Writer[T]) *Sink[T] {
	s := newSink(p, "Output", w)
	s.n.sink.emitted = true
	return s.Named(name)
}

// newSink adds an output to the pipeline.
func newSink[T any](p *Pipeline, kind string, w Writer[T], from ...*node) *Sink[T] {
	s := &Sink[T]{p: p, n: p.addSink(kind, typeName[T](), w, from...), w: w}
	s.codec, s.n.sink.aside = codec.ValueOf[T]()
	return s
}

// addSink appends a node for an output in the format of a Writer.
func (p *Pipeline) addSink(kind, row string, w any, from ...*node) *node {
	n := p.add(kind, describe(w), row, from...)
	n.sink = &sinkRole{}
	p.outsideOfLoops(n)
	named, ok := w.(interface{ Ext() string })
	if !ok {
		p.fail("%s: the writer is nil; use WriteTSV for text", kind)
		return n
	}
	n.sink.output = pipeline.Output{Ext: named.Ext()}
	if c, ok := w.(Compressible); ok {
		n.sink.output.Compressible = c.Compressible()
	}
	return n
}

// Named names an output, so that a job may have several. The parts of the output lie
// in the directory of that name.
func (s *Sink[T]) Named(name string) *Sink[T] {
	s.p.renameOutput(s.n, name)
	return s
}

func (p *Pipeline) renameOutput(n *node, name string) {
	if err := checkName("output", name); err != nil {
		p.fail("%w", err)
		return
	}
	n.name, n.sink.output.Name = name, name
}

// PartitionBy writes each record to the directory that dir names, below that of the
// output: "dt=2026-11-28/country=CH". The names between slashes must not be empty or
// begin with a dot or an underscore. Every task writes at least one part for each of its
// directories; any number of directories takes a fixed amount of memory.
func (s *Sink[T]) PartitionBy(dir func(rec T) string) *Sink[T] {
	if err := s.n.sink.aside; err != nil {
		s.p.fail("PartitionBy: %w", err)
		return s
	}
	symbol := s.p.symbol("PartitionBy", dir)
	s.n.detail += " in directories by " + symbol
	s.n.label = s.p.label(s.n.detail)
	s.dir, s.n.sink.output.Partitioned = dir, true
	return s
}

// Emit writes a record to an output that Output declared. The record may alias a buffer.
func (s *Sink[T]) Emit(ctx *Context, rec T) {
	r := ctx.run
	if ctx.err != nil || ctx.quiet[ctx.node] {
		return
	}
	write, ok := r.emitted[s.n].(func(T))
	if !ok {
		to := s.writer(r)
		write = stagedNext(r, s.codec, to.write)
		if !ctx.begin(s.n, write, to.close) {
			return
		}
	}
	node := ctx.node
	write(rec)
	ctx.node = node
}

// begin notes the writer of an output to which functions emit. It reports whether the
// function may do so.
func (c *Context) begin(output *node, to any, end func() error) bool {
	r := c.run
	if _, known := r.outputs[output]; !known && r.task.Limit == 0 {
		c.fail(c.recordError(fmt.Errorf("Sink.Emit to %s: this function is not attached after the Output in the constructor", output.stage())))
		return false
	}
	if r.emitted == nil {
		r.emitted = map[*node]any{}
	}
	r.emitted[output] = to
	r.finish = append(r.finish, end)
	return true
}

// attach writes the records that reach the end of a task's functions.
func (s *Sink[T]) attach(r *run, in Records[T]) error {
	to := s.writer(r)
	if s.dir == nil {
		if _, err := to.open(""); err != nil {
			return err
		}
	}
	in.attach(r, stagedNext(r, s.codec, to.write))
	r.finish = append(r.finish, to.close)
	return nil
}

// sinkWriter writes the records of a task to an output.
type sinkWriter[T any] struct {
	to      *Sink[T]
	r       *run
	parts   map[string]*sinkPart[T] // by directory
	only    *sinkPart[T]            // of an output without directories
	records int64

	rest  pipeline.Sorter // records of directories for which no part may be open; nil for none
	slot  *T
	key   []byte
	value []byte
}

// sinkPart is an open part.
type sinkPart[T any] struct {
	to      pipeline.Part
	written *partWriter
	out     RecordWriter[T]
	records int64
}

func (s *Sink[T]) writer(r *run) *sinkWriter[T] {
	return &sinkWriter[T]{to: s, r: r, parts: map[string]*sinkPart[T]{}}
}

// open begins the task's part in a directory.
func (w *sinkWriter[T]) open(dir string) (*sinkPart[T], error) {
	to, err := w.r.part(w.to.n, dir)
	if err != nil {
		return nil, err
	}
	p := &sinkPart[T]{to: to, written: &partWriter{w: to}}
	if p.out, err = w.to.w.Open(Part{p.written, w.r.ctx.Task()}); err != nil {
		return nil, w.r.unopened(err)
	}
	if w.to.dir == nil {
		w.only = p
	}
	w.parts[dir] = p
	return p, nil
}

func (r *run) unopened(err error) error {
	return fmt.Errorf("open the output of task %s: %w", r.task.ID, err)
}

// write takes a record.
func (w *sinkWriter[T]) write(rec T) {
	ctx := w.r.ctx
	if ctx.err != nil {
		return
	}
	w.records++
	if w.only != nil {
		w.put(w.only, rec)
		return
	}
	dir := ""
	if w.to.dir != nil {
		ctx.node = w.to.n
		dir = w.to.dir(rec)
	}
	p := w.parts[dir]
	if p == nil {
		if err := checkDir(dir); w.to.dir != nil && err != nil {
			ctx.reject(w.to.n, err)
			return
		}
		if w.to.dir != nil && len(w.parts) >= max(w.r.task.MostParts, 1) {
			w.keep(dir, rec)
			return
		}
		var err error
		if p, err = w.open(dir); err != nil {
			ctx.fail(err)
			return
		}
	}
	w.put(p, rec)
}

// put writes a record to a part. An error of the part is the store's. Every other error is
// about the record.
func (w *sinkWriter[T]) put(p *sinkPart[T], rec T) {
	p.records++
	if err := p.out.Write(rec); err != nil {
		w.blame(p, err)
	}
}

func (w *sinkWriter[T]) blame(p *sinkPart[T], err error) {
	if p.written.err != nil {
		w.r.ctx.fail(p.written.err)
		return
	}
	w.r.ctx.reject(w.to.n, err)
}

// keep keeps a record until the parts that are open have ended, under its directory and
// its number, so that the records of a directory stay in their order.
func (w *sinkWriter[T]) keep(dir string, rec T) {
	err := error(nil)
	if w.rest == nil {
		w.rest, err = w.r.task.Sorter()
		w.slot = new(T)
	}
	if err == nil {
		*w.slot = rec
		w.key = append(append(w.key[:0], dir...), 0)
		w.key = binary.BigEndian.AppendUint64(w.key, uint64(w.records))
		if w.value, err = w.to.codec.Append(w.value[:0], w.slot); err == nil {
			err = w.rest.Add(w.key, w.value)
		}
	}
	if err != nil {
		w.r.ctx.fail(err)
	}
}

// close ends the parts, and then writes the records that were kept, directory by
// directory.
func (w *sinkWriter[T]) close() error {
	ctx := w.r.ctx
	w.r.task.Tally.RecordsOut += w.records
	for _, p := range w.parts {
		if err := w.end(p); err != nil {
			return err
		}
	}
	if w.rest == nil {
		return ctx.err
	}
	decode := w.to.codec.Decoder()
	const number = 1 + 8 // behind the directory in a key
	var now *sinkPart[T]
	dir := ""
	err := w.rest.All(func(key, value []byte) error {
		if to := key[:len(key)-number]; now == nil || string(to) != dir {
			if now != nil {
				if err := w.end(now); err != nil {
					return err
				}
			}
			dir = string(to)
			var err error
			if now, err = w.open(dir); err != nil {
				return err
			}
		}
		if err := decode(value, w.slot); err != nil {
			return err
		}
		w.put(now, *w.slot)
		return ctx.err
	})
	if err == nil && now != nil {
		err = w.end(now)
	}
	return err
}

// end ends a part.
func (w *sinkWriter[T]) end(p *sinkPart[T]) error {
	if err := p.out.Close(); err != nil {
		w.blame(p, err)
	}
	if w.r.ctx.err != nil {
		return w.r.ctx.err
	}
	return p.to.End(p.records)
}

// maxDir is the greatest length of the name of a directory.
const maxDir = 500

// checkDir refuses names of directories that stores or readers would not take as they
// are.
func checkDir(dir string) error {
	ok := dir != "" && len(dir) <= maxDir && utf8.ValidString(dir) && !strings.ContainsFunc(dir, unicode.IsControl)
	for name := range strings.SplitSeq(dir, "/") {
		ok = ok && name != "" && name[0] != '.' && name[0] != '_'
	}
	if !ok {
		return fmt.Errorf("the directory %.200q: want names between slashes that do not begin with a dot or an underscore, such as dt=2026-11-28, %d bytes at most", dir, maxDir)
	}
	return nil
}

// partWriter remembers why writing failed.
type partWriter struct {
	w   io.Writer
	err error
}

func (p *partWriter) Write(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.w.Write(b)
	p.err = err
	return n, err
}
