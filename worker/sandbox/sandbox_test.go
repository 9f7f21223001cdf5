//go:build linux

package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/worker/sandbox"
)

// child is the program that the tests start.
var child string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if path := os.Getenv("SANDBOX_TEST_WORKER"); path != "" {
		return worker(path)
	}
	dir, err := os.MkdirTemp("", "sandbox-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	child = filepath.Join(dir, "child")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", child, "./testdata/child")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// worker starts a process and waits until it is killed.
func worker(path string) int {
	p, err := sandbox.Start(context.Background(), sandbox.Config{Path: path, Args: []string{"mute"}, Dir: filepath.Dir(path)})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(p.PID())
	_ = p.Wait()
	return 0
}

// lines is a log that a test can wait for.
type lines struct {
	mu   sync.Mutex
	text []string
	more chan struct{}
}

func newLines() *lines { return &lines{more: make(chan struct{}, 1)} }

func (l *lines) log() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, string(p))
	select {
	case l.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (l *lines) find(words string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.text {
		if strings.Contains(line, words) {
			return line
		}
	}
	return ""
}

// await waits for a line that holds some words.
func (l *lines) await(t *testing.T, words string) string {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		if line := l.find(words); line != "" {
			return line
		}
		select {
		case <-l.more:
		case <-timeout:
			t.Fatalf("no line says %q", words)
		}
	}
}

func start(t *testing.T, cfg sandbox.Config, args ...string) *sandbox.Process {
	t.Helper()
	cfg.Path, cfg.Args = child, args
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	p, err := sandbox.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// wantExit waits for the end and checks its cause.
func wantExit(t *testing.T, p *sandbox.Process, want sandbox.Cause, words ...string) *sandbox.Exit {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(30 * time.Second):
		t.Fatal("the process does not end")
	}
	var e *sandbox.Exit
	if err := p.Wait(); !errors.As(err, &e) || e.Cause != want {
		t.Fatalf("ended with %v, want %v", err, want)
	}
	for _, w := range words {
		if !strings.Contains(e.Error(), w) {
			t.Errorf("%q does not say %q", e.Error(), w)
		}
	}
	return e
}

// wantGone verifies that a process has ended: only the system is left to reap
// an orphan.
func wantGone(t *testing.T, pid int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(10 * time.Second)
	for {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return
		}
		if after := text[bytes.LastIndexByte(text, ')')+1:]; len(after) > 1 && (after[1] == 'Z' || after[1] == 'X') {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("process %d still runs", pid)
		}
	}
}

func TestExits(t *testing.T) {
	t.Parallel()
	log := newLines()
	p := start(t, sandbox.Config{Log: log.log()}, "exit", "0")
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	if out, errs := p.Output(); out != "to stdout\n" || errs != "to stderr\n" {
		t.Errorf("output %q, %q", out, errs)
	}
	for _, line := range []string{"to stdout", "to stderr"} {
		if log.find(line) == "" {
			t.Errorf("%q was not logged", line)
		}
	}
	if e := wantExit(t, start(t, sandbox.Config{}, "exit", "3"), sandbox.Exited, "status 3", "to stderr"); e.Code != 3 {
		t.Errorf("code %d", e.Code)
	}
	panicked := wantExit(t, start(t, sandbox.Config{}, "panic", "continue"), sandbox.Exited, "status 2", "panic: the job cannot continue")
	if !strings.Contains(panicked.Stderr, "main.panicky") {
		t.Errorf("no stack in %q", panicked.Stderr)
	}
	wantExit(t, start(t, sandbox.Config{}, "fault"), sandbox.Exited, "status 2", "panic: runtime error: invalid memory address")
	if e := wantExit(t, start(t, sandbox.Config{}, "segv"), sandbox.Exited, "status 2"); !strings.Contains(e.Stderr, "SIGSEGV") {
		t.Errorf("nothing of the signal in %q", e.Stderr)
	}
	if e := wantExit(t, start(t, sandbox.Config{}, "killed"), sandbox.Signaled, "signal 9"); e.Signal != syscall.SIGKILL || e.Code != -1 {
		t.Errorf("%+v", e)
	}
}

func TestDoesNotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("no program"), 0o700); err != nil {
		t.Fatal(err)
	}
	for what, cfg := range map[string]sandbox.Config{
		"missing":        {Path: dir + "/none", Dir: dir},
		"no program":     {Path: text, Dir: dir},
		"relative":       {Path: "child", Dir: dir},
		"no directory":   {Path: child},
		"gone directory": {Path: child, Dir: dir + "/none"},
		"credentials":    {Path: child, Dir: dir, Inherit: []string{"AWS_SECRET_ACCESS_KEY"}},
		"no name":        {Path: child, Dir: dir, Env: []string{"=x"}},
	} {
		if p, err := sandbox.Start(t.Context(), cfg); err == nil {
			p.Stop()
			t.Errorf("%s: it started", what)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sandbox.Start(ctx, sandbox.Config{Path: child, Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
}

// TestSurroundings is not parallel: it sets variables, and leaks a descriptor
// as the process that starts a worker might.
func TestSurroundings(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("SOME_TOKEN", "secret")
	t.Setenv("LANG_OF_TEST", "xx")
	leaked, err := syscall.Open("/dev/zero", syscall.O_RDONLY, 0) // without O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(leaked)
	given, err := os.CreateTemp(t.TempDir(), "given")
	if err != nil {
		t.Fatal(err)
	}
	defer given.Close()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bare := start(t, sandbox.Config{}, "look")
	_ = bare.Wait()
	if out, _ := bare.Output(); !strings.HasPrefix(out, "fd 0 ") {
		t.Errorf("without any variable: %.1000s", out)
	}
	p := start(t, sandbox.Config{
		Dir: dir, Inherit: []string{"LANG_OF_TEST", "NOT_SET"}, Env: []string{"A=1", "A=2"}, Files: []*os.File{given},
		Memory: 100 << 20, OpenFiles: 77, FileSize: 1 << 20,
	}, "look")
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	out, _ := p.Output()
	var env, fds []string
	for line := range strings.Lines(out) {
		if v, ok := strings.CutPrefix(line, "env "); ok {
			env = append(env, strings.TrimSpace(v))
		}
		if v, ok := strings.CutPrefix(line, "fd "); ok && !strings.Contains(v, "/proc/") && !strings.Contains(v, "/sys/fs/cgroup/") { // the runtime's own
			fds = append(fds, strings.Fields(v)[0])
		}
	}
	if got := strings.Join(env, " "); got != "A=2 LANG_OF_TEST=xx" {
		t.Errorf("environment: %s", got)
	}
	if got := strings.Join(fds, " "); got != "0 1 2 3" {
		t.Errorf("descriptors: %s\n%s", got, out)
	}
	fields := strings.Join(strings.Fields(out), " ")
	for _, want := range []string{
		"3 " + given.Name(), "0 /dev/null", "dir " + dir, "leads true", "NoNewPrivs: 1",
		"Max core file size 0 0", "Max open files 77 77", "Max file size 1048576 1048576",
		fmt.Sprintf("Max data size %d", 100<<20+25<<20+256<<20),
	} {
		if !strings.Contains(fields, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	p := start(t, sandbox.Config{OpenFiles: 50}, "open")
	_ = p.Wait()
	if out, _ := p.Output(); !strings.Contains(out, "too many open files") {
		t.Errorf("descriptors: %q", out)
	}
	dir := t.TempDir()
	p = start(t, sandbox.Config{Dir: dir, FileSize: 1 << 20}, "grow", dir+"/f")
	_ = p.Wait()
	if out, _ := p.Output(); !strings.Contains(out, "file too large") {
		t.Errorf("file: %q", out)
	}
	if info, err := os.Stat(dir + "/f"); err != nil || info.Size() != 1<<20 {
		t.Errorf("the file: %v, %v", info, err)
	}
}

// TestMemory verifies that a process is killed that takes too much, with
// figures in the error, whether it or a child of its own took it. This process
// continues.
func TestMemory(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"hoard", "kin"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			const limit = 48 << 20
			e := wantExit(t, start(t, sandbox.Config{Memory: limit}, how), sandbox.OutOfMemory, "out of memory", "48.0 MiB", "--memory")
			if e.Limit != limit || e.Peak <= limit || e.Peak > 4*limit {
				t.Errorf("limit %d, peak %d", e.Limit, e.Peak)
			}
		})
	}
}

func TestNoProgress(t *testing.T) {
	t.Parallel()
	const patience = 400 * time.Millisecond
	log := newLines()
	p := start(t, sandbox.Config{NoProgress: patience, Log: log.log()}, "loop")
	log.await(t, "looping")
	// With progress it runs for longer than it may be idle.
	tick := time.NewTicker(patience / 8)
	defer tick.Stop()
	for range 16 {
		<-tick.C
		p.Progress()
		select {
		case <-p.Done():
			t.Fatalf("ended although it made progress: %v", p.Wait())
		default:
		}
	}
	e := wantExit(t, p, sandbox.NoProgress, "no progress for", "deadlock")
	if e.Idle < patience || !strings.Contains(e.Stderr, "SIGQUIT") || !strings.Contains(e.Stderr, "goroutine 1 ") {
		t.Errorf("idle for %v; stacks: %s", e.Idle, e.Stderr)
	}
	e = wantExit(t, start(t, sandbox.Config{NoProgress: patience}, "deadlock"), sandbox.NoProgress)
	if !strings.Contains(e.Stderr, "main.waitForEver") {
		t.Errorf("the stacks do not show where it waits: %s", e.Stderr)
	}
}

// TestFamily verifies that the processes that a process leaves behind are
// killed with it.
func TestFamily(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"group", "session"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			log := newLines()
			p := start(t, sandbox.Config{Log: log.log(), Files: []*os.File{r}}, "fork", how)
			_ = r.Close()
			line := log.await(t, "forked")
			digits, _, _ := strings.Cut(line[strings.Index(line, "forked ")+7:], "\"")
			pid, err := strconv.Atoi(digits)
			if err != nil {
				t.Fatal(err)
			}
			log.await(t, "asleep")
			if err := syscall.Kill(pid, 0); err != nil {
				t.Fatal(err)
			}
			if how == "session" {
				p.Stop()
			}
			_ = w.Close()
			_ = p.Wait()
			wantGone(t, pid)
		})
	}
}

// TestCgroup verifies that no process of a control group escapes by a session
// of its own. Where no group can be made, a process runs without, and the log
// says so.
func TestCgroup(t *testing.T) {
	t.Parallel()
	delegated := sandbox.DelegatedCgroup()
	for _, dir := range []string{delegated, t.TempDir(), "/proc/none"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		log := newLines()
		p := start(t, sandbox.Config{Log: log.log(), Files: []*os.File{r}, Cgroup: dir, Memory: 256 << 20}, "escape")
		_ = r.Close()
		line := log.await(t, "forked")
		digits, _, _ := strings.Cut(line[strings.Index(line, "forked ")+7:], "\"")
		pid, err := strconv.Atoi(digits)
		if err != nil {
			t.Fatal(err)
		}
		log.await(t, "asleep")
		_ = w.Close()
		if err := p.Wait(); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
		if dir != "" && dir == delegated {
			wantGone(t, pid)
			left, err := filepath.Glob(filepath.Join(dir, "windrow-*", "cgroup.procs"))
			for _, file := range left { // other tests may run beside this one
				if members, readErr := os.ReadFile(file); readErr == nil && strings.Contains(string(members), digits) {
					t.Errorf("left in %s (%v)", file, err)
				}
			}
			continue
		}
		_ = syscall.Kill(pid, syscall.SIGKILL)
		if dir != "" {
			log.await(t, "in no control group")
		}
	}
}

func TestFlood(t *testing.T) {
	t.Parallel()
	log := newLines()
	const keep = 10_000
	p := start(t, sandbox.Config{KeepOutput: keep, Log: log.log()}, "flood")
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for i := range 400_000 {
		fmt.Fprintf(&all, "line %d of a job that prints everything\n", i)
	}
	all.WriteString("the last words")
	want := all.String()
	out, _ := p.Output()
	middle := fmt.Sprintf("\n[… %d bytes dropped …]\n", len(want)-2*keep)
	if out != want[:keep]+middle+want[len(want)-keep:] {
		t.Errorf("kept %d bytes: %.100q … %.100q", len(out), out, out[max(0, len(out)-100):])
	}
	log.await(t, "line 100 of")
	log.await(t, "writes much")
	if log.find("line 399999") != "" {
		t.Error("all of the flood was logged")
	}
}

// TestOutputAsItComes verifies that a receiver gets all of an output, and the
// log none.
func TestOutputAsItComes(t *testing.T) {
	t.Parallel()
	log := newLines()
	var out, errs bytes.Buffer
	p := start(t, sandbox.Config{KeepOutput: 100, Log: log.log(), Stdout: &out}, "flood")
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if n := strings.Count(text, "\n"); n != 400_000 || !strings.HasPrefix(text, "line 0 of a job") || !strings.HasSuffix(text, "the last words") {
		t.Errorf("%d lines came", n)
	}
	if log.find("line 0 of") != "" || log.find("writes much") != "" {
		t.Error("they are logged, too")
	}
	p = start(t, sandbox.Config{Log: log.log(), Stderr: &errs}, "exit", "0")
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	if errs.String() != "to stderr\n" || log.find("to stderr") != "" || log.find("to stdout") == "" {
		t.Errorf("stderr %q", errs.String())
	}
	if _, kept := p.Output(); kept != "to stderr\n" {
		t.Errorf("kept is %q", kept)
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	log := newLines()
	p := start(t, sandbox.Config{Log: log.log(), Grace: time.Hour}, "sleep")
	log.await(t, "asleep")
	p.Stop()
	if e := wantExit(t, p, sandbox.Stopped); e.Code != 0 {
		t.Errorf("it was not asked to end: %+v", e)
	}
	log = newLines()
	p = start(t, sandbox.Config{Log: log.log(), Grace: 50 * time.Millisecond}, "mute")
	log.await(t, "mute")
	p.Stop()
	if e := wantExit(t, p, sandbox.Stopped); e.Signal != syscall.SIGKILL {
		t.Errorf("%+v", e)
	}
	p.Stop() // no effect
}

func TestContext(t *testing.T) {
	t.Parallel()
	boom := errors.New("the lease was lost")
	ctx, cancel := context.WithCancelCause(t.Context())
	p, err := sandbox.Start(ctx, sandbox.Config{Path: child, Args: []string{"mute"}, Dir: t.TempDir(), Grace: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	cancel(boom)
	if e := wantExit(t, p, sandbox.Canceled, "the lease was lost"); !errors.Is(e, boom) {
		t.Error("the cause is not in the error")
	}
	wantGone(t, p.PID())
}

// TestWorkerDies kills a worker at various moments: its process dies too.
func TestWorkerDies(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := exec.CommandContext(t.Context(), self)
	w.Env = append(os.Environ(), "SANDBOX_TEST_WORKER="+child)
	out, err := w.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 0, 20)
	for b := make([]byte, 1); ; line = append(line, b[0]) {
		if _, err := io.ReadFull(out, b); err != nil {
			t.Fatal(err)
		}
		if b[0] == '\n' {
			break
		}
	}
	pid, err := strconv.Atoi(string(line))
	if err != nil {
		t.Fatalf("the worker says %q", line)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the process does not live: %v", err)
	}
	if err := w.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = w.Wait()
	wantGone(t, pid)
}

// TestMany starts and ends many processes at once: descriptors and processes
// are released.
func TestMany(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 10 {
				p, err := sandbox.Start(t.Context(), sandbox.Config{Path: child, Args: []string{"exit", "0"}, Dir: filepath.Dir(child), Memory: 64 << 20})
				if err != nil {
					t.Error(err)
					return
				}
				if err := p.Wait(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}
