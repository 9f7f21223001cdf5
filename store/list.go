package store

import (
	"context"
	"iter"

	"github.com/windrow-mr/windrow/store/driver"
)

// List yields all objects whose key starts with prefix, at any depth, ordered
// by the bytes of their keys. Objects that appear or vanish meanwhile may be
// yielded or not; all others are. The listing ends after an error.
//
// A listing of one page costs one request. On stores that can begin a listing
// anywhere, longer ones are walked in ranges side by side: see listsAtOnce and
// listAhead for their memory.
//
//go:noinline
func (r *Root) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		l := &lister{core: r.core, prefix: r.prefix + prefix}
		err := l.walk(ctx, func(o Object) bool {
			o.Key = o.Key[len(r.prefix):]
			return yield(o, nil)
		})
		if err != nil {
			yield(Object{}, r.fail("list", prefix, err))
		}
	}
}

// lister is one walk of a listing.
type lister struct {
	core   *core
	prefix string
}

// page asks for the next page of a pager.
func (l *lister) page(ctx context.Context, p driver.Pager) (page []Object, last bool, err error) {
	err = l.core.control(ctx, listRequest, l.prefix, func(ctx context.Context) (err error) {
		page, last, err = p.Next(ctx)
		return err
	})
	return page, last, err
}

// walk passes all objects to yield, until that returns false.
func (l *lister) walk(ctx context.Context, yield func(Object) bool) error {
	pager := l.core.driver.List(l.prefix)
	page, last, err := l.page(ctx, pager)
	if err != nil {
		return err
	}
	given := "" // the last key that was yielded, if ranges were tried
	if ranges := l.core.ranges; ranges != nil && l.core.traits.Remote && !last && ordered(page, "") {
		w := newRangeWalk(l, ranges, page, yield)
		if err = w.run(ctx); err != nil || w.ended {
			return err
		}
		// The store ignores where to begin, so every page was the first one.
		given = w.given
	}
	for {
		for _, o := range page {
			if (given == "" || o.Key > given) && !yield(o) {
				return nil
			}
		}
		if last {
			return nil
		}
		if len(page) > 0 && given <= page[len(page)-1].Key {
			given = ""
		}
		if page, last, err = l.page(ctx, pager); err != nil {
			return err
		}
	}
}

// ordered reports whether a page has objects, all of them after a key and in
// order.
func ordered(page []Object, after string) bool {
	for _, o := range page {
		if o.Key <= after {
			return false
		}
		after = o.Key
	}
	return len(page) > 0
}
