//go:build formats

// Package peers runs other readers and writers of the formats, for tests that exchange
// files with them. The target test-formats of the Makefile installs them.
package peers

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
)

// Python runs a program of Python, with the packages that PYTHONPATH has, and returns what
// it prints. The error has what it says.
func Python(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "python3", append([]string{"-c", program}, args...)...) //nolint:gosec // tests write the programs
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("python3: %w\n%s\nmake test-formats installs what it needs", err, said.String())
	}
	return out, nil
}
