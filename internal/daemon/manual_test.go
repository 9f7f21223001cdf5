package daemon_test

import (
	"flag"
	"io"
	"testing"

	"github.com/windrow-mr/windrow/internal/daemon"
	"github.com/windrow-mr/windrow/internal/reference"
	"github.com/windrow-mr/windrow/internal/reference/referencetest"
)

var rewrite = flag.Bool("rewrite", false, "write the generated parts of docs/cli.md")

const manual = "../../docs/cli.md"

// TestManual verifies that the tables of docs/cli.md describe the commands. With
// -rewrite it writes them.
func TestManual(t *testing.T) {
	t.Parallel()
	commands := daemon.Commands(daemon.Program{Stdout: io.Discard, Stderr: io.Discard})
	parts := map[string]string{"commands": reference.Commands(commands)}
	for _, c := range commands {
		parts["flags of "+c.Name] = reference.Flags(c.Flags)
	}
	referencetest.Hold(t, manual, "internal/daemon", *rewrite, parts)
}
