package cli

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/jobs/library"
)

var rewrite = flag.Bool("rewrite", false, "write the generated parts of docs/cli.md")

const (
	manual     = "../../docs/cli.md"
	beginMark  = "<!-- generated: "
	endMark    = "<!-- end -->\n"
	markSuffix = " -->\n"
)

// TestManual holds the tables of docs/cli.md to the commands. With -rewrite it
// writes them.
func TestManual(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	app := newApp(&Program{Args: []string{"windrow"}, Jobs: library.All(), Stdout: io.Discard, Stderr: io.Discard})
	generated := map[string]string{"commands": commandTable(app.Commands, "")}
	for _, command := range app.Commands {
		if len(command.Flags) > 0 {
			generated["flags of "+command.Name] = flagTable(command.Flags)
		}
	}
	generated["flags of run"], generated["flags of submit"], generated["flags of a cluster"] = flagTable(runFlags()), flagTable(newJobFlags()), flagTable(clusterFlags())
	var b strings.Builder
	rest := string(text)
	for {
		before, after, found := strings.Cut(rest, beginMark)
		b.WriteString(before)
		if !found {
			break
		}
		name, after, ok := strings.Cut(after, markSuffix)
		_, after, closed := strings.Cut(after, endMark)
		if !ok || !closed || generated[name] == "" {
			t.Fatalf("%s has a generated part %q, which is not closed or which nothing generates", manual, name)
		}
		b.WriteString(beginMark + name + markSuffix + generated[name] + endMark)
		delete(generated, name)
		rest = after
	}
	for _, name := range []string{"commands", "flags of run"} {
		if generated[name] != "" {
			t.Errorf("%s has no generated part %q", manual, name)
		}
	}
	if b.String() == string(text) {
		return
	}
	if *rewrite {
		if err := os.WriteFile(manual, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is not what the commands say: go test ./internal/cli -run TestManual -rewrite", manual)
}

// commandTable describes commands that people call. Jobs are described apart.
func commandTable(commands []*cli.Command, parent string) string {
	var b strings.Builder
	if parent == "" {
		b.WriteString("| command | does |\n|---|---|\n")
	}
	for _, c := range commands {
		if c.Hidden {
			continue
		}
		name := parent + c.Name
		if len(c.Subcommands) > 0 && c.Name != "run" && c.Name != "submit" {
			b.WriteString(commandTable(c.Subcommands, name+" "))
			continue
		}
		call := strings.TrimSpace(name + " " + c.ArgsUsage)
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(call, "|", `\|`), c.Usage)
	}
	return b.String()
}

// flagTable describes flags.
func flagTable(flags []cli.Flag) string {
	var b strings.Builder
	b.WriteString("| flag | meaning | default |\n|---|---|---|\n")
	for _, f := range flags {
		d := f.(cli.DocGenerationFlag) // as all of the library are
		placeholder, usage := placeholderOf(d.GetUsage())
		var names []string
		for _, name := range f.Names() {
			dashes := "--"
			if len(name) == 1 {
				dashes = "-"
			}
			names = append(names, "`"+dashes+name+"`")
		}
		call := strings.Join(names, ", ")
		if d.TakesValue() {
			call += " " + placeholder
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", call, strings.ReplaceAll(usage, "|", `\|`), defaultOf(d))
	}
	return b.String()
}

// placeholderOf returns the word in backquotes, and the usage without them.
func placeholderOf(usage string) (placeholder, text string) {
	parts := strings.SplitN(usage, "`", 3)
	if len(parts) < 3 {
		return "VALUE", usage
	}
	return parts[1], parts[0] + parts[1] + parts[2]
}

func defaultOf(d cli.DocGenerationFlag) string {
	text := d.GetDefaultText()
	if text == "" || text == `""` || !d.TakesValue() {
		return "–"
	}
	return strings.Trim(text, `"`)
}
