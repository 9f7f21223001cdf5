package control

import (
	"fmt"
	"maps"
	"slices"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/forecast"
	"github.com/windrow-mr/windrow/master"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// usage is what stores were asked for on behalf of a job: what the log has, and
// what was told since.
type usage struct {
	accounts map[scheduler.Account]plan.Usage
	sum      plan.Requests
}

// add takes what an account has come to, and tells whether that is news.
func (u *usage) add(a scheduler.Account, now plan.Usage) bool {
	before := u.accounts[a]
	if now = before.Max(now); now == before {
		return false
	}
	if u.accounts == nil {
		u.accounts, u.sum = make(map[scheduler.Account]plan.Usage), make(plan.Requests)
	}
	u.accounts[a] = now
	u.sum[a.Scheme] = u.sum[a.Scheme].Plus(now.Minus(before))
	return true
}

// recall takes what the log has.
func (u *usage) recall(s *scheduler.Job) {
	for a, used := range s.Used() {
		u.add(a, used)
	}
}

// tell adds the requests to what people are told of a job.
func (u *usage) tell(d *client.Job) {
	if len(u.sum) == 0 {
		return
	}
	sum := u.sum.Total()
	d.Requests = &client.Requests{Puts: sum.Puts, Heartbeats: sum.Heartbeats, Multipart: sum.Multipart, Gets: sum.Gets, Stats: sum.Stats,
		Lists: sum.Lists, Deletes: sum.Deletes, BytesUp: sum.BytesUp, BytesDown: sum.BytesDown, Throttles: sum.Throttles}
	priced := make(forecast.Requests, len(u.sum))
	for scheme, n := range u.sum {
		priced[scheme] = store.Usage{Puts: n.Puts, Heartbeats: n.Heartbeats, Multipart: n.Multipart, Gets: n.Gets, Stats: n.Stats,
			Lists: n.Lists, Deletes: n.Deletes}
	}
	d.Dollars, _ = priced.Dollars()
}

// usageOf returns what the log has, and what was told to a job that may be carried on.
func usageOf(j *job, s *scheduler.Job) *usage {
	all := new(usage)
	all.recall(s)
	if j != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		for a, now := range j.used.accounts {
			all.add(a, now)
		}
	}
	return all
}

// spent takes what a worker, or this master, has asked stores for.
func (j *job) spent(a scheduler.Account, now plan.Usage) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.used.add(a, now) && j.box != nil {
		j.box.Post(scheduler.Spent{Account: a, Usage: now})
	}
}

// account tells what this master has asked stores for in this run of the job.
func (j *job) account() {
	name := fmt.Sprintf("master.%d.%d", j.epoch, j.run.Number)
	asked := j.asked.Requests()
	for _, scheme := range slices.Sorted(maps.Keys(asked)) {
		j.spent(scheduler.Account{Name: name, Scheme: scheme}, asked[scheme])
	}
}

// retell tells a shell that begins what others were told: the log may not have it.
// j.mu is held.
func (j *job) retell(box *master.Mailbox) {
	for _, a := range slices.SortedFunc(maps.Keys(j.used.accounts), scheduler.Account.Compare) {
		box.Post(scheduler.Spent{Account: a, Usage: j.used.accounts[a]})
	}
}
