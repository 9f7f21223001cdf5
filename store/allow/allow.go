// Package allow opens the roots that jobs name, as far as an operator allows it.
//
// The processes of a cluster hold credentials, and run jobs of many users. A
// job's specification names what it reads and writes, and only this list is
// between that text and a store. So a name counts only as it is written, without
// a query, and only if it is an allowed URL or below one. The operator alone
// decides how a store is reached, with an endpoint or a region. Files are opened
// below the directory that is allowed: neither dots nor links lead out of it.
//
// Masters ask it before they accept a job, workers when they plan and run one. A
// List may be used by any number of goroutines. Refusals are *store.Error of
// kind Denied, or Invalid if the name itself is malformed. They never show a
// query.
//
// It is part of the engine, and may change between minor versions.
package allow

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// List has the URLs that an operator allows. Each entry is opened once, by its
// first user; all roots below it share it.
type List struct {
	opts    store.Options
	entries []*entry // longest name first, so that find returns the nearest one
}

// entry is one allowed URL.
type entry struct {
	name  name
	query string // with its question mark, or empty

	turn chan struct{} // has a token while no caller opens it
	mu   sync.Mutex
	root *store.Root
}

// New makes a list of URLs as an operator writes them: with a prefix and a query
// if they need one, or as a local path. It opens nothing yet.
func New(urls []string, o store.Options) (*List, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Mem == nil {
		o.Mem = new(store.MemSpace)
	}
	l := &List{opts: o}
	for _, url := range urls {
		n, query, err := parseAllowed(url)
		if err != nil {
			return nil, &store.Error{Op: "allow", URL: shown(url), Kind: plan.Invalid, Err: err}
		}
		if i := slices.IndexFunc(l.entries, func(e *entry) bool { return e.name == n }); i >= 0 {
			if l.entries[i].query == query {
				continue
			}
			return nil, &store.Error{Op: "allow", URL: n.String(), Kind: plan.Invalid, Err: errors.New("it is given twice, with different parameters: leave one out")}
		}
		e := &entry{name: n, query: query, turn: make(chan struct{}, 1)}
		e.turn <- struct{}{}
		l.entries = append(l.entries, e)
	}
	slices.SortStableFunc(l.entries, func(a, b *entry) int { return len(b.name.path) - len(a.name.path) })
	return l, nil
}

// Locate splits the URL of an input into a root that Get opens, and a key or a
// pattern in it, as store.Locate does. An allowed URL as a whole is a root.
func (l *List) Locate(url string) (rootURL, key string, err error) {
	fail := func(kind plan.Kind, err error) (string, string, error) {
		return "", "", &store.Error{Op: "locate", URL: shown(url), Kind: kind, Err: err}
	}
	n, err := parseInput(url)
	if err != nil {
		return fail(plan.KindOf(err), err)
	}
	// Locate looks up only names that are allowed, so that the answer does not
	// show which others exist. Matches of a pattern begin with the text before
	// its first wildcard, so a pattern counts as a name here.
	if e, _ := l.find(n); e == nil {
		return fail(plan.Denied, l.refusal())
	}
	rootURL, key, err = store.Locate(url)
	if err != nil {
		return "", "", err
	}
	root, err := parse(rootURL)
	if err != nil {
		return fail(plan.KindOf(err), err)
	}
	if e, _ := l.find(root); e != nil {
		return root.String(), key, nil
	}
	if whole := root.join(key); !store.IsPattern(key) {
		if e, below := l.find(whole); e != nil && below == "" {
			return whole.String(), "", nil
		}
	}
	return fail(plan.Denied, l.refusal())
}

// Allows returns nil if Get would open a root, and otherwise the reason. It
// asks no store.
func (l *List) Allows(url string) error {
	_, _, err := l.allowed(url)
	return err
}

// Get returns the root that a URL names. If create is set, the allowed directory
// is made if it is missing. Directories below it are made with their objects.
func (l *List) Get(ctx context.Context, url string, create bool) (*store.Root, error) {
	e, below, err := l.allowed(url)
	if err != nil {
		return nil, err
	}
	root, err := e.open(ctx, l.opts, create)
	if err != nil {
		return nil, err
	}
	return root.Sub(below), nil
}

// Opened returns a root that Get has opened before, or that is below one.
func (l *List) Opened(url string) (*store.Root, error) {
	e, below, err := l.allowed(url)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.root == nil {
		return nil, &store.Error{Op: "open", URL: shown(url), Kind: plan.Unavailable, Err: errors.New("nothing was opened there before")}
	}
	return e.root.Sub(below), nil
}

// Usage returns the sum of the requests to all roots.
func (l *List) Usage() plan.Usage {
	var sum plan.Usage
	for _, e := range l.entries {
		e.mu.Lock()
		if e.root != nil {
			sum = sum.Plus(e.root.Usage())
		}
		e.mu.Unlock()
	}
	return sum
}

// AnyRemote reports whether any root that was opened costs round trips, and so
// memory to hide them.
func (l *List) AnyRemote() bool {
	return slices.ContainsFunc(l.entries, func(e *entry) bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.root != nil && e.root.Remote()
	})
}

// Close closes all roots. None is in use.
func (l *List) Close() error {
	var errs []error
	for _, e := range l.entries {
		e.mu.Lock()
		if e.root != nil {
			errs = append(errs, e.root.Close())
			e.root = nil
		}
		e.mu.Unlock()
	}
	return errors.Join(errs...)
}

// open opens an entry, once. While a store does not answer, only callers that
// want the same store wait.
func (e *entry) open(ctx context.Context, o store.Options, create bool) (*store.Root, error) {
	select {
	case <-e.turn:
		defer func() { e.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, &store.Error{Op: "open", URL: e.name.String(), Kind: plan.Interrupted, Err: context.Cause(ctx)}
	}
	e.mu.Lock()
	root := e.root
	e.mu.Unlock()
	if root != nil {
		return root, nil
	}
	o.CreateDir = create
	root, err := store.Open(ctx, e.name.String()+e.query, o)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.root = root
	return root, nil
}

// allowed finds the entry for a root, and the path below it.
func (l *List) allowed(url string) (e *entry, below string, err error) {
	fail := func(kind plan.Kind, err error) (*entry, string, error) {
		return nil, "", &store.Error{Op: "open", URL: shown(url), Kind: kind, Err: err}
	}
	n, err := parse(url)
	if err != nil {
		return fail(plan.KindOf(err), err)
	}
	if e, below = l.find(n); e == nil {
		return fail(plan.Denied, l.refusal())
	}
	return e, below, nil
}

// find returns the nearest entry that is a name or above it.
func (l *List) find(n name) (e *entry, below string) {
	for _, e := range l.entries {
		if below, ok := n.below(e.name); ok {
			return e, below
		}
	}
	return nil, ""
}

// most is how many allowed URLs a refusal names.
const most = 8

// refusal returns an error that says what is allowed.
func (l *List) refusal() error {
	if len(l.entries) == 0 {
		return errors.New("the operator allows jobs no root at all: masters and workers need --allow URL for each that jobs may use")
	}
	names := make([]string, 0, most)
	for _, e := range l.entries[:min(most, len(l.entries))] {
		names = append(names, e.name.String())
	}
	slices.Sort(names)
	text := strings.Join(names, ", ")
	if len(l.entries) > most {
		text += ", …"
	}
	return errors.New("jobs may use what is at or below " + text + "; the operator allows more with --allow URL on masters and workers")
}
