package jobs

import (
	"strconv"

	"github.com/windrow-mr/windrow/plan"
)

// Expect declares what the outcome of the job must be, for it to be published:
// "records >= 1000", or another form that plan.ParseExpectation reads. A job whose outcome is
// different fails, and its output is staged: windrow publish and windrow discard decide what
// becomes of it. A submission can expect more.
func (p *Pipeline) Expect(text string) {
	if _, err := plan.ParseExpectation(text); err != nil {
		p.fail("Expect: %w", err)
		return
	}
	p.expected = append(p.expected, text)
}

// Expect passes on all records, and expects that ok is true for each of them. It counts the
// others by the counter that unexpected names, such as "orders without a customer": a job
// that has any fails, and its output is staged. See Pipeline.Expect.
func Expect[T any](in Records[T], unexpected string, ok func(rec T) bool) Records[T] {
	in.p.Expect(none(unexpected))
	o := operation{"Expect", in.p.symbol("Expect", ok) + " " + strconv.Quote(unexpected)}
	return Records[T](flatMapped(records[T](in), o, func(ctx *Context, rec T, emit func(T)) error {
		if !ok(rec) {
			ctx.Count(unexpected, 1)
		}
		emit(rec)
		return nil
	}))
}

// ExpectUnique passes on all records, and expects that no two of them have the same key. It
// counts those that repeat the key of another one by the counter that repeated names, such
// as "orders with the number of another". It shuffles the keys, in a stage of its own. See
// Expect.
func ExpectUnique[T, K any](in Records[T], repeated string, key func(rec T) K) Records[T] {
	in.p.Expect(none(repeated))
	o := operation{"ExpectUnique", in.p.symbol("ExpectUnique", key) + " " + strconv.Quote(repeated)}
	keys := mapped(records[T](in), o, typeName[K]()+" to "+typeName[int64](), func(_ *Context, rec T, emit Emit[K, int64]) error {
		emit(key(rec), 1)
		return nil
	})
	checked := flatMapped(folded(keys, o, Sum[int64]), o, func(ctx *Context, rec Pair[K, int64], _ func(struct{})) error {
		if rec.Value > 1 {
			ctx.Count(repeated, rec.Value-1)
		}
		return nil
	})
	end := in.p.add("Check", o.detail, "", checked.n)
	in.p.outsideOfLoops(end)
	end.sink = &sinkRole{silent: true, attach: func(r *run) error {
		checked.attach(r, func(struct{}) {})
		return nil
	}}
	return in
}

// none expects that a counter counts nothing.
func none(counter string) string { return "count(" + counter + ") = 0" }
