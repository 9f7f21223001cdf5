//go:build image

package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Daemon and client of one installation. PATH may have another client, which
// cannot build.
const installed = "/usr/bin/docker"

// name of the image, and where the repository is.
const (
	name       = "windrow"
	repository = "../.."
)

// patience is how long a test waits for a condition. A standby takes over after
// 15 s.
const patience = 2 * time.Minute

// docker is the client, with what it needs to find the daemon of these tests.
var docker struct {
	program string
	env     []string
}

// The binary of the image, here, and the commit of which it was built.
var windrow, revision string

func TestMain(m *testing.M) {
	// The daemon ends with the thread that started it: this one stays.
	runtime.LockOSThread()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if os.Geteuid() != 0 {
		return 0, errors.New("a Docker daemon wants root: run make test-image as root")
	}
	dir, err := os.MkdirTemp("", "windrow-image-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, unmount(dir), os.RemoveAll(dir)) }()
	// Containers run as another user, and see some of it.
	if err := os.Chmod(dir, 0o755); err != nil {
		return 0, err
	}
	end, err := startDaemon(dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, end()) }()
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Minute)
	defer cancel()
	if err := build(ctx, dir); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// startDaemon starts a daemon that keeps all its data in one directory, makes
// no network by itself, and leaves the filters and routes of this machine
// alone.
func startDaemon(dir string) (end func() error, err error) {
	if docker.program = installed; !exists(installed) {
		docker.program = "docker"
	}
	socket := "unix://" + filepath.Join(dir, "socket")
	config := filepath.Join(dir, "config")
	docker.env = append(os.Environ(), "DOCKER_HOST="+socket, "DOCKER_CONFIG="+config, "DOCKER_BUILDKIT=1", "DOCKER_CONTEXT=", "DOCKER_TLS_VERIFY=")
	said, err := os.Create(filepath.Join(dir, "said"))
	if err != nil {
		return nil, err
	}
	defer said.Close()
	space := filepath.Base(dir)
	daemon := exec.Command("dockerd", "--host", socket, "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "--config-file", filepath.Join(config, "daemon.json"), "--bridge", "none", "--iptables=false", "--ip-forward=false",
		"--containerd-namespace", space, "--containerd-plugins-namespace", space+"-plugins")
	if err := errors.Join(os.Mkdir(config, 0o700), os.WriteFile(filepath.Join(config, "daemon.json"), []byte("{}\n"), 0o600)); err != nil {
		return nil, err
	}
	daemon.Stdout, daemon.Stderr = said, said
	// An interrupt of the tests must not reach the daemon, which ends after them.
	daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	if err := daemon.Start(); err != nil {
		return nil, fmt.Errorf("%w: apt-get install docker.io installs it", err)
	}
	exited := make(chan error, 1)
	go func() { exited <- daemon.Wait() }()
	end = func() error { return endDaemon(daemon.Process, exited) }
	ready := time.NewTicker(100 * time.Millisecond)
	defer ready.Stop()
	for deadline := time.After(time.Minute); ; {
		if _, err = dockerTo(context.Background(), "info"); err == nil {
			return end, nil
		}
		select {
		case <-ready.C:
			continue
		case err = <-exited:
			exited <- err
		case <-deadline:
			err = errors.Join(err, end())
		}
		text, _ := os.ReadFile(said.Name())
		return nil, fmt.Errorf("the Docker daemon does not start: %w\n%s", err, text)
	}
}

// endDaemon ends the daemon and all that it started.
func endDaemon(p *os.Process, exited chan error) error {
	if err := p.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-exited:
		return err
	case <-time.After(time.Minute):
		// Its children are its group.
		return errors.Join(errors.New("the Docker daemon does not end, and is killed"), syscall.Kill(-p.Pid, syscall.SIGKILL), <-exited)
	}
}

// unmount unmounts what the daemon has left mounted below a directory: the
// network of this machine, which it keeps by a name.
func unmount(dir string) error {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	var errs []error
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); strings.HasPrefix(fields[1], dir+"/") {
			errs = append(errs, syscall.Unmount(fields[1], syscall.MNT_DETACH))
		}
	}
	return errors.Join(errs...)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// dockerTo runs a command of Docker to its end, and returns what it prints.
func dockerTo(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := dockerCommand(ctx, args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("docker %v: %w: %s", args, err, exit.Stderr)
	}
	return string(out), err
}

func dockerCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, docker.program, args...)
	cmd.Env = docker.env
	return cmd
}

// build builds the image as the Dockerfile says, and takes its binary out.
func build(ctx context.Context, dir string) error {
	if err := provideBase(ctx); err != nil {
		return err
	}
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "HEAD").Output()
	if err != nil {
		return fmt.Errorf("git rev-parse: %w", err)
	}
	revision = strings.TrimSpace(string(head))
	// The network of this machine: the daemon has no other.
	cmd := dockerCommand(ctx, "build", "--network", "host", "-t", name, repository)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("docker build: %w\n%s", err, out)
	}
	id, err := dockerTo(ctx, "create", name)
	if err != nil {
		return err
	}
	id = id[:min(len(id), 12)]
	windrow = filepath.Join(dir, "windrow")
	_, err = dockerTo(ctx, "cp", id+":/bin/windrow", windrow)
	_, gone := dockerTo(ctx, "rm", id)
	return errors.Join(err, gone)
}

// pipe runs two programs, the second of which reads the output of the first.
func pipe(from, to *exec.Cmd) error {
	r, w := io.Pipe()
	from.Stdout, to.Stdin = w, r
	if err := to.Start(); err != nil {
		return err
	}
	err := from.Run()
	_ = w.CloseWithError(err)
	return errors.Join(err, to.Wait())
}
