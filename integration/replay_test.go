package integration

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestAReplayCompletesTheOutput verifies, for run and submit and for splits of every size,
// that a replay of the quarantined records by a new program, appended to the output, makes
// it what the new program makes of all records; that the records are replayed once; and
// that a replay that fails changes nothing.
func TestAReplayCompletesTheOutput(t *testing.T) {
	t.Parallel()
	var text, want strings.Builder
	for i := range 3000 {
		line := strconv.Itoa(i) + "\n"
		if i%50 == 17 {
			line = "nettle\n"
		}
		text.WriteString(line)
		want.WriteString(line)
	}
	in, master := file(t, "in.txt", text.String()), startDev(t)
	for _, size := range []string{"7", "600", "64MiB"} {
		for verb, way := range map[string][]string{"run": {"run"}, "submit": {"submit", "--master", master}} {
			if verb == "submit" && size == "7" {
				continue // thousands of tasks
			}
			out := filepath.Join(t.TempDir(), "out")
			args := func(more ...string) []string {
				a := []string{way[0], "copies", "--input", in, "--out", out, "--split-size", size}
				return append(append(a, way[1:]...), more...)
			}
			all := sorted(want.String())
			if size == "7" {
				few := text.String()[:strings.Index(text.String(), "nettle")+len("nettle\n")]
				small := file(t, "small.txt", few)
				all = sorted(few)
				args = func(more ...string) []string {
					return append([]string{"run", "copies", "--input", small, "--out", out, "--split-size", size}, more...)
				}
			}
			must(t, testjobs, args("--bad", "nettle", "--bad-records", "quarantine")...)
			first := quarantined(t, out)
			left := sorted(must(t, testjobs, "cat", out))
			if left == all {
				t.Fatalf("%s: nothing was quarantined", verb)
			}
			// The new program fails on the records again: nothing changes.
			if r := finish(t, command(t, testjobs, args("--bad", "nettle", "--replay", first)...)); r.code != 1 || !strings.Contains(r.stderr, "nettle is bad") {
				t.Errorf("%s, splits of %s: a replay that fails: exit %d, %s", verb, size, r.code, r.stderr)
			}
			if got := sorted(must(t, testjobs, "cat", out)); got != left {
				t.Errorf("%s, splits of %s: a replay that failed left %d bytes of %d", verb, size, len(got), len(left))
			}
			// It quarantines them again, and that is replayed by its own name.
			must(t, testjobs, args("--bad", "nettle", "--replay", first, "--bad-records", "quarantine")...)
			if got := sorted(must(t, testjobs, "cat", out)); got != left {
				t.Errorf("%s, splits of %s: a replay that left out all has changed the output", verb, size)
			}
			second := quarantined(t, out, first)
			must(t, testjobs, args("--replay", second)...)
			if got := sorted(must(t, testjobs, "cat", out)); got != all {
				t.Errorf("%s, splits of %s: %d bytes are in the output, want %d", verb, size, len(got), len(all))
			}
			for _, of := range []string{first, second} {
				if r := finish(t, command(t, testjobs, args("--replay", of)...)); r.code != 6 || !strings.Contains(r.stderr, "has replayed the bad records of job "+of) {
					t.Errorf("%s, splits of %s: a second replay: exit %d, %s", verb, size, r.code, r.stderr)
				}
			}
			if got := sorted(must(t, testjobs, "cat", out)); got != all {
				t.Errorf("%s, splits of %s: replays that were refused have changed the output", verb, size)
			}
		}
	}
}

// TestReplaysThatCannotBeRight verifies that plan, run and submit refuse replays whose rows
// would not be those of a run over all records, in the same words.
func TestReplaysThatCannotBeRight(t *testing.T) {
	t.Parallel()
	in, master := file(t, "in.txt", "a\nnettle\nb\n"), startDev(t)
	for name, c := range map[string]struct {
		first  []string // of the job with bad records, without --out
		second []string
		change bool
		says   string
		code   int
	}{
		"an aggregate":  {[]string{"fails", "--at", "nettle", "--input", in}, []string{"fails", "--at", "x", "--input", in}, false, "reduce makes the output of many records together", 2},
		"a reduce":      {[]string{"badkeys", "--bad", "nettle", "--input", in}, []string{"badkeys", "--bad", "x", "--input", in}, false, "left out a key", 2},
		"a side input":  {[]string{"sides", "--bad", "nettle", "--input", "main=" + in, "--input", "side=" + in}, []string{"sides", "--bad", "x", "--input", "main=" + in, "--input", "side=" + in}, false, "other records were combined or joined", 2},
		"a new object":  {[]string{"copies", "--bad", "nettle"}, []string{"copies"}, true, "has changed since the job read it", 2},
		"another input": {[]string{"copies", "--bad", "nettle", "--input", in}, []string{"copies", "--input", file(t, "other.txt", "nettle\n")}, false, "is not among the objects of the input", 2},
	} {
		out := filepath.Join(t.TempDir(), "out")
		first, second := append([]string{"run"}, c.first...), c.second
		changing := filepath.Join(t.TempDir(), "changing.txt")
		if c.change {
			write(t, changing, "a\nnettle\nb\n")
			first, second = append(first, "--input", changing), append(second, "--input", changing)
		}
		must(t, testjobs, append(first, "--out", out, "--bad-records", "quarantine")...)
		job := quarantined(t, out)
		if c.change {
			write(t, changing, "c\nnettle\nbe\n")
		}
		said := map[string]bool{}
		for _, way := range [][]string{{"plan"}, {"run"}, {"submit", "--master", master}} {
			args := append(append(append([]string{way[0]}, second...), "--out", out, "--replay", job), way[1:]...)
			r := finish(t, command(t, testjobs, args...))
			if r.code != c.code || !strings.Contains(r.stderr, c.says) || !strings.Contains(r.stderr, job) {
				t.Errorf("%s, %s: exit %d, %s", name, way[0], r.code, r.stderr)
			}
			_, text, _ := strings.Cut(r.stderr, "the bad records of job")
			said[text] = true
		}
		if len(said) != 1 {
			t.Errorf("%s is refused in several ways: %v", name, said)
		}
	}
	for says, more := range map[string][]string{"leave --on-exists out": {"--on-exists", "replace"}, "leave out --limit-objects": {"--limit-objects", "1"}} {
		r := finish(t, command(t, testjobs, append([]string{"run", "copies", "--input", in, "--out", t.TempDir(), "--replay", strings.Repeat("0", 26)}, more...)...))
		if r.code != 2 || !strings.Contains(r.stderr, says) {
			t.Errorf("%v: exit %d, %s", more, r.code, r.stderr)
		}
	}
	if r := finish(t, command(t, testjobs, "run", "copies", "--input", in, "--out", filepath.Join(t.TempDir(), "new"), "--replay", strings.Repeat("0", 26))); r.code != 6 || !strings.Contains(r.stderr, "no bad records of job") {
		t.Errorf("a replay of no job: exit %d, %s", r.code, r.stderr)
	}
}

// TestReplayOfJobsWithSideInputs verifies that the side inputs of a job are made again, from
// all of their input, for the records that are replayed.
func TestReplayOfJobsWithSideInputs(t *testing.T) {
	t.Parallel()
	main, side := file(t, "main.txt", "a\nnettle\nb\nnettle\nzz\n"), file(t, "side.txt", "one\ntwo\nthree\n")
	master := startDev(t)
	const want = "a 3\nb 3\nnettle 3\nnettle 3\nzz 3\n"
	for _, way := range [][]string{{"run"}, {"submit", "--master", master}} {
		out := filepath.Join(t.TempDir(), "out")
		args := func(more ...string) []string {
			return append(append([]string{way[0], "sides", "--input", "main=" + main, "--input", "side=" + side, "--out", out}, way[1:]...), more...)
		}
		must(t, testjobs, args("--bad", "nettle", "--bad-records", "quarantine")...)
		must(t, testjobs, args("--bad", "x", "--replay", quarantined(t, out))...)
		if got := sorted(must(t, testjobs, "cat", out)); got != want {
			t.Errorf("%s: %q", way[0], got)
		}
	}
}

// TestTheVerbReplay verifies that replay takes all but the program from the job that it
// replays, and that of two at once one is committed.
func TestTheVerbReplay(t *testing.T) {
	t.Parallel()
	in, master := file(t, "in.txt", "a\nnettle\nb\n"), startDev(t)
	out := filepath.Join(t.TempDir(), "out")
	// A program that does not know of bad records is built from the same package: the file
	// that it reads says which records are.
	bad := file(t, "bad.txt", "nettle\n")
	must(t, testjobs, "submit", "copies", "--input", in, "--out", out, "--list", bad, "--bad-records", "quarantine", "--expect", "records >= 2", "--master", master)
	write(t, bad, "none\n")
	job := quarantined(t, out)
	one, two := command(t, testjobs, "replay", job, "--master", master), command(t, testjobs, "replay", job[18:], testjobs, "--master", master)
	results := make(chan result, 2)
	go func() { results <- finish(t, one) }()
	go func() { results <- finish(t, two) }()
	a, b := <-results, <-results
	if a.code+b.code != 6 || a.code*b.code != 0 {
		t.Errorf("two replays at once: exit %d and %d, %s%s", a.code, b.code, a.stderr, b.stderr)
	}
	if got := sorted(must(t, testjobs, "cat", out)); got != "a\nb\nnettle\n" {
		t.Errorf("the output is %q", got)
	}
	if r := finish(t, command(t, plain, "replay", job, "--master", master)); r.code != 2 || !strings.Contains(r.stderr, "has no job copies") {
		t.Errorf("by a program without the job: exit %d, %s", r.code, r.stderr)
	}
}

// quarantined returns the job that quarantined records in an output, other than some.
func quarantined(t *testing.T, out string, others ...string) string {
	t.Helper()
	for line := range strings.Lines(must(t, testjobs, "cat", out+"/_quarantine")) {
		_, id, _ := strings.Cut(line, `"job":"`)
		if id = id[:26]; len(others) == 0 || id != others[0] {
			return id
		}
	}
	t.Fatal("no job has quarantined a record")
	return ""
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
