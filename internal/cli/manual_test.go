package cli

import (
	"flag"
	"io"
	"testing"

	"github.com/windrow-mr/windrow/internal/reference"
	"github.com/windrow-mr/windrow/internal/reference/referencetest"
	"github.com/windrow-mr/windrow/jobs/library"
)

var rewrite = flag.Bool("rewrite", false, "write the generated parts of docs/cli.md")

const manual = "../../docs/cli.md"

// TestManual verifies that the tables of docs/cli.md describe the commands. With
// -rewrite it writes them.
func TestManual(t *testing.T) {
	t.Parallel()
	app := newApp(&Program{Args: []string{"windrow"}, Jobs: library.All(), Commands: Operating(), Stdout: io.Discard, Stderr: io.Discard})
	referencetest.Hold(t, manual, "internal/cli", *rewrite, map[string]string{
		"commands":           reference.Commands(app.Commands, "run", "plan", "submit"),
		"flags of run":       reference.Flags(runFlags()),
		"flags of submit":    reference.Flags(newJobFlags()),
		"flags of a cluster": reference.Flags(clusterFlags()),
	})
}
