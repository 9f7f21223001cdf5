package forecast_test

import (
	"testing"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/windrow-mr/windrow/internal/forecast"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
)

// bucket is a store with few bytes in a request, and file a local one.
var (
	bucket = forecast.Store{Scheme: "s3", Remote: true, PartSize: 1000, Range: 1000}
	file   = forecast.Store{Scheme: "file"}
)

// reading returns a job that maps one section of an object of that size.
func reading(s forecast.Store, lines bool, size int64, section plan.Section) *forecast.Job {
	section.Object.Root, section.Object.Key, section.Object.Size = "in", "key", size
	return &forecast.Job{Table: &attempts.Table{Splits: []plan.Split{{Sections: []plan.Section{section}}}}, Inputs: []forecast.Input{{Lines: lines}},
		Input: func(string) forecast.Store { return s }, Output: forecast.Store{Scheme: "mem"}, Scratch: forecast.Store{Scheme: "mem"}, Mode: output.Fail}
}

// TestReadsOfASection verifies the number of requests for one section, of lines and
// of other records, on a store that returns 1,000 bytes at a time and on files.
func TestReadsOfASection(t *testing.T) {
	t.Parallel()
	const size = 10 << 20
	summed := plan.Object{Sum: plan.Checksum{Algorithm: 1}}
	for name, c := range map[string]struct {
		of    forecast.Store
		lines bool
		size  int64
		s     plan.Section
		want  int64
	}{
		"a small object at once":              {bucket, true, 5000, plan.Section{Length: 5000}, 1},
		"a big one":                           {bucket, true, size, plan.Section{Length: size}, 10_486},
		"the first of it, and a record's end": {bucket, true, size, plan.Section{Length: 3000}, 4},
		"with the byte before":                {bucket, true, size, plan.Section{Offset: 3000, Length: 3000}, 5},
		"the last":                            {bucket, true, size, plan.Section{Offset: size - 2500, Length: 2500}, 3},
		"twice what no other check covers":    {bucket, true, size, plan.Section{Length: 3000, Object: summed}, 5},
		"records of one size":                 {bucket, false, size, plan.Section{Offset: 3000, Length: 3000, Object: summed}, 3},
		"a compressed object":                 {bucket, true, 2 << 20, plan.Section{Length: 2 << 20, Object: plan.Object{Codec: "gzip"}}, 2098},
		"part of a compressed object":         {bucket, true, size, plan.Section{Offset: 3000, Length: 3000, Object: plan.Object{Codec: "bzip2"}}, 4},
		"a file":                              {file, true, size, plan.Section{Length: size}, 1},
		"part of a file":                      {file, true, size, plan.Section{Offset: 3000, Length: 3000}, 2},
	} {
		j := reading(c.of, c.lines, c.size, c.s)
		if got := j.Foresee(forecast.Sizes{})[c.of.Scheme].Gets; got != c.want {
			t.Errorf("%s: %d gets, want %d", name, got, c.want)
		}
	}
}

// TestReadsOfASample verifies the number of requests for the beginnings of
// sections: 128 KiB, then 64, 128, 256 and so on, until there are as many records
// as the sample takes of each, 256,000 of all.
func TestReadsOfASample(t *testing.T) {
	t.Parallel()
	s3 := forecast.Store{Scheme: "s3", Remote: true, PartSize: 8 << 20, Range: 8 << 20}
	for name, c := range map[string]struct {
		sections       int
		lines          bool
		length, record int64
		want           int64 // for each
	}{
		"all of a section":                   {1, false, 1 << 20, 100, 5},
		"all of its lines":                   {1, true, 1 << 20, 100, 5},
		"of 64, 4,000 lines of 100 bytes":    {64, true, 1 << 20, 100, 4},
		"4,000 lines of 50 bytes":            {64, true, 1 << 20, 50, 3},
		"records, by the buffer":             {64, false, 1 << 20, 70, 4},
		"fewer of more sections":             {640, true, 1 << 20, 100, 1},
		"but 16 of each":                     {32_000, true, 1 << 20, 10_000, 2},
		"lines, and the rest of a short one": {1, true, 100 << 10, 100, 2},
		"records of a short one":             {1, false, 100 << 10, 100, 1},
	} {
		section := plan.Section{Offset: 8 << 20, Length: c.length}
		j := reading(s3, c.lines, 1<<30, section)
		none := j.Foresee(forecast.Sizes{Record: c.record})["s3"].Gets
		section.Object = j.Table.Splits[0].Sections[0].Object
		split := plan.Split{}
		for range c.sections {
			split.Sections = append(split.Sections, section)
		}
		j.Table.Samples = []plan.Split{split}
		if got := j.Foresee(forecast.Sizes{Record: c.record})["s3"].Gets - none; got != c.want*int64(c.sections) {
			t.Errorf("%s: %d gets of %d sections, want %d of each", name, got, c.sections, c.want)
		}
	}
}

// TestWrites verifies the number of requests for parts of about the size that one
// request writes.
func TestWrites(t *testing.T) {
	t.Parallel()
	of := func(s forecast.Store, sizes ...int64) plan.Usage {
		j := reading(file, false, 10, plan.Section{Length: 10})
		j.Output = s
		none := j.Foresee(forecast.Sizes{Parts: []int64{0}})[s.Scheme]
		return j.Foresee(forecast.Sizes{Parts: append(sizes, 0)})[s.Scheme].Minus(none)
	}
	for _, c := range []struct {
		s    forecast.Store
		size int64
		want plan.Usage
	}{
		{bucket, 1000, plan.Usage{Puts: 1}},
		{bucket, 1001, plan.Usage{Multipart: 4}},
		{bucket, 2000, plan.Usage{Multipart: 4}},
		{bucket, 2001, plan.Usage{Multipart: 5}},
		{forecast.Store{Scheme: "mem"}, 1 << 40, plan.Usage{Puts: 1}},
	} {
		if got := of(c.s, c.size); got != c.want {
			t.Errorf("a part of %d bytes on %s: %+v, want %+v", c.size, c.s.Scheme, got, c.want)
		}
	}
}

// TestLongListings verifies the number of pages of the listing by which a job's
// temporary data is removed. A full page of a bucket can be the last; after one of
// a directory another follows.
func TestLongListings(t *testing.T) {
	t.Parallel()
	lists := func(s forecast.Store, runs int) int64 {
		j := reading(forecast.Store{Scheme: "in"}, false, 10, plan.Section{Length: 10})
		j.Scratch = s
		// The task's manifest is one more object.
		return j.Foresee(forecast.Sizes{Runs: make([]int64, runs-1)})[s.Scheme].Lists
	}
	for _, c := range []struct {
		s       forecast.Store
		objects int
		want    int64
	}{{bucket, 1, 1}, {bucket, 1000, 1}, {bucket, 1001, 2}, {file, 999, 1}, {file, 1000, 2}, {file, 2001, 3}} {
		if got := lists(c.s, c.objects); got != c.want {
			t.Errorf("%d objects on %s: %d lists, want %d", c.objects, c.s.Scheme, got, c.want)
		}
	}
}
