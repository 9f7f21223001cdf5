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
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/windrow-mr/windrow/bench/measure"
)

// workers is the number of workers of a benchmark's cluster, each with one
// slot.
const workers = 2

// The memory that a cluster may hold beside the pairs of its job processes.
const (
	// workerMemory is for a worker, and for a job process without pairs.
	workerMemory = (128 + 24 + 24) << 20
	// masterMemory is for the master.
	masterMemory = 128 << 20
)

// budget returns the memory that all processes of a cluster may hold at once,
// for a job with the given memory.
func budget(memory int64) int64 { return memory + workers*workerMemory + masterMemory }

// cluster runs a job on its own cluster: a master, two workers of one slot, and
// their job processes. The CPU time is that of all of them and of the client,
// from the first start to the last end. The wall time is that of the job, from
// submission to the answer. The memory is the most that master, workers and job
// processes held at once.
func (d *driver) cluster(ctx context.Context, j *job, files []string, out string) (u measure.Usage, err error) {
	root := filepath.Join(d.dir, "cluster")
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	common := []string{"--root", root, "--allow", d.dir, "--log", "error"}
	tree := measure.Watch()
	defer func() { u.Memory = tree.Stop() }()
	var processes []*daemon
	defer func() {
		for _, p := range processes {
			if p.name == "worker" {
				p.ask() // they take a while; all in parallel
			}
		}
		for _, p := range processes {
			ended, endErr := p.end()
			u.CPU += ended.CPU
			err = errors.Join(err, endErr)
		}
	}()
	start := func(args ...string) error {
		p, err := d.startDaemon(ctx, append(args, common...)...)
		if err == nil {
			tree.Add(p.cmd.Process.Pid)
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
	args := slices.Concat([]string{"submit", j.library, "--out", out, "--root", root, "--wait"}, j.inputFlags(files))
	client, err := measure.Execute(ctx, io.Discard, filepath.Join(d.bin, j.program()), args...)
	u.CPU, u.Wall = client.CPU, client.Wall
	return u, err
}

// daemon is a process of a cluster.
type daemon struct {
	name string
	cmd  *exec.Cmd
	said *announcement
	done chan struct{} // closed when the process has ended
	err  error         // how it ended; read it after that

	asked  bool  // whether it was asked to end
	askErr error // why asking failed
}

// startDaemon starts a process of a cluster and waits until it reports that it
// is up. From then on it has the root's directory, and ends when asked.
func (d *driver) startDaemon(ctx context.Context, args ...string) (*daemon, error) {
	p := &daemon{name: args[0], cmd: exec.CommandContext(ctx, d.windrow(), args...), done: make(chan struct{})}
	p.said = &announcement{prefix: "windrow: " + p.name + " ", up: make(chan struct{})}
	p.cmd.Stderr, p.cmd.Env = p.said, measure.Environment(os.Environ())
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("windrow %s: %w", p.name, err)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	select {
	case <-p.said.up:
		return p, nil
	case <-p.done: // the end of ctx leads here too
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, p.early()
	}
}

// announcement keeps the output of a process, and reports when a line begins
// with the prefix. One goroutine writes; the text is read after the process has
// ended.
type announcement struct {
	prefix string
	text   bytes.Buffer
	line   int           // start of the line that is not complete yet
	up     chan struct{} // closed at the first such line
	told   bool
}

func (a *announcement) Write(p []byte) (int, error) {
	n, err := a.text.Write(p)
	for !a.told {
		line, _, whole := bytes.Cut(a.text.Bytes()[a.line:], []byte{'\n'})
		if !whole {
			break
		}
		a.line += len(line) + 1
		if a.told = bytes.HasPrefix(line, []byte(a.prefix)); a.told {
			close(a.up)
		}
	}
	return n, err
}

// early returns the error of a process that ended before it was asked to.
func (p *daemon) early() error {
	why := p.err
	if why == nil {
		why = errors.New("exit status 0")
	}
	return fmt.Errorf("windrow %s ended before it was asked to: %w: %s", p.name, why, bytes.TrimSpace(p.said.text.Bytes()))
}

// endTime is the time that a process gets to end after it was asked to.
const endTime = time.Minute

// ask asks the process to end, once.
func (p *daemon) ask() {
	if p.asked {
		return
	}
	p.asked = true
	select {
	case <-p.done:
		p.askErr = os.ErrProcessDone
	default:
		// It may have ended since; then its own error says more than that of the
		// signal.
		p.askErr = p.cmd.Process.Signal(syscall.SIGTERM)
	}
}

// end asks the process to end unless that was done before, waits, and returns
// the usage of the process and its job processes.
func (p *daemon) end() (u measure.Usage, err error) {
	p.ask()
	late := time.AfterFunc(endTime, func() { _ = p.cmd.Process.Kill() })
	<-p.done
	inTime := late.Stop()
	switch {
	case p.askErr != nil:
		return u, p.early()
	case !inTime:
		return u, fmt.Errorf("windrow %s was killed %v after it was asked to end: %s", p.name, endTime, bytes.TrimSpace(p.said.text.Bytes()))
	case p.err != nil:
		return u, fmt.Errorf("windrow %s: %w: %s", p.name, p.err, bytes.TrimSpace(p.said.text.Bytes()))
	}
	return measure.Ended(p.cmd.ProcessState), nil
}
