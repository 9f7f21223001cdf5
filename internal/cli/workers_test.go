package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/client"
)

// TestDrainAsksBeforeItDrainsAll verifies that a user who names a machine, or all
// workers, is asked first, and that nothing is drained without an answer that agrees.
func TestDrainAsksBeforeItDrainsAll(t *testing.T) {
	t.Parallel()
	for line, tt := range map[string]struct {
		answer string // "": there is no terminal
		asks   string // "": nothing is asked
		code   int
		drains string
	}{
		"w-1111":                 {"", "", exitOK, "w-1111"},
		"-y h1":                  {"", "", exitOK, "w-1111 w-2222"},
		"--yes w-1111 w-2222 h2": {"", "", exitOK, "w-1111 w-2222 w-3333"},
		"h2":                     {"", "", exitOK, "w-3333"},
		"1111 w-3333":            {"", "", exitOK, "w-1111 w-3333"},
		"h1":                     {"y\n", "this drains 2 workers: w-1111, w-2222; continue? [y/N] ", exitOK, "w-1111 w-2222"},
		"h1 w-1111":              {"YES", "this drains 2 workers", exitOK, "w-1111 w-2222"},
		"h1 h2":                  {"no\n", "this drains all 3 workers of the cluster", exitInterrupted, ""},
		"w-3333 w-2222 w-1111":   {"\n", "this drains all 3 workers of the cluster", exitInterrupted, ""},
		"w-1111 h1":              {"", "", exitInvalid, ""},
		"w-1111 w-9":             {"", "", exitNotFound, ""},
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			b, url := master(t)
			var all []client.Worker
			for _, w := range [][2]string{{"w-1111", "h1"}, {"w-2222", "h1"}, {"w-3333", "h2"}} { // in the order of ids, as masters list them
				all = append(all, client.Worker{ID: w[0], Host: w[1], State: client.WorkerReady})
			}
			b.SetWorkers(all...)
			var errs bytes.Buffer
			asked := ""
			p := Program{Args: append([]string{"windrow", "workers", "drain", "--master", url}, strings.Fields(line)...), Stdout: new(bytes.Buffer), Stderr: &errs,
				ConfigDir: t.TempDir(), Getenv: func(string) string { return "" },
				answer: func(question string) (string, bool) {
					if tt.answer == "" {
						return "", false
					}
					asked = question
					return tt.answer, true
				}}
			code := serially(t, p)
			if code != tt.code || !strings.Contains(asked, tt.asks) || (asked == "") != (tt.asks == "") {
				t.Errorf("exit %d, want %d; asked %q, want %q: %s", code, tt.code, asked, tt.asks, errs.String())
			}
			for _, id := range []string{"w-1111", "w-2222", "w-3333"} {
				if n := b.Calls("Drain " + id); (n == 1) != strings.Contains(tt.drains, id) {
					t.Errorf("%s was drained %d times", id, n)
				}
			}
			if tt.code == exitInvalid && !strings.Contains(errs.String(), "--yes") {
				t.Errorf("it does not say how to drain without a terminal: %s", errs.String())
			}
		})
	}
}
