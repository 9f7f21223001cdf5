package cli

import (
	"flag"
	"io"
	"os"
	"testing"

	"github.com/windrow-mr/windrow/internal/reference"
	"github.com/windrow-mr/windrow/jobs/library"
)

var rewrite = flag.Bool("rewrite", false, "write the generated parts of docs/cli.md")

const manual = "../../docs/cli.md"

// TestManual holds the tables of docs/cli.md to the commands. With -rewrite it
// writes them.
func TestManual(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	app := newApp(&Program{Args: []string{"windrow"}, Jobs: library.All(), Stdout: io.Discard, Stderr: io.Discard})
	page, err := reference.Update(string(text), "internal/cli", map[string]string{
		"commands":           reference.Commands(app.Commands, "run", "plan", "submit"),
		"flags of run":       reference.Flags(runFlags()),
		"flags of submit":    reference.Flags(newJobFlags()),
		"flags of a cluster": reference.Flags(clusterFlags()),
	})
	switch {
	case err != nil:
		t.Fatalf("%s: %v", manual, err)
	case page == string(text):
	case *rewrite:
		if err := os.WriteFile(manual, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not what the commands say: go test ./internal/cli -run TestManual -rewrite", manual)
	}
}
