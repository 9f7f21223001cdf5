package jobs

import (
	"bytes"
	"slices"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// overwritten is the byte that replaces borrowed bytes in a trial: it is in no
// valid UTF-8.
const overwritten = 0xff

func overwrite(b []byte) {
	for i := range b {
		b[i] = overwritten
	}
}

// tried puts the checks of a trial between a reader and the function that takes
// its records. Without a trial it returns next itself.
func tried[T any](t pipeline.Trial, to *pairs.Collector, next func(T)) func(T) {
	if t.Overwrite {
		next = lent(next)
	}
	if t.Spill > 0 && to != nil {
		next = spilling(t.Spill, to, next)
	}
	return next
}

// lent passes on a copy of each record that is a []byte, and overwrites the
// copy when next returns. The reader's own bytes stay as they are.
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

// spilling spills each time after that many records.
func spilling[T any](every int, to *pairs.Collector, next func(T)) func(T) {
	n := 0
	return func(rec T) {
		next(rec)
		if n++; n%every == 0 {
			to.Spill()
		}
	}
}

// lentSource overwrites the pair that it lent when the next one is requested.
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

// rebuilt makes every task of compiled build its pipeline again when its trial
// asks for that.
func rebuilt(compiled *pipeline.Pipeline, build func() (*pipeline.Pipeline, error)) {
	for i := range compiled.Inputs {
		run := compiled.Inputs[i].Map
		compiled.Inputs[i].Map = func(t *pipeline.MapTask) error {
			if !pipeline.TrialOf(t.Context).Rebuild {
				return run(t)
			}
			built, err := build()
			if err != nil {
				return err
			}
			return built.Inputs[i].Map(t)
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
		built, err := build()
		if err != nil {
			return err
		}
		return built.Shuffle.Reduce(t)
	}
}
