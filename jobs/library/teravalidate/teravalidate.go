// Package teravalidate is the job that checks whether the sort benchmark's
// records are in order.
//
// Its constructor runs in every process of the job. The job is safe for
// concurrent use. It fails when records are out of order. The error has the
// report.
package teravalidate

import (
	"bytes"
	"errors"
	"fmt"
	"iter"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/fixed"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/library/internal/gensort"
)

// Job returns the job teravalidate: 100-byte records in, four lines out: the
// number of records, how many keys are less than the one before, how many are
// equal to it, and the sum of all records. The benchmark's valsort prints the
// same figures. Objects are read in the order of their names.
func Job() *jobs.Job {
	return jobs.Define("teravalidate", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		places := jobs.KeyBy(jobs.Read(p, sections{}), func(s summary) place { return place{Order: s.At} })
		jobs.ReduceBy(places, judge).Write(text.Lines{})
		return nil
	}).Described("check that the output of terasort is in order")
}

// place puts all summaries into one group, in the order of their records.
type place = jobs.By[struct{}, jobs.Position]

// summary is the summary of consecutive records. Order across two stretches
// depends only on the last key of one and the first key of the other.
type summary struct {
	At              jobs.Position
	Records         int64
	Unordered       int64
	FirstUnordered  int64 // its number in the stretch, when there is one
	Duplicates      int64
	Sum             gensort.Sum
	First, Last     [gensort.KeySize]byte
	FirstUnorderedK [gensort.KeySize]byte
}

// add appends one record.
func (s *summary) add(rec []byte) {
	key := [gensort.KeySize]byte(rec)
	s.append(&summary{Records: 1, First: key, Last: key})
	s.Sum.Add(rec)
}

// append appends the stretch o.
func (s *summary) append(o *summary) {
	if s.Records == 0 {
		s.First = o.First
	} else {
		switch c := bytes.Compare(s.Last[:], o.First[:]); {
		case c == 0:
			s.Duplicates++
		case c > 0:
			s.unordered(1, s.Records, o.First)
		}
	}
	if o.Unordered > 0 {
		s.unordered(o.Unordered, s.Records+o.FirstUnordered, o.FirstUnorderedK)
	}
	s.Records += o.Records
	s.Duplicates += o.Duplicates
	s.Sum.Merge(o.Sum)
	s.Last = o.Last
}

func (s *summary) unordered(n, first int64, key [gensort.KeySize]byte) {
	if s.Unordered == 0 {
		s.FirstUnordered, s.FirstUnorderedK = first, key
	}
	s.Unordered += n
}

// sections is a reader whose records are summaries: one for each section.
type sections struct{}

var records = fixed.Records{Size: gensort.RecordSize}

// Split divides an object between records.
func (sections) Split(obj jobs.Object, target int64) ([]jobs.Section, error) {
	return records.Split(obj, target)
}

// Scan sums up a section.
func (sections) Scan(ctx *jobs.Context, s *jobs.Section, yield func(summary) error) error {
	sum := summary{At: jobs.Position{Object: s.Object.Name, Offset: s.Offset}}
	err := records.Scan(ctx, s, func(rec []byte) error {
		sum.add(rec)
		if sum.Records%4096 == 0 {
			return ctx.Err()
		}
		return nil
	})
	if err != nil || sum.Records == 0 {
		return err
	}
	s.At(s.Offset)
	return yield(sum)
}

// judge joins the summaries and reports.
func judge(_ *jobs.Context, _ struct{}, stretches iter.Seq2[jobs.Position, summary], emit func([]byte)) error {
	var all summary
	for _, s := range stretches {
		all.append(&s)
	}
	lines := []string{
		fmt.Sprintf("records\t%d", all.Records),
		fmt.Sprintf("unordered\t%d", all.Unordered),
		fmt.Sprintf("duplicates\t%d", all.Duplicates),
		fmt.Sprintf("checksum\t%s", all.Sum),
	}
	if all.Unordered > 0 {
		return fmt.Errorf("%w: %d of %d, the first is record %d with key %x; duplicates %d, checksum %s", errUnordered,
			all.Unordered, all.Records, all.FirstUnordered, all.FirstUnorderedK, all.Duplicates, all.Sum)
	}
	for _, line := range lines {
		emit([]byte(line))
	}
	return nil
}

var errUnordered = errors.New("records are out of order")
