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

// bench measures all jobs and prints the figures. It leaves no files.
func bench(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	place, err := measure.ChoosePlace(o.dir, o.size.room(o.jobs))
	if err != nil {
		return err
	}
	d := &driver{options: o, log: stderr}
	if o.peers {
		if err := d.findPeers(ctx); err != nil {
			return err
		}
	}
	if d.dir, err = os.MkdirTemp(place.Dir, "windrow-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	// Programs need a directory of their own: shared memory may be mounted noexec.
	if d.bin, err = os.MkdirTemp("", "windrow-bench-bin-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.bin)) }()

	m := measure.DescribeMachine(ctx)
	var header bytes.Buffer
	measure.WriteHeader(&header, d.what(), m, place)
	if err := measure.Build(ctx, d.bin, "./cmd/windrow", "./bench/tables", "./bench/floor/..."); err != nil {
		return err
	}
	if o.format == formatTable {
		fmt.Fprint(stdout, header.String()) // before the work, which adds load
	}
	before := measure.ReadClock()
	rows, err := d.measureAll(ctx)
	if err != nil {
		return err
	}
	if o.format == formatBenchstat {
		writeBenchmarks(stdout, rows, m)
		return brokenLimits(o, rows)
	}
	var figures bytes.Buffer
	d.writeTables(&figures, rows)
	m.WriteOthers(&figures, before)
	writeFooter(&figures, o)
	fmt.Fprint(stdout, figures.String())
	if o.doc != "" {
		err = measure.ReplaceBlock(o.doc, "jobs", header.String()+figures.String())
	}
	return errors.Join(err, brokenLimits(o, rows))
}

// what describes the measurement.
func (d *driver) what() string {
	what := fmt.Sprintf("size %s, %d runs of each program in turn", d.size.name, d.runs)
	if d.peers {
		what += "; peers " + d.versions
	}
	return what
}

// driver runs the programs.
type driver struct {
	options
	bin      string // directory of the programs
	dir      string // directory of all other files
	versions string // of the peers
	log      io.Writer
}

// row is what was measured of a job.
type row struct {
	job    *job
	input  string
	floor  []measure.Usage
	jobs   []measure.Usage
	spills []int64
	// clusters are runs of the same job on a cluster, peers are runs of the
	// program that people would use instead. Both are empty unless asked for,
	// except that the part of a job is its peer.
	clusters []measure.Usage
	peers    []measure.Usage
}

func (d *driver) measureAll(ctx context.Context) ([]row, error) {
	var made []inputs.Kind
	rows := make([]row, 0, len(d.jobs))
	for i := range d.jobs {
		j := &d.jobs[i]
		var files []string
		for n := range j.kinds() {
			files = append(files, filepath.Join(d.dir, fmt.Sprint("input-", n)))
		}
		if !slices.Equal(made, j.kinds()) {
			for n, kind := range j.kinds() {
				fmt.Fprintf(d.log, "making input: %s\n", d.size.describe(kind))
				if err := inputs.Make(ctx, files[n], kind, d.size.count(kind)); err != nil {
					return nil, err
				}
			}
			made = j.kinds()
		}
		r := row{job: j, input: d.size.describeAll(j)}
		for n := range d.runs {
			if err := d.round(ctx, &r, files); err != nil {
				return nil, fmt.Errorf("%s: %w", j.name, err)
			}
			fmt.Fprintf(d.log, "%s %d/%d: %s\n", j.name, n+1, d.runs, r.last())
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// last describes the last round.
func (r *row) last() string {
	n := len(r.jobs) - 1
	said := fmt.Sprintf("floor %v; windrow %v, %d spills", r.floor[n], r.jobs[n], r.spills[n])
	if n < len(r.clusters) {
		said += fmt.Sprintf("; cluster %v", r.clusters[n])
	}
	if n < len(r.peers) {
		said += fmt.Sprintf("; %s %v", r.job.beside(), r.peers[n])
	}
	return said
}

// round runs all programs for the job once, the floor first, and compares their
// outputs with the floor's.
func (d *driver) round(ctx context.Context, r *row, files []string) (err error) {
	want, out := filepath.Join(d.dir, "floor"), filepath.Join(d.dir, "out")
	defer func() { err = errors.Join(err, os.RemoveAll(want), os.RemoveAll(out)) }()
	j := r.job
	program, args := j.floorProgram()
	floor, err := measure.Execute(ctx, io.Discard, filepath.Join(d.bin, program), slices.Concat(args, files, []string{want})...)
	if err != nil {
		return err
	}
	r.floor = append(r.floor, floor)
	if j.table {
		if err := d.sortLines(ctx, want); err != nil {
			return err
		}
	}
	used, spills, err := d.embedded(ctx, j, j.library, files, out)
	if err != nil {
		return err
	}
	r.jobs, r.spills = append(r.jobs, used), append(r.spills, spills)
	if err := d.check(ctx, j, want, out); err != nil {
		return err
	}
	if j.part != "" {
		used, _, err := d.embedded(ctx, j, j.part, files, out)
		if err != nil {
			return err
		}
		r.peers = append(r.peers, used)
		if err := d.check(ctx, &job{ours: j.ours, hashed: j.hashed}, want, out); err != nil {
			return fmt.Errorf("%s: %w", j.part, err)
		}
	}
	if d.onCluster {
		u, err := d.cluster(ctx, j, files, out)
		if err != nil {
			return fmt.Errorf("on a cluster: %w", err)
		}
		r.clusters = append(r.clusters, u)
		if err := d.check(ctx, j, want, out); err != nil {
			return fmt.Errorf("on a cluster: %w", err)
		}
	}
	if d.peers && j.peer != "" {
		u, err := d.peer(ctx, j, files, want, out)
		if err != nil {
			return fmt.Errorf("by %s: %w", j.peer, err)
		}
		r.peers = append(r.peers, u)
	}
	return nil
}

// embedded runs a job of the program of j by windrow run.
func (d *driver) embedded(ctx context.Context, j *job, library string, files []string, out string) (used measure.Usage, spills int64, err error) {
	var printed bytes.Buffer
	args := slices.Concat([]string{"run", library, "--out", out, "--memory", fmt.Sprint(j.memory), "--quiet", "--output", "json"}, j.inputFlags(files))
	if used, err = measure.Execute(ctx, &printed, filepath.Join(d.bin, j.program()), args...); err != nil {
		return used, 0, err
	}
	var report struct {
		Spills *int64 `json:"spills"`
	}
	if err := json.Unmarshal(printed.Bytes(), &report); err != nil || report.Spills == nil {
		return used, 0, fmt.Errorf("report of windrow run without a number of spills (%w): %.100q", err, printed.String())
	}
	return used, *report.Spills, nil
}

func (d *driver) windrow() string { return filepath.Join(d.bin, "windrow") }

// check compares what windrow committed with the floor's output, and removes it.
func (d *driver) check(ctx context.Context, j *job, want, out string) error {
	if err := d.compare(ctx, j, want, out); err != nil {
		return fmt.Errorf("windrow's output is not the floor's: %w", err)
	}
	return os.RemoveAll(out)
}

func (d *driver) compare(ctx context.Context, j *job, want, out string) (err error) {
	if j.top {
		if err := d.checkTop(ctx, j, want, out); err != nil {
			return fmt.Errorf("top: %w", err)
		}
		out = filepath.Join(out, "counts")
	}
	parts, err := filepath.Glob(filepath.Join(out, "part-*"))
	if err != nil {
		return err
	}
	copied, err := os.Create(filepath.Join(d.dir, "committed"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, copied.Close(), os.Remove(copied.Name())) }()
	if _, err := measure.Execute(ctx, copied, filepath.Join(d.bin, j.program()), "cat", out); err != nil {
		return err
	}
	if j.table {
		return d.sameRows(ctx, want, copied.Name())
	}
	return sameFiles(ctx, want, copied, j.hashed, len(parts))
}

// sameFiles compares an output with the floor's. A hashed output consists of
// parts, each of which is in order.
func sameFiles(ctx context.Context, want string, got *os.File, hashed bool, parts int) error {
	floor, err := os.Open(want)
	if err != nil {
		return err
	}
	defer floor.Close()
	info, err := got.Stat()
	if err != nil {
		return err
	}
	whole := io.NewSectionReader(got, 0, info.Size())
	if !hashed {
		return sameLines(ctx, newPlain(floor), newPlain(whole))
	}
	merged, err := newMerged(ctx, whole, parts)
	if err != nil {
		return err
	}
	return sameLines(ctx, newPlain(floor), merged)
}

// brokenLimits returns a sentence for each figure that breaks a limit.
func brokenLimits(o options, rows []row) error {
	var broken []error
	for i := range rows {
		r := &rows[i]
		for n, u := range r.jobs {
			if most := r.job.memory + extraMemory; u.Memory > most {
				broken = append(broken, fmt.Errorf("%s: run %d held %s MiB, more than --memory and 150 MiB, which is %s MiB",
					r.job.name, n+1, measure.Mebibytes(u.Memory), measure.Mebibytes(most)))
			}
			if o.size.spills && r.spills[n] < r.job.leastSpills {
				broken = append(broken, fmt.Errorf("%s: run %d spilled %d times; it must spill at least %d times, to show the cost of spilling",
					r.job.name, n+1, r.spills[n], r.job.leastSpills))
			}
		}
		for n, u := range r.clusters {
			if most := budget(r.job.memory); u.Memory > most {
				broken = append(broken, fmt.Errorf("%s: run %d on a cluster held %s MiB at once, more than its budget of %s MiB",
					r.job.name, n+1, measure.Mebibytes(u.Memory), measure.Mebibytes(most)))
			}
		}
	}
	return errors.Join(broken...)
}
