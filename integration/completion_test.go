package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completions are what shells must offer: a command line that ends at the
// cursor, words that are offered, and words that are not.
var completions = []struct {
	line  string
	has   []string
	lacks []string
}{
	{"windrow ", []string{"run", "jobs", "cat", "doctor", "completion", "version"}, []string{"__complete", "wordcount"}},
	{"windrow pl", []string{"plan"}, []string{"run"}},
	{"windrow plan wor", []string{"wordcount"}, []string{"grep"}},
	{"windrow ru", []string{"run"}, []string{"jobs"}},
	{"windrow run ", []string{"wordcount", "grep", "terasort"}, []string{"run"}},
	{"windrow run wor", []string{"wordcount"}, []string{"grep"}},
	{"windrow run grep --p", []string{"--pattern", "--partitions", "--param"}, []string{"--out", "--records"}},
	{"windrow run grep --input a --on-exists ", []string{"fail", "replace", "append"}, []string{"wordcount"}},
	{"windrow run grep --on-exists rep", []string{"replace"}, []string{"fail"}},
	{"windrow completion ", []string{"bash", "zsh", "fish", "powershell"}, nil},
	{"windrow cat fi", []string{"field.txt"}, []string{"barn"}},
	{"windrow run grep --input ba", []string{"barn"}, []string{"field.txt"}},
}

// checkShell checks the words that a shell offers; offers returns them for a
// command line whose last word is incomplete.
func checkShell(t *testing.T, offers func(words []string) []string) {
	t.Helper()
	for _, c := range completions {
		got := offers(strings.Split(c.line, " "))
		for _, want := range c.has {
			if !slices.Contains(got, want) {
				t.Errorf("%q: %q is not offered, but %q", c.line, want, got)
			}
		}
		for _, unwanted := range c.lacks {
			if slices.Contains(got, unwanted) {
				t.Errorf("%q: %q is offered", c.line, unwanted)
			}
		}
	}
}

// shell runs a script in a directory with the files that completions name.
func shell(t *testing.T, dir, program, script string, args ...string) []string {
	t.Helper()
	cmd := command(t, program, append([]string{"-c", script, program}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Env, "PATH="+filepath.Dir(plain)+":/usr/bin:/bin", "HOME="+dir)
	r := finish(t, cmd)
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("%s: exit %d: %s", program, r.code, r.stderr)
	}
	return strings.Split(strings.TrimSpace(r.stdout), "\n")
}

// fields makes the directory in which shells complete.
func fields(t *testing.T) string {
	t.Helper()
	dir := filepath.Dir(file(t, "field.txt", "hay\n"))
	if err := os.Mkdir(filepath.Join(dir, "barn"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestBashCompletes(t *testing.T) {
	t.Parallel()
	dir := fields(t)
	const script = `source <(windrow completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); __windrow_complete; printf '%s\n' "${COMPREPLY[@]}"`
	offers := func(words []string) []string { return shell(t, dir, "bash", script, words...) }
	checkShell(t, offers)
	// Bash treats an equals sign as a word.
	for _, words := range [][]string{{"windrow", "run", "sort", "--on-exists", "="}, {"windrow", "run", "sort", "--on-exists", "=", "r"}} {
		if got := offers(words); !slices.Contains(got, "replace") {
			t.Errorf("%q: replace is not offered, but %q", words, got)
		}
	}
}
