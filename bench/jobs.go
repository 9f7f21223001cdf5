package main

import (
	"fmt"

	"github.com/windrow-mr/windrow/bench/inputs"
)

// size describes how big the inputs are.
type size struct {
	name    string
	bytes   int64 // of a text
	records int64 // of 100 bytes
	rows    int64 // of stations
	spills  bool  // whether a sort in little memory must spill
}

func sizes() []size {
	return []size{
		{name: "small", bytes: 4e6, records: 40e3, rows: 200e3},
		{name: "medium", bytes: 256e6, records: 2.5e6, rows: 12.5e6},
		{name: "full", bytes: 1e9, records: 10e6, rows: 50e6, spills: true},
	}
}

func (s size) called() string { return s.name }

// count returns the amount of a kind of input, in the unit of its generator.
func (s size) count(kind inputs.Kind) int64 {
	switch kind {
	case inputs.Records:
		return s.records
	case inputs.Stations:
		return s.rows
	default:
		return s.bytes
	}
}

// describe names an input.
func (s size) describe(kind inputs.Kind) string {
	switch kind {
	case inputs.Records, inputs.Stations:
		return fmt.Sprintf("%s, %.4g M", kind, float64(s.count(kind))/1e6)
	default:
		return fmt.Sprintf("%s, %.4g MB", kind, float64(s.count(kind))/1e6)
	}
}

// room returns about how many bytes of files exist at once: the input, the
// floor's output, windrow's, its sorted runs before and after a merge, and a
// copy to check.
func (s size) room() int64 { return 6 * s.bytes }

// job is a job and its floor.
type job struct {
	name    string // for -jobs
	library string // name of the job in the library and of its floor
	input   inputs.Kind
	memory  int64 // that windrow is given, in bytes
	// hashed says that windrow's parts hold keys by hash: each part is in order,
	// but not all of them together.
	hashed bool
	// peer is the program that people would use instead.
	peer string
	// leastSpills is the number of spills that it needs at full size.
	leastSpills int64
}

// extraMemory is the memory that a process may hold beyond --memory.
const extraMemory = 150 << 20

// allJobs places jobs with the same input next to each other, so that the input
// is made once.
func allJobs() []job {
	return []job{
		{name: "wordcount", library: "wordcount", input: inputs.Words, memory: 1 << 30, hashed: true, peer: duckDB},
		{name: "distinct", library: "wordcount", input: inputs.Distinct, memory: 1 << 30, hashed: true, peer: duckDB},
		{name: "measurements", library: "measurements", input: inputs.Stations, memory: 1 << 30, hashed: true, peer: duckDB},
		{name: "terasort", library: "terasort", input: inputs.Records, memory: 3 << 30, peer: gnuSort},
		{name: "terasort-spill", library: "terasort", input: inputs.Records, memory: 256 << 20, peer: gnuSort, leastSpills: 4},
	}
}

func (j job) called() string { return j.name }

// command returns the arguments of windrow run.
func (j *job) command() string {
	return fmt.Sprintf("%s --memory %dMiB", j.library, j.memory>>20)
}
