package look_test

import (
	"flag"
	"io"
	"testing"

	"github.com/urfave/cli/v2"

	wcli "github.com/windrow-mr/windrow/internal/cli"
	"github.com/windrow-mr/windrow/internal/look"
	"github.com/windrow-mr/windrow/internal/reference"
	"github.com/windrow-mr/windrow/internal/reference/referencetest"
)

var rewrite = flag.Bool("rewrite", false, "write the generated parts of docs/cli.md")

// TestManual verifies that the tables of docs/cli.md describe the commands. With
// -rewrite it writes them.
func TestManual(t *testing.T) {
	t.Parallel()
	var commands []*cli.Command
	for _, command := range look.Commands() {
		commands = append(commands, command(&wcli.Program{Stdout: io.Discard, Stderr: io.Discard}))
	}
	parts := map[string]string{"commands": reference.Commands(commands)}
	for _, c := range commands {
		parts["flags of "+c.Name] = reference.Flags(c.Flags)
	}
	referencetest.Hold(t, "../../docs/cli.md", "internal/look", *rewrite, parts)
}
