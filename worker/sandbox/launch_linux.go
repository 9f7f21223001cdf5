package sandbox

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// holdThread keeps the calling goroutine on its thread, whose end kills the
// process that it starts. It also bars programs that the thread executes from
// more privileges. The thread ends with the goroutine, and is not used for
// another one.
func holdThread(logger *slog.Logger) (release func()) {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		logger.Warn("job processes may gain privileges by programs that they execute", "error", err)
	}
	return func() {}
}

// launch starts the program with its limits. It is called on a held thread.
func launch(cfg *Config, files []*os.File, g *cgroup) (*os.Process, error) {
	if err := sealDescriptors(); err != nil {
		return nil, err
	}
	attr := &os.ProcAttr{
		Dir: cfg.Dir, Env: append([]string{}, cfg.environment()...), // nil would be the worker's own
		Files: files,
		Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Ptrace: true},
	}
	attr.Sys.CgroupFD, attr.Sys.UseCgroupFD = g.descriptor()
	args := append([]string{cfg.Path}, cfg.Args...)
	p, err := os.StartProcess(cfg.Path, args, attr)
	if errors.Is(err, syscall.EPERM) {
		attr.Sys.Ptrace = false
		if p, err = os.StartProcess(cfg.Path, args, attr); err == nil {
			cfg.Log.Warn("this system forbids tracing: a job process begins an instant before its limits do", "pid", p.Pid)
		}
	}
	if err != nil && attr.Sys.UseCgroupFD {
		cfg.Log.Warn("a job process is in no control group of its own", "error", err)
		return launch(cfg, files, nil)
	}
	if err != nil {
		return nil, err
	}
	if attr.Sys.Ptrace {
		gone, err := awaitTrap(p.Pid)
		if gone {
			_ = p.Release()
			return nil, err
		}
		if err == nil {
			err = errors.Join(limit(p.Pid, cfg), syscall.PtraceDetach(p.Pid))
		}
		return orKill(p, err)
	}
	return orKill(p, limit(p.Pid, cfg))
}

// orKill returns a process only if it has its limits. It kills one without.
func orKill(p *os.Process, err error) (*os.Process, error) {
	if err != nil {
		_ = p.Kill()
		_, _ = p.Wait()
		return nil, err
	}
	return p, nil
}

// awaitTrap waits until a traced process has loaded its program. gone reports
// that the process has ended, and was reaped.
func awaitTrap(pid int) (gone bool, err error) {
	for {
		var ws unix.WaitStatus
		_, err := unix.Wait4(pid, &ws, unix.WALL, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return false, fmt.Errorf("wait for process %d to load its program: %w", pid, err)
		case ws.Stopped() && ws.StopSignal() == syscall.SIGTRAP:
			return false, nil
		case ws.Stopped():
			if err := syscall.PtraceCont(pid, int(ws.StopSignal())); err != nil {
				return false, fmt.Errorf("let process %d continue: %w", pid, err)
			}
		default:
			return true, fmt.Errorf("process %d ended before it ran", pid)
		}
	}
}

// dataLimit is how much a process may map, which is more than it may use. The
// runtime of Go maps ahead, and the watch should find the process first: its
// error has figures.
func dataLimit(memory int64) uint64 { return uint64(memory) + uint64(memory)/4 + 256<<20 }

// limit sets the limits of a process, none higher than the worker's own.
func limit(pid int, cfg *Config) error {
	limits := []struct {
		name     string
		resource int
		value    uint64
	}{
		{"RLIMIT_CORE", unix.RLIMIT_CORE, 0},
		{"RLIMIT_NOFILE", unix.RLIMIT_NOFILE, cfg.OpenFiles},
		{"RLIMIT_FSIZE", unix.RLIMIT_FSIZE, cfg.FileSize},
	}
	if cfg.Memory > 0 {
		limits = append(limits, struct {
			name     string
			resource int
			value    uint64
		}{"RLIMIT_DATA", unix.RLIMIT_DATA, dataLimit(cfg.Memory)})
	}
	for _, l := range limits {
		var now unix.Rlimit
		err := unix.Prlimit(pid, l.resource, nil, &now)
		if err == nil {
			value := min(l.value, now.Max)
			err = unix.Prlimit(pid, l.resource, &unix.Rlimit{Cur: value, Max: value}, nil)
		}
		if err != nil {
			return fmt.Errorf("set %s: %w", l.name, err)
		}
	}
	return nil
}

// sealDescriptors marks the descriptors that the worker itself inherited, so
// that no process inherits them further. Go marks all that it opens.
func sealDescriptors() error {
	err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil || !errors.Is(err, syscall.ENOSYS) && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EPERM) {
		return err
	}
	// An older kernel, or a filter that does not know the call.
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("look for inherited descriptors: %w", err)
	}
	for _, e := range open {
		var fd int
		if _, err := fmt.Sscan(e.Name(), &fd); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}

// awaitExit waits until a process has ended, and leaves it to be reaped. Until
// then no other process gets its id, or that of its group.
func awaitExit(p *os.Process) (*os.ProcessState, error) {
	for {
		err := unix.Waitid(unix.P_PID, p.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, syscall.EINTR) {
			return nil, err
		}
	}
}
