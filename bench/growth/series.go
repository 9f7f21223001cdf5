package main

import (
	"strconv"

	"github.com/windrow-mr/windrow/bench/inputs"
	"github.com/windrow-mr/windrow/bench/measure"
)

// size describes what the series grow from, and how far.
type size struct {
	name       string
	bytes      int64 // of an input whose size does not grow
	slots      []int64
	partitions []int64
	objects    []int64
}

func sizes() []size {
	slots, partitions := []int64{1, 2, 4}, []int64{1, 10, 100, 1000}
	objects := []int64{1, 10, 100, 1000, 10_000, 100_000}
	return []size{
		{"small", 2e6, slots[:2], partitions[:2], objects[:3]},
		{"medium", 100e6, slots, partitions, objects},
		{"full", 1e9, slots, partitions, objects},
	}
}

// times10 are the sizes of the data, in tenths of an input that does not grow.
func times10() []int64 { return []int64{1, 3, 10, 30, 100} }

func (s size) called() string { return s.name }

// job is what runs at the points of a series.
type job struct {
	name  string // in the library
	input inputs.Kind
	// copies is the number of bytes of files that exist at once for each byte of
	// input: the input, the data between map and reduce, and the output.
	copies int64
}

func wordcount() job { return job{"wordcount", inputs.Words, 1} }
func terasort() job  { return job{"terasort", inputs.Records, 4} }

// line is a job at all points of a series.
type line struct {
	job
	points []point
}

// point is one measured point.
type point struct {
	x int64 // what grows
	// bytes of input, in so many objects; args are added to those of windrow run.
	bytes   int64
	objects int64
	args    []string

	runs   []measure.Usage
	report report // of the last run
	// lacks says why it could not be measured.
	lacks string
}

// series is one thing that grows, with some jobs.
type series struct {
	name  string
	x     string // what grows, and its unit
	unit  float64
	lines []line
	// linear says that time should grow as x does.
	linear bool
}

func (s series) called() string { return s.name }

func (s *series) file() string { return "growth-" + s.name + ".svg" }

func allSeries(z size) []series {
	return []series{data(z), flagged(z, "slots", z.slots), flagged(z, "partitions", z.partitions), objects(z)}
}

func data(z size) series {
	s := series{name: "data", x: "input, GB", unit: 1e9, linear: true}
	for _, j := range []job{wordcount(), terasort()} {
		l := line{job: j}
		for _, n := range times10() {
			bytes := z.bytes * n / 10
			l.points = append(l.points, point{x: bytes, bytes: bytes, objects: 1})
		}
		s.lines = append(s.lines, l)
	}
	return s
}

// flagged are the series of a flag of windrow run, by its values.
func flagged(z size, name string, values []int64) series {
	s := series{name: name, x: name, unit: 1}
	for _, j := range []job{wordcount(), terasort()} {
		l := line{job: j}
		for _, n := range values {
			l.points = append(l.points, point{x: n, bytes: z.bytes, objects: 1, args: []string{"--" + name, strconv.FormatInt(n, 10)}})
		}
		s.lines = append(s.lines, l)
	}
	return s
}

func objects(z size) series {
	s := series{name: "objects", x: "input objects", unit: 1}
	l := line{job: wordcount()}
	for _, n := range z.objects {
		l.points = append(l.points, point{x: n, bytes: z.bytes, objects: n})
	}
	s.lines = append(s.lines, l)
	return s
}
