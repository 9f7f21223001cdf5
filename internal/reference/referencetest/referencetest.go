// Package referencetest compares docs/cli.md with the commands. Tests of the
// packages that have commands call it, on the goroutine of the test.
package referencetest

import (
	"os"
	"testing"

	"github.com/windrow-mr/windrow/internal/reference"
)

// Hold fails the test if an owner's parts of a page differ from what its commands
// say. With rewrite it writes the parts instead.
func Hold(t testing.TB, page, owner string, rewrite bool, parts map[string]string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	updated, err := reference.Update(string(text), owner, parts)
	switch {
	case err != nil:
		t.Fatalf("%s: %v", page, err)
	case updated == string(text):
	case rewrite:
		if err := os.WriteFile(page, []byte(updated), 0o600); err != nil { //nolint:gosec // a test names the page
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not what the commands say: go test ./%s -run TestManual -rewrite", page, owner)
	}
}
