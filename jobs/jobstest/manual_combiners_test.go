package jobstest_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/jobstest"
)

// Ready combiners.

// Largest writes the three largest sizes of each status, greatest first.
var Largest = jobs.Define("largest", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	jobs.Map(jobs.ReadLines(p), size).Top(3, cmp.Compare).WriteTSV()
	return nil
})

// Newest keeps of each record "id time text" the newest version.
var Newest = jobs.Define("newest", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	versions := jobs.KeyBy(jobs.ReadLines(p), func(line []byte) []byte { return column(line, 0) })
	newest := versions.Last(func(a, b []byte) int { return bytes.Compare(column(a, 1), column(b, 1)) })
	jobs.Convert(newest, func(p jobs.Pair[[]byte, []byte]) []byte { return p.Value }).WriteTSV()
	return nil
})

func column(line []byte, i int) []byte { return bytes.Fields(line)[i] }

func TestLargest(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, Largest, jobstest.Lines("200 17", "404 9", "200 5", "200 300", "200 17", "200 2", "404 10"), jobstest.Strict()).
		Want("200\t300", "200\t17", "200\t17", "404\t10", "404\t9")
}

func TestNewest(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, Newest, jobstest.Lines("a 10:00 open", "b 09:00 open", "a 12:30 paid", "a 11:00 sent"), jobstest.Strict()).
		Want("a 12:30 paid", "b 09:00 open")
}

// TestCombinersAreStrict verifies the ready combiners on the engine, on many lines, in
// every way of dividing the work.
func TestCombinersAreStrict(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 11))
	var lines []string
	counts := map[string]int64{}
	for range 2000 {
		// Many words of one length, many lengths: ties at every border.
		line := strings.Repeat(string(rune('a'+random.IntN(20))), 1+random.IntN(9))
		lines = append(lines, line)
		counts[line]++
	}
	longest := slices.Clone(lines)
	slices.SortFunc(longest, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b)) })
	var different, numbers []string
	for line, n := range counts {
		different = append(different, line)
		numbers = append(numbers, fmt.Sprintf("%s\t%d", line, n))
	}
	same := func(line []byte) []byte { return line }
	byLength := func(a, b []byte) int { return cmp.Compare(len(a), len(b)) }
	for name, c := range map[string]struct {
		build func(lines jobs.Records[[]byte])
		want  []string
	}{
		"Top":      {func(lines jobs.Records[[]byte]) { lines.Top(300, byLength).WriteTSV() }, longest[:300]},
		"Distinct": {func(lines jobs.Records[[]byte]) { lines.Distinct().WriteTSV() }, different},
		"CountBy":  {func(lines jobs.Records[[]byte]) { jobs.CountBy(lines, same).WriteTSV() }, numbers},
		"Count":    {func(lines jobs.Records[[]byte]) { jobs.Count(lines).WriteTSV() }, []string{"2000"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			job := jobs.Define("combining", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
				c.build(jobs.ReadLines(p))
				return nil
			})
			r := jobstest.Run(t, job, jobstest.Lines(lines...), jobstest.Strict())
			r.Want(c.want...)
			if name == "Top" {
				r.WantInOrder(c.want...)
			}
		})
	}
}
