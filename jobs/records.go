package jobs

import (
	"encoding/json"
	"reflect"

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

// records are Records for the functions of this package that make an operation of
// several others. Their type has no exported methods. The linker keeps all exported
// methods of every type that a generic function names, because text/template, which
// help texts use, can call any method by its name. Methods of Records name further
// Records in turn. So Records between the parts of an operation would add all
// operations, for each of their types, to every program.
type records[T any] Records[T]

func (in Records[T]) attach(r *run, next func(T)) { records[T](in).attach(r, next) }

// attach is up for one of several possible users: the work is done once.
func (in records[T]) attach(r *run, next func(T)) {
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
	p.outsideOfLoops(n)
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
	if h, ok := r.(Headed); ok {
		n.read.input.Headed = h.Headed()
	}
	if l, ok := r.(Probing); ok {
		n.read.input.Probing = l.Probing()
	}
	if s, ok := r.(Scattered); ok {
		n.read.input.Scattered = s.Scattered()
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
// --input orders=s3://…. Records that come out of a shuffle get the name for their
// stage, in the ids of its tasks and in plans.
func (in Records[T]) Named(name string) Records[T] {
	in.p.rename(in.n, name)
	return in
}

// rename names the input or the stage from which records come.
func (p *Pipeline) rename(of *node, name string) {
	n, what := of, "input"
	if n.read == nil {
		n, what = n.root, "stage"
	}
	switch err := checkName(what, name); {
	case n.read != nil && of.read == nil:
		p.fail("Named(%q) is for the result of Read or of a shuffle, not %s", name, of.stage())
	case err != nil:
		p.fail("%w", err)
	default:
		n.name = name
	}
}

// FlatMap maps each record to any number of records. An error or panic of f
// becomes a RecordError.
func FlatMap[T, U any](in Records[T], f func(ctx *Context, rec T, emit func(U)) error) Records[U] {
	return Records[U](flatMapped(records[T](in), operation{"FlatMap", in.p.symbol("FlatMap", f)}, f))
}

func flatMapped[T, U any](in records[T], o operation, f func(ctx *Context, rec T, emit func(U)) error) records[U] {
	n := in.p.add(o.kind, o.detail, typeName[U](), in.n)
	return records[U]{in.p, n, func(r *run, next func(U)) {
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

// FlatMapWith is FlatMap with a state of each task: a model that is opened once, or what
// is gathered over records. Open makes the state before the first record. End, which may
// be nil, passes on what is left after the last one. The result must not depend on how
// the records are divided among tasks. The functions of a shuffle's result run in its
// reduce tasks, so this is for both kinds of tasks.
func FlatMapWith[S, T, U any](in Records[T], open func(ctx *Context) (S, error),
	f func(ctx *Context, state S, rec T, emit func(U)) error, end func(ctx *Context, state S, emit func(U)) error) Records[U] {
	detail := in.p.symbol("FlatMapWith", open) + " " + in.p.symbol("FlatMapWith", f)
	if end != nil {
		detail += " " + in.p.symbol("FlatMapWith", end)
	}
	n := in.p.add("FlatMapWith", detail, typeName[U](), in.n)
	return Records[U]{in.p, n, func(r *run, next func(U)) {
		ctx := r.ctx
		emit := func(rec U) {
			next(rec)
			ctx.node = n
		}
		ctx.node = n
		state, err := open(ctx)
		if err != nil {
			ctx.reject(n, err)
		}
		in.attach(r, func(rec T) {
			ctx.node = n
			if ctx.err != nil {
				return
			}
			if err := f(ctx, state, rec, emit); err != nil {
				ctx.reject(n, err)
			}
		})
		if end == nil {
			return
		}
		// Functions in front of this one are attached by now, and so end before it.
		r.flush = append(r.flush, func() error {
			ctx.node, ctx.where, ctx.key = n, Position{}, nil
			if err := end(ctx, state, emit); err != nil {
				ctx.reject(n, err)
			}
			return ctx.err
		})
	}}
}

// Convert maps each record to one record.
func Convert[T, U any](in Records[T], f func(rec T) U) Records[U] {
	return Records[U](converted(records[T](in), operation{"Convert", in.p.symbol("Convert", f)}, f))
}

func converted[T, U any](in records[T], o operation, f func(rec T) U) records[U] {
	n := in.p.add(o.kind, o.detail, typeName[U](), in.n)
	return records[U]{in.p, n, func(r *run, next func(U)) {
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
