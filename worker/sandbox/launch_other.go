//go:build !linux

package sandbox

import (
	"log/slog"
	"os"
	"syscall"
)

// holdThread does nothing where a process cannot ask to die with a thread.
func holdThread(*slog.Logger) (release func()) { return func() {} }

// launch starts the program in a group of its own.
func launch(cfg *Config, files []*os.File, _ *cgroup) (*os.Process, error) {
	return os.StartProcess(cfg.Path, append([]string{cfg.Path}, cfg.Args...), &os.ProcAttr{
		Dir: cfg.Dir, Env: append([]string{}, cfg.environment()...), Files: files,
		Sys: &syscall.SysProcAttr{Setpgid: true},
	})
}

// awaitExit waits until a process has ended.
func awaitExit(p *os.Process) (*os.ProcessState, error) { return p.Wait() }

// family is a process group.
type family struct{ leader int }

func newFamily(leader int) *family { return &family{leader} }

func (f *family) kill(s syscall.Signal) { _ = syscall.Kill(-f.leader, s) }

// resident is unknown here.
func (f *family) resident() int64 { return 0 }

// askStacks makes a Go program print its stacks and exit.
func askStacks(p *os.Process) { _ = p.Signal(syscall.SIGQUIT) }
