package jobs

import (
	"iter"

	"github.com/windrow-mr/windrow/jobs/codec"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// CoGroup calls f once per key that left or right has, in order of keys within a part.
// The values of left are a stream: f may range over them once, and may break off early.
// f may range over the values of right any number of times: they are kept in memory, and
// beyond a share of it in the job's temporary data. So let right be the side with fewer
// values of a key. The order of the values is not specified.
func CoGroup[K, L, R, O any](left Pairs[K, L], right Pairs[K, R],
	f func(ctx *Context, key K, left iter.Seq[L], right iter.Seq[R], emit func(O)) error) Records[O] {
	j, ok := newJoin(left, right, "CoGroup", left.p.symbol("CoGroup", f), typeName[O]())
	if !ok {
		return Records[O]{p: left.p, n: j.n}
	}
	j.n.shuffle.exchange.Spools = true
	return Records[O]{left.p, j.n, func(r *run, next func(O)) {
		r.drive = func() error { return coGroups(r, j, f, next) }
	}}
}

// Join calls f for every two values of a key, one of left and one of right. The values of
// right are kept: see CoGroup.
func Join[K, L, R, O any](left Pairs[K, L], right Pairs[K, R], f func(ctx *Context, key K, l L, r R, emit func(O)) error) Records[O] {
	return joined(left, right, "Join", left.p.symbol("Join", f),
		func(ctx *Context, key K, left iter.Seq[L], right iter.Seq[R], emit func(O)) error {
			for l := range left {
				for r := range right {
					if err := f(ctx, key, l, r, emit); err != nil {
						return err
					}
				}
			}
			return nil
		})
}

// LeftJoin is Join, and calls f with nil for every value of left whose key right does not
// have. f must not keep r.
func LeftJoin[K, L, R, O any](left Pairs[K, L], right Pairs[K, R], f func(ctx *Context, key K, l L, r *R, emit func(O)) error) Records[O] {
	return joined(left, right, "LeftJoin", left.p.symbol("LeftJoin", f),
		func(ctx *Context, key K, left iter.Seq[L], right iter.Seq[R], emit func(O)) error {
			for l := range left {
				if err := withEach(right, func(r *R) error { return f(ctx, key, l, r, emit) }); err != nil {
					return err
				}
			}
			return nil
		})
}

// FullJoin is LeftJoin, and calls f with nil also for every value of right whose key left
// does not have. f must not keep l or r.
func FullJoin[K, L, R, O any](left Pairs[K, L], right Pairs[K, R], f func(ctx *Context, key K, l *L, r *R, emit func(O)) error) Records[O] {
	return joined(left, right, "FullJoin", left.p.symbol("FullJoin", f),
		func(ctx *Context, key K, left iter.Seq[L], right iter.Seq[R], emit func(O)) error {
			some := false
			for l := range left {
				some = true
				if err := withEach(right, func(r *R) error { return f(ctx, key, &l, r, emit) }); err != nil {
					return err
				}
			}
			if some {
				return nil
			}
			for r := range right {
				if err := f(ctx, key, nil, &r, emit); err != nil {
					return err
				}
			}
			return nil
		})
}

// withEach calls f for every value, or once with nil if there is none.
func withEach[R any](values iter.Seq[R], f func(r *R) error) error {
	some := false
	for r := range values {
		some = true
		if err := f(&r); err != nil {
			return err
		}
	}
	if some {
		return nil
	}
	return f(nil)
}

// SemiJoin keeps the pairs of left whose key right has, once each.
func SemiJoin[K, L, R any](left Pairs[K, L], right Pairs[K, R]) Records[Pair[K, L]] {
	return matched(left, right, "SemiJoin", true)
}

// AntiJoin keeps the pairs of left whose key right does not have.
func AntiJoin[K, L, R any](left Pairs[K, L], right Pairs[K, R]) Records[Pair[K, L]] {
	return matched(left, right, "AntiJoin", false)
}

// join is a shuffle of two kinds of pairs under construction. The encoded key of a pair
// ends with its side, so that in each group the values of right come first.
type join[K, L, R any] struct {
	n     *node
	key   codec.Key[K]
	left  codec.Value[L]
	right codec.Value[R]
}

// The sides of a join, in the order of their pairs.
const (
	rightSide = 0
	leftSide  = 1
)

// side returns the side of a pair.
func side(key []byte) byte { return key[len(key)-1] }

// withoutSide returns a key without its side.
func withoutSide(key []byte) []byte { return key[:max(len(key)-1, 0)] }

// joined is a join whose function gets both sides of each key.
func joined[K, L, R, O any](left Pairs[K, L], right Pairs[K, R], kind, symbol string,
	f func(ctx *Context, key K, left iter.Seq[L], right iter.Seq[R], emit func(O)) error) Records[O] {
	j, ok := newJoin(left, right, kind, symbol, typeName[O]())
	if !ok {
		return Records[O]{p: left.p, n: j.n}
	}
	j.n.shuffle.exchange.Spools = true
	return Records[O]{left.p, j.n, func(r *run, next func(O)) {
		r.drive = func() error { return coGroups(r, j, f, next) }
	}}
}

// matched is a join that passes on pairs of left if right has their key, or if it has not.
func matched[K, L, R any](left Pairs[K, L], right Pairs[K, R], kind string, with bool) Records[Pair[K, L]] {
	j, ok := newJoin(left, right, kind, "", typeName[Pair[K, L]]())
	if !ok {
		return Records[Pair[K, L]]{p: left.p, n: j.n}
	}
	return Records[Pair[K, L]]{left.p, j.n, func(r *run, next func(Pair[K, L])) {
		r.drive = func() error { return keptGroups(r, j, with, next) }
	}}
}

// newJoin adds a join to the pipeline. ok is false when the types cannot be shuffled,
// which is an error of the pipeline.
func newJoin[K, L, R any](left Pairs[K, L], right Pairs[K, R], kind, symbol, result string) (j *join[K, L, R], ok bool) {
	p := left.p
	left.taken()
	right.taken()
	j = &join[K, L, R]{n: p.addShuffle(operation{kind, symbol}, left.n, right.n)}
	j.n.shuffle.exchange.Group = withoutSide
	var errs [3]error
	j.key, errs[0] = codec.PrefixOf[K]()
	j.left, errs[1] = codec.ValueOf[L]()
	j.right, errs[2] = codec.ValueOf[R]()
	ok = !p.refuse(j.n, errs[:]...)
	if left.fold != nil || right.fold != nil || left.partition != nil || right.partition != nil {
		p.fail("%s of pairs that have a Combine or Partition: leave these out, a join chooses itself", j.n.stage())
		ok = false
	}
	if !ok {
		return j, false
	}
	j.n.types = typeName[K]() + " as " + j.key.Name() + " to " + typeName[L]() + " as " + j.left.Name() + " and " +
		typeName[R]() + " as " + j.right.Name() + ", then " + result
	layout := pairs.Layout{}
	if width := j.key.Width(); width > 0 {
		layout.Key = width + 1
	}
	if width := j.left.Width(); width == j.right.Width() {
		layout.Value = width
	}
	j.n.shuffle.exchange.Layout = layout
	j.feed(left.branches, right.branches)
	weigh(j.n, j.key, adviceJoin)
	return j, true
}

// feed sets how a task takes pairs of both sides.
func (j *join[K, L, R]) feed(left []branch[K, L], right []branch[K, R]) {
	for _, b := range left {
		j.n.shuffle.addRoot(b.root)
	}
	for _, b := range right {
		j.n.shuffle.addRoot(b.root)
	}
	j.n.shuffle.mapSide = func(r *run, root *node) {
		for _, b := range left {
			if b.root == root {
				b.attach(r, stagedEmit(r, j.key, j.left, sideSender(r, j.n, j.key, j.left, leftSide)))
			}
		}
		for _, b := range right {
			if b.root == root {
				b.attach(r, stagedEmit(r, j.key, j.right, sideSender(r, j.n, j.key, j.right, rightSide)))
			}
		}
	}
}

// sideSender returns the function that takes the pairs of one side.
func sideSender[K, V any](r *run, n *node, key codec.Key[K], value codec.Value[V], of byte) Emit[K, V] {
	w, ctx := r.write(n), r.ctx
	slots := new(struct { // that encoders point to, so that no pair is allocated
		key   K
		value V
	})
	return func(k K, v V) {
		if ctx.err != nil {
			return
		}
		slots.key, slots.value = k, v
		b := key.Append(w.Pairs.Room(), &slots.key)
		part := pairs.PartitionOf(pairs.Hash(b), w.Partitions)
		b = append(b, of)
		length := len(b)
		b, err := value.Append(b, &slots.value)
		if err != nil {
			ctx.fail(ctx.recordError(err))
			return
		}
		w.Pairs.Add(b, length, part)
	}
}

// coGroups runs the function of a join with both sides of each key.
func coGroups[K, L, R, O any](r *run, j *join[K, L, R],
	f func(ctx *Context, key K, left iter.Seq[L], right iter.Seq[R], emit func(O)) error, next func(O)) error {
	var key K
	var value L
	decodeKey, decodeLeft := j.key.Decoder(), j.left.Decoder()
	g := newGroups(r, j.n, withoutSide, func() string { return keyText(key) })
	right := newKeptValues(r, g, j.right)
	left := func(yield func(L) bool) {
		if !g.begin() {
			return
		}
		for ; g.in && g.ctx.err == nil; g.next() {
			if err := decodeLeft(g.value, &value); err != nil {
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
		g.ctx.node = j.n
	}
	return g.each(func() error {
		if err := decodeKey(g.group, &key); err != nil {
			return err
		}
		if err := right.take(); err != nil {
			return err
		}
		return g.reject(j.n, f(g.ctx, key, left, right.all, emit))
	})
}

// keptValues are the values of the right side of a group, which can be read again.
type keptValues[R any] struct {
	g      *groups
	spool  pipeline.Spool
	codec  codec.Value[R]
	decode []func(b []byte, v *R) error // by how many ranges are within each other
	depth  int
	some   bool
}

func newKeptValues[R any](r *run, g *groups, c codec.Value[R]) *keptValues[R] {
	return &keptValues[R]{g: g, spool: r.task.Spool(), codec: c}
}

// take keeps the values of the group that come first.
func (k *keptValues[R]) take() error {
	if k.some {
		if err := k.spool.Reset(); err != nil {
			return err
		}
		k.some = false
	}
	g := k.g
	for g.in && g.ctx.err == nil && side(g.key) == rightSide {
		if err := k.spool.Append(g.value); err != nil {
			return err
		}
		k.some = true
		g.next()
	}
	return nil
}

// all is the sequence of the values. Ranges within each other have a decoder each,
// because a value is borrowed until its decoder decodes the next one.
func (k *keptValues[R]) all(yield func(R) bool) {
	if !k.some || k.g.ctx.err != nil {
		return
	}
	if k.depth == len(k.decode) {
		k.decode = append(k.decode, k.codec.Decoder())
	}
	decode := k.decode[k.depth]
	k.depth++
	defer func() { k.depth-- }()
	var value R
	var failed error
	err := k.spool.All(func(b []byte) bool {
		if failed = decode(b, &value); failed != nil {
			return false
		}
		return yield(value) && k.g.ctx.err == nil
	})
	if failed != nil {
		err = failed
	}
	if err != nil {
		k.g.ctx.fail(err)
	}
}

// keptGroups passes on the pairs of left whose key right has, or has not.
func keptGroups[K, L, R any](r *run, j *join[K, L, R], with bool, next func(Pair[K, L])) error {
	var out Pair[K, L]
	decodeKey, decodeLeft := j.key.Decoder(), j.left.Decoder()
	g := newGroups(r, j.n, withoutSide, func() string { return keyText(out.Key) })
	return g.each(func() error {
		if err := decodeKey(g.group, &out.Key); err != nil {
			return err
		}
		found := side(g.key) == rightSide
		for ; g.in && g.ctx.err == nil && found == with; g.next() {
			if side(g.key) == rightSide {
				continue
			}
			if err := decodeLeft(g.value, &out.Value); err != nil {
				return err
			}
			next(out)
			g.ctx.node = j.n
		}
		return nil
	})
}
