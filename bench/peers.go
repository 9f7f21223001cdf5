package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/windrow-mr/windrow/bench/measure"
)

// The peers: the programs that people would use instead of windrow for one of
// the jobs.
const (
	duckDB  = "DuckDB"
	gnuSort = "GNU sort"
)

// peerThreads is the number of threads that a peer may use: as many as windrow
// does.
func peerThreads() int { return runtime.GOMAXPROCS(0) }

// findPeers finds the peers of the jobs, and their versions.
func (d *driver) findPeers(ctx context.Context) error {
	needed := map[string]string{}
	for i := range d.jobs {
		switch d.jobs[i].peer {
		case duckDB:
			needed[duckDB] = d.duckDB
		case gnuSort:
			needed[gnuSort] = "sort"
		}
	}
	var versions []string
	for _, name := range []string{duckDB, gnuSort} {
		program, ok := needed[name]
		if !ok {
			continue
		}
		out, err := exec.CommandContext(ctx, program, "--version").Output()
		if err != nil {
			return fmt.Errorf("%s does not start (%w): make bench-peers installs DuckDB; sort is in GNU coreutils", name, err)
		}
		first, _, _ := strings.Cut(string(out), "\n")
		if name == gnuSort && !strings.Contains(first, "GNU") {
			return fmt.Errorf("sort is not GNU sort but %q: install GNU coreutils", first)
		}
		versions = append(versions, name+" ("+strings.TrimSpace(first)+")")
	}
	d.versions = strings.Join(versions, ", ")
	return nil
}

// peer runs the job by its peer and compares its output with the floor's.
func (d *driver) peer(ctx context.Context, j *job, files []string, want, out string) (u measure.Usage, err error) {
	scratch := filepath.Join(d.dir, "scratch")
	if err := os.Mkdir(scratch, 0o700); err != nil {
		return u, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	if j.peer == gnuSort {
		u, err = measure.Execute(ctx, io.Discard, "sort", "--parallel="+strconv.Itoa(peerThreads()),
			"-S", strconv.FormatInt(j.memory>>10, 10)+"K", "-T", scratch, "-o", out, files[0])
	} else {
		u, err = measure.Execute(ctx, io.Discard, d.duckDB, "-init", os.DevNull, "-bail", "-c", statements(j, files, out, scratch))
	}
	if err != nil {
		return u, err
	}
	got, err := os.Open(out)
	if err != nil {
		return u, err
	}
	defer got.Close()
	switch {
	case j.table:
		err = d.sameRows(ctx, want, out)
	case j.library == "measurements":
		err = sameMeasurements(ctx, want, got)
	default:
		err = sameFiles(ctx, want, got, false, 1)
	}
	if err != nil {
		return u, fmt.Errorf("its output is not the floor's: %w", err)
	}
	return u, os.Remove(out)
}

// statements returns a job in DuckDB's SQL, the fastest form of those that were
// tried; see README.md. The order of lines does not matter, so DuckDB need not
// keep it.
func statements(j *job, files []string, out, scratch string) string {
	set := fmt.Sprintf("SET threads=%d; SET memory_limit='%dMiB'; SET temp_directory=%s; SET preserve_insertion_order=false; SET enable_progress_bar=false;\n",
		peerThreads(), j.memory>>20, quoted(scratch))
	const plain = "header=false, quote='', escape='', auto_detect=false"
	query := "SELECT name, min(v), avg(v), max(v) FROM read_csv(" + quoted(files[0]) +
		", columns={'name': 'VARCHAR', 'v': 'DECIMAL(4,1)'}, delim=';', " + plain + ") GROUP BY name ORDER BY name"
	if j.library == "wordcount" {
		query = "SELECT w, count(*) FROM (SELECT unnest(string_split(line, ' ')) AS w FROM read_csv(" + quoted(files[0]) +
			", columns={'line': 'VARCHAR'}, delim='\\0', " + plain + ")) WHERE w <> '' GROUP BY w ORDER BY w"
	}
	if j.query != "" {
		query = tableQuery(j, files)
	}
	return set + "COPY (" + query + ") TO " + quoted(out) + " (FORMAT csv, DELIMITER '\\t', HEADER false, QUOTE '');"
}

func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// sameMeasurements compares DuckDB's table, "name TAB least TAB mean TAB greatest",
// with the floor's, "name TAB least/mean/greatest". The floor rounds means to one
// decimal.
func sameMeasurements(ctx context.Context, want string, got io.Reader) error {
	text, err := os.ReadFile(want)
	if err != nil {
		return err
	}
	left := bytes.Lines(text)
	lines := bufio.NewScanner(got)
	n := 0
	for line := range left {
		n++
		if !lines.Scan() {
			return errors.Join(fmt.Errorf("it ends before line %d, %.100q", n, line), lines.Err())
		}
		if !sameMeasurement(strings.TrimSuffix(string(line), "\n"), lines.Text()) {
			return fmt.Errorf("line %d is %.100q, not %.100q", n, lines.Text(), line)
		}
	}
	if lines.Scan() {
		return fmt.Errorf("it continues after the last line with %.100q", lines.Text())
	}
	return errors.Join(lines.Err(), ctx.Err())
}

func sameMeasurement(want, got string) bool {
	w, g := strings.FieldsFunc(want, func(r rune) bool { return r == '\t' || r == '/' }), strings.Split(got, "\t")
	if len(w) != 4 || len(g) != 4 || w[0] != g[0] || w[1] != g[1] || w[3] != g[3] {
		return false
	}
	rounded, err := strconv.ParseFloat(w[2], 64)
	mean, meanErr := strconv.ParseFloat(g[2], 64)
	const half = 0.05 + 1e-9
	return err == nil && meanErr == nil && math.Abs(mean-rounded) <= half
}
