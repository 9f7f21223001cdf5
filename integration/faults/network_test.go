//go:build faults

package faults

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestFault10MasterCutFromStore: a master that does not reach the store stops
// acting, another takes over, and the job continues there.
func TestFault10MasterCutFromStore(t *testing.T) {
	t.Parallel()
	c := onS3(t)
	in := c.write(8, 20)
	p := newProxy(t, endpointOf(c.rootURL))
	first := c.masterWith([]string{"--root", strings.Replace(c.rootURL, endpointOf(c.rootURL), p.address, 1)})
	first.says("leading the cluster")
	c.worker(2)
	second := c.master()
	id := c.submit("tally", "out", c.slow("20ms", "20ms", 20, 2)...)
	c.until(id, committed("map", 2))
	p.cut()
	began := time.Now()
	eventually(t, "the master that is cut off stops acting", func() bool { return refuses(t, first) })
	if took := time.Since(began); took > 10*time.Second/haste+4*time.Second {
		t.Errorf("a master acts for %v after it was cut from the store", took)
	}
	second.says("leading the cluster")
	before := c.finished(id)
	p.restore()
	first.says("deposed")
	c.tallied(id, "out", in)
	c.notAgain(before)
}

// refuses reports whether a master says that it does not lead.
func refuses(t *testing.T, m *process) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.url()+"/v1/workers", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return false
		}
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode != http.StatusOK
}

// TestFault11MasterCutFromWorkers: the master keeps leading, loses its workers,
// and gets them back when the network works again. No epoch is taken meanwhile.
func TestFault11MasterCutFromWorkers(t *testing.T) {
	t.Parallel()
	c := onFiles(t)
	in := c.write(8, 20)
	m := c.leader()
	c.master() // a standby that must not take over
	p := newProxy(t, strings.TrimPrefix(m.url(), "http://"))
	for range 2 {
		c.workerWith(1, []string{"--master", "http://" + p.address, "--gossip", "off"})
	}
	id := c.submit("tally", "out", c.slow("20ms", "1ms", 20, 2)...)
	c.until(id, committed("map", 2))
	p.cut()
	eventually(t, "both workers are lost", func() bool { return strings.Count(m.said.String(), "a worker is lost") == 2 })
	before := c.finished(id)
	p.restore()
	c.tallied(id, "out", in)
	c.notAgain(before)
	if e := c.epoch(); e != 1 {
		t.Errorf("epoch %d leads, although the first master was always there", e)
	}
}

// TestFault12WorkerCutFromMaster: a worker that reaches the store, but not the
// master, continues without effect; another does its work.
func TestFault12WorkerCutFromMaster(t *testing.T) {
	t.Parallel()
	both(t, func(_ *testing.T, c *cluster) {
		in := c.write(8, 20)
		m := c.leader()
		p := newProxy(t, strings.TrimPrefix(m.url(), "http://"))
		c.workerWith(1, []string{"--master", "http://" + p.address, "--gossip", "off"})
		id := c.submit("tally", "out", c.slow("20ms", "50ms", 20, 2)...)
		c.until(id, committed("map", 2))
		p.cut()
		m.says("a worker is lost")
		before := c.finished(id)
		c.worker(1)
		c.until(id, committed("map", 7))
		p.restore()
		c.tallied(id, "out", in)
		c.notAgain(before)
	})
}

// TestFault13GossipBlocked: workers whose gossip is off, or blocked, work, and
// none is considered lost for that.
func TestFault13GossipBlocked(t *testing.T) {
	t.Parallel()
	c := onFiles(t)
	in := c.write(8, 20)
	m := c.leader(patient)
	nobody := silence(t)
	c.workerWith(1, []string{"--gossip", "off"})
	c.workerWith(1, []string{"--gossip", "127.0.0.1:0", "--join", nobody})
	eventually(t, "both workers are there", c.has(2))
	id := c.submit("tally", "out", c.slow("20ms", "20ms", 20, 2)...)
	c.tallied(id, "out", in)
	if strings.Contains(m.said.String(), "a worker is lost") {
		t.Error("a worker was considered lost")
	}
	c.mostly(2)
}
