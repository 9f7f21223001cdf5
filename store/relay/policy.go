package relay

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// Grant is what may be done below one root. Patterns are those of store.Match;
// all keys are relative to the root. The zero Grant allows nothing.
type Grant struct {
	// Inputs may be read, in exactly these versions: size, and ETag if there is
	// one. Their keys are taken as they are.
	Inputs []store.Object
	// Read are patterns of keys that may be read.
	Read []string
	// Scratch are patterns of keys that may be created, read back and deleted.
	Scratch []string
	// Parts are patterns of keys that may be begun, only if the object does not
	// exist yet, and read back. They can be committed if they match one of
	// Granted too.
	Parts, Granted []string
}

// Policy says what the other side may do: the Grant of each root, by the root's
// name. Its owner may change it while it is in force, as attempts come and go.
// An upload is checked again when it is committed.
type Policy struct {
	mu     sync.RWMutex
	grants map[string]*rules
}

// rules is a Grant with an index.
type rules struct {
	Grant
	inputs map[string]store.Object
}

// NewPolicy returns a policy of these grants, by the names of roots.
func NewPolicy(grants map[string]Grant) *Policy {
	p := &Policy{grants: make(map[string]*rules)}
	for _, root := range slices.Sorted(maps.Keys(grants)) {
		p.Set(root, grants[root])
	}
	return p
}

// Set replaces the grant of a root.
func (p *Policy) Set(root string, g Grant) {
	r := &rules{Grant: g, inputs: make(map[string]store.Object, len(g.Inputs))}
	for _, o := range g.Inputs {
		r.inputs[o.Key] = o
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.grants[root] = r
}

func (p *Policy) of(root string) *rules {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if r := p.grants[root]; r != nil {
		return r
	}
	return new(rules)
}

//go:noinline
func anyMatches(patterns []string, key string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return store.Match(p, key) })
}

// read reports whether an object may be read, and the only version that may; nil
// means any.
func (p *Policy) read(root, key string) (pinned *store.Object, err error) {
	r := p.of(root)
	if o, ok := r.inputs[key]; ok {
		return &o, nil
	}
	if err := driver.CheckKey(key); err != nil {
		return nil, refused("read", key, "it is no declared input, and "+err.Error())
	}
	if anyMatches(r.Scratch, key) || anyMatches(r.Parts, key) || anyMatches(r.Read, key) {
		return nil, nil
	}
	return nil, refused("read", key, "only declared inputs, the job's runs and manifests, and the attempt's own objects may be read")
}

func (p *Policy) create(root, key string, o store.CreateOptions) error {
	r := p.of(root)
	if err := driver.CheckKey(key); err != nil {
		return err
	}
	switch {
	case anyMatches(r.Scratch, key):
		return nil
	case !anyMatches(r.Parts, key):
		return refused("create", key, "only names of the attempt's own, and its part, may be created")
	case !o.IfAbsent:
		return refused("create", key, "a part may only be created where there is none")
	}
	return nil
}

func (p *Policy) commit(root, key string) error {
	r := p.of(root)
	if anyMatches(r.Scratch, key) || anyMatches(r.Parts, key) && anyMatches(r.Granted, key) {
		return nil
	}
	return refused("commit", key, "the attempt was not granted this part, or no longer is")
}

func (p *Policy) remove(root, key string) error {
	if driver.CheckKey(key) == nil && anyMatches(p.of(root).Scratch, key) {
		return nil
	}
	return refused("delete", key, "only names of the attempt's own may be deleted")
}

func refused(op, key, rule string) error {
	if len(key) > 1100 {
		key = key[:1100] + "…"
	}
	return driver.Fail(plan.Denied, "the job process may not %s %q: %s", op, key, rule)
}

// refusals logs what a policy refused. It logs only the first ones, so that a
// process that asks endlessly does not fill the log.
type refusals struct {
	log *slog.Logger
	mu  sync.Mutex
	n   int
}

const refusalsLogged = 100

func (r *refusals) note(root string, err error) {
	r.mu.Lock()
	r.n++
	n := r.n
	r.mu.Unlock()
	if n <= refusalsLogged {
		r.log.LogAttrs(context.Background(), slog.LevelWarn, "a job process asked for what it may not have",
			slog.String("root", root), slog.String("error", err.Error()), slog.Bool("last", n == refusalsLogged))
	}
}
