package sandbox

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// lookEvery is how often memory and progress are checked.
const lookEvery = 50 * time.Millisecond

// outputTime is how long output may still come after the process has ended,
// from other processes that hold it open.
const outputTime = time.Second

// Process is a job process.
type Process struct {
	cfg    Config
	pid    int
	proc   *os.Process
	family *family
	cgroup *cgroup // nil for none

	progress atomic.Int64 // nanoseconds since began, of the last Progress
	began    time.Time
	peak     atomic.Int64 // bytes

	stop    chan struct{} // closed by Stop
	stopped sync.Once
	exited  chan struct{} // the process has ended, and is not reaped yet
	done    chan struct{} // all is over
	exit    *Exit         // after done; nil for status 0

	stdout, stderr collector
	readers        [2]*os.File
	reading        sync.WaitGroup
}

// Start starts a process. It ends with ctx at the latest.
func Start(ctx context.Context, cfg Config) (*Process, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	cfg = cfg.withDefaults()
	p := &Process{cfg: cfg, stop: make(chan struct{}), exited: make(chan struct{}), done: make(chan struct{})}
	p.stdout = collector{log: cfg.Log, to: cfg.Stdout, stream: "stdout", keep: cfg.KeepOutput}
	p.stderr = collector{log: cfg.Log, to: cfg.Stderr, stream: "stderr", keep: cfg.KeepOutput}
	started := make(chan error, 1)
	go p.own(ctx, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start the job process %s: %w", cfg.Path, err)
	}
	return p, nil
}

// own starts the process, waits for its end, and clears up. The process dies
// with its thread.
func (p *Process) own(ctx context.Context, started chan<- error) {
	release := holdThread(p.cfg.Log)
	defer release()
	if err := p.spawn(); err != nil {
		started <- err
		return
	}
	var watch sync.WaitGroup
	var cause Exit
	watch.Go(func() { cause = p.watch(ctx) })
	started <- nil
	state, err := awaitExit(p.proc)
	close(p.exited)
	watch.Wait()
	p.family.kill(syscall.SIGKILL) // the processes it left behind
	p.cgroup.kill()
	if state == nil && err == nil {
		state, err = p.proc.Wait()
	}
	for _, r := range p.readers {
		_ = r.SetReadDeadline(time.Now().Add(outputTime))
	}
	p.reading.Wait()
	for _, r := range p.readers {
		_ = r.Close()
	}
	if cause.Cause == 0 && p.cgroup.exhausted() {
		cause.Cause = OutOfMemory
	}
	p.cgroup.remove()
	p.exit = p.judge(cause, state, err)
	close(p.done)
}

// spawn starts the process with its outputs and its limits.
func (p *Process) spawn() error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	files := []*os.File{null}
	var readers []*os.File
	for range 2 {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(append(readers, files[1:]...))
			return err
		}
		readers, files = append(readers, r), append(files, w)
	}
	if p.cgroup, err = newCgroup(&p.cfg); err != nil {
		p.cfg.Log.Warn("a job process is in no control group of its own", "error", err)
	}
	p.began = time.Now()
	p.proc, err = launch(&p.cfg, append(files[:3:3], p.cfg.Files...), p.cgroup)
	closeAll(files[1:])
	if err != nil {
		closeAll(readers)
		p.cgroup.remove()
		return err
	}
	p.pid = p.proc.Pid
	p.family = newFamily(p.pid)
	p.readers = [2]*os.File(readers)
	p.reading.Go(func() { p.stdout.collect(p.readers[0]) })
	p.reading.Go(func() { p.stderr.collect(p.readers[1]) })
	return nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// watch waits until the process has ended, and ends it when there is reason to.
// It returns that reason, without a cause if there was none.
func (p *Process) watch(ctx context.Context) (why Exit) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	canceled, stop := ctx.Done(), p.stop
	var kill <-chan time.Time
	end := func(e Exit, s syscall.Signal, grace time.Duration) {
		if why.Cause != 0 {
			return
		}
		why = e
		canceled, stop = nil, nil
		if s == syscall.SIGQUIT {
			askStacks(p.proc) // only of the process itself
		} else {
			p.family.kill(s)
		}
		kill = time.After(grace)
	}
	for {
		select {
		case <-p.exited:
			return why
		case <-canceled:
			end(Exit{Cause: Canceled, Err: context.Cause(ctx)}, syscall.SIGTERM, p.cfg.Grace)
		case <-stop:
			end(Exit{Cause: Stopped}, syscall.SIGTERM, p.cfg.Grace)
		case <-kill:
			p.family.kill(syscall.SIGKILL)
			p.cgroup.kill()
		case now := <-tick.C:
			if used := p.look(); p.cfg.Memory > 0 && used > p.cfg.Memory {
				p.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "a job process is killed: it uses too much memory",
					slog.Int("pid", p.pid), slog.Int64("bytes", used), slog.Int64("limit", p.cfg.Memory))
				end(Exit{Cause: OutOfMemory}, syscall.SIGKILL, 0)
			}
			if idle := p.idle(now); p.cfg.NoProgress > 0 && idle > p.cfg.NoProgress {
				end(Exit{Cause: NoProgress, Idle: idle}, syscall.SIGQUIT, min(p.cfg.Grace, 2*time.Second))
			}
		}
	}
}

// look returns the memory of the process and its descendants.
func (p *Process) look() int64 {
	used := p.family.resident()
	if used > p.peak.Load() {
		p.peak.Store(used)
	}
	return used
}

func (p *Process) idle(now time.Time) time.Duration {
	return now.Sub(p.began) - time.Duration(p.progress.Load())
}

// judge returns how the process ended.
func (p *Process) judge(why Exit, state *os.ProcessState, err error) *Exit {
	e := why
	e.Code, e.Limit, e.Peak, e.Stderr = -1, p.cfg.Memory, p.peak.Load(), p.stderr.String()
	if err != nil {
		e.Cause, e.Err = Canceled, fmt.Errorf("waiting for its end failed: %w", err)
		return &e
	}
	e.Code = state.ExitCode()
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		e.Signal = ws.Signal()
	}
	switch {
	case e.Cause != 0:
	case e.Signal != 0:
		e.Cause = Signaled
	case e.Code == 0:
		return nil
	case p.cfg.Memory > 0 && exhausted(e.Code, e.Stderr):
		e.Cause = OutOfMemory
	default:
		e.Cause = Exited
	}
	return &e
}

// PID returns the process's id, which is also its group's.
func (p *Process) PID() int { return p.pid }

// Progress reports that the process does something useful.
func (p *Process) Progress() { p.progress.Store(int64(time.Since(p.began))) }

// Done is closed when the process and all that it started have ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop asks the process to end, kills it when it does not, and waits for its
// end.
func (p *Process) Stop() {
	p.stopped.Do(func() { close(p.stop) })
	<-p.done
}

// Wait waits for the end and returns how the process ended, as an *Exit.
func (p *Process) Wait() error {
	<-p.done
	if p.exit == nil {
		return nil
	}
	return p.exit
}

// Output returns the kept parts of standard output and standard error.
func (p *Process) Output() (stdout, stderr string) { return p.stdout.String(), p.stderr.String() }

// Peak returns the most memory seen so far, of the process and all that it
// started, in bytes.
func (p *Process) Peak() int64 { return p.peak.Load() }
