package jobs

import (
	"bytes"
	"errors"
	"iter"

	"github.com/windrow-mr/windrow/jobs/codec"
	"github.com/windrow-mr/windrow/plan"
)

// groups reads a reduce task's pairs group by group.
type groups struct {
	r          *run
	ctx        *Context
	prefix     func(key []byte) []byte // nil: the whole key
	key, value []byte                  // the current pair
	ok         bool                    // there is one
	group      []byte                  // copy of the group's part of its key
	in         bool                    // the current pair belongs to the group
	used       bool                    // the reducer has seen the current pair
	ranged     bool                    // the reducer has begun to range over the group
	pairs      int64
	combines   bool // the functions that read the values combine them
}

func newGroups(r *run, n *node, prefix func(key []byte) []byte, key func() string) *groups {
	g := &groups{r: r, ctx: r.ctx, prefix: prefix}
	g.ctx.node, g.ctx.key = n, key
	return g
}

// next advances to the next pair of the input.
func (g *groups) next() {
	g.used = false
	if g.key, g.value, g.ok = g.r.source.Next(); !g.ok {
		g.in = false
		return
	}
	g.pairs++
	if g.prefix == nil {
		g.in = bytes.Equal(g.key, g.group)
	} else {
		// No group's encoding is a prefix of another's.
		g.in = bytes.HasPrefix(g.key, g.group)
	}
	if g.pairs%checkEvery == 0 || g.r.stopped.Load() {
		g.ctx.fail(g.r.look(checkEvery))
		g.ctx.fail(g.r.full())
	}
}

// errRanged says that a reducer used a value list as more than a stream.
var errRanged = errors.New("the values were ranged over twice, or within a range over them: a value list is a stream, and can be read to its end once; keep the values that you need again")

// begin starts or resumes a range over the values, unless they have all been
// read.
func (g *groups) begin() bool {
	if g.ranged && !g.in {
		g.again()
		return false
	}
	g.ranged = true
	if g.used {
		g.next()
	}
	return true
}

// again fails the task. Otherwise it would miss records silently.
func (g *groups) again() { g.ctx.fail(g.ctx.recordError(errRanged)) }

// each calls f at the first pair of each group, and skips the pairs that f
// leaves.
func (g *groups) each(f func() error) error {
	defer func() { g.r.count(g.pairs) }()
	n := g.ctx.node
	for g.next(); g.ok; {
		part := g.key
		if g.prefix != nil {
			part = g.prefix(g.key)
		}
		if g.r.trial.Overwrite {
			overwrite(g.group) // the key of the previous group was borrowed
			g.group = nil
		}
		g.group = append(g.group[:0], part...)
		g.in, g.ranged = true, false
		g.ctx.node = n
		err := g.call(f)
		for g.in && g.ctx.err == nil && err == nil {
			g.next()
		}
		switch {
		case g.r.source.Err() != nil:
			// This error is first: f may have seen a list that ended early.
			return g.r.source.Err()
		case g.ctx.err != nil:
			return g.ctx.err
		case err != nil:
			return err
		}
	}
	return g.r.source.Err()
}

// call calls f for the current group. A group that f rejects is left out if the job
// leaves out bad records. A combiner sees some values of a key here and others elsewhere,
// as the work is divided, so that its failure must not decide about a group.
func (g *groups) call(f func() error) error {
	t := g.r.tolerance
	if t == nil || g.combines {
		return f()
	}
	return t.try(f, func() plan.BadRecord { return plan.BadRecord{} })
}

// reject returns a reducer's error as one of the current group.
func (g *groups) reject(n *node, err error) error {
	if err == nil {
		return nil
	}
	if g.r.source.Err() == nil {
		g.ctx.reject(n, err)
	}
	return err
}

// reduceGroups runs the function of a Reduce.
func reduceGroups[K, V, O any](r *run, e *exchange[K, V, V], f func(*Context, K, iter.Seq[V], func(O)) error, next func(O)) error {
	var key K
	var value V
	decodeKey, decodeValue := e.key.Decoder(), e.value.Decoder()
	g := newGroups(r, e.n, nil, func() string { return keyText(key) })
	values := func(yield func(V) bool) {
		if !g.begin() {
			return
		}
		for ; g.in && g.ctx.err == nil; g.next() {
			if err := decodeValue(g.value, &value); err != nil {
				g.ctx.fail(err)
				return
			}
			g.used = true
			if !yield(value) {
				return
			}
			if !g.used {
				g.again()
				return
			}
		}
	}
	emit := func(rec O) {
		next(rec)
		g.ctx.node = e.n
	}
	return g.each(func() error {
		if err := decodeKey(g.group, &key); err != nil {
			return err
		}
		return g.reject(e.n, f(g.ctx, key, values, emit))
	})
}

// reduceOrdered runs the function of a ReduceBy.
func reduceOrdered[K, S, V, O any](r *run, e *exchange[By[K, S], V, V], group codec.Key[K], order codec.Key[S],
	f func(*Context, K, iter.Seq2[S, V], func(O)) error, next func(O)) error {
	var key K
	var at S
	var value V
	decodeKey, decodeOrder, decodeValue := group.Decoder(), order.Decoder(), e.value.Decoder()
	g := newGroups(r, e.n, e.group, func() string { return keyText(key) })
	values := func(yield func(S, V) bool) {
		if !g.begin() {
			return
		}
		for ; g.in && g.ctx.err == nil; g.next() {
			err := decodeOrder(g.key[len(g.group):], &at)
			if err == nil {
				err = decodeValue(g.value, &value)
			}
			if err != nil {
				g.ctx.fail(err)
				return
			}
			g.used = true
			if !yield(at, value) {
				return
			}
			if !g.used {
				g.again()
				return
			}
		}
	}
	emit := func(rec O) {
		next(rec)
		g.ctx.node = e.n
	}
	return g.each(func() error {
		if err := decodeKey(g.group, &key); err != nil {
			return err
		}
		return g.reject(e.n, f(g.ctx, key, values, emit))
	})
}

// reduceAccumulated folds the values of each key.
func reduceAccumulated[K, V, A any](r *run, e *exchange[K, V, A], merge func(acc, other *A), next func(Pair[K, A])) error {
	var out Pair[K, A]
	var acc, other A
	decodeKey, decode := e.key.Decoder(), e.value.Decoder()
	owned := e.value.Owned()
	g := newGroups(r, e.n, nil, func() string { return keyText(out.Key) })
	g.combines, next = true, tolerated(r, next)
	value := func() []byte {
		if owned {
			return g.value
		}
		return bytes.Clone(g.value) // accumulators keep what they point to
	}
	return g.each(func() error {
		if err := decodeKey(g.group, &out.Key); err != nil {
			return err
		}
		if err := decode(value(), &acc); err != nil {
			return err
		}
		for g.next(); g.in && g.ctx.err == nil; g.next() {
			if err := decode(value(), &other); err != nil {
				return err
			}
			merge(&acc, &other)
		}
		if g.r.source.Err() != nil || g.ctx.err != nil {
			return nil //nolint:nilerr // acc is incomplete; each returns the error
		}
		out.Value = acc
		next(out)
		return nil
	})
}

// reduceSorted passes on pairs in the order of the source.
func reduceSorted[K, V any](r *run, e *exchange[K, V, V], next func(Pair[K, V])) error {
	var out Pair[K, V]
	decodeKey, decodeValue := e.key.Decoder(), e.value.Decoder()
	g := newGroups(r, e.n, nil, func() string { return keyText(out.Key) })
	next = tolerated(r, next)
	defer func() { r.count(g.pairs) }()
	for g.next(); g.ok && g.ctx.err == nil; g.next() {
		if err := decodeKey(g.key, &out.Key); err != nil {
			return err
		}
		if err := decodeValue(g.value, &out.Value); err != nil {
			return err
		}
		next(out)
	}
	return r.source.Err()
}
