package main

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

// usage is what one process used from its start to its end.
type usage struct {
	cpu    time.Duration // user and system
	wall   time.Duration
	memory int64 // the most that was resident, in bytes
}

func (u usage) String() string {
	return fmt.Sprintf("%.2f s CPU, %.2f s, %s MiB", u.cpu.Seconds(), u.wall.Seconds(), mebibytes(u.memory))
}

// execute runs a program to its end.
func execute(ctx context.Context, stdout io.Writer, program string, args ...string) (usage, error) {
	var stderr bytes.Buffer
	c := exec.CommandContext(ctx, program, args...)
	c.Stdout, c.Stderr, c.Env = stdout, &stderr, environment(os.Environ())
	start := time.Now()
	err := c.Run()
	u := usage{wall: time.Since(start)}
	if ctx.Err() != nil {
		return u, ctx.Err()
	}
	if err != nil {
		return u, fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	u.cpu = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	if r, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.memory = int64(r.Maxrss) * residentUnit() //nolint:unconvert // 32-bit systems have another type
	}
	return u, nil
}

// residentUnit returns the unit of a maximum resident size, in bytes.
func residentUnit() int64 {
	if runtime.GOOS == "darwin" {
		return 1
	}
	return 1024
}

// environment leaves out the variables that tune Go's runtime: programs run
// as they come.
func environment(all []string) []string {
	tuning := []string{"GOGC", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG"}
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool {
		name, _, _ := strings.Cut(s, "=")
		return slices.Contains(tuning, name)
	})
}

// build builds windrow and the floors into the directory.
func build(ctx context.Context, to string) error {
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", to+string(filepath.Separator), "./cmd/windrow", "./bench/floor/...")
	c.Dir = root
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build windrow and the floors: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// moduleRoot returns the directory of the module that this is run in.
func moduleRoot(ctx context.Context) (string, error) {
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
