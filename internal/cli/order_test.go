package cli

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs/library"
)

// TestFlagsFirst verifies that flags may follow operands, as users write them, and that
// nothing else changes its place.
func TestFlagsFirst(t *testing.T) {
	t.Parallel()
	oneMain.Lock()
	defer oneMain.Unlock()
	app := newApp(&Program{Args: []string{"windrow"}, Jobs: library.All(), Commands: Operating(), Stdout: io.Discard, Stderr: io.Discard})
	for typed, want := range map[string]string{
		"logs JOB -f":                          "logs -f -- JOB",
		"logs -f JOB":                          "logs -f -- JOB",
		"logs JOB --attempt 1.2 -f":            "logs --attempt 1.2 -f -- JOB",
		"logs JOB --attempt=1.2 -f":            "logs --attempt=1.2 -f -- JOB",
		"cancel ONE -o json TWO":               "cancel -o json -- ONE TWO",
		"workers drain w-1 --master URL":       "workers drain --master URL -- w-1",
		"run wordcount -i a --out b extra":     "run wordcount -i a --out b -- extra",
		"run grep --invert --pattern x out":    "run grep --invert --pattern x -- out", // a switch takes no value
		"run grep a --pattern -x":              "run grep --pattern -x -- a",           // a value may begin with a dash
		"cat -- -o":                            "cat -- -o",
		"cat a -- -o --help":                   "cat -- a -o --help",
		"cat -":                                "cat -- -",
		"cat a --unknown b":                    "cat --unknown -- a b",
		"logs JOB --attempt":                   "logs --attempt", // the library says what is missing
		"jobs":                                 "jobs --",
		"context -h":                           "context -h", // it has commands below it
		"run":                                  "run",
		"nothing x -y":                         "nothing x -y",
		"--help":                               "--help",
		"submit ./program JOB --input x":       "submit ./program JOB --input x",
		completeName + " run wordcount -- @--": completeName + " run wordcount -- @--",
		"":                                     "",
	} {
		got := flagsFirst(app, append([]string{"windrow"}, strings.Fields(typed)...))
		if !slices.Equal(got[1:], strings.Fields(want)) {
			t.Errorf("%q becomes %q, want %q", typed, strings.Join(got[1:], " "), want)
		}
	}
}

// TestFlagsBehindOperands verifies the same by commands.
func TestFlagsBehindOperands(t *testing.T) {
	t.Parallel()
	b, url := master(t)
	u := newUser(t, "WINDROW_MASTER", url)
	first, second := u.submitted(t), u.submitted(t)
	if printed := u.must(t, "get", first, "-o", "json"); !strings.HasPrefix(printed, "{") {
		t.Errorf("get JOB -o json prints %s", printed)
	}
	u.must(t, "cancel", first, "--master", url, second)
	for _, id := range []string{first, second} {
		if b.Calls("Cancel "+id) != 1 {
			t.Errorf("job %s was cancelled %d times", id, b.Calls("Cancel "+id))
		}
	}
	if code, _, stderr := u.do(t, "get", "--", "-o"); code != exitInvalid || !strings.Contains(stderr, `"-O"`) {
		t.Errorf("an operand that begins with a dash: exit %d: %s", code, stderr)
	}
}
