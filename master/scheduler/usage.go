package scheduler

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/windrow-mr/windrow/plan"
)

// Account is where one process adds up the requests to stores that it makes for the
// job. Its name is unique; Scheme is that of the stores' URLs. The numbers of an
// account only grow.
type Account struct{ Name, Scheme string }

// Compare orders accounts by their names.
func (a Account) Compare(b Account) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Scheme, b.Scheme))
}

// sortedAccounts returns accounts in their order. It sorts pointers: sorting
// accounts takes 30 kB of each job's program.
func sortedAccounts(of iter.Seq[Account]) []Account {
	var keys []*Account
	for a := range of {
		keys = append(keys, &a)
	}
	slices.SortFunc(keys, func(a, b *Account) int { return a.Compare(*b) })
	all := make([]Account, len(keys))
	for i, a := range keys {
		all[i] = *a
	}
	return all
}

// Used returns the numbers of each account in the log. The map belongs to the job:
// it must not be changed, and is valid until the job changes.
func (j *Job) Used() map[Account]plan.Usage { return j.used }

// use takes the numbers of an account in the log. They only grow, so the order of
// the entries does not matter, nor how many masters wrote them, or how often.
func (j *Job) use(u Used) {
	if j.used == nil {
		j.used = make(map[Account]plan.Usage)
	}
	j.used[u.Account] = j.used[u.Account].Max(u.Usage)
}

// accounts returns the numbers of all accounts in the log, in their order.
func (j *Job) accounts() []Used {
	var all []Used
	for _, a := range sortedAccounts(maps.Keys(j.used)) {
		all = append(all, Used{a, j.used[a]})
	}
	return all
}

// ledger has the numbers of accounts that were reported to this master.
type ledger struct {
	reported map[Account]reportedUsage
	due      []Account // that the next record will have
}

type reportedUsage struct {
	plan.Usage
	due bool // it is in ledger.due
}

// spent takes the numbers of an account. They get into the log with a record that
// is made for another reason, once they have grown by half. So there are few
// entries of each account, and a process that dies loses at most a third of its
// numbers.
func (s *State) spent(e Spent) {
	before := s.ledger.reported[e.Account]
	now := reportedUsage{before.Max(e.Usage), before.due}
	if now == before {
		return
	}
	if !now.due && s.grown(e.Account, now.Usage) {
		now.due = true
		s.ledger.due = append(s.ledger.due, e.Account)
	}
	if s.ledger.reported == nil {
		s.ledger.reported = make(map[Account]reportedUsage)
	}
	s.ledger.reported[e.Account] = now
}

// grown reports whether the numbers of an account exceed those of the log so far
// that they are due.
func (s *State) grown(a Account, now plan.Usage) bool {
	logged := s.job.used[a]
	return 2*now.Requests() >= 3*logged.Requests() && now != logged
}

// withUsed adds the accounts that are due to the entries of a record. The job's
// last record has all.
func (s *State) withUsed(entries []Entry) []Entry {
	due := s.ledger.due
	switch entries[0].(type) {
	case Fence:
		return entries
	case Done:
		due = sortedAccounts(maps.Keys(s.ledger.reported))
	default:
	}
	var used []Entry
	for _, a := range due {
		if s.unlogs(a) {
			used = append(used, Used{a, s.ledger.reported[a].Usage})
		}
	}
	if len(used) > mostEntries {
		return used[:mostEntries] // the others come first, then the entries
	}
	return append(used, entries...)
}

// unlogs reports whether the numbers of an account exceed those of the log.
func (s *State) unlogs(a Account) bool {
	logged := s.job.used[a]
	return logged.Max(s.ledger.reported[a].Usage) != logged
}

// settle drops the accounts that the log has now from those that are due.
func (s *State) settle() {
	s.ledger.due = slices.DeleteFunc(s.ledger.due, func(a Account) bool {
		t := s.ledger.reported[a]
		t.due = s.grown(a, t.Usage)
		s.ledger.reported[a] = t
		return !t.due
	})
}
