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

	"github.com/windrow-mr/windrow/bench/inputs"
)

// bench measures all jobs and prints the table. It leaves no files.
func bench(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	place, err := choosePlace(o)
	if err != nil {
		return err
	}
	d := &driver{options: o, log: stderr}
	if d.dir, err = os.MkdirTemp(place.dir, "windrow-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	// Programs need a place of their own: shared memory may be mounted noexec.
	if d.bin, err = os.MkdirTemp("", "windrow-bench-bin-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.bin)) }()

	m := describeMachine(ctx)
	writeHeader(stdout, o, m, place)
	if err := build(ctx, d.bin); err != nil {
		return err
	}
	before := readClock()
	rows, err := d.measureAll(ctx)
	if err != nil {
		return err
	}
	writeTable(stdout, rows)
	writeFooter(stdout, o, before.othersUntil(readClock()), m.cpus)
	return brokenLimits(o, rows)
}

// driver runs the programs.
type driver struct {
	options
	bin string // directory of the programs
	dir string // directory of all other files
	log io.Writer
}

// row is what was measured of a job.
type row struct {
	job    *job
	input  string
	floor  []usage
	jobs   []usage
	spills []int64
	// clusters are of the same job on a cluster; none without -cluster.
	clusters []usage
}

func (d *driver) measureAll(ctx context.Context) ([]row, error) {
	input := filepath.Join(d.dir, "input")
	var made inputs.Kind
	rows := make([]row, 0, len(d.jobs))
	for i := range d.jobs {
		j := &d.jobs[i]
		if made != j.input {
			fmt.Fprintf(d.log, "making input: %s\n", d.size.describe(j.input))
			if err := makeInput(ctx, input, j.input, d.size.count(j.input)); err != nil {
				return nil, err
			}
			made = j.input
		}
		r, err := d.measure(ctx, j, input)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", j.name, err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// makeInput writes an input to the file.
func makeInput(ctx context.Context, path string, kind inputs.Kind, count int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := inputs.Write(&stoppable{ctx, f}, kind, count); err != nil {
		return errors.Join(fmt.Errorf("make input %s: %w", kind, err), f.Close())
	}
	return f.Close()
}

// stoppable is a writer that fails when its context ends.
type stoppable struct {
	ctx context.Context
	to  io.Writer
}

func (s *stoppable) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.to.Write(p)
}

// measure runs floor and job in turn.
func (d *driver) measure(ctx context.Context, j *job, input string) (row, error) {
	r := row{job: j, input: d.size.describe(j.input)}
	for n := range d.runs {
		floor, job, spills, err := d.round(ctx, j, input)
		if err != nil {
			return r, err
		}
		r.floor = append(r.floor, floor)
		r.jobs = append(r.jobs, job)
		r.spills = append(r.spills, spills)
		fmt.Fprintf(d.log, "%s %d/%d: floor %v; windrow %v, %d spills\n", j.name, n+1, d.runs, floor, job, spills)
		if !d.onCluster {
			continue
		}
		cluster, err := d.clusterRound(ctx, j, input)
		if err != nil {
			return r, fmt.Errorf("on a cluster: %w", err)
		}
		r.clusters = append(r.clusters, cluster)
		fmt.Fprintf(d.log, "%s %d/%d: cluster %v\n", j.name, n+1, d.runs, cluster)
	}
	return r, nil
}

// round runs floor and job once and compares what they wrote.
func (d *driver) round(ctx context.Context, j *job, input string) (floor, job usage, spills int64, err error) {
	want, out := filepath.Join(d.dir, "floor"), filepath.Join(d.dir, "windrow")
	defer func() { err = errors.Join(err, os.RemoveAll(want), os.RemoveAll(out)) }()
	if floor, err = execute(ctx, io.Discard, filepath.Join(d.bin, j.library), input, want); err != nil {
		return floor, job, 0, err
	}
	var printed bytes.Buffer
	job, err = execute(ctx, &printed, d.windrow(), "run", j.library, "--input", input, "--out", out,
		"--memory", fmt.Sprint(j.memory), "--quiet", "--output", "json")
	if err != nil {
		return floor, job, 0, err
	}
	var report struct {
		Spills int64             `json:"spills"`
		Parts  []json.RawMessage `json:"parts"`
	}
	if err := json.Unmarshal(printed.Bytes(), &report); err != nil {
		return floor, job, 0, fmt.Errorf("report of windrow run: %w", err)
	}
	if err := d.check(ctx, j, want, out, len(report.Parts)); err != nil {
		return floor, job, 0, fmt.Errorf("windrow's output is not the floor's: %w", err)
	}
	return floor, job, report.Spills, nil
}

// clusterRound runs the job on a cluster once and compares what it wrote with
// what the floor writes.
func (d *driver) clusterRound(ctx context.Context, j *job, input string) (u usage, err error) {
	want, out := filepath.Join(d.dir, "floor"), filepath.Join(d.dir, "windrow")
	defer func() { err = errors.Join(err, os.RemoveAll(want), os.RemoveAll(out)) }()
	if _, err := execute(ctx, io.Discard, filepath.Join(d.bin, j.library), input, want); err != nil {
		return u, err
	}
	if u, err = d.cluster(ctx, j, input, out); err != nil {
		return u, err
	}
	parts, err := filepath.Glob(filepath.Join(out, "part-*"))
	if err != nil {
		return u, err
	}
	if err := d.check(ctx, j, want, out, len(parts)); err != nil {
		return u, fmt.Errorf("windrow's output is not the floor's: %w", err)
	}
	return u, nil
}

func (d *driver) windrow() string { return filepath.Join(d.bin, "windrow") }

// check compares what windrow committed with the floor's output.
func (d *driver) check(ctx context.Context, j *job, want, out string, parts int) (err error) {
	floor, err := os.Open(want)
	if err != nil {
		return err
	}
	defer floor.Close()
	copied, err := os.Create(filepath.Join(d.dir, "committed"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, copied.Close(), os.Remove(copied.Name())) }()
	if _, err := execute(ctx, copied, d.windrow(), "cat", out); err != nil {
		return err
	}
	info, err := copied.Stat()
	if err != nil {
		return err
	}
	whole := io.NewSectionReader(copied, 0, info.Size())
	if !j.hashed {
		return sameLines(ctx, newPlain(floor), newPlain(whole))
	}
	got, err := newMerged(ctx, whole, parts)
	if err != nil {
		return err
	}
	return sameLines(ctx, newPlain(floor), got)
}

// brokenLimits says which figures must not be.
func brokenLimits(o options, rows []row) error {
	var broken []error
	for i := range rows {
		r := &rows[i]
		for n, u := range r.jobs {
			if most := r.job.memory + extraMemory; u.memory > most {
				broken = append(broken, fmt.Errorf("%s: run %d held %s MiB, more than --memory and 150 MiB, which is %s MiB",
					r.job.name, n+1, mebibytes(u.memory), mebibytes(most)))
			}
			if o.size.spills && r.spills[n] < r.job.leastSpills {
				broken = append(broken, fmt.Errorf("%s: run %d spilled %d times; it is to show what spilling costs, at least %d times",
					r.job.name, n+1, r.spills[n], r.job.leastSpills))
			}
		}
	}
	return errors.Join(broken...)
}
