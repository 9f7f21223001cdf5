package cli

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/api"
	"github.com/windrow-mr/windrow/master/api/apitest"
)

// process is a command in its own process.
type process struct {
	cmd    *exec.Cmd
	stdout bytes.Buffer
	stderr io.Reader
	lines  *bufio.Scanner
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startBy(t, nil, args...)
}

// startBy starts a command by another one, which replaces itself by it.
func startBy(t *testing.T, by []string, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	all := append(append(by, self), args...)
	p := &process{cmd: exec.CommandContext(t.Context(), all[0], all[1:]...)}
	p.cmd.Env = append(os.Environ(), asProgram+"=library", "XDG_CONFIG_HOME="+t.TempDir(), "GORACE=halt_on_error=1 exitcode=66")
	p.cmd.Stdout = &p.stdout
	if p.stderr, err = p.cmd.StderrPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(p.stderr)
	return p
}

// until reads the process's messages until one contains a text.
func (p *process) until(t *testing.T, text string) {
	t.Helper()
	var all []string
	for p.lines.Scan() {
		if all = append(all, p.lines.Text()); strings.Contains(p.lines.Text(), text) {
			return
		}
	}
	t.Fatalf("it did not say %q, but %q", text, all)
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// end waits for the process and returns its exit status.
func (p *process) end(t *testing.T) (code int, rest string) {
	t.Helper()
	b, err := io.ReadAll(p.stderr)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // the exit status is checked below
	return p.cmd.ProcessState.ExitCode(), string(b)
}

// TestDetach verifies that the first interrupt detaches from the job, and that the
// second one cancels it.
func TestDetach(t *testing.T) {
	t.Parallel()
	submit := []string{"submit", "wordcount", "--input", "s3://in/x", "--out", "s3://out/x"}
	for name, c := range map[string]struct {
		args    []string
		signal  os.Signal
		again   bool
		says    string
		cancels int
	}{
		"submit":                 {submit, os.Interrupt, false, "watch " + string(apitest.ID(1)), 0},
		"submit, hung up":        {submit, syscall.SIGHUP, false, "watch " + string(apitest.ID(1)), 0},
		"submit, terminated":     {submit, syscall.SIGTERM, false, "watch " + string(apitest.ID(1)), 0},
		"submit, twice":          {submit, os.Interrupt, true, "watch " + string(apitest.ID(1)), 1},
		"watch, twice":           {[]string{"watch", string(apitest.ID(1))}, os.Interrupt, true, "watch " + string(apitest.ID(1)), 1},
		"retry":                  {[]string{"retry", string(apitest.ID(1))}, os.Interrupt, false, "watch " + string(apitest.ID(1)), 0},
		"rerun, twice, as JSON":  {[]string{"rerun", string(apitest.ID(1)), "-o", "json"}, os.Interrupt, true, "watch " + string(apitest.ID(2)), 1},
		"rerun, quiet and twice": {[]string{"rerun", string(apitest.ID(1)), "-q"}, os.Interrupt, true, "watch " + string(apitest.ID(2)), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, url := master(t)
			id := apitest.ID(1)
			if c.args[0] != "submit" {
				newUser(t, "WINDROW_MASTER", url).submitted(t)
			}
			if c.args[0] == "rerun" {
				id = apitest.ID(2)
			}
			p := start(t, append(c.args, "--master", url)...)
			for b.Calls("Changed "+string(id)) == 0 { // it watches
				<-time.After(time.Millisecond)
			}
			p.signal(t, c.signal)
			p.until(t, c.says)
			if c.again {
				p.signal(t, c.signal)
			}
			code, rest := p.end(t)
			if code != exitInterrupted || p.stdout.Len() > 0 || strings.Contains(rest, "asked to cancel") != c.again || strings.Contains(rest, "windrow:") {
				t.Errorf("exit %d, printed %q: %s", code, &p.stdout, rest)
			}
			if n := b.Calls("Cancel " + string(id)); n != c.cancels {
				t.Errorf("cancelled %d times, want %d", n, c.cancels)
			}
		})
	}
}

// TestNohup verifies that a command under nohup outlives its terminal: the end of it
// is not the first of two interrupts, the second of which cancels the job.
func TestNohup(t *testing.T) {
	t.Parallel()
	b, url := master(t)
	p := startBy(t, []string{"sh", "-c", `trap "" HUP; exec "$0" "$@"`}, "submit", "wordcount", "--input", "s3://in/x", "--out", "s3://out/x", "--master", url)
	for b.Calls("Changed "+string(apitest.ID(1))) == 0 { // it watches
		<-time.After(time.Millisecond)
	}
	p.signal(t, syscall.SIGHUP)
	p.signal(t, os.Interrupt)
	p.until(t, "watch "+string(apitest.ID(1)))
	if code, rest := p.end(t); code != exitInterrupted || b.Calls("Cancel "+string(apitest.ID(1))) != 0 {
		t.Errorf("exit %d: %s", code, rest)
	}
}

// TestInterruptedBeforeSubmit verifies that an interrupt ends a command at once
// when the cluster has not answered yet.
func TestInterruptedBeforeSubmit(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // otherwise the server does not notice that the client has gone
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	for _, args := range [][]string{{"submit", "wordcount", "--input", "s3://in/x", "--out", "s3://out/x"}, {"retry", string(apitest.ID(1))}, {"ls"}, {"get", string(apitest.ID(1))}} {
		p := start(t, append(args, "--master", server.URL)...)
		<-asked
		began := time.Now()
		p.signal(t, os.Interrupt)
		if code, rest := p.end(t); code != exitInterrupted || time.Since(began) > 2500*time.Millisecond {
			t.Errorf("%s: exit %d after %v: %s", args[0], code, time.Since(began), rest)
		}
	}
}

// TestFollowsThroughRestart verifies that a command continues with another master
// when the one that it talks to stops.
func TestFollowsThroughRestart(t *testing.T) {
	t.Parallel()
	b := apitest.New()
	h := api.Handler(b, api.Config{})
	first, second := httptest.NewServer(h), httptest.NewServer(h)
	t.Cleanup(second.Close)
	p := start(t, "submit", "wordcount", "--input", "s3://in/x", "--out", "s3://out/x", "--master", first.URL+","+second.URL, "-o", "json")
	for b.Calls("Changed "+string(apitest.ID(1))) == 0 {
		<-time.After(time.Millisecond)
	}
	first.CloseClientConnections()
	first.Close()
	b.Change(apitest.ID(1), func(j *apitest.Job) { j.State = client.Succeeded })
	if code, rest := p.end(t); code != exitOK || !strings.Contains(p.stdout.String(), `"state": "succeeded"`) {
		t.Errorf("exit %d, %s: %s", code, &p.stdout, rest)
	}
}
