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
func tried[T any](r *run, next func(T)) func(T) {
	if r.trial.Overwrite {
		next = lent(next)
	}
	if r.trial.Spill > 0 && len(r.task.Writes) > 0 {
		next = spilling(r.trial.Spill, r.task.Writes, next)
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
func spilling[T any](every int, to []pipeline.Write, next func(T)) func(T) {
	n := 0
	return func(rec T) {
		next(rec)
		if n++; n%every != 0 {
			return
		}
		for i := range to {
			to[i].Pairs.Spill()
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
	for i := range compiled.Steps {
		run := compiled.Steps[i].Run
		compiled.Steps[i].Run = func(t *pipeline.Task) error {
			if !pipeline.TrialOf(t.Context).Rebuild {
				return run(t)
			}
			built, err := build()
			if err != nil {
				return err
			}
			return built.Steps[i].Run(t)
		}
	}
}
