package jobs

import (
	"bytes"
	"slices"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// overwritten is the byte that is left of what was borrowed in a trial: it is
// in no valid UTF-8.
const overwritten = 0xff

func overwrite(b []byte) {
	for i := range b {
		b[i] = overwritten
	}
}

// tried puts what a trial asks for between a reader and what takes its
// records. Without a trial it returns next itself.
func tried[T any](t pipeline.Trial, to *pairs.Collector, next func(T)) func(T) {
	if t.Overwrite {
		next = lent(next)
	}
	if t.Spill > 0 && to != nil {
		next = spilling(t.Spill, to, next)
	}
	return next
}

// lent hands on a copy of each record that is a []byte, and overwrites it when
// next returns. The reader's own bytes stay as they are.
func lent[T any](next func(T)) func(T) {
	take, ok := any(next).(func([]byte))
	if !ok {
		return next
	}
	copied, _ := any(func(rec []byte) {
		own := bytes.Clone(rec)
		take(slices.Clip(own))
		overwrite(own)
	}).(func(T))
	return copied
}

// spilling spills after every so many records.
func spilling[T any](every int, to *pairs.Collector, next func(T)) func(T) {
	n := 0
	return func(rec T) {
		next(rec)
		if n++; n%every == 0 {
			to.Spill()
		}
	}
}

// lentSource overwrites what it lent when the next pair is asked for.
type lentSource struct {
	pairs.Source
	key, value []byte
}

// Next returns a copy of the next pair.
func (s *lentSource) Next() (key, value []byte, ok bool) {
	overwrite(s.key)
	overwrite(s.value)
	key, value, ok = s.Source.Next()
	s.key, s.value = bytes.Clone(key), bytes.Clone(value)
	return s.key, s.value, ok
}

// rebuilt makes every task of compiled build its plan anew when its trial asks
// for that.
func rebuilt(compiled *pipeline.Pipeline, build func() (*pipeline.Pipeline, error)) {
	for i := range compiled.Inputs {
		run := compiled.Inputs[i].Map
		compiled.Inputs[i].Map = func(t *pipeline.MapTask) error {
			if !pipeline.TrialOf(t.Context).Rebuild {
				return run(t)
			}
			anew, err := build()
			if err != nil {
				return err
			}
			return anew.Inputs[i].Map(t)
		}
	}
	if compiled.Shuffle == nil {
		return
	}
	run := compiled.Shuffle.Reduce
	compiled.Shuffle.Reduce = func(t *pipeline.ReduceTask) error {
		if !pipeline.TrialOf(t.Context).Rebuild {
			return run(t)
		}
		anew, err := build()
		if err != nil {
			return err
		}
		return anew.Shuffle.Reduce(t)
	}
}
