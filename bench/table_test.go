package main

import (
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	t.Parallel()
	second := func(cpu, wall float64, mib int64) usage {
		return usage{cpu: time.Duration(cpu * 1e9), wall: time.Duration(wall * 1e9), memory: mib << 20}
	}
	rows := []row{{
		job: &job{name: "x", library: "wordcount", memory: 1 << 30}, input: "words, 1000 MB",
		floor:  []usage{second(5, 2, 900), second(4, 2, 1000), second(7, 9, 800)},
		jobs:   []usage{second(7.5, 3, 300), second(7, 3.5, 200), second(8, 3, 250)},
		spills: []int64{4, 5, 6}, clusters: []usage{second(9, 4, 100), second(8.25, 4, 90), second(7.5, 4, 90)},
	}}
	var out strings.Builder
	writeTable(&out, rows)
	const want = `
| windrow run                | input          | CPU s floor | CPU s windrow | CPU ratio | spread | wall ratio | peak MiB floor | peak MiB windrow | spills | cluster CPU ratio |
|----------------------------|----------------|------------:|--------------:|----------:|-------:|-----------:|---------------:|-----------------:|-------:|------------------:|
| wordcount --memory 1024MiB | words, 1000 MB |        5.00 |          7.50 |      1.50 |  ±30 % |       1.50 |           1000 |              300 |      5 |              1.10 |
`
	if got := "\n" + out.String(); got != want {
		t.Errorf("table%s\nwant%s", got, want)
	}
}

func TestBrokenLimits(t *testing.T) {
	t.Parallel()
	full := sizes()[2]
	j := job{name: "terasort-spill", memory: 256 << 20, leastSpills: 4}
	r := row{job: &j, jobs: []usage{{memory: 406 << 20}}, spills: []int64{4}}
	if err := brokenLimits(options{size: full}, []row{r}); err != nil {
		t.Errorf("256 MiB and 150 more, 4 spills: %v", err)
	}
	r.jobs = []usage{{memory: 1}, {memory: 407 << 20}}
	r.spills = []int64{4, 3}
	err := brokenLimits(options{size: full}, []row{r})
	if err == nil || !strings.Contains(err.Error(), "run 2 held 407 MiB") || !strings.Contains(err.Error(), "run 2 spilled 3 times") {
		t.Errorf("error %v, want one about memory and spills of run 2", err)
	}
	r.jobs = r.jobs[:1]
	r.spills = []int64{0}
	if err := brokenLimits(options{size: sizes()[0]}, []row{r}); err != nil {
		t.Errorf("small inputs need not spill: %v", err)
	}
}
