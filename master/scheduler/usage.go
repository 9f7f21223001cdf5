package scheduler

import (
	"cmp"
	"maps"
	"slices"

	"github.com/windrow-mr/windrow/plan"
)

// Account is where somebody adds up what he asks stores for, for the job: a name
// that nobody else ever has, and the scheme of the stores' URLs. What it holds only
// grows.
type Account struct{ Name, Scheme string }

// Compare orders accounts by their names.
func (a Account) Compare(b Account) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Scheme, b.Scheme))
}

// Used returns what the log has of each account. It is the job's own: it must not
// be changed, nor kept longer than the job holds still.
func (j *Job) Used() map[Account]plan.Usage { return j.used }

// use takes what the log says of an account. An account only grows, so it does not
// matter how often that is said, by how many masters, and in which order.
func (j *Job) use(u Used) {
	if j.used == nil {
		j.used = make(map[Account]plan.Usage)
	}
	j.used[u.Account] = j.used[u.Account].Max(u.Usage)
}

// accounts returns what the log has of all accounts, in their order.
func (j *Job) accounts() []Used {
	var all []Used
	for _, a := range slices.SortedFunc(maps.Keys(j.used), Account.Compare) {
		all = append(all, Used{a, j.used[a]})
	}
	return all
}

// ledger is what a master was told of accounts.
type ledger struct {
	told map[Account]told
	due  []Account // that the log is to have with its next record
}

type told struct {
	plan.Usage
	due bool // is among those
}

// spent takes what an account has come to. The log has it with a record that is
// made anyway, once it has grown by half: so there are few entries of each account,
// and with who dies untold no more is lost than a third.
func (s *State) spent(e Spent) {
	before := s.ledger.told[e.Account]
	now := told{before.Max(e.Usage), before.due}
	if now == before {
		return
	}
	if !now.due && s.grown(e.Account, now.Usage) {
		now.due = true
		s.ledger.due = append(s.ledger.due, e.Account)
	}
	if s.ledger.told == nil {
		s.ledger.told = make(map[Account]told)
	}
	s.ledger.told[e.Account] = now
}

// grown tells whether an account has come to so much more than the log has that it
// is due.
func (s *State) grown(a Account, now plan.Usage) bool {
	logged := s.job.used[a]
	return 2*now.Requests() >= 3*logged.Requests() && now != logged
}

// withUsed adds to the entries of a record what the log is to have of accounts. The
// job's last record has all.
func (s *State) withUsed(entries []Entry) []Entry {
	due := s.ledger.due
	switch entries[0].(type) {
	case Fence:
		return entries
	case Done:
		due = slices.SortedFunc(maps.Keys(s.ledger.told), Account.Compare)
	default:
	}
	var used []Entry
	for _, a := range due {
		if s.unlogs(a) {
			used = append(used, Used{a, s.ledger.told[a].Usage})
		}
	}
	return append(used, entries...)
}

// unlogs tells whether an account has come to more than the log has.
func (s *State) unlogs(a Account) bool {
	logged := s.job.used[a]
	return logged.Max(s.ledger.told[a].Usage) != logged
}

// settle drops what the log has by now from what is due.
func (s *State) settle() {
	s.ledger.due = slices.DeleteFunc(s.ledger.due, func(a Account) bool {
		t := s.ledger.told[a]
		t.due = s.grown(a, t.Usage)
		s.ledger.told[a] = t
		return !t.due
	})
}
