//go:build faults

package faults

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestWorkersThatJoinSpeedItUp: three workers that join during a job get their
// share of it.
func TestWorkersThatJoinSpeedItUp(t *testing.T) {
	t.Parallel()
	c := onFiles(t)
	in := c.write(40, 10)
	c.leader()
	c.worker(1)
	id := c.submit("tally", "out", c.slow("50ms", "1ms", 10, 2)...)
	c.until(id, committed("map", 4))
	for range 3 {
		c.worker(1)
	}
	began := time.Now()
	c.until(id, committed("map", 40))
	// One worker needs half a second for each of the 36 maps that are left.
	if took := time.Since(began); took > 14*time.Second {
		t.Errorf("36 maps of half a second each took %v on four workers", took)
	}
	c.tallied(id, "out", in)
	c.mostly(2)
}

// TestFault29Suspended: a machine with a master and a worker is stopped for
// longer than all leases, while another master takes over. When it continues,
// its master does not act, and its worker reports again.
func TestFault29Suspended(t *testing.T) {
	t.Parallel()
	c := onFiles(t)
	in := c.write(10, 20)
	first := c.leader()
	asleep := c.worker(2)
	second := c.master()
	id := c.submit("tally", "out", c.slow("20ms", "20ms", 20, 2)...)
	c.until(id, committed("map", 3))
	machine := append(first.family(), asleep.family()...)
	for _, pid := range machine {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	second.says("leading the cluster")
	c.meet() // a client would wait for the first one's answer for half a minute
	before := c.finished(id)
	c.worker(1)
	c.until(id, committed("map", len(before)+1))
	for _, pid := range machine {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	first.says("deposed")
	c.tallied(id, "out", in)
	c.notAgain(before)
	if e := c.epoch(); e != 2 {
		t.Errorf("epoch %d leads at the end, want 2", e)
	}
}

// TestFault30MessagesDuplicatedDelayedReordered: messages of workers arrive
// twice, late, and in another order, and answers arrive late. Everything counts
// once.
func TestFault30MessagesDuplicatedDelayedReordered(t *testing.T) {
	t.Parallel()
	c := onFiles(t)
	in := c.write(10, 20)
	m := c.leader()
	delays := rand.New(rand.NewPCG(*seed, 30))
	var mu sync.Mutex
	late := func(most time.Duration) <-chan time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.After(time.Duration(delays.Int64N(int64(most))))
	}
	var copies sync.WaitGroup
	t.Cleanup(copies.Wait)
	address := front(t, strings.TrimPrefix(m.url(), "http://"), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		again := r.Clone(context.WithoutCancel(r.Context()))
		again.Body = io.NopCloser(bytes.NewReader(body))
		copies.Go(func() { // with the original's answer, or long after it
			<-late(400 * time.Millisecond)
			next.ServeHTTP(&discard{http.Header{}}, again)
		})
		<-late(200 * time.Millisecond)
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
	for range 2 {
		c.workerWith(2, []string{"--master", "http://" + address, "--gossip", "off"})
	}
	id := c.submit("tally", "out", c.slow("5ms", "5ms", 20, 3)...)
	c.tallied(id, "out", in)
	c.mostly(2)
}

// TestMasterKilledManyTimes kills the leader at a random moment, again and
// again, in one job. It stays the same job, and has the right output.
func TestMasterKilledManyTimes(t *testing.T) {
	t.Parallel()
	const times = 100
	c := onFiles(t)
	in := c.write(times, 5)
	hurry := "WINDROW_HASTE=10"
	masters := []*process{c.leader(hurry), c.master(hurry)}
	c.worker(2, hurry)
	id := c.submit("tally", "out", c.slow("200ms", "100ms", 5, 4)...)
	r := rand.New(rand.NewPCG(*seed, 100))
	for n := range times {
		// It leads; some time later it does not.
		eventually(t, "a master leads", func() bool { return leading(masters) != nil })
		moment := time.NewTimer(time.Duration(r.Int64N(int64(700 * time.Millisecond))))
		<-moment.C
		l := leading(masters)
		if l == nil {
			continue
		}
		before := c.finished(id)
		l.kill()
		masters = slices.DeleteFunc(masters, func(p *process) bool { return p == l })
		masters = append(masters, c.master(hurry))
		if n%10 == 9 {
			t.Logf("%d masters killed, %d tasks committed", n+1, len(before))
		}
		c.notAgain(before)
	}
	c.tallied(id, "out", in)
	if e := c.epoch(); e < uint64(times) {
		t.Errorf("%d masters were killed, and epoch %d leads", times, e)
	}
}

// TestFault21Storms: the store answers create-onces by 409 without creating the
// object, and by 412 after creating it.
func TestFault21Storms(t *testing.T) {
	t.Parallel()
	conflicts, lies := newDice(21), newDice(22)
	c := behind(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		switch {
		case !once(r):
			next.ServeHTTP(w, r)
		case conflicts.strikes(40):
			answer(w, r, http.StatusConflict, "ConditionalRequestConflict")
		case lies.strikes(30):
			next.ServeHTTP(&discard{http.Header{}}, r)
			answer(w, r, http.StatusPreconditionFailed, "PreconditionFailed")
		default:
			next.ServeHTTP(w, r)
		}
	})
	in := c.write(4, 20)
	c.leader()
	c.worker(2)
	id := c.submit("tally", "out", c.slow("1ms", "1ms", 20, 3)...)
	c.tallied(id, "out", in)
	if conflicts.struck() < 3 || lies.struck() < 3 {
		t.Errorf("%d answers of 409 and %d of 412", conflicts.struck(), lies.struck())
	}
	c.mostly(1)
}
