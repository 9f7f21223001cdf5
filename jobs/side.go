package jobs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/windrow-mr/windrow/jobs/codec"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// Side is a small data set that every task can see whole. Broadcast makes one.
type Side[S any] struct {
	n    *node
	load func(from pairs.Source) (any, error)
}

// Broadcast shows a small data set, an input or the result of a shuffle, whole to every
// task of the functions that are attached after it. load makes a value of the rows, once
// in each process; the rows are its own to keep, and come in no particular order. Tasks
// share the value, and must not change it. All side inputs of a job together may take a
// quarter of the memory of the tasks; join bigger ones.
//
// Two other ways to bring small data along: files that go:embed puts into the program,
// and values that Once decides at submission.
func Broadcast[T, S any](in Records[T], load func(rows iter.Seq[T]) (S, error)) *Side[S] {
	n := in.p.add("Broadcast", in.p.symbol("Broadcast", load), "", in.n)
	from := n.root
	n.root, n.side = n, true
	n.shuffle = &shuffleRole{roots: []*node{from}, exchange: pipeline.Exchange{SampledBy: plan.None, Side: true}}
	s := &Side[S]{n: n}
	value, err := codec.ValueOf[T]()
	if err != nil {
		in.p.fail("%s: %w", n.stage(), err)
		return s
	}
	n.types = typeName[T]() + " as " + value.Name() + ", then " + typeName[S]()
	n.shuffle.exchange.Layout = pairs.Layout{Key: rowKey, Value: value.Width()}
	n.shuffle.mapSide = func(r *run, _ *node) { sendRows(r, n, in, value) }
	s.load = func(source pairs.Source) (any, error) { return loadRows(n, source, value, load) }
	return s
}

// rowKey is the length of the key of a row: the number of its task and its own.
const rowKey = 8

// sendRows writes the records of a task, each with a key of its own, to all partitions
// by turns.
func sendRows[T any](r *run, n *node, in Records[T], value codec.Value[T]) {
	w, ctx := r.write(n), r.ctx
	const rowBits = 40
	number := uint64(r.task.ID.Index) << rowBits
	part := r.task.ID.Index % max(w.Partitions, 1)
	slot := new(T)
	in.attach(r, stagedNext(r, value, func(rec T) {
		if ctx.err != nil {
			return
		}
		*slot = rec
		b, err := value.Append(binary.BigEndian.AppendUint64(w.Pairs.Room(), number), slot)
		if err != nil {
			ctx.fail(ctx.recordError(err))
			return
		}
		number++
		w.Pairs.Add(b, rowKey, uint32(part))
		if part++; part == w.Partitions {
			part = 0
		}
	}))
}

// loadRows calls a load function.
func loadRows[T, S any](n *node, from pairs.Source, value codec.Value[T], load func(rows iter.Seq[T]) (S, error)) (any, error) {
	decode, owned := value.Decoder(), value.Owned()
	var failed error
	made, err := load(func(yield func(T) bool) {
		for {
			_, b, ok := from.Next()
			if !ok {
				return
			}
			if !owned {
				b = bytes.Clone(b) // rows keep what they point to
			}
			var row T
			if failed = decode(b, &row); failed != nil || !yield(row) {
				return
			}
		}
	})
	switch {
	case from.Err() != nil:
		return nil, from.Err()
	case failed != nil:
		return nil, failed
	case err != nil:
		return nil, &RecordError{Stage: n.stage(), Err: err}
	}
	return made, nil
}

// Get returns the value. The functions of tasks call it with their own context.
func (s *Side[S]) Get(ctx *Context) S {
	var none S
	r := ctx.run
	if v, ok := r.loaded[s.n]; ok {
		made, _ := v.(S)
		return made
	}
	place, ok := r.sides[s.n]
	if !ok {
		ctx.fail(ctx.recordError(fmt.Errorf("Side.Get of %s: the tasks of this function do not wait for it: attach the function after the Broadcast in the constructor, and to data that the side input is not made of; a job may read an input, or write and read a result, again", s.n.stage())))
		return none
	}
	v, err := r.task.Side(place, s.load)
	if err != nil {
		ctx.fail(err)
		return none
	}
	if r.loaded == nil {
		r.loaded = map[*node]any{}
	}
	r.loaded[s.n] = v
	made, _ := v.(S)
	return made
}

// Index is a load function for Broadcast that makes a map of the rows by their keys. Two
// rows of one key are an error.
func Index[K comparable, T any](key func(T) K) func(rows iter.Seq[T]) (map[K]T, error) {
	return func(rows iter.Seq[T]) (map[K]T, error) {
		index := map[K]T{}
		for row := range rows {
			k := key(row)
			if _, double := index[k]; double {
				return nil, fmt.Errorf("two rows have the key %s", keyText(k))
			}
			index[k] = row
		}
		return index, nil
	}
}
