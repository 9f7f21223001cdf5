package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/windrow-mr/windrow/bench/measure"
)

// writeBenchmarks prints every single run in the format of Go's benchmarks, so
// that benchstat can compare two versions: the usage of each program, and the
// ratio of windrow to the floor in the same round.
func writeBenchmarks(to io.Writer, rows []row, m measure.Machine) {
	fmt.Fprintf(to, "goos: %s\ngoarch: %s\npkg: github.com/windrow-mr/windrow/bench\n", runtime.GOOS, runtime.GOARCH)
	if m.Model != "" {
		fmt.Fprintf(to, "cpu: %s\n", m.Model)
	}
	fmt.Fprintf(to, "commit: %s\n", m.Commit)
	for i := range rows {
		r := &rows[i]
		for _, p := range []struct {
			name string
			runs []measure.Usage
		}{{"floor", r.floor}, {"windrow", r.jobs}, {"cluster", r.clusters}, {"peer", r.peers}} {
			for n, u := range p.runs {
				fmt.Fprintf(to, "BenchmarkJob/%s/%s-%d 1 %d ns/op %d cpu-ns/op", r.job.name, p.name, m.CPUs, u.Wall.Nanoseconds(), u.CPU.Nanoseconds())
				if p.name != "floor" {
					fmt.Fprintf(to, " %.4f cpu/floor", measure.Ratio(u.CPU, r.floor[n].CPU))
				}
				if u.Memory >= 0 {
					fmt.Fprintf(to, " %d peak-B", u.Memory)
				}
				fmt.Fprintln(to)
			}
		}
	}
}
