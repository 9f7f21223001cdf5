package fault

import (
	"context"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// Injector applies rules. Its exported fields are set before it is used.
type Injector struct {
	// Seed decides all draws.
	Seed uint64
	// BeforeWrite, if set, is called before every write that no fault prevents.
	BeforeWrite func(w Write)
	// AfterWrite, if set, is called after every write that became visible, with
	// the number of such writes so far.
	AfterWrite func(n int, w Write)
	// Name, if set, returns the name of a key for draws and for counting tries.
	// If keys have parts that are random, or new in every run, it makes runs of
	// the same seed alike.
	Name func(key string) string
	// Checked, if set, reports whether readers of a part of an object check its
	// bytes. The name is that of store.Root.Name. Without it, that is assumed
	// of all objects whose checksum the store returns.
	Checked func(name string) bool

	rules []Rule
	words []int // of each rule, its index in words; -1: a fault without a name

	mu      sync.Mutex
	tries   map[request]int
	met     []int // matching calls, by rule
	writes  int
	done    []int64 // faults that happened, by word
	leftOut []int64 // faults that no check could have noticed, by word
}

// Write is a change that others see: a put, a commit or a delete.
type Write struct {
	Op     Op
	Key    string
	Absent bool // it happens only if the object does not exist
}

// New makes an injector. The first rule that strikes a call decides, but Slow
// and Limit add to it.
func New(rules ...Rule) *Injector {
	i := &Injector{rules: rules, met: make([]int, len(rules)), tries: make(map[request]int),
		words: make([]int, len(rules)), done: make([]int64, len(words)), leftOut: make([]int64, len(words))}
	for n := range rules {
		i.words[n] = rules[n].word()
	}
	return i
}

// Count is how often a fault happened.
type Count struct {
	Fault string // as in the language
	Times int64
}

// Report describes what an injector did.
type Report struct {
	Plan     string // in the language of Parse
	Seed     uint64
	Injected []Count // in the order of the language's table
	LeftOut  []Count // that were due, and that no check could have noticed
}

// Report returns what was done so far.
func (i *Injector) Report() Report {
	i.mu.Lock()
	defer i.mu.Unlock()
	return Report{Plan: Plan(i.rules).String(), Seed: i.Seed, Injected: counts(i.done), LeftOut: counts(i.leftOut)}
}

// counts returns those faults that happened at all.
func counts(by []int64) []Count {
	var all []Count
	for n, times := range by {
		if times > 0 {
			all = append(all, Count{words[n].name, times})
		}
	}
	return all
}

// Wrap decorates a driver.
func (i *Injector) Wrap(d driver.Driver) driver.Driver {
	wrapped := &faulty{Driver: d, injector: i, remote: d.Traits().Remote}
	wrapped.ranges, _ = driver.As[driver.RangeLister](d)
	wrapped.known, _ = driver.As[driver.KnownOpener](d)
	wrapped.uploads, _ = driver.As[driver.UploadLister](d)
	wrapped.levels, _ = driver.As[driver.LevelLister](d)
	return wrapped
}

// hit is what happens to a call. The zero hit is nothing.
type hit struct {
	injector *Injector
	rule     *Rule // nil: at most delay and rate
	word     int
	draw     draw
	delay    time.Duration
	rate     int64 // bytes per second; 0: free
}

// meet counts a call and returns what happens to it. absent says that it writes
// only if the object is absent.
func (i *Injector) meet(op Op, key string, sub int64, absent bool) hit {
	if len(i.rules) == 0 {
		return hit{}
	}
	q := request{op, key, sub}
	if i.Name != nil {
		q.key = i.Name(key)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tries[q]++
	n := i.tries[q]
	h := hit{injector: i}
	for at := range i.rules {
		r := &i.rules[at]
		if !r.isFor(op, key, i.words[at], absent) {
			continue
		}
		i.met[at]++
		d, struck := r.struck(i.Seed, at, &q, n, i.met[at])
		switch {
		case !struck:
		case r.Do == Slow:
			h.delay += r.For
			i.count(i.done, i.words[at])
		case r.Do == Limit && (h.rate == 0 || r.Rate < h.rate):
			h.rate = r.Rate
			i.count(i.done, i.words[at])
		case r.Do != Limit && h.rule == nil:
			h.rule, h.word, h.draw = r, i.words[at], d
		}
	}
	return h
}

// isFor reports whether a rule can strike a call.
func (r *Rule) isFor(op Op, key string, word int, absent bool) bool {
	switch {
	case r.Op != "" && r.Op != op, word >= 0 && !words[word].happensTo(op):
		return false
	case r.Kind == plan.Exists && !absent, r.Kind == plan.Contended && op != Put && op != Commit:
		return false // no store answers like this
	default:
		return r.Key == "" || store.Match(r.Key, key)
	}
}

// count adds one; the lock is held.
func (i *Injector) count(to []int64, word int) {
	if word >= 0 {
		to[word]++
	}
}

// happened counts the fault.
//
//go:noinline
func (h *hit) happened() { h.note(h.injector.done) }

// passed counts the fault as left out.
func (h *hit) passed() { h.note(h.injector.leftOut) }

func (h *hit) note(to []int64) {
	h.injector.mu.Lock()
	defer h.injector.mu.Unlock()
	h.injector.count(to, h.word)
}

// err makes the error of the fault.
func (h *hit) err() error {
	if h.rule.Do == LoseResponse {
		as := Rule{Do: Fail, Kind: h.rule.Kind}
		return driver.Fail(h.rule.kind(), "injected fault: the answer is lost, and %s in its place", as.name())
	}
	return driver.Fail(h.rule.kind(), "injected fault: %s", h.rule.name())
}

// wait makes a call of that many bytes take its time.
func (h *hit) wait(ctx context.Context, bytes int) error {
	d := h.delay
	if h.rate > 0 {
		d += lasts(int64(bytes), h.rate)
	}
	return sleep(ctx, d)
}

// lasts returns how long bytes travel.
func lasts(bytes, rate int64) time.Duration {
	return time.Duration(float64(bytes) / float64(rate) * float64(time.Second))
}

// sleep waits for d, or for the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// call is a request whose body the injector does not read.
type call struct {
	op     Op
	key    string
	sub    int64
	absent bool // it writes only if the object is absent
	bytes  int  // that travel to the store
}

// run does a call as the rules say.
func (i *Injector) run(ctx context.Context, c call, do func() error) error {
	h := i.meet(c.op, c.key, c.sub, c.absent)
	if err := h.wait(ctx, c.bytes); err != nil {
		return err
	}
	if h.rule != nil && h.rule.Do != LoseResponse {
		h.happened()
		return h.err()
	}
	writes := c.op == Put || c.op == Commit || c.op == Delete
	if writes && i.BeforeWrite != nil {
		i.BeforeWrite(Write{c.op, c.key, c.absent})
	}
	if err := do(); err != nil {
		return err
	}
	if writes && i.AfterWrite != nil {
		i.mu.Lock()
		i.writes++
		n := i.writes
		i.mu.Unlock()
		i.AfterWrite(n, Write{c.op, c.key, c.absent})
	}
	if h.rule != nil {
		h.happened()
		return h.err()
	}
	return nil
}
