package daemon_test

import (
	"flag"
	"io"
	"os"
	"testing"

	"github.com/windrow-mr/windrow/internal/daemon"
	"github.com/windrow-mr/windrow/internal/reference"
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
	commands := daemon.Commands(daemon.Program{Stdout: io.Discard, Stderr: io.Discard})
	parts := map[string]string{"commands": reference.Commands(commands)}
	for _, c := range commands {
		parts["flags of "+c.Name] = reference.Flags(c.Flags)
	}
	page, err := reference.Update(string(text), "internal/daemon", parts)
	switch {
	case err != nil:
		t.Fatalf("%s: %v", manual, err)
	case page == string(text):
	case *rewrite:
		if err := os.WriteFile(manual, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not what the commands say: go test ./internal/daemon -run TestManual -rewrite", manual)
	}
}
