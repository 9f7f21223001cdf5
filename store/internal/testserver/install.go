// Package testserver installs and starts the servers of other projects that
// tests of drivers use: built once into the user's cache, pinned, on ports of
// the loopback interface.
//
// The packages s3test, gcstest and azuretest call it. Concurrency: everything
// may be called by any number of goroutines and processes; a lock file
// serialises installation. Failure: Install returns errors, Start ends the
// test.
package testserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Tool is a program that tests need.
type Tool struct {
	Name    string
	Version string
	// Program is the file to run, below the tool's directory; empty: Name.
	Program string
	// Build makes the tool in a new directory.
	Build func(ctx context.Context, dir string) error
}

// GoTool is a tool that go install makes of a package.
func GoTool(name, path, version string) Tool {
	return Tool{Name: name, Version: version, Build: func(ctx context.Context, dir string) error {
		return run(ctx, dir, []string{"GOBIN=" + dir, "GOFLAGS=", "GOWORK=off"}, "go", "install", path+"@"+version)
	}}
}

// NpmTool is a tool that npm makes of a package, without its install scripts.
func NpmTool(name, program, version string) Tool {
	return Tool{Name: name, Version: version, Program: filepath.Join("node_modules", name, program), Build: func(ctx context.Context, dir string) error {
		return run(ctx, dir, nil, "npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", dir, name+"@"+version)
	}}
}

// Install builds a tool unless it is in the cache, and returns the path of its
// program. The first build takes minutes.
func Install(ctx context.Context, t Tool) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache for %s: %w", t.Name, err)
	}
	dir := filepath.Join(cache, "windrow", "tools", t.Name+"-"+t.Version)
	program := t.Program
	if program == "" {
		program = t.Name
	}
	installed := filepath.Join(dir, "bin")
	program = filepath.Join(installed, program)
	if _, err = os.Stat(program); err == nil {
		return program, nil
	}
	if err = os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err = os.Stat(program); err == nil {
		return program, nil // another process built it meanwhile
	}
	return program, build(ctx, t, dir, installed)
}

// lock takes a lock file, waiting for another process that is building.
func lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	return func() { _ = f.Close() }, err
}

// build builds into a new directory and renames it, so that an interrupted
// build never counts as a tool.
func build(ctx context.Context, t Tool, dir, installed string) error {
	temp, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err = t.Build(ctx, temp); err != nil {
		return fmt.Errorf("install %s %s: %w", t.Name, t.Version, err)
	}
	if err = os.RemoveAll(installed); err != nil {
		return err
	}
	return os.Rename(temp, installed)
}

// run runs a command in a directory outside of any module, whose go.mod would
// matter.
func run(ctx context.Context, dir string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // go and npm, with what is pinned here
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", name, args, err, out)
	}
	return nil
}
