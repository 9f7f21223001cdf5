package store

import (
	"context"
	"slices"
	"sync"

	"github.com/windrow-mr/windrow/store/driver"
)

// Bounds of a listing in ranges.
const (
	// listsAtOnce is how many pages are in flight at once.
	listsAtOnce = 8
	// listAhead is how many objects may wait for their turn, including those in
	// flight. An object takes some hundred bytes.
	listAhead = 32_000
	// A listing may make listShare times as many requests as it has pages, and
	// listSpare more. Beyond that, ranges are not split.
	listSpare, listShare = 8, 2
)

// rangeWalk walks a listing in ranges of keys, several at a time, and yields in
// order. guessBounds guesses where ranges begin. For any guess, the ranges
// cover all keys, and a page that extends beyond its range is used for the
// ranges after it.
//
// One goroutine owns it. Requests run on goroutines of their own, which answer
// on a channel with room for all of them, and end before run returns.
type rangeWalk struct {
	lister *lister
	ranges driver.RangeLister
	yield  func(Object) bool

	segments []*segment // in order, without gaps; those before the first were yielded
	answers  chan pageAnswer
	inFlight int
	asking   sync.WaitGroup

	pageSize int // objects of the first page
	requests int
	objects  int // new ones, of all answers
	waiting  int // objects in segments that are done

	given   string // the last key that was yielded
	refused bool   // the store does not begin where the request says
	ended   bool   // all was yielded, or the caller wants no more
}

// segment is a range of keys: greater than after, up to and including until.
type segment struct {
	after, until string // until "" is the end of the listing
	state        segmentState
	pager        driver.Pager // to continue with, after a page without objects
	objects      []Object
	err          error
}

type segmentState int

const (
	segmentNew   segmentState = iota
	segmentAsked              // a request is in flight
	segmentDone               // all objects have arrived, or there is an error
)

// holds reports whether a key is not beyond the segment.
func (s *segment) holds(key string) bool { return s.until == "" || key <= s.until }

// pageAnswer is the answer to a request.
type pageAnswer struct {
	segment *segment
	page    []Object
	last    bool
	err     error
}

// newRangeWalk begins a walk whose first page is known, and is not the last.
func newRangeWalk(l *lister, ranges driver.RangeLister, first []Object, yield func(Object) bool) *rangeWalk {
	w := &rangeWalk{
		lister: l, ranges: ranges, yield: yield, answers: make(chan pageAnswer, listsAtOnce),
		pageSize: len(first), requests: 1,
	}
	all := &segment{}
	w.segments = []*segment{all}
	w.spread(pageAnswer{segment: all, page: first})
	return w
}

// run yields until all is yielded, the caller wants no more, or the store
// proves to ignore where a listing begins.
func (w *rangeWalk) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer w.asking.Wait()
	defer cancel()
	for len(w.segments) > 0 && !w.refused {
		w.ask(ctx)
		head := w.segments[0]
		if head.state != segmentDone {
			w.take(<-w.answers)
			continue
		}
		if head.err != nil {
			return head.err
		}
		if !w.give(ctx, head) {
			return nil
		}
	}
	w.ended = len(w.segments) == 0
	return nil
}

// give yields the objects of the first segment, and handles answers meanwhile.
// It returns false when the walk ends.
func (w *rangeWalk) give(ctx context.Context, head *segment) bool {
	for _, o := range head.objects {
		select {
		case a := <-w.answers:
			w.take(a)
			if w.refused {
				return false
			}
			w.ask(ctx)
		default:
		}
		w.waiting--
		w.given = o.Key
		if !w.yield(o) {
			w.ended = true
			return false
		}
	}
	w.segments = w.segments[1:]
	return true
}

// ask begins requests for the first ranges that need one. It begins few while
// little is known of the listing, and none for later ranges while many objects
// wait.
func (w *rangeWalk) ask(ctx context.Context) {
	width := min(listsAtOnce, 2*w.pages())
	for i, s := range w.segments {
		if w.inFlight >= width {
			return
		}
		if s.state != segmentNew {
			continue
		}
		if i > 0 && w.waiting+w.inFlight*w.pageSize >= listAhead {
			return
		}
		if s.pager == nil {
			s.pager = w.ranges.ListAfter(w.lister.prefix, s.after)
		}
		s.state = segmentAsked
		w.inFlight++
		w.requests++
		w.asking.Go(func() {
			page, last, err := w.lister.page(ctx, s.pager)
			w.answers <- pageAnswer{s, page, last, err}
		})
	}
}

// pages returns how many pages the objects so far would have filled.
func (w *rangeWalk) pages() int { return max(1, (w.objects+w.pageSize-1)/w.pageSize) }

// wasteful reports whether guesses have found too little so far.
func (w *rangeWalk) wasteful() bool { return w.requests > listSpare+listShare*w.pages() }

// take uses the answer to a request.
func (w *rangeWalk) take(a pageAnswer) {
	w.inFlight--
	s := a.segment
	switch {
	case a.err != nil:
		s.state, s.err = segmentDone, a.err
	case len(a.page) == 0 && !a.last:
		s.state = segmentNew // the same pager continues
	case len(a.page) > 0 && !ordered(a.page, s.after):
		w.refused = true
	default:
		w.spread(a)
	}
}

// spread gives a page's objects to its segment and to those after it that were
// not requested yet. A segment that the page does not cover to its end becomes
// two or more.
func (w *rangeWalk) spread(a pageAnswer) {
	page := a.page
	for i := slices.Index(w.segments, a.segment); i < len(w.segments); i++ {
		s := w.segments[i]
		n := 0
		for n < len(page) && s.holds(page[n].Key) {
			n++
		}
		covered := a.last || n < len(page) || s.until != "" && len(a.page) > 0 && a.page[len(a.page)-1].Key == s.until
		if s == a.segment || s.state == segmentNew {
			s.state, s.objects, s.pager = segmentDone, page[:n:n], nil
			w.objects += n
			w.waiting += n
			if !covered {
				w.split(i, a.page)
				return
			}
		}
		if !covered {
			return
		}
		if page = page[n:]; len(page) == 0 && !a.last {
			return
		}
	}
}

// split ends a segment with the last key of a page, and divides the keys after
// it.
func (w *rangeWalk) split(i int, page []Object) {
	s := w.segments[i]
	after, until := page[len(page)-1].Key, s.until
	s.until = after
	var bounds []string
	if !w.wasteful() {
		bounds = guessBounds(page, len(w.lister.prefix), until)
	}
	rest := make([]*segment, 0, len(bounds)+1)
	for _, b := range bounds {
		rest = append(rest, &segment{after: after, until: b})
		after = b
	}
	rest = append(rest, &segment{after: after, until: until})
	w.segments = slices.Insert(w.segments, i+1, rest...)
}
