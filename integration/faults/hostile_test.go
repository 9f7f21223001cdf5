//go:build faults

package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	wire "github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/plan"
)

// TestFault41Versions: peers, jobs and programs of another version or for
// another machine are refused with an error that says what to do, and disturb
// no other process.
func TestFault41Versions(t *testing.T) {
	t.Parallel()
	c := onFiles(t)
	in := c.write(2, 20)
	m := c.leader()
	c.worker(1)

	peer := &wire.Client{URL: m.url(), HTTP: http.DefaultTransport}
	_, err := peer.Sync(t.Context(), &wire.Sync{Version: wire.Version + 1, Worker: "from tomorrow", Seq: 1, Info: wire.Info{Slots: 64}})
	if err == nil || !strings.Contains(err.Error(), "run the same build of windrow on both") {
		t.Errorf("a worker of another version gets %v", err)
	}
	later := plan.JobID("01ZZZZZZZZZZZZZZZZZZZZZZZZ")
	spec := fmt.Appendf(nil, `{"version":%d,"id":%q,"job":"tally"}`, plan.SpecVersion+1, later)
	if _, _, err := journal.CreateJob(t.Context(), c.root, later, spec); err != nil {
		t.Fatal(err)
	}
	if err := journal.Activate(t.Context(), c.root, journal.Run{Job: later}); err != nil {
		t.Fatal(err)
	}
	m.kill()
	m = c.leader()
	m.says("run a newer windrow")

	c.tallied(c.submit("tally", "out", splitFlags(20)...), "out", in)
	if all, err := c.client.Workers(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("the workers are %+v, %v", all, err)
	}
	c.foreign()
}

// foreign submits a program for a kind of machine that no worker has.
func (c *cluster) foreign() {
	c.t.Helper()
	ctx := c.t.Context()
	good := c.submit("tally", "out-3", splitFlags(20)...)
	spec, err := c.client.Spec(ctx, good)
	if err != nil || len(spec.Bundles) != 1 {
		c.t.Fatalf("the spec has bundles %+v, %v", spec.Bundles, err)
	}
	b := spec.Bundles[0]
	b.OS, b.Arch = "plan9", "mips"
	made, err := c.client.Submit(ctx, client.Submission{Job: spec.Job, Bundles: []plan.Bundle{b}, Build: spec.Build, Params: spec.Params,
		Plan: spec.Plan, Input: spec.Input, Output: c.jobsURL + "/out-4"})
	if err != nil {
		c.t.Fatal(err)
	}
	if code, said := c.ends(made.ID); code == 0 || !strings.Contains(said, "plan9/mips") {
		c.t.Errorf("a program for another machine: exit %d: %s", code, said)
	}
}

// TestFault41OldRoot: every later version reads what the first version has
// written. testdata/root-v1 holds the objects of a job tally with two maps and
// two reduces, of a text of two lines and four words.
func TestFault41OldRoot(t *testing.T) {
	t.Parallel()
	c := onFiles(t)
	if err := os.CopyFS(filepath.Join(c.dir, "root"), os.DirFS("testdata/root-v1")); err != nil {
		t.Fatal(err)
	}
	c.leader()
	const id = plan.JobID("01M7Z5CNJRZBD1VYM72VW0A246")
	j, err := c.client.Job(t.Context(), id)
	if err != nil || j.State != client.Succeeded || j.Result == nil || j.Result.Records != 4 || j.Output != "file:///tmp/windrow-v1/out" {
		t.Errorf("the old job is %+v, %v", j, err)
	}
	counts, err := c.client.Counters(t.Context(), id)
	if err != nil || counts.Counts["lines"] != 2 || counts.Counts["keys"] != 4 {
		t.Errorf("it counted %+v, %v", counts, err)
	}
	var got []string
	for _, r := range c.checkLog(id) {
		for _, e := range r.Entries {
			got = append(got, fmt.Sprintf("%T", e))
		}
	}
	want := []string{"scheduler.Fence", "scheduler.Planned", "scheduler.Committed", "scheduler.Committed", "scheduler.Granted", "scheduler.Committed",
		"scheduler.Granted", "scheduler.Committed", "scheduler.Intent", "scheduler.Done"}
	if !slices.Equal(got, want) {
		t.Errorf("its log has %q, want %q", got, want)
	}
}

// secured starts a master that requires a token, and returns both.
func (c *cluster) secured() (m *process, token string) {
	c.t.Helper()
	token = strings.Repeat("right-token-", 4)
	file := filepath.Join(c.dir, "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		c.t.Fatal(err)
	}
	m = c.masterWith([]string{"--token-file", file, "--gossip", "off"})
	m.says("leading the cluster")
	return m, token
}

// ask makes a raw request, and returns the status; 0 if there was no answer.
func ask(t *testing.T, method, url, token string, body io.Reader) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/json")
	if strings.Contains(url, "/cluster/") { // a message of another type goes no further
		req.Header.Set("Content-Type", "application/vnd.msgpack")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

// TestFault42HostilePeer: a client without a token gets nowhere, one with a
// token cannot write where jobs may not, and no client makes the master use
// much memory.
func TestFault42HostilePeer(t *testing.T) {
	t.Parallel()
	c := onFiles(t)
	if code, _, stderr := c.command("master", "--root", c.rootURL, "--listen", "0.0.0.0:0"); code != 2 || !strings.Contains(stderr, "token") {
		t.Errorf("a master without a token on all addresses: exit %d: %s", code, stderr)
	}
	m, token := c.secured()
	strangers(t, m.url())
	frames(t, m, token)
	c.names(m.url(), token)
	slow(t, m.url())
	bound := int64(300 << 20)
	if raced {
		bound *= 4 // the detector keeps much memory beside each byte
	}
	if got := m.resident(); got > bound {
		t.Errorf("the master holds %d MiB", got>>20)
	}
	if status, text := ask(t, http.MethodGet, m.url()+"/v1/cluster", token, nil); status != http.StatusOK {
		t.Errorf("after all that the master answers %d: %s", status, text)
	}
}

// strangers make requests without a token, and with a wrong one.
func strangers(t *testing.T, url string) {
	t.Helper()
	for _, token := range []string{"", "wrong-token-wrong-token-wrong-token-wrong", strings.Repeat("x", 60<<10)} {
		for _, r := range []struct{ method, path string }{
			{http.MethodGet, "/v1/cluster"}, {http.MethodGet, "/v1/jobs"}, {http.MethodPost, "/v1/jobs"}, {http.MethodPost, "/v1/gc"},
			{http.MethodPost, "/cluster/sync"}, {http.MethodPost, "/cluster/maps"}, {http.MethodGet, "/"}, {http.MethodGet, "/debug/pprof/"},
			{http.MethodPut, "/v1/bundles/" + strings.Repeat("0", 64)},
		} {
			if status, text := ask(t, r.method, url+r.path, token, strings.NewReader("{}")); status != http.StatusUnauthorized && status != http.StatusForbidden {
				t.Errorf("%s %s with a token of %d bytes: %d: %s", r.method, r.path, len(token), status, shortened(text))
			}
		}
	}
}

// frames sends messages of the workers' protocol that are made to do harm.
func frames(t *testing.T, m *process, token string) {
	t.Helper()
	deep := bytes.Repeat([]byte{0x91}, 1<<20) // arrays in arrays
	for name, body := range map[string][]byte{
		"text":       []byte("GET / HTTP/1.1"),
		"no bytes":   nil,
		"4 GiB text": {0x81, 0xa6, 'W', 'o', 'r', 'k', 'e', 'r', 0xdb, 0xff, 0xff, 0xff, 0xff},
		"4G entries": {0x81, 0xa7, 'R', 'u', 'n', 'n', 'i', 'n', 'g', 0xdd, 0xff, 0xff, 0xff, 0xff},
		"deep":       deep,
		"no version": {0x80},
	} {
		if status, text := ask(t, http.MethodPost, m.url()+"/cluster/sync", token, bytes.NewReader(body)); status < 400 || status >= 500 {
			t.Errorf("a message of %s: %d: %s", name, status, shortened(text))
		}
	}
	var all sync.WaitGroup
	for range 8 { // 256 MiB each, as far as they are taken
		all.Go(func() {
			status, _ := ask(t, http.MethodPost, m.url()+"/cluster/sync", token, io.LimitReader(zeros{}, 256<<20))
			if status == http.StatusOK {
				t.Error("a message of 256 MiB was taken")
			}
		})
	}
	all.Wait()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// names tries objects where jobs have no access.
func (c *cluster) names(url, token string) {
	c.t.Helper()
	secret := filepath.Join(c.dir, "secret")
	for _, output := range []string{c.jobsURL + "/../secret", c.jobsURL + "/%2e%2e/secret", "file://" + secret, "file:///etc/windrow-was-here",
		c.rootURL + "/cluster", c.rootURL + "/j", "s3://test/x?endpoint=http://169.254.169.254", "../secret", ""} {
		for _, in := range []string{c.jobsURL + "/in/", "file:///etc/passwd"} {
			body, err := json.Marshal(client.Submission{Job: "tally", Input: []string{in}, Output: output, IdempotencyKey: "k" + fmt.Sprint(len(output)+len(in))})
			if err != nil {
				c.t.Fatal(err)
			}
			if status, text := ask(c.t, http.MethodPost, url+"/v1/jobs", token, bytes.NewReader(body)); status < 400 || status >= 500 {
				c.t.Errorf("output %q of %q: %d: %s", output, in, status, shortened(text))
			}
		}
	}
	for _, path := range []string{"/v1/bundles/..%2f..%2fcluster%2fleader%2fx", "/v1/bundles/" + strings.Repeat("a", 64), "/v1/jobs/..%2f..%2fcluster/log?task=map/0"} {
		method := http.MethodPut
		if strings.Contains(path, "/jobs/") {
			method = http.MethodGet
		}
		if status, text := ask(c.t, method, url+path, token, strings.NewReader("not what the digest says")); status < 400 || status >= 500 {
			c.t.Errorf("%s %s: %d: %s", method, path, status, shortened(text))
		}
	}
	for _, path := range []string{secret, "/etc/windrow-was-here"} {
		if _, err := os.Stat(path); err == nil {
			c.t.Errorf("%s was written", path)
		}
	}
}

// slow opens connections that never finish their headers: they are closed after
// ten seconds, and others get answers meanwhile.
func slow(t *testing.T, url string) {
	t.Helper()
	var conns []net.Conn
	for range 50 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
		conns = append(conns, conn)
	}
	if status, _ := ask(t, http.MethodGet, url+"/healthz", "", nil); status != http.StatusOK {
		t.Errorf("beside slow clients, others get status %d", status)
	}
	for _, conn := range conns {
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatal("a connection that never sends its headers is kept")
		}
	}
}
