package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/windrow-mr/windrow/bench/inputs"
	"github.com/windrow-mr/windrow/bench/measure"
)

// grower measures points.
type grower struct {
	options
	bin  string // directory of the program
	room int64  // bytes of files that there may be at once
	log  io.Writer
}

// report is what windrow run reports of itself.
type report struct {
	Maps     int64 `json:"maps"`
	Reduces  int64 `json:"reduces"`
	Spills   int64 `json:"spills"`
	Requests struct {
		Puts int64 `json:"puts"`
		Gets int64 `json:"gets"`
	} `json:"requests"`
}

// measure measures all points. An input is made once for consecutive points
// that read the same.
func (g *grower) measure(ctx context.Context) error {
	made := map[inputs.Kind]bool{}
	for i := range g.series {
		for k := range g.series[i].lines {
			l := &g.series[i].lines[k]
			base := filepath.Join(g.dir, "base-"+string(l.input))
			if !made[l.input] {
				fmt.Fprintf(g.log, "making input: %s\n", l.input)
				if err := inputs.Make(ctx, base, l.input, g.amount(l.input)); err != nil {
					return err
				}
				made[l.input] = true
			}
			if err := g.line(ctx, base, l); err != nil {
				return fmt.Errorf("%s, %s: %w", g.series[i].name, l.name, err)
			}
		}
	}
	return nil
}

// amount is the amount of a kind of input in the base file, in the unit of its
// generator.
func (g *grower) amount(kind inputs.Kind) int64 {
	if kind == inputs.Records {
		return g.size.bytes / inputs.RecordSize
	}
	return g.size.bytes
}

// kinds is the number of kinds of input that are kept, to make others of.
const kinds = 2

// line measures a job's points.
func (g *grower) line(ctx context.Context, base string, l *line) error {
	var in input
	path := filepath.Join(g.dir, "input")
	remove := func() error { return os.RemoveAll(path) }
	for i := range l.points {
		p := &l.points[i]
		if need := kinds*g.size.bytes + p.bytes*l.copies; need > g.room {
			p.lacks = fmt.Sprintf("needs %.3g GB of files, and there is room for %.3g", float64(need)/1e9, float64(g.room)/1e9)
			fmt.Fprintf(g.log, "%s at %d: left out: it %s\n", l.name, p.x, p.lacks)
			continue
		}
		if i == 0 || p.bytes != l.points[i-1].bytes || p.objects != l.points[i-1].objects {
			if err := remove(); err != nil {
				return err
			}
			var err error
			if in, err = makeInput(ctx, base, path, l.input, p.bytes, p.objects); err != nil {
				return errors.Join(err, remove())
			}
		}
		for range g.runs {
			if err := g.run(ctx, l, p, in); err != nil {
				return errors.Join(fmt.Errorf("at %d: %w", p.x, err), remove())
			}
		}
		fmt.Fprintf(g.log, "%s at %d: %v\n", l.name, p.x, p.runs)
	}
	return remove()
}

// run runs a job once and checks what it wrote.
func (g *grower) run(ctx context.Context, l *line, p *point, in input) (err error) {
	out, windrow := filepath.Join(g.dir, "out"), filepath.Join(g.bin, "windrow")
	defer func() { err = errors.Join(err, os.RemoveAll(out)) }()
	var printed bytes.Buffer
	args := append([]string{"run", l.name, "--input", in.path, "--out", out, "--quiet", "--output", "json"}, p.args...)
	used, err := measure.Execute(ctx, &printed, windrow, args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(printed.Bytes(), &p.report); err != nil {
		return fmt.Errorf("report of windrow run: %w", err)
	}
	p.runs = append(p.runs, used)
	written := checkOf(l.job)
	if _, err := measure.Execute(ctx, written, windrow, "cat", out); err != nil {
		return err
	}
	if err := written.complete(in); err != nil {
		return fmt.Errorf("windrow's output is wrong: %w", err)
	}
	return nil
}

// write prints a series as a table.
func (g *grower) write(to io.Writer, s *series) {
	table := [][]string{{"job", s.x, "wall s", "CPU s", "spread", "CPU s by GB", "peak MiB", "map tasks", "reduce tasks", "spills", "PUT and GET"}}
	for i := range s.lines {
		l := &s.lines[i]
		for k := range l.points {
			table = append(table, l.points[k].cells(l.name, s.unit))
		}
	}
	fmt.Fprintf(to, "### By %s\n\n", s.name)
	if g.plots != "" {
		fmt.Fprintf(to, "![time by %s](%s)\n\n", s.name, filepath.ToSlash(filepath.Join(filepath.Base(g.plots), s.file())))
	}
	measure.WriteTable(to, 1, table)
	fmt.Fprintln(to)
	for i := range s.lines {
		l := &s.lines[i]
		for k := range l.points {
			if p := &l.points[k]; p.lacks != "" {
				fmt.Fprintf(to, "Left out is %s at %s: it %s.\n\n", l.name, p.at(s.unit), p.lacks)
			}
		}
	}
}

// at is where the point is, in the unit of the series.
func (p *point) at(unit float64) string {
	if unit == 1 {
		return fmt.Sprint(p.x)
	}
	return fmt.Sprintf("%.4g", float64(p.x)/unit)
}

func (p *point) cells(name string, unit float64) []string {
	cells := []string{name, p.at(unit)}
	if len(p.runs) == 0 {
		return append(cells, slices.Repeat([]string{measure.Unknown}, 9)...)
	}
	cpu, wall := measure.CPU(p.runs), measure.Wall(p.runs)
	median := measure.Median(cpu).Seconds()
	var most int64
	for _, u := range p.runs {
		most = max(most, u.Memory)
	}
	return append(cells,
		fmt.Sprintf("%.2f", measure.Median(wall).Seconds()), fmt.Sprintf("%.2f", median),
		fmt.Sprintf("±%.0f %%", 100*measure.Spread(cpu)), fmt.Sprintf("%.2f", median/float64(p.bytes)*1e9), measure.Mebibytes(most),
		fmt.Sprint(p.report.Maps), fmt.Sprint(p.report.Reduces), fmt.Sprint(p.report.Spills), fmt.Sprint(p.report.Requests.Puts+p.report.Requests.Gets))
}
