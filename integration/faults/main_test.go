package faults

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/store/s3/s3test"
)

// seed determines everything that is drawn.
var seed = flag.Uint64("seed", 1, "of everything that is drawn")

// The programs under test, built once, and where workers keep fetched programs.
var windrow, testjobs, cache string

func TestMain(m *testing.M) {
	if mine, err := confined(); mine {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "windrow-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Job processes may run as another user.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	s3test.SetCredentials()
	windrow, testjobs, cache = filepath.Join(dir, "windrow"), filepath.Join(dir, "testjobs"), filepath.Join(dir, "cache")
	if err := errors.Join(buildWindrow(context.Background(), windrow), build(context.Background(), testjobs, "../testjobs", false)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// buildWindrow builds the program under test.
func buildWindrow(ctx context.Context, out string, flags ...string) error {
	return build(ctx, out, "../../cmd/windrow", raced, append(flags, "-tags", "failpoint")...)
}

func build(ctx context.Context, out, pkg string, race bool, flags ...string) error {
	// Without what debuggers read, the linker works a third less.
	args := append([]string{"build", "-ldflags=-s -w", "-o", out}, flags...)
	cmd := exec.CommandContext(ctx, "go")
	if race {
		args = append(args, "-race")
	} else {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	cmd.Args = append(cmd.Args, append(args, pkg)...)
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, text)
	}
	return nil
}
