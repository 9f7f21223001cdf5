package master

import (
	"cmp"
	"slices"
	"sync"

	"github.com/windrow-mr/windrow/plan"
)

// When one key makes a stage lopsided.
const (
	// lopsided is how many times as much as the median task the task with the key has
	// at least.
	lopsided = 4
	// skewBytes is how many bytes the key has at least. If it has skewShare of all pairs,
	// it is enough that there are skewPairs of them.
	skewBytes = 64 << 20
	skewPairs = 1_000_000
	skewShare = 0.3
	// mostKeys bounds the keys that are remembered of an exchange.
	mostKeys = 1024
	// mostSkews bounds the keys that are reported of a stage.
	mostSkews = 3
)

// Balance adds up how the pairs of a job's exchanges are divided among the tasks that read
// them, and the keys that hold much of them, by the manifests of attempts that count. Any
// number of goroutines may use it.
type Balance struct {
	graph *plan.Graph
	mu    sync.Mutex
	of    []spread // by exchange
}

// spread is what the manifests say of an exchange.
type spread struct {
	pairs, stored []int64 // by partition; stored are bytes at rest
	bytes         int64   // of keys and values
	keys          map[keyOf]*plan.HeavyKey
	advice        string
}

// keyOf distinguishes keys.
type keyOf struct {
	partition int
	hash      uint64
}

// NewBalance returns a Balance of nothing for a job.
func NewBalance(g *plan.Graph) *Balance {
	return &Balance{graph: g, of: make([]spread, len(g.Exchanges))}
}

// Take takes the manifest of an attempt that counts, once. It may be the work of a hostile
// job.
func (b *Balance) Take(m *plan.Manifest) {
	at := b.graph.Find(m.Task.Group())
	if at == plan.None {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for place, x := range b.graph.Steps[at].Writes {
		if left := m.Left(place); left.Heavy != nil {
			b.of[x].take(&left, b.graph.Exchanges[x].Partitions)
		}
	}
}

func (s *spread) take(left *plan.Shuffled, partitions int) {
	if len(left.Rows) != partitions {
		return
	}
	if s.pairs == nil {
		s.pairs, s.stored, s.keys = make([]int64, partitions), make([]int64, partitions), make(map[keyOf]*plan.HeavyKey)
	}
	for p, n := range left.Rows {
		s.pairs[p] = plan.Saturated(s.pairs[p], max(n, 0))
	}
	for i := range left.Runs {
		for p, e := range left.Runs[i].Partitions[:min(len(left.Runs[i].Partitions), partitions)] {
			s.stored[p] = plan.Saturated(s.stored[p], max(e.Length, 0))
		}
	}
	s.bytes = plan.Saturated(s.bytes, max(left.Heavy.Bytes, 0))
	if len(left.Heavy.Advice) <= plan.MostAdvice {
		s.advice = cmp.Or(left.Heavy.Advice, s.advice)
	}
	for _, k := range left.Heavy.Keys[:min(len(left.Heavy.Keys), plan.MostHeavy)] {
		if k.Partition < 0 || k.Partition >= partitions || k.Pairs < 0 || k.Bytes < 0 {
			continue
		}
		id := keyOf{k.Partition, k.Hash}
		if known := s.keys[id]; known != nil {
			known.Pairs, known.Bytes = plan.Saturated(known.Pairs, k.Pairs), plan.Saturated(known.Bytes, k.Bytes)
			continue
		}
		k.Text = plan.KeyText(k.Text)
		s.keys[id] = &k
	}
	if len(s.keys) > mostKeys {
		s.forget()
	}
}

// forget keeps the heavier half of the keys.
func (s *spread) forget() {
	// Pointers are sorted, here and below: sorting a struct of its own takes 30 kB of each
	// job's program.
	ids := make([]*keyOf, 0, len(s.keys))
	for id := range s.keys {
		ids = append(ids, &id)
	}
	slices.SortFunc(ids, func(a, b *keyOf) int {
		return cmp.Or(cmp.Compare(s.keys[*a].Bytes, s.keys[*b].Bytes), cmp.Compare(a.partition, b.partition), cmp.Compare(a.hash, b.hash))
	})
	for _, id := range ids[:len(ids)/2] {
		delete(s.keys, *id)
	}
}

// Skew returns the keys that make a stage lopsided: the task that has the key has at least
// four times the pairs, or the bytes, of the median task, at least a quarter of them are
// the key's, and they are so many that they matter.
func (b *Balance) Skew() []plan.Skew {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []plan.Skew
	for i := range b.graph.Steps {
		step := &b.graph.Steps[i]
		if step.Reads == plan.None || b.of[step.Reads].pairs == nil {
			continue
		}
		found := b.of[step.Reads].skew()
		for k := range found {
			found[k].Stage, found[k].Task = step.String(), step.Task(found[k].partition).String()
			all = append(all, found[k].Skew)
		}
	}
	return all
}

// skewed is a Skew with the partition of its key.
type skewed struct {
	plan.Skew
	partition int
}

func (s *spread) skew() []*skewed {
	pairs, stored := measureOf(s.pairs), measureOf(s.stored)
	var found []*skewed
	for id, k := range s.keys {
		ofPairs, ofBytes := share(k.Pairs, pairs.total), share(k.Bytes, s.bytes)
		if k.Bytes < skewBytes && (pairs.total < skewPairs || ofPairs < skewShare) {
			continue
		}
		one := &skewed{partition: id.partition, Skew: plan.Skew{Key: k.Text, Pairs: k.Pairs, Bytes: k.Bytes, Advice: s.advice}}
		switch {
		case pairs.lopsided(id.partition, ofPairs):
			one.Of, one.Share, one.Times = "pairs", ofPairs, pairs.times(id.partition)
		case stored.lopsided(id.partition, ofBytes):
			one.Of, one.Share, one.Times = "bytes", ofBytes, stored.times(id.partition)
		default:
			continue
		}
		found = append(found, one)
	}
	slices.SortFunc(found, func(a, b *skewed) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.partition, b.partition), cmp.Compare(a.Key, b.Key))
	})
	return found[:min(len(found), mostSkews)]
}

// amounts are the pairs or the bytes of partitions.
type amounts struct {
	of            []int64
	total, median int64
}

func measureOf(of []int64) amounts {
	a := amounts{of: of}
	for _, n := range of {
		a.total = plan.Saturated(a.total, n)
	}
	sorted := slices.Sorted(slices.Values(of))
	a.median = sorted[(len(sorted)-1)/2]
	return a
}

// lopsided reports whether a partition has far more than the median, because of a key with
// a share of everything.
func (a *amounts) lopsided(partition int, key float64) bool {
	own := a.of[partition]
	return len(a.of) > 1 && own/lopsided >= a.median && key >= share(own, a.total)/4
}

// times returns what a partition has by the median; 0 if that is 0.
func (a *amounts) times(partition int) float64 { return share(a.of[partition], a.median) }

func share(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}
