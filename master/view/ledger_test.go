package view_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/members"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/master/view"
	"github.com/windrow-mr/windrow/plan"
)

// counting is a job that receives the requests of workers.
type counting struct {
	ledger view.Ledger
	news   int
}

func (*counting) Post(scheduler.Event)           {}
func (*counting) Ended(string, *cluster.Outcome) {}
func (*counting) Missing(cluster.Ref)            {}
func (c *counting) Spent(a scheduler.Account, now plan.Usage) {
	if c.ledger.Add(a, now) {
		c.news++
	}
}

func (c *counting) puts() (n int64) {
	for _, s := range c.ledger.Accounts() {
		n += s.Usage.Puts
	}
	return n
}

// said returns a message of a worker that has made some puts.
func said(worker string, seq, account uint64, puts int64) *cluster.Sync {
	return &cluster.Sync{Worker: worker, Seq: seq, Epoch: 1, Heard: seq - 1, Spent: []cluster.Spent{
		{Job: "01J", Account: account, Requests: plan.Requests{"s3": {Puts: puts}}}}}
}

// TestRequestsAreCountedOnce verifies that a repeated or late message changes
// nothing. Accounts add up, also those of workers that have left.
func TestRequestsAreCountedOnce(t *testing.T) {
	t.Parallel()
	m, job := members.New(1, time.Second), new(counting)
	m.Attach("01J", job)
	for i, c := range []struct {
		s    *cluster.Sync
		puts int64 // received in all
		news int
	}{
		{said("a", 1, 1, 5), 5, 1},
		{said("a", 1, 1, 5), 5, 1},
		{said("a", 3, 1, 9), 9, 2},
		{said("a", 2, 1, 7), 9, 2},
		{said("b", 1, 1, 100), 109, 3},
		{said("a", 4, 1, 9), 109, 3},
		{said("a", 5, 2, 1), 110, 4}, // the job was retried, and worker a had forgotten it
		{&cluster.Sync{Worker: "b", Seq: 2, Leaving: true, Spent: said("b", 2, 1, 101).Spent}, 111, 5},
	} {
		m.Take(0, c.s)
		if got := job.puts(); got != c.puts || job.news != c.news {
			t.Errorf("after message %d: %d puts by %d pieces of news, want %d by %d", i, got, job.news, c.puts, c.news)
		}
	}
}

// TestRequestsWaitForAJobThatIsMuted verifies that no requests are lost while a
// leader reads the log of a job. A worker that reports requests of a job that has
// ended gets the order to forget it until it has received that.
func TestRequestsWaitForAJobThatIsMuted(t *testing.T) {
	t.Parallel()
	m, job := members.New(1, time.Second), new(counting)
	m.Open("01J")
	m.Take(0, said("a", 1, 1, 5))
	m.Take(0, said("a", 2, 1, 6))
	m.Attach("01J", job)
	if got := job.puts(); got != 6 {
		t.Errorf("%d puts were counted, of 6", got)
	}
	m.Close("01J")
	m = members.New(1, time.Second) // as under the next leader, which does not know the job
	for seq := uint64(3); seq < 6; seq++ {
		s := said("a", seq, 1, 6)
		s.Heard = 2 // answers are lost
		m.Take(0, s)
		o, _ := m.Orders(s)
		if len(o.Ended) != 1 || o.Ended[0] != "01J" {
			t.Errorf("in answer to message %d %v are said to have ended", seq, o.Ended)
		}
	}
	m.Take(0, &cluster.Sync{Worker: "a", Seq: 6, Epoch: 1, Heard: 5})
	if o, _ := m.Orders(&cluster.Sync{Worker: "a", Seq: 6}); len(o.Ended) > 0 {
		t.Errorf("%v are said to have ended, though the worker has taken that", o.Ended)
	}
	if got := job.puts(); got != 6 {
		t.Errorf("after its end the job has %d puts", got)
	}
}

// TestRequestsOfTheLogAreNotAdded verifies that a new leader has the greater of
// the number in the log and the number that the worker reports again.
func TestRequestsOfTheLogAreNotAdded(t *testing.T) {
	t.Parallel()
	s := new(scheduler.Job)
	entry := func(name, scheme string, u plan.Usage) scheduler.Entry {
		return scheduler.Used{Account: scheduler.Account{Name: name, Scheme: scheme}, Usage: u}
	}
	s.Fold(scheduler.Record{Epoch: 1, Entries: []scheduler.Entry{scheduler.Fence{}, entry("a.1", "s3", plan.Usage{Puts: 100_000, Gets: 7}),
		entry("dead.1", "s3", plan.Usage{Gets: 100_000}), entry("a.1", "file", plan.Usage{Puts: 50, BytesUp: 9})}})
	m, job := members.New(2, time.Second), new(counting)
	job.ledger.Recall(s)
	m.Attach("01J", job)
	m.Take(0, said("a", 1, 1, 120_000))
	m.Take(0, said("a", 2, 1, 110_000)) // late
	var d client.Job
	job.ledger.Describe(&d)
	want := client.Requests{Puts: 120_050, Gets: 100_007, BytesUp: 9}
	if d.Requests == nil || *d.Requests != want {
		t.Errorf("shown are %+v, want %+v", d.Requests, want)
	}
	// 120,000 at $5 and 100,007 at $0.40 for a million; files cost nothing.
	if got := fmt.Sprintf("%.4f", d.Dollars); got != "0.6400" {
		t.Errorf("they cost $%s", got)
	}
	var none client.Job
	new(view.Ledger).Describe(&none)
	if none.Requests != nil || none.Dollars != 0 {
		t.Errorf("a job without requests shows %+v", none.Requests)
	}
}
