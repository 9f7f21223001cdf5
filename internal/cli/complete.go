package cli

import (
	"embed"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
)

// completion holds a script for each shell. The scripts ask the program for what
// can come next, so they always know all of its commands and flags.
//
//go:embed completion
var completion embed.FS

// completeName is the hidden command that the scripts call with the words typed so
// far. The last word follows an @, so that no shell drops it when it is empty.
const completeName = "__complete"

// wantFiles, instead of a word, asks the shell for names of files.
const wantFiles = ":files"

// completionName is the command that prints the scripts.
const completionName = "completion"

// completionCommand prints the script of a shell.
func completionCommand(p *Program) *cli.Command {
	shells := []struct{ name, usage, load string }{
		{"bash", "completion for bash", "source <(%s completion bash)"},
		{"zsh", "completion for zsh, after compinit", "source <(%s completion zsh)"},
		{"fish", "completion for fish", "%s completion fish | source"},
		{"powershell", "completion for PowerShell", "%s completion powershell | Out-String | Invoke-Expression"},
	}
	command := &cli.Command{Name: completionName, Usage: "print a script that completes commands, jobs and flags in a shell", ArgsUsage: "SHELL"}
	for _, shell := range shells {
		command.Subcommands = append(command.Subcommands, &cli.Command{
			Name: shell.name, Usage: shell.usage,
			Description: "Put this line into the shell's start-up file:\n\n   " + fmt.Sprintf(shell.load, "windrow"),
			Action: func(c *cli.Context) error {
				if err := noMore(c, 0); err != nil {
					return err
				}
				return writeScript(p.Stdout, shell.name, c.App.Name)
			},
		})
	}
	command.Action = func(c *cli.Context) error {
		if c.NArg() == 0 {
			return invalidf(c, "no shell named; there are bash, zsh, fish and powershell")
		}
		return unknown(c, "shell", c.Args().First(), command.Subcommands)
	}
	return command
}

// writeScript writes a shell's script for a program with that name.
func writeScript(w io.Writer, shell, program string) error {
	script, err := completion.ReadFile(path.Join("completion", shell+".txt"))
	if err != nil {
		return err
	}
	identifier := strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '_' || '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z') {
			return r
		}
		return '_'
	}, program)
	_, err = io.WriteString(w, strings.NewReplacer("PROGRAM", program, "IDENTIFIER", identifier).Replace(string(script)))
	return err
}

// completeCommand answers the completion scripts.
func completeCommand(p *Program) *cli.Command {
	return &cli.Command{Name: completeName, Hidden: true, SkipFlagParsing: true, HideHelp: true, Action: func(c *cli.Context) error {
		words := c.Args().Slice()
		if len(words) == 0 {
			return nil
		}
		last := len(words) - 1
		words[last] = strings.TrimPrefix(words[last], "@")
		look := func(command *cli.Command) ([]string, bool) { return operandsOf(c, p, command) }
		for _, candidate := range complete(c.App, words, look) {
			fmt.Fprintln(p.Stdout, candidate)
		}
		return nil
	}}
}

// complete returns the words that can replace the last word, each with a tab and
// its meaning, or wantFiles. look returns the arguments of a command, if they are no
// files.
func complete(app *cli.App, words []string, look func(*cli.Command) ([]string, bool)) []string {
	before, word := words[:len(words)-1], words[len(words)-1]
	at := position{commands: app.Commands, flags: app.Flags}
	for _, w := range before {
		at.pass(w)
	}
	if word == "=" { // some shells make it a word of its own
		at.pass(word)
		word = ""
	}
	if at.value != nil {
		if at.value.Names()[0] == "context" {
			names, _ := look(&cli.Command{ArgsUsage: "NAME"})
			return beginning(names, word)
		}
		return choices(at.value, "", word)
	}
	if name, value, ok := strings.Cut(word, "="); ok && strings.HasPrefix(word, "-") {
		if f := at.flag(name); f != nil {
			return choices(f, name+"=", value)
		}
		return nil
	}
	if strings.HasPrefix(word, "-") {
		return at.flagNames(word)
	}
	var out []string
	for _, command := range at.commands {
		if !command.Hidden && strings.HasPrefix(command.Name, word) {
			out = append(out, command.Name+"\t"+command.Usage)
		}
	}
	if at.command != nil && at.command.Name == "submit" && len(at.commands) > 0 {
		return append(out, wantFiles) // a program, or the folder of a package
	}
	if !at.operands {
		return out
	}
	if names, known := look(at.command); known {
		return append(out, beginning(names, word)...)
	}
	return append(out, wantFiles)
}

// beginning returns the words that begin with word, in any case: ids are typed so.
func beginning(words []string, word string) (out []string) {
	for _, w := range words {
		if len(w) >= len(word) && strings.EqualFold(w[:len(word)], word) {
			out = append(out, w)
		}
	}
	return out
}

// position is the place of the next word in a command line.
type position struct {
	commands []*cli.Command // that can follow
	flags    []cli.Flag
	value    cli.Flag // whose value comes next; nil: none
	last     cli.Flag // that had the word before
	operands bool     // words that are not flags can follow
	command  *cli.Command
}

// pass moves past a word.
func (p *position) pass(word string) {
	switch {
	case word == "=" && p.last != nil:
		p.value = p.last
		return
	case p.value != nil:
		p.value, p.last = nil, nil
		return
	case strings.HasPrefix(word, "-"):
		p.last = p.flag(word)
		if takesValue(p.last) {
			p.value = p.last
		}
		return
	}
	p.last = nil
	switch {
	case p.command == nil:
	case strings.HasPrefix(p.command.ArgsUsage, jobsOf):
		p.operands = false // this was the job
		return
	case p.command.Name == "submit" && isPath(word):
		p.commands, p.flags, p.operands = nil, submitFlags(), true
		p.command = &cli.Command{Name: "submit", ArgsUsage: jobsOf + word}
		return
	}
	for _, command := range p.commands {
		if command.HasName(word) {
			p.commands, p.flags = command.Subcommands, command.Flags
			p.operands, p.command = len(command.Subcommands) == 0 && command.ArgsUsage != "", command
			return
		}
	}
}

// flag returns the flag that a word such as --out or -i names, or nil.
func (p *position) flag(word string) cli.Flag {
	name := strings.TrimLeft(word, "-")
	for _, f := range p.flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

// flagNames returns the flags that begin with word.
func (p *position) flagNames(word string) []string {
	var out []string
	for _, f := range p.flags {
		name := "--" + f.Names()[0]
		if !strings.HasPrefix(name, word) {
			continue
		}
		if d, ok := f.(cli.DocGenerationFlag); ok {
			name += "\t" + strings.ReplaceAll(d.GetUsage(), "`", "")
		}
		out = append(out, name)
	}
	return out
}

//go:noinline
func takesValue(f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return ok && d.TakesValue()
}

// choices returns the values of a flag that begin with word, each after prefix. A
// flag whose values are unknown can take a file.
func choices(f cli.Flag, prefix, word string) []string {
	values, known := valuesOf(f.Names()[0])
	if !known {
		return []string{wantFiles}
	}
	var out []string
	for _, v := range values {
		if strings.HasPrefix(v, word) {
			out = append(out, prefix+v+"\t")
		}
	}
	return out
}

// valuesOf returns the values of a flag, if it is known that they are not files.
func valuesOf(flag string) (values []string, known bool) {
	switch flag {
	case "on-exists":
		return []string{"fail", "replace", "append"}, true
	case "output":
		return []string{"text", "json"}, true
	case "compress":
		return []string{"none", "gzip", "lz4", "zstd"}, true
	case "decompress":
		return []string{auto, "bzip2", "gzip", "lz4", "none", "snappy", "zstd"}, true
	case "max-ratio", "max-decompressed":
		return []string{"none"}, true
	case "partitions", "split-size":
		return []string{auto}, true
	case "state":
		return append(words(client.States()), words(client.TaskStates())...), true
	case "phase":
		return []string{"map", "plan", "reduce", "sample"}, true
	case "sort":
		return words(client.TaskOrders()), true
	case "slots", "memory", "param", "chaos", "chaos-seed", "priority", "label", "limit", "attempt", "attempts", "idempotency-key", "context", "master":
		return nil, true
	}
	return nil, false
}

// words returns the texts of another string type.
func words[T ~string](of []T) []string {
	all := make([]string, len(of))
	for i, w := range of {
		all[i] = string(w)
	}
	return all
}
