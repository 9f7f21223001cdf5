package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs/library"
)

// TestAnswersThatDoNotArrive verifies that a command whose standard output cannot be
// written does not exit 0, and says so.
func TestAnswersThatDoNotArrive(t *testing.T) {
	t.Parallel()
	_, url := master(t)
	in := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(in, []byte("a b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	job := func(verb string, more ...string) []string {
		return append([]string{verb, "wordcount", "--input", in, "--out", filepath.Join(t.TempDir(), "out")}, more...)
	}
	for _, args := range [][]string{
		{"--help"}, {"help", "run"}, {"run", "--help"}, {"run", "wordcount", "--help"}, {"version"}, {"--version"}, {"version", "-o", "json"},
		{"jobs"}, {"jobs", "-o", "json"}, {"completion", "bash"}, {"context", "ls", "-o", "json"},
		job("plan"), job("plan", "-o", "json"), job("run", "-o", "json"),
		{"ls", "--master", url}, {"ls", "-o", "json", "--master", url}, {"workers", "ls", "--master", url},
		job("submit", "--detach", "--master", url),
	} {
		var stderr bytes.Buffer
		p := Program{Args: append([]string{"windrow"}, args...), Jobs: library.All(), Library: true, Stdout: full{}, Stderr: &stderr, ConfigDir: t.TempDir(),
			Getenv: func(string) string { return "" }}
		if code := serially(t, p); code != exitFailed || !strings.Contains(stderr.String(), errFull.Error()) {
			t.Errorf("%q: exit %d, %q", args, code, stderr.String())
		}
	}
}
