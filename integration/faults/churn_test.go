//go:build faults

package faults

import (
	"testing"
	"time"
)

// TestFault03WorkersKilledAllTheTime: every 2.5 s the oldest of two workers is killed
// and another one started, while the master takes a silent worker for lost after 15 s.
// The job advances: a worker whose connection ends gets no more tasks, and its own are
// begun elsewhere.
func TestFault03WorkersKilledAllTheTime(t *testing.T) { //nolint:paralleltest // its workers live for five seconds, which other tests would take from them
	c := onFiles(t)
	in := c.write(60, 20)
	c.leader(patient)
	workers := []*process{c.worker(2), c.worker(2)}
	id := c.submit("tally", "out", c.slow("30ms", "1ms", 20, 4)...)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.tallied(id, "out", in)
	}()
	tick := time.NewTicker(2500 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ended:
			t.Logf("%d workers were killed", n)
			return
		case <-tick.C:
			workers[0].kill()
			workers = append(workers[1:], c.worker(2))
		}
	}
}
