package daemon_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/cli"
	"github.com/windrow-mr/windrow/internal/daemon"
	"github.com/windrow-mr/windrow/jobs/library"
)

// parsing is held while a command line is parsed: the library that does so parses one
// at a time.
var parsing sync.Mutex

// patience is how long a test waits for a process. A process that works takes far less.
const patience = 15 * time.Second

// printed is what a process prints.
type printed struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{} // closed with every write
}

func newPrinted() *printed { return &printed{changed: make(chan struct{})} }

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
	return p.text.Write(b)
}

func (p *printed) get() (text string, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String(), p.changed
}

// String returns all that was printed so far.
func (p *printed) String() string {
	text, _ := p.get()
	return text
}

// process is a command that runs.
type process struct {
	t      *testing.T
	stderr *printed
	stop   func() // as a signal does
	ended  chan struct{}
	code   int // the exit status, once it has ended
}

// command starts a command of windrow.
func command(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{t: t, stderr: newPrinted(), stop: cancel, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		p.code = cli.Main(ctx, cli.Program{Args: append([]string{"windrow"}, args...), Jobs: library.All(), Library: true, Stdout: io.Discard, Stderr: p.stderr,
			Daemons: daemon.Commands(daemon.Program{Stdout: io.Discard, Stderr: p.stderr, Haste: 10})})
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
	})
	return p
}

// begin starts a command that must come so far that it prints what matches. It returns
// the first group of the match.
func begin(t *testing.T, match string, args ...string) (p *process, group string) {
	t.Helper()
	parsing.Lock()
	defer parsing.Unlock()
	p = command(t, args...)
	return p, p.prints(match)
}

// prints waits until the process has printed what matches.
func (p *process) prints(match string) (group string) {
	p.t.Helper()
	want := regexp.MustCompile(match)
	late := time.After(patience)
	for {
		text, changed := p.stderr.get()
		if m := want.FindStringSubmatch(text); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-changed:
		case <-p.ended:
			if m := want.FindStringSubmatch(p.stderr.String()); m != nil {
				return m[len(m)-1]
			}
			p.t.Fatalf("it ended with %d and did not print %q: %s", p.code, match, p.stderr)
		case <-late:
			p.t.Fatalf("it does not print %q: %s", match, p.stderr)
		}
	}
}

// ends waits for the end of the process, and checks its exit status.
func (p *process) ends(code int) {
	p.t.Helper()
	select {
	case <-p.ended:
		if p.code != code {
			p.t.Errorf("it ended with %d, want %d: %s", p.code, code, p.stderr)
		}
	case <-time.After(patience):
		p.t.Fatalf("it does not end: %s", p.stderr)
	}
}

// refused runs a command that must end with an exit status at once, and returns what
// it printed.
func refused(t *testing.T, code int, args ...string) string {
	t.Helper()
	parsing.Lock()
	defer parsing.Unlock()
	p := command(t, args...)
	p.ends(code)
	return p.stderr.String()
}

// masterLine is printed by a master that listens; the group is its URL.
const masterLine = `windrow: master \w+ at (\S+), root`

// master starts a master on a root of files.
func master(t *testing.T, root string, more ...string) (p *process, url string) {
	t.Helper()
	return begin(t, masterLine, append([]string{"master", "--root", root, "--listen", "127.0.0.1:0", "--gossip", "off"}, more...)...)
}

// newClient returns a client of a master.
func newClient(t *testing.T, url string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URLs: []string{url}, Patience: patience})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// file writes a file that only its owner can read, and returns its name.
func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// eventually waits until a condition holds, which other processes bring about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s: that does not happen", what)
		}
	}
}
