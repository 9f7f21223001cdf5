package executor

import (
	"bytes"
	"slices"
)

// mostSampled is how many keys a task keeps of those that it writes.
const mostSampled = 4096

// sampler keeps every so many-th key of a task. It is a function of the keys in their
// order, so that attempts at one task keep the same.
type sampler struct {
	keys [][]byte
	step int64 // the distance between two keys that are kept; 0 before the first
	seen int64
}

// add takes the next key.
func (s *sampler) add(key []byte) {
	if s.step == 0 {
		s.step = 1
	}
	if s.seen%s.step == 0 {
		if len(s.keys) == mostSampled {
			s.keys = thinned(s.keys, 2)
			s.step *= 2
		}
		if s.seen%s.step == 0 {
			s.keys = append(s.keys, bytes.Clone(key[:min(len(key), sampleKey)]))
		}
	}
	s.seen++
}

// sorted returns the keys in the order in which they came, and their distance.
func (s *sampler) sorted() (keys [][]byte, step int64) { return s.keys, s.step }

// thinned returns every n-th key.
func thinned(keys [][]byte, n int64) [][]byte {
	kept := keys[:0:0]
	for i := int64(0); i < int64(len(keys)); i += n {
		kept = append(kept, keys[i])
	}
	return kept
}

// sample is the keys that a task kept, and their distance.
type sample struct {
	keys [][]byte
	step int64
}

// merged returns the keys of several tasks in order, so that each stands for as many as
// any other.
func merged(samples []sample) [][]byte {
	if len(samples) == 1 {
		keys := slices.Clone(samples[0].keys)
		slices.SortFunc(keys, bytes.Compare)
		return keys
	}
	var widest int64 = 1
	for _, s := range samples {
		widest = max(widest, s.step)
	}
	var all [][]byte
	for _, s := range samples {
		all = append(all, thinned(s.keys, widest/max(s.step, 1))...)
	}
	slices.SortFunc(all, bytes.Compare)
	return all
}
