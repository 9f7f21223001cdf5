// Package measure runs programs and measures their usage: processor time, wall
// time and memory, of one process or of a tree of them. It describes the
// machine and reports whether others disturbed it; computes medians; and writes
// tables for documents. The commands of the benchmark folder call it.
//
// Functions are safe for concurrent use unless they say otherwise. A program
// that fails is an error with its output. Memory and sizes are in bytes.
package measure

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Usage is what processes used from their start to their end.
type Usage struct {
	CPU  time.Duration // user and system
	Wall time.Duration
	// Memory is the most that was resident at once; below 0 if unknown.
	Memory int64
}

func (u Usage) String() string {
	return fmt.Sprintf("%.2f s CPU, %.2f s, %s MiB", u.CPU.Seconds(), u.Wall.Seconds(), Mebibytes(u.Memory))
}

// Mebibytes returns a size in MiB, and a dash if it is unknown.
func Mebibytes(n int64) string {
	if n < 0 {
		return Unknown
	}
	return fmt.Sprint((n + 1<<19) >> 20)
}

// Unknown is the text in tables for a value that is unknown or was not
// measured.
const Unknown = "–"

// Execute runs a program to its end.
func Execute(ctx context.Context, stdout io.Writer, program string, args ...string) (Usage, error) {
	var stderr bytes.Buffer
	c := exec.CommandContext(ctx, program, args...)
	c.Stdout, c.Stderr, c.Env = stdout, &stderr, Environment(os.Environ())
	start := time.Now()
	err := c.Run()
	u := Usage{Wall: time.Since(start)}
	if ctx.Err() != nil {
		return u, ctx.Err()
	}
	if err != nil {
		return u, fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	used := Ended(c.ProcessState)
	used.Wall = u.Wall
	return used, nil
}

// Ended returns the usage of a process that has ended, except the wall time. It
// counts the children that the process has waited for.
func Ended(s *os.ProcessState) Usage {
	u := Usage{CPU: s.UserTime() + s.SystemTime(), Memory: -1}
	if r, ok := s.SysUsage().(*syscall.Rusage); ok {
		u.Memory = int64(r.Maxrss) * residentUnit() //nolint:unconvert // 32-bit systems have another type
	}
	return u
}

// residentUnit returns the unit of a maximum resident size, in bytes.
func residentUnit() int64 {
	if runtime.GOOS == "darwin" {
		return 1
	}
	return 1024
}

// Environment leaves out the variables that tune Go's runtime: programs run
// with their defaults. Text is compared by its bytes.
func Environment(all []string) []string {
	dropped := []string{"GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG", "LC_ALL"}
	kept := slices.DeleteFunc(slices.Clone(all), func(s string) bool {
		name, _, _ := strings.Cut(s, "=")
		return slices.Contains(dropped, name)
	})
	return append(kept, "LC_ALL=C")
}

// Build builds programs of this module into the directory, as they are
// released.
func Build(ctx context.Context, to string, packages ...string) error {
	root, err := ModuleRoot(ctx)
	if err != nil {
		return err
	}
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-o", to + string(filepath.Separator)}, packages...)
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir = root
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", strings.Join(packages, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// ModuleRoot returns the directory of the module that contains the current
// directory.
func ModuleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	file := strings.TrimSpace(string(out))
	if file == "" || file == os.DevNull {
		return "", fmt.Errorf("no go.mod here; run it inside the repository: go run ./bench")
	}
	return filepath.Dir(file), nil
}
