// Package teragen is the job that makes the sort benchmark's records.
//
// Its constructor runs in every process of the job. The job is safe for
// concurrent use. It reads no input and is map-only: a part per map task, in
// order of records. The records are those of the benchmark's own gensort 1.5.
package teragen

import (
	"fmt"
	"math"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/fixed"
	"github.com/windrow-mr/windrow/jobs/library/internal/gensort"
)

// Params are the parameters of teragen.
type Params struct {
	Records int64 `help:"how many records to make, of 100 bytes each" required:"true"`
	Start   int64 `help:"number of the first record"`
	ASCII   bool  `help:"make records of printable characters" name:"ascii"`
}

// Job returns the job teragen: no input, 100-byte records out.
func Job() *jobs.Job {
	return jobs.Define("teragen", Params{}, func(p *jobs.Pipeline, params Params) error {
		const most = math.MaxInt64 / gensort.RecordSize
		if params.Records < 1 || params.Start < 0 || params.Records > most-params.Start {
			return fmt.Errorf("records %d from %d on: want 1 or more, from 0 on, to %d", params.Records, params.Start, int64(most))
		}
		jobs.Read(p, source(params)).Write(fixed.Records{Size: gensort.RecordSize})
		return nil
	}).Described("make the records of the sort benchmark")
}

// source makes records. Its sections are those of a synthetic object that holds
// all of them.
type source Params

func (s source) object() jobs.Object {
	return jobs.Object{Name: "gensort", Size: s.Records * gensort.RecordSize}
}

// Generate divides the records evenly.
func (s source) Generate(slots int) ([]jobs.Section, error) {
	object := s.object()
	return jobs.Ranges(object, object.Size/int64(max(slots, 1)), gensort.RecordSize), nil
}

// Split fails: there are no objects.
func (s source) Split(obj jobs.Object, _ int64) ([]jobs.Section, error) {
	return nil, fmt.Errorf("teragen makes its records: it cannot read %s", obj.Name)
}

// Scan makes the records of a section.
func (s source) Scan(_ *jobs.Context, section *jobs.Section, yield func([]byte) error) error {
	first := section.Offset / gensort.RecordSize
	g := gensort.New(uint64(s.Start+first), s.ASCII)
	var rec [gensort.RecordSize]byte
	for at := section.Offset; at < section.Offset+section.Length; at += gensort.RecordSize {
		section.At(at)
		g.Next(&rec)
		if err := yield(rec[:]); err != nil {
			return err
		}
	}
	return nil
}
