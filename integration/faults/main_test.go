package faults

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/store/s3/s3test"
)

// seed is what all that is drawn depends on.
var seed = flag.Uint64("seed", 1, "what is drawn depends on")

// The programs under test, built once, and where workers keep what they fetch.
var windrow, testjobs, cache string

func TestMain(m *testing.M) {
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
	build := []string{"build", "-tags", "failpoint", "-o", windrow, "../../cmd/windrow"}
	if raced {
		build = append([]string{"build", "-race"}, build[1:]...)
	}
	for _, args := range [][]string{build, {"build", "-o", testjobs, "../testjobs"}} {
		cmd := exec.Command("go", args...)
		if args[1] != "-race" {
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "go %s: %v\n%s", strings.Join(args, " "), err, out)
			return 1
		}
	}
	return m.Run()
}
