package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// workers is how many a cluster of the benchmark has, with a slot each.
const workers = 2

// Memory that a worker needs beside what its job process has for pairs: its own,
// and that of a process without any.
const workerMemory = (128 + 24 + 24) << 20

// cluster runs a job on a cluster of its own: a master, two workers of one slot,
// and their job processes. The CPU time is that of all of them, from the first
// start to the last end; the wall time is that of the job, from submission to the
// answer; the memory is the sum of what each of master and workers held at most
// by itself.
func (d *driver) cluster(ctx context.Context, j *job, input, out string) (u usage, err error) {
	root := filepath.Join(d.dir, "cluster")
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	common := []string{"--root", root, "--allow", d.dir, "--log", "error"}
	var processes []*daemon
	defer func() {
		for _, p := range processes {
			ended, endErr := p.end()
			u.cpu += ended.cpu
			u.memory += ended.memory
			err = errors.Join(err, endErr)
		}
	}()
	start := func(args ...string) error {
		p, err := d.startDaemon(ctx, append(args, common...)...)
		if err == nil {
			processes = append([]*daemon{p}, processes...) // masters end last
		}
		return err
	}
	if err := start("master", "--listen", "127.0.0.1:0"); err != nil {
		return u, err
	}
	for range workers {
		memory := j.memory/workers + workerMemory
		if err := start("worker", "--slots", "1", "--memory", strconv.FormatInt(memory, 10), "--cache", filepath.Join(root, "cache")); err != nil {
			return u, err
		}
	}
	client, err := execute(ctx, io.Discard, d.windrow(), "submit", j.library, "--input", input, "--out", out, "--root", root, "--wait")
	u.cpu, u.wall = client.cpu, client.wall
	return u, err
}

// daemon is a process of a cluster.
type daemon struct {
	name   string
	cmd    *exec.Cmd
	stderr bytes.Buffer
}

func (d *driver) startDaemon(ctx context.Context, args ...string) (*daemon, error) {
	p := &daemon{name: strings.Join(args[:1], " "), cmd: exec.CommandContext(ctx, d.windrow(), args...)}
	p.cmd.Stderr, p.cmd.Env = &p.stderr, environment(os.Environ())
	return p, p.cmd.Start()
}

// endTime is how long a process may take to end when it is asked to.
const endTime = 30 * time.Second

// end asks the process to end, waits, and returns what it and its job processes
// have used.
func (p *daemon) end() (u usage, err error) {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return u, fmt.Errorf("windrow %s ended before it was asked to: %w: %s", p.name, errors.Join(err, p.cmd.Wait()), bytes.TrimSpace(p.stderr.Bytes()))
	}
	late := time.AfterFunc(endTime, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	if err := p.cmd.Wait(); err != nil {
		return u, fmt.Errorf("windrow %s: %w: %s", p.name, err, bytes.TrimSpace(p.stderr.Bytes()))
	}
	u.cpu = p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	if r, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.memory = int64(r.Maxrss) * residentUnit() //nolint:unconvert // 32-bit systems have another type
	}
	return u, nil
}
