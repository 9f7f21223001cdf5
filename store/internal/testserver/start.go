package testserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"
)

// Server says how a server is started.
type Server struct {
	Program string
	// Args returns the arguments for a server that listens on an address.
	Args func(address string) []string
	Env  []string // besides the process's own
	// Path is requested, with GET, to find out whether the server is up.
	Path string
	// Ready reports whether the answer to that is the server's.
	Ready func(status int, body []byte) bool
}

const (
	startTries = 5 // another process may take the port that was free
	startTime  = 60 * time.Second
)

// Start starts a server for the rest of the test and returns its address, as in
// 127.0.0.1:1234.
func Start(t testing.TB, s Server) string {
	t.Helper()
	for try := 1; ; try++ {
		address, err := start(t, s)
		if err == nil {
			return address
		}
		if try == startTries {
			t.Fatalf("start %s: %v", s.Program, err)
		}
	}
}

// FreePort returns an address on which no process listens now.
func FreePort(t testing.TB) string {
	t.Helper()
	address, err := freeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// freeAddress returns an address on which no process listens now.
func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// start starts the server on a free port and waits until it answers. If another
// process takes the port meanwhile, the error is worth another try.
func start(t testing.TB, s Server) (address string, err error) {
	if address, err = freeAddress(t.Context()); err != nil {
		return "", err
	}
	p, err := spawn(t.Context(), s.Env, s.Program, s.Args(address)...)
	if err != nil {
		return "", err
	}
	if err := await(t.Context(), s, p, address); err != nil {
		p.stop()
		return "", fmt.Errorf("%w\n%s", err, p.out.String())
	}
	t.Cleanup(p.stop)
	return address, nil
}

// Spawn runs a program that answers no requests for the rest of the test.
func Spawn(t testing.TB, program string, args ...string) {
	t.Helper()
	p, err := spawn(t.Context(), nil, program, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s:\n%s", program, p.out.String())
		}
	})
}

// process is a program that runs.
type process struct {
	cmd    *exec.Cmd
	out    lockedBuffer
	exited chan struct{}
}

// spawn starts a program, which lasts until stop.
func spawn(ctx context.Context, env []string, program string, args ...string) (*process, error) {
	p := &process{
		cmd:    exec.CommandContext(context.WithoutCancel(ctx), program, args...), //nolint:gosec // a tool that was installed
		exited: make(chan struct{}),
	}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.SysProcAttr = attributes()
	started := make(chan error)
	go func() {
		// The program dies with the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.exited)
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
		}
	}()
	return p, <-started
}

// stop ends the program.
func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// await asks until the server answers. An answer counts only if the program
// itself listens: a server of another test may have taken the port, answers
// alike, and ends with its own test.
func await(ctx context.Context, s Server, p *process, address string) error {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	deadline := time.NewTimer(startTime)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+s.Path, http.NoBody)
		if err != nil {
			return err
		}
		if response, err := client.Do(request); err == nil {
			body, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
			_ = response.Body.Close()
			if s.Ready(response.StatusCode, body) && listens(p.cmd.Process.Pid, address) {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-p.exited:
			return errors.New("the server exited")
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return fmt.Errorf("the server did not answer in %v", startTime)
		}
	}
}

// lockedBuffer gathers a process's output while others may read it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

var _ io.Writer = (*lockedBuffer)(nil)

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
