package jobs_test

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/windrow-mr/windrow/jobs"
)

// The three longest lines, longest first.
func ExampleRecords_Top() {
	job := jobs.Define("longest", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		byLength := func(a, b []byte) int { return cmp.Compare(len(a), len(b)) }
		jobs.ReadLines(p).Top(3, byLength).WriteTSV()
		return nil
	})
	show(job, nil, "hay", "harvest", "row", "field", "barn")
	// Output:
	// harvest
	// field
	// barn
}

// The two greatest values of each key, a line for each.
func ExamplePairs_Top() {
	job := jobs.Define("two-best", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Map(jobs.ReadLines(p), reading).Top(2, cmp.Compare).WriteTSV()
		return nil
	})
	show(job, nil, "bern 12", "oslo 3", "bern 9", "bern 31", "oslo 4.5")
	// Output:
	// bern	31
	// bern	12
	// oslo	4.5
	// oslo	3
}

// Pairs of Records.Top are compared by ByValue or ByKey. Here each line is a word with
// its number.
func ExampleByValue() {
	pair := func(line []byte) jobs.Pair[string, int] {
		word, number, _ := strings.Cut(string(line), " ")
		return jobs.Pair[string, int]{Key: word, Value: len(number)}
	}
	job := jobs.Define("most", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.ReadLines(p), pair).Top(2, jobs.ByValue).WriteTSV()
		return nil
	})
	show(job, nil, "hay |||", "row |||", "mow |", "barn |||||")
	// Output:
	// barn	5
	// hay	3
}

// Of each order the newest version remains.
func ExamplePairs_Last() {
	type version struct{ ID, At, Status string }
	parse := func(line []byte) version {
		f := strings.Fields(string(line))
		return version{f[0], f[1], f[2]}
	}
	job := jobs.Define("newest", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		versions := jobs.KeyBy(jobs.Convert(jobs.ReadLines(p), parse), func(v version) string { return v.ID })
		newest := versions.Last(func(a, b version) int { return strings.Compare(a.At, b.At) })
		jobs.Convert(newest, func(p jobs.Pair[string, version]) version { return p.Value }).WriteTSV()
		return nil
	})
	show(job, nil, "o1 09:00 open", "o2 09:30 open", "o1 17:00 paid", "o1 12:00 sent")
	// Output:
	// o1	17:00	paid
	// o2	09:30	open
}

// Each different line once.
func ExampleRecords_Distinct() {
	job := jobs.Define("distinct", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.ReadLines(p).Distinct().WriteTSV()
		return nil
	})
	show(job, nil, "hay", "row", "hay", "hay")
	// Output:
	// hay
	// row
}

// The number of lines of each status.
func ExampleCountBy() {
	job := jobs.Define("statuses", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.CountBy(jobs.ReadLines(p), func(line []byte) []byte { return bytes.Fields(line)[0] }).WriteTSV()
		return nil
	})
	show(job, nil, "200 /", "404 /a", "200 /b")
	// Output:
	// 200	2
	// 404	1
}
