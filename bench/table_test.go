package main

import (
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/bench/measure"
)

func usage(cpu, wall float64, mib int64) measure.Usage {
	return measure.Usage{CPU: time.Duration(cpu * 1e9), Wall: time.Duration(wall * 1e9), Memory: mib << 20}
}

func measuredRow() row {
	return row{
		job: &job{name: "x", library: "wordcount", memory: 1 << 30, peer: duckDB}, input: "words, 1000 MB",
		floor:  []measure.Usage{usage(5, 2, 900), usage(4, 2, 1000), usage(7, 9, 800)},
		jobs:   []measure.Usage{usage(7.5, 3, 300), usage(7, 3.5, 200), usage(8, 3, 250)},
		spills: []int64{4, 5, 6}, clusters: []measure.Usage{usage(9, 4, 100), usage(8.25, 4, 90), usage(7.5, 4, 90)},
		peers: []measure.Usage{usage(10, 4, 700), usage(10, 4, 800), usage(10, 4, 900)},
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	new(driver).writeTables(&out, []row{measuredRow()})
	const want = `
| windrow run                | input          | CPU s floor | CPU s windrow | CPU ratio | spread | wall ratio | peak MiB floor | peak MiB windrow | spills |
|----------------------------|----------------|------------:|--------------:|----------:|-------:|-----------:|---------------:|-----------------:|-------:|
| wordcount --memory 1024MiB | words, 1000 MB |        5.00 |          7.50 |      1.50 |  ±30 % |       1.50 |           1000 |              300 |      5 |

| on a cluster               | input          | CPU s windrow run | CPU s cluster | CPU ratio | spread | wall ratio | peak MiB | budget MiB |
|----------------------------|----------------|------------------:|--------------:|----------:|-------:|-----------:|---------:|-----------:|
| wordcount --memory 1024MiB | words, 1000 MB |              7.50 |          8.25 |      1.10 |   ±9 % |       1.33 |      100 |       1504 |

| windrow run                | input          | peer   | CPU s peer | CPU s windrow | CPU ratio | spread | wall s peer | wall s windrow | wall ratio | peak MiB peer | peak MiB windrow |
|----------------------------|----------------|--------|-----------:|--------------:|----------:|-------:|------------:|---------------:|-----------:|--------------:|-----------------:|
| wordcount --memory 1024MiB | words, 1000 MB | DuckDB |      10.00 |          7.50 |      0.75 |   ±7 % |        4.00 |           3.00 |       0.75 |           900 |              300 |

| CPU s of each run | by          | in their order    |
|-------------------|-------------|-------------------|
| x                 | floor       | 5.00 4.00 7.00    |
| x                 | windrow run | 7.50 7.00 8.00    |
| x                 | cluster     | 9.00 8.25 7.50    |
| x                 | DuckDB      | 10.00 10.00 10.00 |

`
	if got := "\n" + out.String(); got != want {
		t.Errorf("tables%s\nwant%s", got, want)
	}
}

// TestBenchmarkFormat verifies that lines have the format that benchstat reads:
// a name, a number of iterations, and pairs of value and unit.
func TestBenchmarkFormat(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	writeBenchmarks(&out, []row{measuredRow()}, measure.Machine{Commit: "abc", CPUs: 2, Model: "fast"})
	for _, line := range []string{
		"cpu: fast\n", "commit: abc\n", "pkg: github.com/windrow-mr/windrow/bench\n",
		"BenchmarkJob/x/floor-2 1 2000000000 ns/op 4000000000 cpu-ns/op 1048576000 peak-B\n",
		"BenchmarkJob/x/windrow-2 1 3500000000 ns/op 7000000000 cpu-ns/op 1.7500 cpu/floor 209715200 peak-B\n",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no line %q in\n%s", line, out.String())
		}
	}
	if n := strings.Count(out.String(), "\nBenchmark"); n != 4*3 {
		t.Errorf("%d runs, want 3 of each of 4 programs:\n%s", n, out.String())
	}
}

func TestBrokenLimits(t *testing.T) {
	t.Parallel()
	full := sizes()[2]
	j := job{name: "terasort-spill", memory: 256 << 20, leastSpills: 4}
	r := row{job: &j, jobs: []measure.Usage{{Memory: 406 << 20}}, spills: []int64{4}}
	if err := brokenLimits(options{size: full}, []row{r}); err != nil {
		t.Errorf("256 MiB and 150 more, 4 spills: %v", err)
	}
	r.jobs = []measure.Usage{{Memory: 1}, {Memory: 407 << 20}}
	r.spills = []int64{4, 3}
	err := brokenLimits(options{size: full}, []row{r})
	if err == nil || !strings.Contains(err.Error(), "run 2 held 407 MiB") || !strings.Contains(err.Error(), "run 2 spilled 3 times") {
		t.Errorf("error %v, want one about memory and spills of run 2", err)
	}
	r.jobs = r.jobs[:1]
	r.clusters = []measure.Usage{{Memory: budget(256 << 20)}, {Memory: budget(256<<20) + 1<<20}}
	err = brokenLimits(options{}, []row{r})
	if err == nil || !strings.Contains(err.Error(), "run 2 on a cluster held 737 MiB at once") || strings.Contains(err.Error(), "run 1") {
		t.Errorf("error %v, want one about run 2 on a cluster", err)
	}
	r.clusters, r.spills = nil, []int64{0}
	if err := brokenLimits(options{size: sizes()[0]}, []row{r}); err != nil {
		t.Errorf("small inputs need not spill: %v", err)
	}
}
