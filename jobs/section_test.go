package jobs_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
)

// window is a format of one record an object: the bytes from From to To.
type window struct{ From, To int64 }

func (window) Split(o jobs.Object, _ int64) ([]jobs.Section, error) {
	return jobs.ByteRanges(o, o.Size), nil
}

func (w window) Scan(ctx *jobs.Context, s *jobs.Section, yield func(string) error) error {
	b := make([]byte, w.To-w.From)
	if err := s.ReadAt(ctx, b, w.From); err != nil {
		return err
	}
	return yield(string(b))
}

// TestBytesAnywhereInAnObject: a format can read what it needs of an object, and learns
// what is wrong when that is not there.
func TestBytesAnywhereInAnObject(t *testing.T) {
	t.Parallel()
	const text = "0123456789"
	plain := pipeline.Section{
		Section: plan.Section{Object: plan.Object{Root: "mem://o", Key: "k", Size: 10}, Offset: 4, Length: 2},
		ReadAt: func(_ context.Context, p []byte, off int64) error {
			copy(p, text[off:])
			return nil
		},
	}
	packed, made := plain, plain
	packed.Whole, made.ReadAt = true, nil
	for _, c := range []struct {
		window  window
		section pipeline.Section
		want    string // a record, or words of the error
	}{
		{window{0, 10}, plain, text},
		{window{8, 10}, plain, "89"},
		{window{8, 11}, plain, "bytes 8 to 11 of mem://o/k were asked for, which has 10"},
		{window{11, 11}, plain, "bytes 11 to 11 of mem://o/k"},
		{window{-1, 3}, plain, "bytes -1 to 3 of mem://o/k"},
		{window{0, 3}, packed, "mem://o/k is or may be compressed as a whole"},
		{window{0, 3}, made, "section of mem://o/k was generated"},
	} {
		var got string
		built, err := build(func(p *jobs.Pipeline) {
			jobs.Convert(jobs.Read(p, c.window), func(s string) string { got = s; return s }).WriteTSV()
		}).Build(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = built.Steps[0].Run(&pipeline.Task{
			Context: t.Context(), ID: plan.TaskID{Phase: plan.Map}, Tally: &plan.Tally{}, Progress: &pipeline.Progress{},
			Sections: []pipeline.Section{c.section},
			Part:     func(int, string) (pipeline.Part, error) { return failingPart{nil}, nil },
		})
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) || err == nil && got != c.want {
			t.Errorf("bytes %d to %d: got %q, want %q", c.window.From, c.window.To, got, c.want)
		}
	}
}

// packed is a format of two records, in a block that the format decompresses itself.
type packed struct{}

func (packed) Split(o jobs.Object, _ int64) ([]jobs.Section, error) {
	return jobs.ByteRanges(o, o.Size), nil
}

func (packed) Scan(_ *jobs.Context, s *jobs.Section, yield func(string) error) error {
	for i := range int64(2) {
		s.AtBlock(500, 70*i)
		if err := yield(s.Where(1<<30) + "; " + s.WhereInBlock(500, 70*i)); err != nil {
			return err
		}
	}
	return nil
}

// TestRecordsInsideOfBlocks: the records of a block that a format decompresses itself have
// positions that grow, and errors name the block and the byte in it.
func TestRecordsInsideOfBlocks(t *testing.T) {
	t.Parallel()
	var got []string
	var at []int64
	built, err := build(func(p *jobs.Pipeline) {
		jobs.FlatMap(jobs.Read(p, packed{}), func(ctx *jobs.Context, s string, _ func(string)) error {
			got, at = append(got, s), append(at, ctx.Position().Offset)
			if len(got) == 2 {
				return errors.New("bad")
			}
			return nil
		}).WriteTSV()
	}).Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = built.Steps[0].Run(&pipeline.Task{
		Context: t.Context(), ID: plan.TaskID{Phase: plan.Map}, Tally: &plan.Tally{}, Progress: &pipeline.Progress{},
		Sections: []pipeline.Section{{Section: plan.Section{Object: plan.Object{Root: "mem://o", Key: "k", Size: 1000}, Length: 1000}}},
		Part:     func(int, string) (pipeline.Part, error) { return failingPart{nil}, nil },
	})
	if err == nil || !strings.Contains(err.Error(), "on the record at byte 70 of the decompressed block at byte 500 of mem://o/k: bad") {
		t.Errorf("the error is %v", err)
	}
	if len(at) != 2 || at[0] >= at[1] || at[1]-at[0] != 70 {
		t.Errorf("the positions are %v", at)
	}
	if want := "byte 1073741824 of mem://o/k; byte 0 of the decompressed block at byte 500 of mem://o/k"; len(got) == 0 || got[0] != want {
		t.Errorf("the places are %q, want %q", got, want)
	}
}
