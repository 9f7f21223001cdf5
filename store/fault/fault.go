// Package fault makes a store fail on purpose. Tests hand an Injector's Wrap to
// store.Options, and so put it beneath retries, framing and length checks:
//
//	faults := fault.New(fault.Rule{Op: fault.Put, Nth: 1, Do: fault.LoseResponse})
//	root, err := store.Open(ctx, "mem://", store.Options{Wrap: faults.Wrap})
//
// Its AfterWrite hook is where a failpoint kills the process.
//
// Concurrency: an Injector may be shared by any number of drivers and
// goroutines; rules count all of them together. Failure: only the faults that
// were asked for. Units: bytes, and calls counted from 1.
package fault

import (
	"context"
	"io"
	"sync"

	"github.com/windrow-mr/windrow/store"
)

// Op is a driver call that rules can meet.
type Op string

// The calls. Read is a range request, on stores at hand as well.
const (
	Put    Op = "put"
	Begin  Op = "begin" // of an upload
	Part   Op = "part"
	Commit Op = "commit"
	Abort  Op = "abort"
	Read   Op = "read"
	Stat   Op = "stat"
	List   Op = "list"
	Delete Op = "delete"
)

// Action is what happens to a call.
type Action int

// The actions. Short, Truncate and Stall are for Read: a response that
// promises less than was asked for, one that ends before its promised length,
// and one that never goes on.
const (
	Fail         Action = iota // nothing is done
	LoseResponse               // the call is done, its success is not told
	Short
	Truncate
	Stall
)

// Rule says which calls fail, and how.
type Rule struct {
	Op    Op
	Key   string // pattern of store.Match over the driver's key; "": any
	Nth   int    // the first matching call that fails; 0: the first
	Times int    // how many fail; 0: one, negative: all that follow
	Do    Action
	Kind  store.Kind // of the error of Fail and LoseResponse; Unknown stands for Unavailable
	After int64      // bytes that Short, Truncate and Stall let through
}

// Injector applies rules.
type Injector struct {
	// AfterWrite, when set, is called after every write that became visible:
	// put, commit and delete, counted from 1. Set it before use.
	AfterWrite func(n int, op, key string)

	mu     sync.Mutex
	rules  []Rule
	calls  []int // matching calls, by rule
	writes int
}

// New makes an injector. The first rule that a call meets decides.
func New(rules ...Rule) *Injector {
	return &Injector{rules: rules, calls: make([]int, len(rules))}
}

// Wrap decorates a driver.
func (i *Injector) Wrap(d store.Driver) store.Driver { return &driver{Driver: d, injector: i} }

// meet counts a call and returns the rule that it meets, or nil.
func (i *Injector) meet(op Op, key string) *Rule {
	i.mu.Lock()
	defer i.mu.Unlock()
	var met *Rule
	for n := range i.rules {
		r := &i.rules[n]
		if r.Op != op || r.Key != "" && !store.Match(r.Key, key) {
			continue
		}
		i.calls[n]++
		first, times := max(1, r.Nth), r.Times
		if times == 0 {
			times = 1
		}
		if met == nil && i.calls[n] >= first && (times < 0 || i.calls[n] < first+times) {
			met = r
		}
	}
	return met
}

// run does a call as the rules want it.
func (i *Injector) run(op Op, key string, call func() error) error {
	r := i.meet(op, key)
	if r != nil && r.Do == Fail {
		return r.err()
	}
	if err := call(); err != nil {
		return err
	}
	if i.AfterWrite != nil && (op == Put || op == Commit || op == Delete) {
		i.mu.Lock()
		i.writes++
		n := i.writes
		i.mu.Unlock()
		i.AfterWrite(n, string(op), key)
	}
	if r != nil && r.Do == LoseResponse {
		return r.err()
	}
	return nil
}

func (r *Rule) err() error {
	kind := r.Kind
	if kind == store.Unknown {
		kind = store.Unavailable
	}
	return store.Fail(kind, "injected fault")
}

// driver passes calls through an injector.
type driver struct {
	store.Driver
	injector *Injector
}

func (d *driver) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	return d.injector.run(Put, key, func() error { return d.Driver.Put(ctx, key, body, o) })
}

func (d *driver) Stat(ctx context.Context, key string) (o store.Object, err error) {
	err = d.injector.run(Stat, key, func() error {
		o, err = d.Driver.Stat(ctx, key)
		return err
	})
	return o, err
}

func (d *driver) Delete(ctx context.Context, key string) error {
	return d.injector.run(Delete, key, func() error { return d.Driver.Delete(ctx, key) })
}

func (d *driver) Upload(ctx context.Context, key string, o store.CreateOptions) (u store.Upload, err error) {
	err = d.injector.run(Begin, key, func() error {
		u, err = d.Driver.Upload(ctx, key, o)
		return err
	})
	return &upload{u, d.injector, key}, err
}

func (d *driver) List(prefix string) store.Pager {
	return &pager{d.Driver.List(prefix), d.injector, prefix}
}

func (d *driver) Open(ctx context.Context, key, etag string) (store.Reader, error) {
	r, err := d.Driver.Open(ctx, key, etag)
	if err != nil {
		return nil, err
	}
	return &reader{r, d.injector, key}, nil
}

type upload struct {
	store.Upload
	injector *Injector
	key      string
}

func (u *upload) Part(ctx context.Context, n int, body []byte) error {
	return u.injector.run(Part, u.key, func() error { return u.Upload.Part(ctx, n, body) })
}

func (u *upload) Commit(ctx context.Context) error {
	return u.injector.run(Commit, u.key, func() error { return u.Upload.Commit(ctx) })
}

func (u *upload) Abort(ctx context.Context) error {
	return u.injector.run(Abort, u.key, func() error { return u.Upload.Abort(ctx) })
}

type pager struct {
	store.Pager
	injector *Injector
	prefix   string
}

func (p *pager) Next(ctx context.Context) (page []store.Object, last bool, err error) {
	err = p.injector.run(List, p.prefix, func() error {
		page, last, err = p.Pager.Next(ctx)
		return err
	})
	return page, last, err
}

// reader is no io.ReaderAt, so that every read is a Range that can fail.
type reader struct {
	inner    store.Reader
	injector *Injector
	key      string
}

func (r *reader) Object(ctx context.Context) (store.Object, error) { return r.inner.Object(ctx) }

func (r *reader) Close() error { return r.inner.Close() }

func (r *reader) Range(ctx context.Context, off, n int64) (store.Body, error) {
	rule := r.injector.meet(Read, r.key)
	if rule != nil && (rule.Do == Fail || rule.Do == LoseResponse) {
		return store.Body{}, rule.err()
	}
	b, err := r.inner.Range(ctx, off, n)
	if err != nil || rule == nil {
		return b, err
	}
	inner := b.ReadCloser
	switch rule.Do {
	case Short:
		b.Length = min(b.Length, rule.After)
		b.ReadCloser = &cut{Reader: io.LimitReader(inner, rule.After), Closer: inner, end: io.EOF}
	case Truncate:
		b.ReadCloser = &cut{Reader: io.LimitReader(inner, rule.After), Closer: inner, end: io.ErrUnexpectedEOF}
	case Stall:
		b.ReadCloser = &cut{Reader: io.LimitReader(inner, rule.After), Closer: inner, wait: ctx}
	}
	return b, nil
}

// cut is a body that ends early.
type cut struct {
	io.Reader
	io.Closer
	end  error
	wait context.Context // what a stalled body waits for; nil: nothing
}

func (c *cut) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err != io.EOF {
		return n, err
	}
	if c.wait != nil {
		<-c.wait.Done()
		return n, c.wait.Err()
	}
	return n, c.end
}
