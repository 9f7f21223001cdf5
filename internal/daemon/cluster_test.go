package daemon_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/windrow-mr/windrow/client"
)

// clusterOf asks a master for the cluster.
func clusterOf(t *testing.T, url string) client.Cluster {
	t.Helper()
	c, err := newClient(t, url).Cluster(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// workers returns the workers of a cluster.
func workers(t *testing.T, url string) []client.Worker {
	t.Helper()
	all, err := newClient(t, url).Workers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// get makes a request with a token, and returns the status and the body.
func get(t *testing.T, url, token string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// worker starts a worker.
func worker(t *testing.T, root string, more ...string) *process {
	t.Helper()
	p, _ := begin(t, `windrow: worker (\w+), `, append([]string{"worker", "--root", root, "--gossip", "off", "--cgroup", "off", "--cache", t.TempDir(), "--slots", "3"}, more...)...)
	return p
}

// TestEndBySignal verifies that a signal lets a worker leave and a master resign, and
// that both end with success.
func TestEndBySignal(t *testing.T) { //nolint:paralleltest // the signal reaches all processes of other tests
	root := t.TempDir()
	m, url := master(t, root)
	w := worker(t, root)
	eventually(t, "the worker joins", func() bool { return len(workers(t, url)) == 1 })
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*process{m, w} {
		p.prints("ending; signal again to end at once")
		p.ends(0)
	}
	// The master resigned: another one need not wait until it is taken for dead.
	_, url = master(t, root)
	eventually(t, "the next master leads", func() bool { return clusterOf(t, url).Epoch == 2 })
}

// TestMasters verifies that one of two masters leads, that the other one names it, and
// that it takes over.
func TestMasters(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	first, firstURL := master(t, root)
	eventually(t, "the first master leads", func() bool { return clusterOf(t, firstURL).Leader == firstURL })
	_, secondURL := master(t, root, "--advertise", "http://second.example:7411")
	if secondURL != "http://second.example:7411" {
		t.Errorf("a master that is reached elsewhere prints %s", secondURL)
	}
	if c := clusterOf(t, firstURL); c.Epoch != 1 || c.Master == "" || !strings.Contains(c.Root, root) || c.Workers != 0 {
		t.Errorf("the cluster is %+v", c)
	}
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusOK, "/v1/jobs": http.StatusOK, "/v1/none": http.StatusNotFound} {
		if status, body := get(t, firstURL+path, ""); status != want {
			t.Errorf("%s: %d, want %d: %s", path, status, want, body)
		}
	}
	first.stop()
	first.ends(0)
	if status, _ := get(t, firstURL+"/healthz", ""); status != 0 {
		t.Errorf("a master that has ended answers with %d", status)
	}
}

// TestTokens verifies that a master with a token answers only requests with it, apart
// from those for its health, and that workers can have a token of their own.
func TestTokens(t *testing.T) {
	t.Parallel()
	root, workerToken := t.TempDir(), strings.ToUpper(token)
	_, url := master(t, root, "--token-file", file(t, token), "--worker-token-file", file(t, workerToken))
	for _, tt := range []struct {
		path, token string
		want        int
	}{
		{"/healthz", "", http.StatusOK},
		{"/v1/workers", "", http.StatusUnauthorized},
		{"/v1/workers", token[1:], http.StatusUnauthorized},
		{"/v1/workers", token, http.StatusOK},
		{"/v1/workers", workerToken, http.StatusUnauthorized},
	} {
		eventually(t, "the master leads", func() bool {
			status, _ := get(t, url+tt.path, tt.token)
			return status != http.StatusServiceUnavailable && status != http.StatusMisdirectedRequest
		})
		if status, body := get(t, url+tt.path, tt.token); status != tt.want {
			t.Errorf("%s with %q: %d, want %d: %s", tt.path, tt.token, status, tt.want, body)
		}
	}
	health := address(t)
	worker(t, root, "--worker-token-file", file(t, workerToken), "--token-file", file(t, token), "--health", health)
	eventually(t, "a worker with its token joins", func() bool {
		status, _ := get(t, "http://"+health+"/readyz", "")
		return status == http.StatusOK
	})
}

// address returns an address where nothing listens.
func address(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestWorkerHealth verifies that a worker is alive at once, and ready when a master has
// answered.
func TestWorkerHealth(t *testing.T) {
	t.Parallel()
	root, health := t.TempDir(), address(t)
	w := worker(t, root, "--health", health)
	eventually(t, "it listens", func() bool {
		status, _ := get(t, "http://"+health+"/healthz", "")
		return status == http.StatusOK
	})
	if status, body := get(t, "http://"+health+"/readyz", ""); status != http.StatusServiceUnavailable || !strings.Contains(body, "no master has answered yet") {
		t.Errorf("without a master: %d, %s", status, body)
	}
	if status, _ := get(t, "http://"+health+"/v1/workers", ""); status != http.StatusNotFound {
		t.Errorf("something else: %d", status)
	}
	_, url := master(t, root)
	eventually(t, "it is ready", func() bool {
		status, _ := get(t, "http://"+health+"/readyz", "")
		return status == http.StatusOK
	})
	all := workers(t, url)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || all[0].Slots != 3 || all[0].Host != host || all[0].PID != os.Getpid() || all[0].Memory != 2<<30 || all[0].State != client.WorkerReady {
		t.Errorf("the workers are %+v", all)
	}
	w.stop()
	w.ends(0)
	if all := workers(t, url); len(all) != 0 {
		t.Errorf("after its end the workers are %+v", all)
	}
}

// TestWorkerOfANamedMaster verifies that a worker can be sent to a master by its URL,
// and tries several in turn.
func TestWorkerOfANamedMaster(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	_, url := master(t, root)
	worker(t, root, "--master", "http://"+address(t)+","+url)
	eventually(t, "it joins", func() bool { return len(workers(t, url)) == 1 })
}

// TestVariableOfClients verifies that a variable that is meant for clients does not send
// workers to a master: they find the leader in the root, and follow it.
func TestVariableOfClients(t *testing.T) {
	t.Setenv("WINDROW_MASTER", "http://127.0.0.1:1")
	root := t.TempDir()
	_, url := master(t, root)
	worker(t, root)
	eventually(t, "the worker joins", func() bool { return len(workers(t, url)) == 1 })
}

// TestDrainByTheAPI verifies that the process of a worker ends when an operator drains
// it.
func TestDrainByTheAPI(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	_, url := master(t, root)
	w := worker(t, root)
	eventually(t, "it joins", func() bool { return len(workers(t, url)) == 1 })
	if err := newClient(t, url).Drain(t.Context(), workers(t, url)[0].ID); err != nil {
		t.Fatal(err)
	}
	w.ends(0)
}

// TestDrainByANotice verifies that a worker drains when its cloud says that the machine
// will be interrupted, and not before.
func TestDrainByANotice(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status int
		body   string
		ends   bool
	}{
		"AWS, none":    {http.StatusNotFound, "", false},
		"AWS":          {http.StatusOK, `{"action":"terminate"}`, true},
		"Google, none": {http.StatusOK, "FALSE\n", false},
		"Google":       {http.StatusOK, "TRUE\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			header := make(chan string, 1)
			cloud := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) == 1 {
					header <- r.Header.Get("Metadata-Flavor")
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			defer cloud.Close()
			root := t.TempDir()
			_, url := master(t, root)
			w := worker(t, root, "--drain-url", cloud.URL)
			if got := <-header; got != "Google" { // Google answers no requests without it
				t.Errorf("it asks with %q", got)
			}
			if tt.ends {
				w.prints("draining")
				w.ends(0)
				return
			}
			eventually(t, "it joins", func() bool { return len(workers(t, url)) == 1 })
			w.stop()
			w.ends(0)
			if strings.Contains(w.stderr.String(), cloud.URL) {
				t.Errorf("it has drained because of a notice: %s", w.stderr)
			}
		})
	}
}

// TestDev verifies that dev is a cluster with a worker, for all files of the machine.
func TestDev(t *testing.T) {
	t.Parallel()
	p, url := begin(t, `--master (\S+)`, "dev", "--root", t.TempDir(), "--listen", "127.0.0.1:0", "--cgroup", "off", "--cache", t.TempDir(), "--slots", "2")
	eventually(t, "its worker joins", func() bool { return len(workers(t, url)) == 1 })
	if c := clusterOf(t, url); c.Slots != 2 || c.Leader != url {
		t.Errorf("the cluster is %+v", c)
	}
	c := newClient(t, url)
	_, err := c.Submit(t.Context(), client.Submission{Job: "wordcount", Build: "v1", Plan: "text", Input: []string{"s3://bucket/in"}, Output: "file:///tmp/out"})
	if err == nil || !strings.Contains(err.Error(), "s3://bucket/in") {
		t.Errorf("a job that reads a bucket: %v", err)
	}
	if _, err := c.Jobs(context.Background(), client.JobsQuery{}); err != nil {
		t.Error(err)
	}
	p.stop()
	p.ends(0)
	for _, word := range []string{"WARN", "ERROR"} {
		if strings.Contains(p.stderr.String(), word) {
			t.Errorf("a start and an end without trouble log %s: %s", word, p.stderr)
		}
	}
}
