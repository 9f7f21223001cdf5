package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/bench/inputs"
)

// size describes how big the inputs are.
type size struct {
	name    string
	bytes   int64 // of a text
	records int64 // of 100 bytes
	rows    int64 // of stations
	groups  int64 // rows of the table of group-by questions
	orders  int64 // that are joined with a tenth as many products
	spills  bool  // whether a sort in little memory must spill
}

func sizes() []size {
	return []size{
		{name: "small", bytes: 4e6, records: 40e3, rows: 200e3, groups: 100e3, orders: 100e3},
		{name: "medium", bytes: 256e6, records: 2.5e6, rows: 12.5e6, groups: 5e6, orders: 2.5e6},
		{name: "full", bytes: 1e9, records: 10e6, rows: 50e6, groups: 50e6, orders: 10e6, spills: true},
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
	case inputs.Groups:
		return s.groups
	case inputs.Orders:
		return s.orders
	case inputs.Products:
		return s.orders / 10
	default:
		return s.bytes
	}
}

// describe names an input.
func (s size) describe(kind inputs.Kind) string {
	unit := "MB"
	switch kind {
	case inputs.Records, inputs.Stations, inputs.Groups, inputs.Orders, inputs.Products:
		unit = "M"
	}
	return fmt.Sprintf("%s, %.4g %s", kind, float64(s.count(kind))/1e6, unit)
}

// describeAll names the inputs of a job.
func (s size) describeAll(j *job) string {
	var all []string
	for _, kind := range j.kinds() {
		all = append(all, s.describe(kind))
	}
	return strings.Join(all, "; ")
}

// groupsRow is about the size of a row of the table of group-by questions.
const groupsRow = 51

// room returns about how many bytes of files exist at once: the input, the
// floor's output, windrow's, its sorted runs before and after a merge, and a
// copy to check.
func (s size) room(chosen []job) int64 {
	most := s.bytes
	if slices.ContainsFunc(chosen, func(j job) bool { return j.input == inputs.Groups }) {
		most = max(most, groupsRow*s.groups)
	}
	return 6 * most
}

// job is a job and its floor.
type job struct {
	name string // for -jobs
	// library is the name of the job in its program and of its floor, unless floor
	// has the floor's program and first arguments.
	library string
	floor   []string
	// ours says that the job's program is tables and not windrow.
	ours  bool
	input inputs.Kind
	with  inputs.Kind // the second input of a join; "" for none
	// memory is that which windrow is given, in bytes.
	memory int64
	// hashed says that windrow's parts hold keys by hash: each part is in order,
	// but not all of them together.
	hashed bool
	// table says that lines have no order and that columns may be floats.
	table bool
	// top says that there is a second output, with the ten greatest of the first.
	top bool
	// peer is the program that people would use instead, or part, a smaller job of
	// the same program.
	peer  string
	part  string
	query string // for DuckDB; its tables are {groups}, {orders} and {products}
	// leastSpills is the number of spills that it needs at full size.
	leastSpills int64
}

// kinds returns the kinds of the job's inputs.
func (j *job) kinds() []inputs.Kind {
	if j.with == "" {
		return []inputs.Kind{j.input}
	}
	return []inputs.Kind{j.input, j.with}
}

// inputFlags returns the flags that name the job's inputs, which are files.
func (j *job) inputFlags(files []string) []string {
	if len(files) == 1 {
		return []string{"--input", files[0]}
	}
	var flags []string
	for i, kind := range j.kinds() {
		flags = append(flags, "--input", string(kind)+"="+files[i])
	}
	return flags
}

// program returns the name of the job's program.
func (j *job) program() string {
	if j.ours {
		return "tables"
	}
	return "windrow"
}

// floorProgram returns the floor's name and its first arguments.
func (j *job) floorProgram() (name string, args []string) {
	if j.floor == nil {
		return j.library, nil
	}
	return j.floor[0], j.floor[1:]
}

// extraMemory is the memory that a process may hold beyond --memory.
const extraMemory = 150 << 20

// allJobs places jobs with the same input next to each other, so that the input
// is made once.
func allJobs() []job {
	all := []job{
		{name: "wordcount", library: "wordcount", input: inputs.Words, memory: 1 << 30, hashed: true, peer: duckDB},
		{name: "words-top", library: "words-top", floor: []string{"wordcount"}, ours: true, input: inputs.Words, memory: 1 << 30, hashed: true,
			top: true, part: "words"},
		{name: "distinct", library: "wordcount", input: inputs.Distinct, memory: 1 << 30, hashed: true, peer: duckDB},
		{name: "measurements", library: "measurements", input: inputs.Stations, memory: 1 << 30, hashed: true, peer: duckDB},
		{name: "terasort", library: "terasort", input: inputs.Records, memory: 3 << 30, peer: gnuSort},
		{name: "terasort-spill", library: "terasort", input: inputs.Records, memory: 256 << 20, peer: gnuSort, leastSpills: 4},
	}
	for _, q := range questions() {
		all = append(all, job{name: "groupby-" + q.number, library: "groupby-" + q.number, floor: []string{"groupby", q.number}, ours: true,
			input: inputs.Groups, memory: 1 << 30, table: true, peer: duckDB, query: q.query})
	}
	return append(all, job{name: "join", library: "join", ours: true, input: inputs.Orders, with: inputs.Products, memory: 1 << 30,
		table: true, peer: duckDB, query: joinQuery})
}

func (j job) called() string { return j.name }

// command returns the arguments of windrow run.
func (j *job) command() string {
	return fmt.Sprintf("%s --memory %dMiB", j.library, j.memory>>20)
}

// beside returns the name of the program or of the part that the job is compared
// with beside its floor.
func (j *job) beside() string {
	if j.part != "" {
		return j.part + " alone"
	}
	return j.peer
}
