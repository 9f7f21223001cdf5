package cli

import "github.com/urfave/cli/v2"

// Operating returns the commands of those who look after a cluster, its stores and its
// outputs. Only the program windrow has them: they would make every job's program larger.
func Operating() []func(p *Program) *cli.Command {
	return []func(p *Program) *cli.Command{publishCommand, discardCommand, doctorCommand, workersCommand, garbageCommand}
}
