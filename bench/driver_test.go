package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/windrow-mr/windrow/bench/measure"
	"github.com/windrow-mr/windrow/bench/measure/measuretest"
)

// TestSmallBenchmark measures every job once, as a user would.
func TestSmallBenchmark(t *testing.T) {
	t.Parallel()
	measuretest.ReadSources(t, "..")
	dir := t.TempDir()
	var stdout, stderr strings.Builder
	args, peers := []string{"-size", "small", "-runs", "1", "-dir", dir}, false
	if d := (&driver{options: options{jobs: allJobs(), duckDB: "../.tools/duckdb-1.5.6/duckdb_cli/duckdb"}}); d.findPeers(t.Context()) == nil {
		args, peers = append(args, "-peers", "-duckdb", d.duckDB), true // make bench-peers was here
	}
	if code := command(args, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	for _, j := range allJobs() {
		line := rowOf(stdout.String(), j.command()+" ")
		cells := strings.Split(line, "|")
		if len(cells) != len(columns())+2 {
			t.Errorf("%s: row %q", j.name, line)
			continue
		}
		for i, c := range cells[3 : len(cells)-2] { // all figures but spills
			if c = strings.TrimSpace(c); c == "0" || c == "0.00" || c == "" {
				t.Errorf("%s: figure %d is %q: %s", j.name, i+1, c, line)
			}
		}
	}
	if clusters := strings.Count(stdout.String(), "| cluster "); clusters != len(allJobs()) {
		t.Errorf("%d jobs were run on a cluster:\n%s", clusters, stdout.String())
	}
	counted, want := map[string]int{}, map[string]int{}
	for _, j := range allJobs() {
		name := j.beside()
		counted[name] = strings.Count(stdout.String(), "| "+name+" ")
		if peers || j.part != "" {
			want[name] += 2 // the ratio, and the single runs
		}
	}
	for name, n := range counted {
		if n != want[name] {
			t.Errorf("%d rows of %s, want %d:\n%s", n, name, want[name], stdout.String())
		}
	}
	for _, says := range []string{"Commit ", "Load", "Files in " + dir, "say little; take -runs 5", "byte for byte"} {
		if !strings.Contains(stdout.String(), says) {
			t.Errorf("output is without %q:\n%s", says, stdout.String())
		}
	}
	measuretest.WantEmpty(t, dir)
}

func rowOf(table, job string) string {
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "| "+job) {
			return line
		}
	}
	return ""
}

// TestInterruptRemovesFiles verifies that an interrupt stops the programs and
// leaves no files.
func TestInterruptRemovesFiles(t *testing.T) {
	t.Parallel()
	program := measuretest.Build(t)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			measuretest.Interrupt(t, signal, "terasort 3/", program, "-jobs", "terasort")
		})
	}
}

func TestTimeoutEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var stderr strings.Builder
	code := command([]string{"-size", "full", "-timeout", "50ms", "-dir", dir}, io.Discard, &stderr)
	if code != measure.ExitFailed || !strings.Contains(stderr.String(), "-timeout") {
		t.Errorf("exit code %d, %q; want 1 and a word about -timeout", code, stderr.String())
	}
	measuretest.WantEmpty(t, dir)
}

// script writes a program for the driver to run.
func script(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
}

// TestWrongAnswers verifies that the benchmark finds each mistake of a windrow
// that answers wrongly.
func TestWrongAnswers(t *testing.T) {
	t.Parallel()
	const run = `run) mkdir "$4"; touch "$4/part-0" "$4/part-1"; echo '{"spills": 7}';;`
	for name, test := range map[string]struct{ windrow, says string }{
		"right":      {run + `cat) printf 'b\t2\nd\t4\na\t1\nc\t3\n';;`, ""},
		"wrong line": {run + `cat) printf 'b\t2\nd\t4\na\t1\nc\t4\n';;`, `line 3 at offset 8 is "c\t4\n", not "c\t3\n"`},
		"line lost":  {run + `cat) printf 'b\t2\na\t1\nc\t3\n';;`, `ends before line 4`},
		"unsorted":   {run + `cat) printf 'd\t4\nb\t2\nc\t3\na\t1\n';;`, "does not ascend"},
		"run fails":  {`run) echo 'out of luck' >&2; exit 3;;`, "out of luck"},
		"cat fails":  {run + `cat) echo 'no such output' >&2; exit 4;;`, "no such output"},
		"no report":  {`run) echo done;;`, "report"},
		"no spills":  {`run) echo '{"parts": []}';;`, "report"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &driver{bin: t.TempDir(), dir: t.TempDir(), log: io.Discard}
			script(t, filepath.Join(d.bin, "wordcount"), `printf 'a\t1\nb\t2\nc\t3\nd\t4\n' > "$2"`)
			script(t, d.windrow(), "case $1 in "+test.windrow+" esac")
			r := row{job: &job{library: "wordcount", hashed: true}}
			err := d.round(t.Context(), &r, []string{"input"})
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want %q", err, test.says)
			}
			if err == nil && (len(r.spills) != 1 || r.spills[0] != 7) {
				t.Errorf("%d spills, want the 7 of the report", r.spills)
			}
			measuretest.WantEmpty(t, d.dir)
		})
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-size", "big"}, {"-runs", "0"}, {"-jobs", "wordcount,nap"}, {"-jobs", ""}, {"-timeout", "0"}, {"-format", "xml"}, {"-format", "benchstat", "-doc", "x"}, {"wordcount"}, {"-nap"}} {
		if code := command(args, io.Discard, io.Discard); code != measure.ExitUsage {
			t.Errorf("%q: exit code %d, want %d", args, code, measure.ExitUsage)
		}
	}
	o, err := parse([]string{"-jobs", "terasort,wordcount", "-size", "full"}, io.Discard)
	if err != nil || len(o.jobs) != 2 || o.jobs[0].name != "wordcount" || o.jobs[1].name != "terasort" || o.size.bytes != 1e9 || o.runs != 5 {
		t.Errorf("options %+v (%v)", o, err)
	}
}
