package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves the flags of a command in front of its operands: users write
// 'windrow logs JOB -f', and the library reads flags only up to the first operand.
// Words after -- stay there.
func flagsFirst(app *cli.App, args []string) []string {
	commands, at := app.Commands, 1
	var command *cli.Command
	for at < len(args) {
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[at]) })
		if i < 0 {
			break
		}
		command, commands = commands[i], commands[i].Subcommands
		at++
	}
	if command == nil || len(command.Subcommands) > 0 || command.SkipFlagParsing {
		return args
	}
	where := position{flags: command.Flags}
	var flags, operands []string
	rest := args[at:]
	for i := 0; i < len(rest); i++ {
		word := rest[i]
		switch {
		case word == "--":
			operands = append(operands, rest[i+1:]...)
			i = len(rest)
		case len(word) > 1 && word[0] == '-':
			flags = append(flags, word)
			if f := where.flag(word); f != nil && takesValue(f) && !strings.Contains(word, "=") {
				if i++; i == len(rest) {
					return slices.Concat(args[:at], flags) // the library reports the missing value
				}
				flags = append(flags, rest[i])
			}
		default:
			operands = append(operands, word)
		}
	}
	return slices.Concat(args[:at], flags, []string{"--"}, operands)
}
