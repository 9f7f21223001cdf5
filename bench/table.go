package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// columns are the table's.
func columns() []string {
	return []string{"windrow run", "input", "CPU s floor", "CPU s windrow", "CPU ratio", "spread", "wall ratio",
		"peak MiB floor", "peak MiB windrow", "spills", "cluster CPU ratio"}
}

// textColumns is how many columns at the left are text.
const textColumns = 2

// cells returns a row's texts. Memory is the most of all runs, the other
// figures are medians.
func (r *row) cells() []string {
	floor, job := each(r.floor, cpu), each(r.jobs, cpu)
	return []string{
		r.job.command(), r.input,
		fmt.Sprintf("%.2f", median(floor).Seconds()),
		fmt.Sprintf("%.2f", median(job).Seconds()),
		fmt.Sprintf("%.2f", ratio(median(job), median(floor))),
		fmt.Sprintf("±%.0f %%", 100*max(spread(floor), spread(job))),
		fmt.Sprintf("%.2f", ratio(median(each(r.jobs, wall)), median(each(r.floor, wall)))),
		mebibytes(slices.Max(each(r.floor, memory))),
		mebibytes(slices.Max(each(r.jobs, memory))),
		fmt.Sprint(median(r.spills)),
		r.clusterRatio(),
	}
}

// clusterRatio returns what the job costs on a cluster by what it costs in one
// process.
func (r *row) clusterRatio() string {
	if len(r.clusters) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", ratio(median(each(r.clusters, cpu)), median(each(r.jobs, cpu))))
}

// writeTable prints a Markdown table.
func writeTable(to io.Writer, rows []row) {
	table := [][]string{columns()}
	for i := range rows {
		table = append(table, rows[i].cells())
	}
	widths := make([]int, len(columns()))
	for _, cells := range table {
		for i, c := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	for n, cells := range table {
		writeCells(to, cells, widths)
		if n == 0 {
			writeRule(to, widths)
		}
	}
}

func writeCells(to io.Writer, cells []string, widths []int) {
	var line strings.Builder
	for i, c := range cells {
		gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
		if i < textColumns {
			line.WriteString("| " + c + gap + " ")
		} else {
			line.WriteString("| " + gap + c + " ")
		}
	}
	fmt.Fprintln(to, line.String()+"|")
}

func writeRule(to io.Writer, widths []int) {
	var line strings.Builder
	for i, w := range widths {
		if i < textColumns {
			line.WriteString("|" + strings.Repeat("-", w+2))
		} else {
			line.WriteString("|" + strings.Repeat("-", w+1) + ":")
		}
	}
	fmt.Fprintln(to, line.String()+"|")
}

// mebibytes returns a size in MiB.
func mebibytes(n int64) string { return fmt.Sprint((n + 1<<19) >> 20) }
