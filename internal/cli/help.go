package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/jobs"
)

// helpName is the command that shows the help of others.
const helpName = "help"

func helpCommand() *cli.Command {
	return &cli.Command{Name: helpName, Aliases: []string{"h"}, Usage: "show the help of a command", ArgsUsage: "[COMMAND…]",
		Action: cli.ShowAppHelp} // with words, helpArgs replaces it
}

// isHelp reports whether a word is the flag that asks for help.
func isHelp(word string) bool {
	return strings.HasPrefix(word, "-") && slices.Contains(cli.HelpFlag.Names(), strings.TrimLeft(word, "-"))
}

// helpArgs returns the arguments that show the help of one command, when args ask for
// it in any way: 'help run', 'run --help grep', 'logs JOB -h'. Other arguments are
// returned as they are. A topic that does not exist is an error.
func helpArgs(app *cli.App, p *Program, args []string) ([]string, error) {
	path, words, asked := args[:1:1], args[1:], false
	var flags []string // of the command that was found: mistakes in them are reported
	if len(words) > 0 && (words[0] == helpName || words[0] == "h") {
		words, asked = words[1:], true
	}
	commands := app.Commands
	var command *cli.Command
	var where position
	for i := 0; i < len(words); i++ {
		word := words[i]
		leaf := command != nil && len(command.Subcommands) == 0
		switch {
		case command != nil && command.SkipFlagParsing:
			return args, nil
		case isHelp(word):
			asked = true
		case leaf && word == "--":
			i = len(words)
		case leaf && strings.HasPrefix(word, "-"):
			flags = append(flags, word)
			if f := where.flag(word); f != nil && takesValue(f) && !strings.Contains(word, "=") && i+1 < len(words) {
				i++
				flags = append(flags, words[i])
			}
		case leaf: // an argument
		default:
			at := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(word) })
			switch {
			case at >= 0:
				command, commands = commands[at], commands[at].Subcommands
				path, where = append(path, command.Name), position{flags: command.Flags}
			case asked && !isPath(word):
				return nil, &argumentError{unknownText(topicOf(command), word, commands), strings.Join(append([]string{app.Name}, path[1:]...), " ")}
			default:
				return args, nil // the command reports the word, or has a path as its argument
			}
		}
	}
	if !asked {
		return args, nil
	}
	if len(path) == 3 && takesJobs(path[1]) {
		if i := slices.IndexFunc(p.Jobs, func(j *jobs.Job) bool { return j.Name() == path[2] }); i >= 0 {
			command.Description = inputsText(p.Jobs[i].Inputs())
		}
	}
	return slices.Concat(path, []string{"--help"}, flags), nil
}

// topicOf returns what the words after a command name.
func topicOf(command *cli.Command) string {
	switch {
	case command != nil && takesJobs(command.Name):
		return "job"
	case command != nil && command.Name == completionName:
		return "shell"
	default:
		return "command"
	}
}

// takesJobs reports whether the subcommands of a command are jobs.
func takesJobs(command string) bool {
	return command == "run" || command == "plan" || command == "submit"
}

// isPath reports whether a word names a program or a package in place of a job.
func isPath(word string) bool { return strings.ContainsAny(word, `/\`) || strings.HasPrefix(word, ".") }

// inputsText describes the named inputs of a job.
func inputsText(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "It reads the named inputs " + strings.Join(names, ", ") + ": give each as --input NAME=URL."
}

// jobsHelp returns the template for the help of a command whose subcommands are jobs,
// all with these flags. The flags are of the jobs: the command itself takes none.
func jobsHelp(flags []cli.Flag) string {
	var b strings.Builder
	b.WriteString(strings.Replace(cli.SubcommandHelpTemplate, "COMMANDS:", "JOBS:", 1))
	b.WriteString("\nFLAGS AFTER THE JOB, beside its parameters, which JOB --help shows:\n")
	category := ""
	for _, f := range flags {
		if c, ok := f.(cli.CategorizableFlag); ok && c.GetCategory() != category {
			category = c.GetCategory()
			fmt.Fprintf(&b, "\n   %s\n\n", category)
		}
		fmt.Fprintf(&b, "   %s\n", f)
	}
	return b.String()
}
