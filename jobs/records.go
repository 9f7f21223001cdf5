package jobs

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/windrow-mr/windrow/jobs/internal/tsv"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
)

// Records are the records of type T that files hold and stages pass on: the
// result of a step in a pipeline. The Go value is a description; it holds no
// data.
type Records[T any] struct {
	p *Pipeline
	n *node
	// up attaches next to everything that makes these records in one task.
	up func(r *run, next func(T))
}

// attach is up for one of several possible users: the work is done once.
func (in Records[T]) attach(r *run, next func(T)) {
	if in.n.used < 2 {
		in.up(r, next)
		return
	}
	if f, ok := r.fans[in.n].(*fan[T]); ok {
		f.next = append(f.next, next)
		return
	}
	f := &fan[T]{[]func(T){next}}
	r.fans[in.n] = f
	in.up(r, func(rec T) {
		for _, next := range f.next {
			next(rec)
		}
	})
}

// fan hands records to several users.
type fan[T any] struct{ next []func(T) }

// Read reads records of the job's input, or of one of its inputs: see Named.
func Read[T any](p *Pipeline, r Reader[T]) Records[T] {
	n := p.add("Read", describe(r), typeName[T]())
	n.root = n
	if r == nil {
		p.fail("Read: the reader is nil; use ReadLines for lines")
		return Records[T]{p: p, n: n}
	}
	n.read = &readRole{pipeline.Input{Split: splitter(r), Generate: generator(r)}}
	if t, ok := r.(Textual); ok {
		n.read.input.Text = t.Textual()
	}
	if l, ok := r.(LineBased); ok {
		n.read.input.Lines = l.LineBased()
	}
	return Records[T]{p, n, func(run *run, next func(T)) {
		run.drive = func() error { return scan(run, r, next) }
	}}
}

// ReadLines reads the lines of the job's input, without their line ends, and without
// a byte order mark at the beginning of an object. The function that receives a line
// borrows it until it returns.
func ReadLines(p *Pipeline) Records[[]byte] { return Read(p, Reader[[]byte](lineReader{})) }

// Named names the input of these records, so that a job may have several:
// --input orders=s3://….
func (in Records[T]) Named(name string) Records[T] {
	switch err := checkName("input", name); {
	case in.n.read == nil:
		in.p.fail("Named(%q) is for the result of Read, not %s", name, in.n.stage())
	case err != nil:
		in.p.fail("%w", err)
	default:
		in.n.input = name
	}
	return in
}

// FlatMap maps each record to any number of records. An error or panic of f
// becomes a RecordError.
func FlatMap[T, U any](in Records[T], f func(ctx *Context, rec T, emit func(U)) error) Records[U] {
	n := in.p.add("FlatMap", in.p.symbol("FlatMap", f), typeName[U](), in.n)
	return Records[U]{in.p, n, func(r *run, next func(U)) {
		ctx := r.ctx
		emit := func(rec U) {
			next(rec)
			ctx.node = n
		}
		in.attach(r, func(rec T) {
			ctx.node = n
			if err := f(ctx, rec, emit); err != nil {
				ctx.reject(n, err)
			}
		})
	}}
}

// Convert maps each record to one record.
func Convert[T, U any](in Records[T], f func(rec T) U) Records[U] {
	n := in.p.add("Convert", in.p.symbol("Convert", f), typeName[U](), in.n)
	return Records[U]{in.p, n, func(r *run, next func(U)) {
		ctx := r.ctx
		in.attach(r, func(rec T) {
			ctx.node = n
			next(f(rec))
		})
	}}
}

// Filter keeps the records for which keep returns true.
func (in Records[T]) Filter(keep func(T) bool) Records[T] {
	n := in.p.add("Filter", in.p.symbol("Filter", keep), typeName[T](), in.n)
	return Records[T]{in.p, n, func(r *run, next func(T)) {
		ctx := r.ctx
		in.attach(r, func(rec T) {
			ctx.node = n
			if keep(rec) {
				next(rec)
			}
		})
	}}
}

// A Sink is an output of the job, which is committed.
type Sink[T any] struct{ n *node }

// Write makes the records the job's output, in the format of w.
func (in Records[T]) Write(w Writer[T]) *Sink[T] {
	n := in.p.add("Write", describe(w), typeName[T](), in.n)
	n.sink = &sinkRole{}
	if w == nil {
		in.p.fail("Write: the writer is nil; use WriteTSV for text")
		return &Sink[T]{n}
	}
	n.sink.output = pipeline.Output{Ext: w.Ext()}
	if c, ok := w.(Compressible); ok {
		n.sink.output.Compressible = c.Compressible()
	}
	n.sink.attach = func(r *run) error { return attachWriter(r, n, in, w) }
	return &Sink[T]{n}
}

// WriteTSV makes the records the job's output as text: one line each, with tabs
// between the fields of a pair or struct. Package jobs/formats/text lists the
// types that it takes.
func (in Records[T]) WriteTSV() *Sink[T] {
	if err := tsv.Check[T](); err != nil {
		in.p.fail("WriteTSV: %w", err)
	}
	return in.Write(tsvWriter[T]{})
}

// attachWriter writes the records that reach the end of a task's functions.
func attachWriter[T any](r *run, n *node, in Records[T], w Writer[T]) error {
	part := &partWriter{w: r.out}
	out, err := w.Open(Part{part, r.ctx.Task()})
	if err != nil {
		return fmt.Errorf("open the output of task %s: %w", r.task.ID, err)
	}
	ctx := r.ctx
	// An error of the part is the store's. Every other error is about the
	// record.
	blame := func(err error) {
		if part.err != nil {
			ctx.fail(part.err)
			return
		}
		ctx.reject(n, err)
	}
	var records int64
	in.attach(r, func(rec T) {
		if ctx.err != nil {
			return
		}
		records++
		if err := out.Write(rec); err != nil {
			blame(err)
		}
	})
	r.finish = append(r.finish, func() error {
		r.task.Tally.RecordsOut += records
		if err := out.Close(); err != nil {
			blame(err)
		}
		return ctx.err
	})
	return nil
}

// partWriter remembers why writing failed.
type partWriter struct {
	w interface {
		Write(p []byte) (int, error)
	}
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

// describe names a format and its options.
func describe(format any) string {
	t := reflect.TypeOf(format)
	if t == nil {
		return "nil"
	}
	options, err := json.Marshal(format)
	if err != nil || string(options) == "{}" || t.Kind() != reflect.Struct {
		return t.String()
	}
	return t.String() + string(options)
}

// named sets the input's name in generated sections: it is given after the
// reader.
func named(generate func(slots int) ([]plan.Section, error), input string) func(slots int) ([]plan.Section, error) {
	return func(slots int) ([]plan.Section, error) {
		sections, err := generate(slots)
		for i := range sections {
			sections[i].Object.Input = input
		}
		return sections, err
	}
}
