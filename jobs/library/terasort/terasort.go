// Package terasort is the job that sorts the sort benchmark's records.
//
// Its constructor runs in every process of the job. The job is safe for
// concurrent use. An object that does not hold a whole number of records is an
// error that names it.
package terasort

import (
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/fixed"
	"github.com/windrow-mr/windrow/jobs/library/internal/gensort"
)

type (
	key   = [gensort.KeySize]byte
	value = [gensort.RecordSize - gensort.KeySize]byte
	pair  = jobs.Pair[key, value]
)

// Job returns the job terasort: 100-byte records in, the same records out, in
// the order of their first 10 bytes over all parts. Records of equal keys are
// in the order of their other bytes.
func Job() *jobs.Job {
	return jobs.Define("terasort", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		records := fixed.Records{Size: gensort.RecordSize}
		jobs.Map(jobs.Read(p, records), cut).Sort().Write(output{})
		return nil
	}).Described("sort records of 100 bytes by their first 10 bytes")
}

func cut(_ *jobs.Context, rec []byte, emit jobs.Emit[key, value]) error {
	emit(key(rec), value(rec[gensort.KeySize:]))
	return nil
}

// output joins keys and values into records.
type output struct{}

// Ext is the extension of the records' format.
func (output) Ext() string { return fixed.Records{}.Ext() }

// Open begins a part.
func (output) Open(w jobs.Part) (jobs.RecordWriter[pair], error) {
	inner, err := fixed.Records{Size: gensort.RecordSize}.Open(w)
	return &writer{inner: inner}, err
}

type writer struct {
	inner jobs.RecordWriter[[]byte]
	rec   [gensort.RecordSize]byte
}

func (w *writer) Write(p pair) error {
	copy(w.rec[:], p.Key[:])
	copy(w.rec[gensort.KeySize:], p.Value[:])
	return w.inner.Write(w.rec[:])
}

func (w *writer) Close() error { return w.inner.Close() }
