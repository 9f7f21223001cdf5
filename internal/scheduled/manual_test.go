package scheduled_test

import (
	"flag"
	"io"
	"testing"

	"github.com/urfave/cli/v2"

	wcli "github.com/windrow-mr/windrow/internal/cli"
	"github.com/windrow-mr/windrow/internal/reference"
	"github.com/windrow-mr/windrow/internal/reference/referencetest"
	"github.com/windrow-mr/windrow/internal/scheduled"
)

var rewrite = flag.Bool("rewrite", false, "write the generated parts of docs/cli.md")

// TestManual verifies that the tables of docs/cli.md describe the commands. With
// -rewrite it writes them.
func TestManual(t *testing.T) {
	t.Parallel()
	p := &wcli.Program{Stdout: io.Discard, Stderr: io.Discard}
	var commands []*cli.Command
	parts := map[string]string{}
	for _, command := range scheduled.Commands() {
		switch command := command(p); command.Name {
		case "run":
			command.Subcommands = nil // of internal/cli
			parts["flags of run"] = reference.Flags(command.Flags)
		default:
			commands = append(commands, command)
			for _, verb := range command.Subcommands {
				parts["flags of schedule "+verb.Name] = reference.Flags(verb.Flags)
			}
		}
	}
	parts["commands"] = reference.Commands(commands)
	referencetest.Hold(t, "../../docs/cli.md", "internal/scheduled", *rewrite, parts)
}
