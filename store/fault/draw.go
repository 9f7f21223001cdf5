package fault

import "math"

// request is what a store is asked for, by any caller, any number of times.
type request struct {
	op  Op
	key string
	sub int64 // where a read begins, the number of a part
}

// draw is a random number that belongs to one try of a request.
type draw uint64

// drawFor returns the number of a rule for the n-th try of a request.
func drawFor(seed uint64, rule int, q *request, n int) draw {
	// FNV-1a reads the text, and mix spreads its result.
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for _, s := range [...]string{string(q.op), q.key} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * prime
		}
		h = (h ^ 0xff) * prime // no text holds this byte
	}
	for _, v := range [...]uint64{seed, uint64(rule), uint64(q.sub), uint64(n)} {
		h = mix(h ^ v)
	}
	return draw(h)
}

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
func mix(h uint64) uint64 {
	h += 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// below reports whether the draw is among the given percentage.
func (d draw) below(percent float64) bool {
	return float64(d>>11)/(1<<53) < percent/100
}

// next returns another number for the same try.
func (d draw) next() draw { return draw(mix(uint64(d))) }

// up returns a number from 0 up to n, without n; 0 for an n below 1.
func (d draw) up(n int64) int64 {
	if n < 1 {
		return 0
	}
	return int64(uint64(d) & math.MaxInt64 % uint64(n))
}

// struck reports whether a rule strikes: the met-th call that it is for, the
// n-th try of the request. It returns the draw that decides all else.
func (r *Rule) struck(seed uint64, rule int, q *request, n, met int) (draw, bool) {
	d := drawFor(seed, rule, q, n)
	if r.Percent > 0 {
		for first := max(1, n-max(1, r.Burst)+1); first <= n; first++ {
			if drawFor(seed, rule, q, first).below(r.Percent) {
				return d, true
			}
		}
		return d, false
	}
	count := met
	if r.Tries {
		count = n
	}
	first, last := r.span()
	return d, count >= first && (last < 0 || count <= last)
}
