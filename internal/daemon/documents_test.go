package daemon_test

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/internal/cli"
	"github.com/windrow-mr/windrow/internal/daemon"
	"github.com/windrow-mr/windrow/internal/look"
	"github.com/windrow-mr/windrow/internal/scheduled"
	"github.com/windrow-mr/windrow/jobs/library"
)

// documents are the pages that a new user reads first.
var documents = []string{"../../README.md", "../../docs/operations.md", "../../docs/cli.md", "../../docs/writing-jobs.md", "../../docs/architecture.md"}

// TestDocuments verifies that every windrow command in the documents has a verb,
// flags and a job that exist. The command line itself parses them. It does not run
// them, because --help is added to each.
func TestDocuments(t *testing.T) { //nolint:paralleltest // the library that parses command lines takes one at a time
	total := 0
	for _, name := range documents {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range commandLines(string(text)) {
			total++
			if code, said := parse(t, line); code != 0 {
				t.Errorf("%s shows %q: %s", name, line, said)
			}
		}
	}
	if total < 50 {
		t.Errorf("only %d commands were found", total)
	}
}

// TestDocumentsFindsMistakes verifies that the parser that TestDocuments relies on
// refuses mistakes.
func TestDocumentsFindsMistakes(t *testing.T) { //nolint:paralleltest // the library that parses command lines takes one at a time
	for _, line := range []string{"windrow wokrer", "windrow worker --root x --slot 2", "windrow submit wordcuont --input x", "windrow ls --sort=age", "windrow master --root"} {
		if code, said := parse(t, line); code != 2 {
			t.Errorf("%q: exit %d: %s", line, code, said)
		}
	}
}

// parse lets the command line parse a line and print help.
func parse(t *testing.T, line string) (code int, said string) {
	t.Helper()
	args := words(line)
	for i, word := range args {
		switch {
		case i == 1 && word == "COMMAND":
			args[i] = "run"
		case i == 2 && word == "JOB" && args[1] == "run", i == 2 && args[1] == "submit" && strings.HasPrefix(word, "."):
			args[i] = "wordcount" // which is built in; users' programs are not here
		}
	}
	first := slices.IndexFunc(args, func(word string) bool { return strings.HasPrefix(word, "-") })
	if first < 0 {
		first = len(args)
	}
	var b bytes.Buffer
	code = cli.Main(t.Context(), cli.Program{Args: slices.Insert(args, first, "--help"), Jobs: library.All(), Library: true, Stdout: io.Discard, Stderr: &b,
		Commands: slices.Concat(look.Commands(), scheduled.Commands(), cli.Operating()),
		Daemons:  daemon.Commands(daemon.Program{Stdout: io.Discard, Stderr: &b})})
	return code, b.String()
}

// TestWords verifies that words splits lines as a shell would, as far as documents
// need it.
func TestWords(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`windrow ls # all`: "windrow|ls",
		`windrow cat out/words | sort -t "$(printf '\t')"`:        "windrow|cat|out/words",
		`windrow watch "$(cat id)"`:                               "windrow|watch|$(cat id)",
		`windrow run a --input 's3://b?c=d&e=f' 2>log &`:          "windrow|run|a|--input|s3://b?c=d&e=f",
		`windrow submit a --input … --out "$(go env X)/**" --out`: "windrow|submit|a|--input|…|--out|$(go env X)/**|--out",
		`windrow cat a) <(windrow cat b)`:                         "windrow|cat|a",
	} {
		if got := strings.Join(words(line), "|"); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

var (
	quoted  = regexp.MustCompile("`(windrow [^`\n]+)`")
	started = regexp.MustCompile(`(?:^ *|\(|&& |-- )(?:\$ )?(?:\S*/bin/|/bin/)?(windrow .*)$`)
)

// commandLines returns the calls of windrow in a page, in blocks and between
// backquotes. Generated parts have none: they come from the commands.
func commandLines(page string) []string {
	var lines []string
	block := false
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"):
			block = !block
		case strings.ContainsAny(line, "─│"): // a picture
		case block || strings.HasPrefix(line, "    "):
			for m := started.FindStringSubmatch(line); m != nil; m = started.FindStringSubmatch(m[1][1:]) {
				lines = append(lines, m[1])
			}
		default:
			for _, m := range quoted.FindAllStringSubmatch(line, -1) {
				lines = append(lines, m[1])
			}
		}
	}
	return lines
}

// words splits a line into words, up to the end of the command.
func words(line string) []string {
	var all []string
	var word strings.Builder
	var quote rune
	depth, begun := 0, false
	end := func() {
		if begun {
			all = append(all, word.String())
		}
		word.Reset()
		begun = false
	}
	for i, c := range line {
		switch {
		case quote != 0 && c == quote && depth == 0:
			quote = 0
		case quote == 0 && depth == 0 && (c == '\'' || c == '"'):
			quote, begun = c, true
		case c == '(' && strings.HasSuffix(line[:i], "$"), c == '(' && depth > 0:
			depth++
			word.WriteRune(c)
		case c == ')' && depth > 0:
			depth--
			word.WriteRune(c)
		case quote != 0 || depth > 0:
			word.WriteRune(c)
		case strings.ContainsRune("|&)<>;", c) || c == '#' && !begun:
			if c == '>' && word.String() == "2" {
				begun = false
			}
			end()
			return all
		case c == ' ':
			end()
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	end()
	return all
}
