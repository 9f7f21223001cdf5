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
	"syscall"
	"time"

	"github.com/windrow-mr/windrow/bench/measure"
)

// workers is how many a cluster of the benchmark has, with a slot each.
const workers = 2

// Memory that a cluster may hold beside what its job processes have for pairs.
const (
	// workerMemory is a worker's: its own, and that of a job process without any.
	workerMemory = (128 + 24 + 24) << 20
	// masterMemory is the master's.
	masterMemory = 128 << 20
)

// budget is what all processes of a cluster may hold at once, for a job that has
// so much memory.
func budget(memory int64) int64 { return memory + workers*workerMemory + masterMemory }

// cluster runs a job on a cluster of its own: a master, two workers of one slot,
// and their job processes. The CPU time is that of all of them, and of the client,
// from the first start to the last end; the wall time is that of the job, from
// submission to the answer; the memory is the most that master, workers and job
// processes held at once.
func (d *driver) cluster(ctx context.Context, j *job, input, out string) (u measure.Usage, err error) {
	root := filepath.Join(d.dir, "cluster")
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	common := []string{"--root", root, "--allow", d.dir, "--log", "error"}
	tree := measure.Watch()
	defer func() { u.Memory = tree.Stop() }()
	var processes []*daemon
	defer func() {
		for _, p := range processes {
			if p.name == "worker" {
				p.ask() // they take their time; all at once
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
	client, err := measure.Execute(ctx, io.Discard, d.windrow(), "submit", j.library, "--input", input, "--out", out, "--root", root, "--wait")
	u.CPU, u.Wall = client.CPU, client.Wall
	return u, err
}

// daemon is a process of a cluster.
type daemon struct {
	name string
	cmd  *exec.Cmd
	said *announcement
	done chan struct{} // closed when the process has ended
	err  error         // of its end, to be read then

	asked  bool  // to end
	askErr error // of that
}

// startDaemon starts a process of a cluster and waits until it tells that it is
// up: from then on it has the root's directory, and ends when it is asked to.
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
	case <-p.done: // which the end of ctx leads to as well
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, p.early()
	}
}

// announcement keeps what a process says, and tells when a line of it begins with
// the prefix. One goroutine writes; the text is read when it has ended.
type announcement struct {
	prefix string
	text   bytes.Buffer
	line   int           // where the line begins that is not whole yet
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

// early is the error of a process that has ended by itself.
func (p *daemon) early() error {
	why := p.err
	if why == nil {
		why = errors.New("exit status 0")
	}
	return fmt.Errorf("windrow %s ended before it was asked to: %w: %s", p.name, why, bytes.TrimSpace(p.said.text.Bytes()))
}

// endTime is how long a process may take to end when it is asked to.
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
		// It may have ended since; then its own error says more than the signal's.
		p.askErr = p.cmd.Process.Signal(syscall.SIGTERM)
	}
}

// end asks the process to end unless it was asked, waits, and returns what it and
// its job processes have used.
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
