package view

import (
	"maps"
	"slices"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// Ledger has the requests to stores that were made for a job, by account. The
// numbers of an account only grow, so that it does not matter in which order they
// come, or how often. The zero Ledger is empty. Calls must not overlap.
type Ledger struct {
	accounts map[scheduler.Account]plan.Usage
	sum      plan.Requests
}

// Add takes the numbers of an account, and reports whether any of them has grown.
func (l *Ledger) Add(a scheduler.Account, now plan.Usage) bool {
	before := l.accounts[a]
	if now = before.Max(now); now == before {
		return false
	}
	if l.accounts == nil {
		l.accounts, l.sum = make(map[scheduler.Account]plan.Usage), make(plan.Requests)
	}
	l.accounts[a] = now
	l.sum[a.Scheme] = l.sum[a.Scheme].Plus(now.Minus(before))
	return true
}

// Recall takes the accounts that the log has.
func (l *Ledger) Recall(s *scheduler.Job) {
	for a, used := range s.Used() {
		l.Add(a, used)
	}
}

// Accounts returns all accounts as events, in a fixed order.
func (l *Ledger) Accounts() []scheduler.Spent {
	all := make([]scheduler.Spent, 0, len(l.accounts))
	for _, a := range slices.SortedFunc(maps.Keys(l.accounts), scheduler.Account.Compare) {
		all = append(all, scheduler.Spent{Account: a, Usage: l.accounts[a]})
	}
	return all
}

// Describe adds the requests and their price to the description of a job.
func (l *Ledger) Describe(d *client.Job) {
	if len(l.sum) == 0 {
		return
	}
	requests := client.Requests(l.sum.Total())
	d.Requests = &requests
	d.Dollars, _ = l.sum.Dollars()
}

// Spend takes the numbers of an account, and reports whether any of them has grown.
func (j *Job) Spend(a scheduler.Account, now plan.Usage) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ledger.Add(a, now)
}

// Recall takes the accounts that the log has.
func (j *Job) Recall(s *scheduler.Job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ledger.Recall(s)
}

// Accounts returns all accounts as events.
func (j *Job) Accounts() []scheduler.Spent {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ledger.Accounts()
}
