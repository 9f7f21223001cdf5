package scheduler

// spans are the tasks of a step that are not started, in spans of adjacent ones. A
// process that fetches a partition may get the next ones by the same requests. So a
// slot gets the tasks of one span, one after another, while other slots begin
// elsewhere. When every span has been begun, tasks are taken from the end of the
// span that has most of them, so that no slot is idle.
type spans struct {
	place   int    // of the step
	width   int    // of a span; 0 when there are none
	rest    []span // by number
	left    int    // tasks in all of them
	fresh   int    // the first one that was not begun
	orphans []int  // begun by workers that are gone

	// longest bounds the tasks of every span, and no span before at has so many:
	// spans only shrink, so looking for the longest costs little in all.
	longest, at int
}

// span has the tasks from next up to, but not including, end.
type span struct{ next, end int }

// heldSpan is a span that a worker has begun.
type heldSpan struct {
	place  int // of its step
	number int
	live   int // attempts that run there
}

// newSpans divides tasks into spans of up to most tasks, a power of two, and into
// as many spans as there are slots where that is possible.
func newSpans(tasks, most, slots int) spans {
	s := spans{width: 1}
	for 2*s.width <= min(most, tasks/max(slots, 1)) {
		s.width *= 2
	}
	for next := 0; next < tasks; next += s.width {
		s.rest = append(s.rest, span{next, min(next+s.width, tasks)})
	}
	s.left, s.longest = tasks, s.width
	return s
}

// pick takes the best task for a free slot of a worker; ok is false when there is
// none.
func (s *spans) pick(w *worker) (index int, ok bool) {
	if s.left == 0 {
		return 0, false
	}
	for i := range w.spans {
		// Those with a running attempt are another slot's.
		if h := &w.spans[i]; h.place == s.place && h.live == 0 && s.rest[h.number].next < s.rest[h.number].end {
			h.live++
			return s.first(h.number), true
		}
	}
	if number, ok := s.untouched(); ok {
		w.spans = append(w.spans, heldSpan{s.place, number, 1})
		return s.first(number), true
	}
	index = s.steal()
	for i := range w.spans {
		if h := &w.spans[i]; h.place == s.place && h.number == index/s.width {
			h.live++
		}
	}
	return index, true
}

// first takes the first task of a span.
func (s *spans) first(number int) int {
	s.left--
	s.rest[number].next++
	return s.rest[number].next - 1
}

// untouched returns a span on which no worker works.
func (s *spans) untouched() (int, bool) {
	for len(s.orphans) > 0 {
		number := s.orphans[len(s.orphans)-1]
		s.orphans = s.orphans[:len(s.orphans)-1]
		if s.rest[number].next < s.rest[number].end {
			return number, true
		}
	}
	if s.fresh == len(s.rest) {
		return 0, false
	}
	s.fresh++
	return s.fresh - 1, true
}

// steal takes the last task of the longest span. There is one.
func (s *spans) steal() int {
	for {
		for ; s.at < len(s.rest); s.at++ {
			if r := &s.rest[s.at]; r.end-r.next >= s.longest {
				s.left--
				r.end--
				return r.end
			}
		}
		s.longest, s.at = s.longest-1, 0
	}
}

// ended notes that an attempt at a task no longer runs on a worker.
func (s *spans) ended(w *worker, index int) {
	if s.width == 0 {
		return
	}
	for i := range w.spans {
		h := &w.spans[i]
		if h.place != s.place || h.number != index/s.width || h.live == 0 {
			continue
		}
		if h.live--; h.live == 0 && s.rest[h.number].next == s.rest[h.number].end {
			w.spans = append(w.spans[:i], w.spans[i+1:]...)
		}
		return
	}
}

// has reports whether a task is in a span.
func (s *spans) has(index int) bool {
	if s.width == 0 || index/s.width >= len(s.rest) {
		return false
	}
	r := s.rest[index/s.width]
	return r.next <= index && index < r.end
}
