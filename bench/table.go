package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/bench/measure"
)

// columns are those of the table that compares jobs with their floors.
func columns() []string {
	return []string{"windrow run", "input", "CPU s floor", "CPU s windrow", "CPU ratio", "spread", "wall ratio",
		"peak MiB floor", "peak MiB windrow", "spills"}
}

// textColumns is the number of columns at the left that hold text.
const textColumns = 2

// cells returns the texts of a row. Memory is the maximum of all runs, the
// other figures are medians.
func (r *row) cells() []string {
	floor, job := measure.CPU(r.floor), measure.CPU(r.jobs)
	return []string{
		r.job.command(), r.input, seconds(floor), seconds(job), times(job, floor),
		fmt.Sprintf("±%.0f %%", 100*max(measure.Spread(floor), measure.Spread(job))),
		times(measure.Wall(r.jobs), measure.Wall(r.floor)),
		most(r.floor), most(r.jobs),
		fmt.Sprint(measure.Median(r.spills)),
	}
}

func clusterColumns() []string {
	return []string{"on a cluster", "input", "CPU s windrow run", "CPU s cluster", "CPU ratio", "spread", "wall ratio", "peak MiB", "budget MiB"}
}

func (r *row) clusterCells() []string {
	run, cluster := measure.CPU(r.jobs), measure.CPU(r.clusters)
	return []string{
		r.job.command(), r.input, seconds(run), seconds(cluster), times(cluster, run),
		fmt.Sprintf("±%.0f %%", 100*max(measure.Spread(run), measure.Spread(cluster))),
		times(measure.Wall(r.clusters), measure.Wall(r.jobs)),
		most(r.clusters), measure.Mebibytes(budget(r.job.memory)),
	}
}

func peerColumns() []string {
	return []string{"windrow run", "input", "peer", "CPU s peer", "CPU s windrow", "CPU ratio", "spread", "wall s peer", "wall s windrow", "wall ratio",
		"peak MiB peer", "peak MiB windrow"}
}

func (r *row) peerCells() []string {
	peer, job := measure.CPU(r.peers), measure.CPU(r.jobs)
	peerWall, jobWall := measure.Wall(r.peers), measure.Wall(r.jobs)
	return []string{
		r.job.command(), r.input, r.job.beside(), seconds(peer), seconds(job), times(job, peer),
		fmt.Sprintf("±%.0f %%", 100*max(measure.Spread(peer), measure.Spread(job))),
		seconds(peerWall), seconds(jobWall), times(jobWall, peerWall),
		most(r.peers), most(r.jobs),
	}
}

// seconds returns the median.
func seconds(values []time.Duration) string {
	return fmt.Sprintf("%.2f", measure.Median(values).Seconds())
}

// times returns the ratio of the median of a to that of b.
func times(a, b []time.Duration) string {
	return fmt.Sprintf("%.2f", measure.Ratio(measure.Median(a), measure.Median(b)))
}

// most returns the most memory of all runs, in MiB.
func most(runs []measure.Usage) string {
	return measure.Mebibytes(slices.Max(measure.Memory(runs)))
}

// writeTables prints the measurements as Markdown tables.
func (d *driver) writeTables(to io.Writer, rows []row) {
	jobs, clusters, peers := [][]string{columns()}, [][]string{clusterColumns()}, [][]string{peerColumns()}
	runs := [][]string{{"CPU s of each run", "by", "in their order"}}
	for i := range rows {
		r := &rows[i]
		jobs = append(jobs, r.cells())
		runs = append(runs, singles(r, "floor", r.floor), singles(r, "windrow run", r.jobs))
		if len(r.clusters) > 0 {
			clusters = append(clusters, r.clusterCells())
			runs = append(runs, singles(r, "cluster", r.clusters))
		}
		if len(r.peers) > 0 {
			peers = append(peers, r.peerCells())
			runs = append(runs, singles(r, r.job.beside(), r.peers))
		}
	}
	for _, t := range []struct {
		text  int
		cells [][]string
	}{{textColumns, jobs}, {textColumns, clusters}, {textColumns + 1, peers}, {textColumns + 1, runs}} {
		if len(t.cells) > 1 {
			measure.WriteTable(to, t.text, t.cells)
			fmt.Fprintln(to)
		}
	}
}

// singles returns the CPU seconds of single runs.
func singles(r *row, by string, runs []measure.Usage) []string {
	var all []string
	for _, u := range runs {
		all = append(all, fmt.Sprintf("%.2f", u.CPU.Seconds()))
	}
	return []string{r.job.name, by, strings.Join(all, " ")}
}

func writeFooter(to io.Writer, o options) {
	if o.runs < 5 {
		fmt.Fprintf(to, "Medians of %d runs say little; take -runs 5 or more.\n", o.runs)
	}
	fmt.Fprintln(to, "Every output of windrow was the floor's: byte for byte, and of groupby and join line for line in any order.")
}
