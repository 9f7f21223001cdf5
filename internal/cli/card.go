package cli

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/plural"
	"github.com/windrow-mr/windrow/store/fault"
)

// report is what -o json prints of a run. Later versions only add fields.
type report struct {
	Version    int                   `json:"version"`
	Job        string                `json:"job"`
	ID         string                `json:"id"`
	Output     string                `json:"output"`
	Input      reportCount           `json:"input"`
	Shuffled   reportCount           `json:"shuffled"`
	Written    reportCount           `json:"written"`
	Parts      []plan.Part           `json:"parts"`
	Maps       int                   `json:"maps"`
	Reduces    int                   `json:"reduces"`
	Retried    int64                 `json:"retried"`
	LeftOut    int                   `json:"leftOut"` // of what the input names
	LeftOutBy  plan.LeftOut          `json:"leftOutBy,omitzero"`
	BadRecords int64                 `json:"badRecords,omitempty"` // records and keys that were left out
	Spills     int64                 `json:"spills"`
	SpillBytes int64                 `json:"spillBytes"`
	Slots      int                   `json:"slots"`
	Memory     int64                 `json:"memoryBytes"`
	PeakMemory int64                 `json:"peakMemoryBytes"` // of the process; 0 where it is not known
	Requests   reportRequests        `json:"requests"`
	Dollars    float64               `json:"dollars,omitempty"` // of requests to S3, by its list prices
	Planned    reportPlan            `json:"planned"`
	Counters   map[string]int64      `json:"counters,omitempty"`
	Stats      map[string]reportStat `json:"stats,omitempty"`
	Skew       []plan.Skew           `json:"skew,omitempty"`
	Chaos      *reportChaos          `json:"chaos,omitempty"`
	Seconds    float64               `json:"seconds"`
}

// reportRequests are the requests to all stores, by kind, and their bytes.
type reportRequests struct {
	plan.Usage
	Retries int64 `json:"retries"`
	Hedges  int64 `json:"hedges"`
}

// reportPlan is the forecast of a run's requests.
type reportPlan struct {
	Puts      int64   `json:"puts"`
	Multipart int64   `json:"multipart"`
	Gets      int64   `json:"gets"`
	Stats     int64   `json:"stats"`
	Lists     int64   `json:"lists"`
	Deletes   int64   `json:"deletes"`
	Whole     bool    `json:"whole"`             // the gets of the shuffle and of columns are planned too
	Dollars   float64 `json:"dollars,omitempty"` // of requests to S3, by its list prices
}

func newReportPlan(p *embedded.Plan) reportPlan {
	u := p.Requests.Total()
	dollars, _ := p.Requests.Dollars()
	return reportPlan{Puts: u.Puts, Multipart: u.Multipart, Gets: u.Gets, Stats: u.Stats, Lists: u.Lists, Deletes: u.Deletes,
		Whole: p.Whole && !p.Scattered, Dollars: dollars}
}

// reportStat sums up what a job observed under one name.
type reportStat struct {
	Count int64   `json:"count"`
	Sum   float64 `json:"sum"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
}

type reportCount struct {
	Records int64 `json:"records"`
	Bytes   int64 `json:"bytes"`
}

func newReport(r *embedded.Result, receipt *embedded.Receipt, faults *fault.Injector) report {
	t := &r.Tally
	var stats map[string]reportStat
	for name, s := range t.Stats {
		if stats == nil {
			stats = make(map[string]reportStat)
		}
		stats[name] = reportStat(s)
	}
	dollars, _ := receipt.Counted.Dollars()
	return report{Version: 1, Job: r.Job, ID: r.ID, Output: r.Output,
		Input: reportCount{t.RecordsIn, t.BytesIn}, Shuffled: reportCount{t.PairsOut, t.RunBytes},
		Written: reportCount{t.RecordsOut, t.BytesOut}, Parts: r.Manifest.Data().Parts, Maps: r.Maps, Reduces: r.Reduces,
		Retried: r.Retried, LeftOut: r.LeftOut.Total(), LeftOutBy: r.LeftOut, BadRecords: t.Bad, Spills: t.Spills, SpillBytes: t.SpillBytes, Slots: r.Slots, Memory: r.Memory,
		PeakMemory: peakMemory(), Requests: reportRequests{r.Usage, r.Usage.Retries, r.Usage.Hedges}, Dollars: dollars, Planned: newReportPlan(receipt.Planned), Counters: t.Counts, Stats: stats,
		Skew:  r.Skew,
		Chaos: newReportChaos(faults), Seconds: r.Elapsed.Seconds()}
}

// cardLine returns a function that writes a line of a card. It is not inlined: its many
// calls would be 9 kB of each job's program.
//
//go:noinline
func cardLine(to io.Writer) func(name, format string, args ...any) {
	return func(name, format string, args ...any) {
		fmt.Fprintf(to, "  %-10s %s\n", name, fmt.Sprintf(format, args...))
	}
}

// writeCard describes the result of a run for people. Requests that cost no money are
// only shown when all is wanted.
func writeCard(to io.Writer, r *embedded.Result, receipt *embedded.Receipt, faults *fault.Injector, all bool) {
	t := &r.Tally
	line := cardLine(to)
	fmt.Fprintf(to, "%s → %s in %v\n", r.Job, r.Output, r.Elapsed.Round(time.Millisecond))
	line("read", "%s in %s, %s", count(t.RecordsIn, "record"), embedded.Bytes(t.BytesIn), count(int64(r.Maps), "map task"))
	if text := r.LeftOut.String(); text != "" {
		line("left out", "%s", text)
	}
	if r.Reduces > 0 {
		line("shuffled", "%s in %s, %s", count(t.PairsOut, "pair"), embedded.Bytes(t.RunBytes), count(int64(r.Reduces), "partition"))
		line("spilled", "%s, %s", count(t.Spills, "run"), embedded.Bytes(t.SpillBytes))
	}
	line("written", "%s in %s, %s", count(t.RecordsOut, "record"), embedded.Bytes(t.BytesOut), count(int64(r.Parts), "part"))
	writeBad(line, t.Bad, r.Output, len(r.Manifest.Below(plan.QuarantineDir+"/").Parts) > 0)
	stats := make(map[string]client.Stat, len(t.Stats))
	for name, s := range t.Stats {
		stats[name] = client.Stat(s)
	}
	writeCounted(line, t.Counts, stats)
	writeSkew(line, r.Skew)
	if r.Retried > 0 {
		line("retried", "%s", count(r.Retried, "attempt"))
	}
	if faults != nil {
		line("chaos", "survived %s", chaosText(faults.Report()))
	}
	if all || cost(receipt.Counted) {
		line("requests", "%s", comparedRequests(receipt))
	}
	if dollars, ok := receipt.Counted.Dollars(); ok {
		line("price", "%s", comparedPrice(dollars, receipt))
	}
	memory := fmt.Sprintf("tasks can hold %s in %s", embedded.Bytes(r.Memory), count(int64(r.Slots), "slot"))
	if peak := peakMemory(); peak > 0 {
		memory = embedded.Bytes(peak) + " at most in the process; " + memory
	}
	line("memory", "%s", memory)
}

// writeCounted shows what a job counted and observed.
func writeCounted(line func(name, format string, args ...any), counts map[string]int64, stats map[string]client.Stat) {
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		line("counted", "%s: %s", shown(name), counted(counts[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(stats)) {
		s := stats[name]
		line("observed", "%s: %s", shown(name), statText(s))
	}
}

// writeSkew shows the keys that made one task do far more than the others.
func writeSkew(line func(name, format string, args ...any), skew []plan.Skew) {
	for i := range skew {
		line("skew", "%s", shown(skewText(&skew[i])))
	}
}

// skewText describes a key that made one task do far more than the others.
func skewText(s *plan.Skew) string {
	most := "while most tasks have none"
	if s.Times > 0 {
		most = fmt.Sprintf("%.1f times the median", s.Times)
	}
	return fmt.Sprintf("%s: key %s has %.1f %% of the %s (%s in %s), and so task %s has the most, %s: %s",
		s.Stage, s.Key, 100*s.Share, s.Of, count(s.Pairs, "pair"), embedded.Bytes(s.Bytes), s.Task, most, s.Advice)
}

// counted returns the value of a counter. The sum over tasks stops at the numbers of
// 64 bits, which the text says.
func counted(n int64) string {
	switch n {
	case math.MaxInt64:
		return number(n) + " or more"
	case math.MinInt64:
		return number(n) + " or less"
	}
	return number(n)
}

// statText describes what was observed under a name.
func statText(s client.Stat) string {
	text := count(s.Count, "value")
	if s.Count > 0 {
		text += fmt.Sprintf(", mean %g, from %g to %g", s.Sum/float64(s.Count), s.Min, s.Max)
	}
	return text
}

// count returns a number with its noun.
func count(n int64, noun string) string { return plural.Of(n, noun) }

// number returns n with its digits in groups of three.
//
//go:noinline
func number(n int64) string { return plural.Number(n) }
