package faults

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// TestFault08DeposedMasterWakes: a master is stopped in the middle of an
// append, until another leads and has made progress. When it wakes its append
// loses, and it stands by.
func TestFault08DeposedMasterWakes(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"pause before create **/log/00000000000000000003", "pause after create **/log/00000000000000000003"} {
		t.Run(strings.Fields(point)[1], func(t *testing.T) {
			t.Parallel()
			both(t, func(_ *testing.T, c *cluster) {
				in := c.write(4, 20)
				first := c.leader(failpoint(point))
				c.worker(1)
				second := c.master()
				id := c.submitLater("tally", "out", c.slow("1ms", "50ms", 20, 2)...)
				first.pauses()
				second.says("leading the cluster")
				job := <-id
				c.until(job, committed("map", 4))
				before := c.finished(job)
				first.resume()
				first.says("deposed")
				c.tallied(job, "out", in)
				c.notAgain(before)
				first.says("standing by")
			})
		})
	}
}

// submitLater submits while the test observes other things.
func (c *cluster) submitLater(job, out string, args ...string) <-chan plan.JobID {
	id := make(chan plan.JobID, 1)
	go func() {
		defer close(id)
		id <- c.submit(job, out, args...)
	}()
	return id
}

// TestFault09TwoMastersStartTogether: on an empty root each epoch is one master's,
// one leads, and the other stands by.
func TestFault09TwoMastersStartTogether(t *testing.T) {
	t.Parallel()
	rounds := 2
	if all {
		rounds = 20
	}
	both(t, func(t *testing.T, _ *cluster) {
		for range rounds {
			c := onFiles(t)
			if strings.Contains(t.Name(), "s3") {
				c = onS3(t)
			}
			var masters [3]*process
			for i := range masters {
				masters[i] = start(t, fmt.Sprintf("master %d", i), nil, "master", "--root", c.rootURL, "--allow", c.dataURL, "--listen", "127.0.0.1:0")
			}
			leads, stands := 0, 0
			eventually(t, "all masters know the leader", func() bool {
				leads, stands = 0, 0
				for _, m := range masters {
					leads += strings.Count(m.said.String(), "leading the cluster")
					stands += strings.Count(m.said.String(), "another master leads; standing by")
				}
				return leads+stands >= len(masters)
			})
			if leads != 1 || stands != len(masters)-1 || c.epoch() != 1 {
				t.Errorf("%d lead, %d stand by, epoch %d", leads, stands, c.epoch())
			}
			for _, m := range masters {
				m.kill()
			}
		}
	})
}

// leading returns the newest leader that lives.
func leading(masters []*process) *process {
	for _, p := range masters {
		said := p.said.String()
		if strings.LastIndex(said, "leading the cluster") > strings.LastIndex(said, "standing by") {
			return p
		}
	}
	return nil
}

// TestSubmittedTwice: two clients that submit the same with one key get one
// job.
func TestSubmittedTwice(t *testing.T) {
	t.Parallel()
	c := onFiles(t)
	in := c.write(2, 5)
	c.leader()
	c.worker(1)
	var ids [4]plan.JobID
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() { ids[i] = c.submit("tally", "out", "--idempotency-key", "same") })
	}
	all.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("the same key made %q", ids)
		}
	}
	c.tallied(ids[0], "out", in)
}
