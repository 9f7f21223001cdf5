package scheduler

import "math/bits"

// speculate starts second attempts at tasks that take much longer than others of
// their step, on slots that are not needed otherwise: a slow machine must not hold
// up a job. Both attempts may finish; the log takes one.
func (s *State) speculate(now Time) {
	s.replaceDoubted(now)
	if s.cfg.Speculate <= 0 {
		return
	}
	for _, p := range s.openNow {
		s.speculateIn(now, p)
	}
}

// speculateIn starts second attempts at tasks of one lane.
func (s *State) speculateIn(now Time, p int) {
	l := &s.lanes[p]
	if now < l.lookAt || len(s.workers.free) == 0 || l.took.n < len(l.tasks)/2 || l.took.n == 0 {
		return
	}
	limit := max(l.took.median()*Time(s.cfg.Speculate)/10, s.cfg.SpeculateLeast)
	var next Time
	for _, a := range s.attempts.those(func(a *attempt) bool { return a.place == p && s.alone(a) }) {
		if at := a.started + limit; at > now {
			if next == 0 || at < next {
				next = at
			}
			continue
		}
		w := s.workers.take(now, a.worker)
		if w == nil {
			l.lookAt = now
			return
		}
		if w.id == a.worker { // where the first attempt is slow
			s.workers.release(w.id)
			continue
		}
		s.launch(now, a.task, w)
	}
	// A look at every attempt is expensive. Until then no attempt can have become
	// slow, except one that begins meanwhile.
	l.lookAt = next
	if l.lookAt == 0 {
		l.lookAt = now + s.cfg.SpeculateLeast
	}
	s.wake(now, next)
}

// replaceDoubted starts second attempts at tasks whose worker other processes
// cannot reach, before it is known whether the worker is lost.
func (s *State) replaceDoubted(now Time) {
	if s.cfg.Speculate <= 0 || len(s.workers.free) == 0 || s.workers.doubted == 0 {
		return
	}
	for _, a := range s.attempts.those(func(a *attempt) bool { return s.alone(a) && s.workers.byID[a.worker].doubted }) {
		w := s.workers.take(now, a.worker)
		if w == nil {
			return
		}
		if w.doubted {
			s.workers.release(w.id)
			return
		}
		s.launch(now, a.task, w)
	}
}

// alone reports whether an attempt is the only one at a task that may have another.
func (s *State) alone(a *attempt) bool {
	l := &s.lanes[a.place]
	t := &l.tasks[a.task.Index]
	return l.open && t.live == 1 && !s.settled(a.task) && t.grantee != a.id
}

// durations counts how long attempts took, by powers of the fourth root of two.
// Their median is known to within a fifth, in constant time and space.
type durations struct {
	n       int
	buckets [256]int32
}

// bucketOf returns the number of quarter octaves up to d.
func bucketOf(d Time) int {
	if d < 4 {
		return int(max(d, 0))
	}
	n := bits.Len64(uint64(d))
	return 4*(n-2) + int(d>>(n-3))&3
}

// bucketEnd returns the least duration above a bucket.
func bucketEnd(b int) Time {
	if b < 4 {
		return Time(b + 1)
	}
	octave, quarter := b/4-1, Time(b%4)
	return (4 + quarter + 1) << octave
}

func (h *durations) add(d Time) {
	h.n++
	h.buckets[min(bucketOf(d), len(h.buckets)-1)]++
}

// median returns a duration that half of the counted ones do not exceed.
func (h *durations) median() Time {
	left := (h.n + 1) / 2
	for b, n := range h.buckets {
		if left -= int(n); left <= 0 {
			return bucketEnd(b)
		}
	}
	return 0
}
