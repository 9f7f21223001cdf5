package control

import (
	"fmt"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// counting is a job that hears what workers have asked stores for.
type counting struct {
	deaf

	usage usage
	news  int
}

func (c *counting) spent(a scheduler.Account, now plan.Usage) {
	if c.usage.add(a, now) {
		c.news++
	}
}

func (c *counting) puts() int64 { return c.usage.sum.Total().Puts }

// said is a message of a worker that has asked for some puts.
func said(worker string, seq, account uint64, puts int64) *cluster.Sync {
	return &cluster.Sync{Worker: worker, Seq: seq, Epoch: 1, Heard: seq - 1, Spent: []cluster.Spent{
		{Job: "01J", Account: account, Requests: plan.Requests{"s3": {Puts: puts}}}}}
}

// TestRequestsAreHeardOnce: a message that comes again, or late, changes nothing;
// accounts and workers add up, those that left too.
func TestRequestsAreHeardOnce(t *testing.T) {
	t.Parallel()
	m, job := newMembers(1, time.Second), new(counting)
	m.introduce("01J", job)
	for i, c := range []struct {
		s    *cluster.Sync
		puts int64 // heard in all
		news int
	}{
		{said("a", 1, 1, 5), 5, 1},
		{said("a", 1, 1, 5), 5, 1},
		{said("a", 3, 1, 9), 9, 2},
		{said("a", 2, 1, 7), 9, 2},
		{said("b", 1, 1, 100), 109, 3},
		{said("a", 4, 1, 9), 109, 3},
		{said("a", 5, 2, 1), 110, 4}, // the job was retried, and a had forgotten it
		{&cluster.Sync{Worker: "b", Seq: 2, Leaving: true, Spent: said("b", 2, 1, 101).Spent}, 111, 5},
	} {
		m.news(0, c.s)
		if got := job.puts(); got != c.puts || job.news != c.news {
			t.Errorf("after message %d: %d puts by %d pieces of news, want %d by %d", i, got, job.news, c.puts, c.news)
		}
	}
}

// TestRequestsWaitForAJobThatListens: while the log is being read nothing is lost,
// and a job that has ended is forgotten by those who still tell of it.
func TestRequestsWaitForAJobThatListens(t *testing.T) {
	t.Parallel()
	m, job := newMembers(1, time.Second), new(counting)
	m.open("01J")
	m.news(0, said("a", 1, 1, 5))
	m.news(0, said("a", 2, 1, 6))
	m.introduce("01J", job)
	if got := job.puts(); got != 6 {
		t.Errorf("%d puts were heard, of 6", got)
	}
	m.close("01J")
	m.workers["a"].over = make(map[plan.JobID]uint64) // nor does the next master know of it
	for seq := uint64(3); seq < 6; seq++ {
		s := said("a", seq, 1, 6)
		s.Heard = 2 // answers are lost
		m.news(0, s)
		o, _ := m.orders(s)
		if len(o.Ended) != 1 || o.Ended[0] != "01J" {
			t.Errorf("in answer to message %d %v are said to have ended", seq, o.Ended)
		}
	}
	m.news(0, &cluster.Sync{Worker: "a", Seq: 6, Epoch: 1, Heard: 5})
	if o, _ := m.orders(&cluster.Sync{Worker: "a", Seq: 6}); len(o.Ended) > 0 {
		t.Errorf("%v are said to have ended, though the worker has taken that", o.Ended)
	}
	if got := job.puts(); got != 6 {
		t.Errorf("after its end the job heard of %d puts", got)
	}
}

// TestRequestsOfTheLogAreNotAdded to what their workers tell again: a new master
// has the greater of both.
func TestRequestsOfTheLogAreNotAdded(t *testing.T) {
	t.Parallel()
	s := new(scheduler.Job)
	entry := func(name, scheme string, u plan.Usage) scheduler.Entry {
		return scheduler.Used{Account: scheduler.Account{Name: name, Scheme: scheme}, Usage: u}
	}
	s.Fold(scheduler.Record{Epoch: 1, Entries: []scheduler.Entry{scheduler.Fence{}, entry("a.1", "s3", plan.Usage{Puts: 100_000, Gets: 7}),
		entry("dead.1", "s3", plan.Usage{Gets: 100_000}), entry("a.1", "file", plan.Usage{Puts: 50, BytesUp: 9})}})
	m, job := newMembers(2, time.Second), new(counting)
	job.usage.recall(s)
	m.introduce("01J", job)
	m.news(0, said("a", 1, 1, 120_000))
	m.news(0, said("a", 2, 1, 110_000)) // never so
	var d client.Job
	job.usage.tell(&d)
	want := client.Requests{Puts: 120_050, Gets: 100_007, BytesUp: 9}
	if d.Requests == nil || *d.Requests != want {
		t.Errorf("told are %+v, want %+v", d.Requests, want)
	}
	// 120,000 at $5 and 100,007 at $0.40 for a million; files cost nothing.
	if got := fmt.Sprintf("%.4f", d.Dollars); got != "0.6400" {
		t.Errorf("they cost $%s", got)
	}
	var none client.Job
	new(usage).tell(&none)
	if none.Requests != nil || none.Dollars != 0 {
		t.Errorf("of a job of which nothing was told %+v are", none.Requests)
	}
}
