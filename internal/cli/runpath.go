package cli

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/plan"
)

// exitError is the end of another program that has said why it failed.
type exitError struct{ kind plan.Kind }

// Error returns "", since the program has printed its error.
func (e *exitError) Error() string { return "" }

// FailureKind returns the kind that has the program's exit status.
func (e *exitError) FailureKind() plan.Kind { return e.kind }

// RunPath runs a job of another program in a process of that program: it is the program's
// command run. The path names a binary or a package, which is built. "" as the job is
// the only job. The program writes to this program's standard output and error; its exit
// status is that of the error.
func RunPath(c *cli.Context, p *Program, path, job string, words []string) error {
	from, err := openForeign(c.Context, c, p, path)
	if from != nil {
		defer from.close()
	}
	if err != nil {
		return err
	}
	if job == "" {
		all, err := from.jobs(c.Context)
		if err != nil {
			return err
		}
		only, _, err := from.choose(c, all, nil)
		if err != nil {
			return err
		}
		job = only.Name
	}
	cmd := exec.CommandContext(c.Context, from.binary, append([]string{"run", job}, words...)...) //nolint:gosec // the user's program
	cmd.Args[0] = filepath.Base(path)                                                             // the program names itself by it
	cmd.Stdout, cmd.Stderr = p.Stdout, p.terminal
	// The program removes what it wrote.
	cmd.Cancel = func() error { return cmd.Process.Signal(Interrupts()[0]) }
	cmd.WaitDelay = interruptTime
	err = cmd.Run()
	exit, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return nil
	case c.Err() != nil:
		return context.Cause(c.Context)
	case !ended, exit.ExitCode() < 1:
		return fmt.Errorf("%s does not run: %w", path, err)
	}
	if exit.ExitCode() == exitLeftOut {
		return &leftOutError{}
	}
	kind := slices.Index(statuses[:], exit.ExitCode())
	return &exitError{plan.Kind(max(kind, 0))}
}
