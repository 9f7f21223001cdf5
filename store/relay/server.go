package relay

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// session serves one connection.
type session struct {
	cfg      Config
	wire     *wire
	ctx      context.Context
	cancel   context.CancelCauseFunc
	refusals refusals
	memory   *semaphore.Weighted
	work     sync.WaitGroup
	slabs    sync.Pool // *[]byte of maxData, for ranges of local stores

	mu      sync.Mutex
	calls   map[uint32]*call
	handles map[uint32]*handle
	uploads map[uint32]*upload
}

// objectName names an object of any root.
type objectName struct{ root, key string }

// call is a call in flight.
type call struct {
	id     uint32
	ctx    context.Context
	cancel context.CancelCauseFunc
	credit *credit // of its body; nil without one
}

var (
	errCanceled = errors.New("canceled by the job process")
	errEnded    = errors.New("the connection to the job process ended")
)

// Serve answers the calls of the process at the other end of conn until that
// process closes it or dies, which is no error here, or breaks the rules, or
// ctx ends. It closes conn. When it returns, uploads that were not committed
// are aborted.
func Serve(ctx context.Context, conn net.Conn, cfg Config) error {
	defer conn.Close()
	if err := cfg.validate(); err != nil {
		return err
	}
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Activity == nil {
		cfg.Activity = new(Activity)
	}
	s := &session{
		cfg: cfg, wire: newWire(conn, false), refusals: refusals{log: cfg.Log},
		memory: semaphore.NewWeighted(cfg.Limits.Memory),
		calls:  make(map[uint32]*call), handles: make(map[uint32]*handle),
		uploads: make(map[uint32]*upload),
	}
	s.slabs.New = func() any { b := make([]byte, maxData); return &b }
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.ctx, s.wire.close)
	err := s.serve()
	ended := s.ctx.Err() != nil
	s.cancel(errEnded)
	stop()
	s.wire.close()
	s.work.Wait()
	for _, h := range s.handles {
		h.close()
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("relay: %w", context.Cause(ctx))
	case ended && context.Cause(s.ctx) != nil:
		err = context.Cause(s.ctx)
	}
	if err == nil || Gone(err) {
		return nil
	}
	return fmt.Errorf("relay: the connection to the job process was closed: %w", err)
}

// serve receives frames. It waits only for the next one.
func (s *session) serve() error {
	if err := s.hello(); err != nil {
		return err
	}
	for {
		h, err := s.wire.receive()
		if err != nil {
			return err
		}
		if h.flags != 0 {
			return errors.New("a frame announces a descriptor: the serving side takes none")
		}
		if h.kind == kindData {
			err = s.data(h)
		} else {
			var p []byte
			if p, err = s.wire.payload(h); err == nil {
				err = s.control(h, &decoder{b: p})
			}
		}
		if err != nil {
			return err
		}
	}
}

// hello admits a process that knows the token.
func (s *session) hello() error {
	_ = s.wire.conn.SetReadDeadline(time.Now().Add(s.cfg.Limits.Hello))
	h, err := s.wire.receive()
	if err != nil {
		return err
	}
	if h.kind != kindHello || h.flags != 0 {
		return errors.New("it did not begin with a hello")
	}
	p, err := s.wire.payload(h)
	if err != nil {
		return err
	}
	d := decoder{b: p}
	v, token := d.uint(), d.str()
	if err := d.end(); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(token), s.cfg.Token) != 1 {
		return errors.New("it does not know the token")
	}
	_ = s.wire.conn.SetReadDeadline(time.Time{})
	if v < oldest || v > version {
		err = fmt.Errorf("it speaks version %d of the protocol, and this program version %d: build the job with the release that the workers run", v, version)
		_ = s.wire.send(kindFailed, 0, new(encoder).failure(driver.Fail(plan.Invalid, "%w", err)).b)
		return err
	}
	return s.wire.send(kindWelcome, 0, new(encoder).uint(v).uint(uint64(s.cfg.Limits.Calls)).b)
}

// data handles bytes of an upload.
func (s *session) data(h header) error {
	s.mu.Lock()
	u := s.uploads[h.id]
	s.mu.Unlock()
	if u == nil {
		return s.wire.discard(h) // it failed, and the other side did not know
	}
	return u.window.fill(s.wire, int(h.length))
}

// control handles any other frame.
func (s *session) control(h header, d *decoder) error {
	switch h.kind {
	case kindRoot, kindStat, kindDelete, kindOpen, kindRange, kindGet, kindBegin, kindCommit, kindAbort:
		return s.begin(h, d)
	case kindClose:
		return s.closeHandle(h.id, d)
	case kindCancel:
		s.mu.Lock()
		c := s.calls[h.id]
		s.mu.Unlock()
		if c != nil {
			c.cancel(errCanceled)
		}
		return d.end()
	case kindCredit:
		n := d.uint()
		if err := d.end(); err != nil {
			return err
		}
		s.mu.Lock()
		c := s.calls[h.id]
		s.mu.Unlock()
		if c == nil || c.credit == nil {
			return nil // for a body that has ended
		}
		return c.credit.add(n)
	default:
		return fmt.Errorf("a frame of kind %d, which is not for the serving side", h.kind)
	}
}

// begin starts a call.
func (s *session) begin(h header, d *decoder) error {
	c := &call{id: h.id}
	if h.kind == kindRange || h.kind == kindGet {
		c.credit = newCredit()
	}
	run, err := s.prepare(h.kind, c, d)
	if err != nil {
		return err
	}
	if err := d.end(); err != nil {
		return err
	}
	c.ctx, c.cancel = context.WithCancelCause(s.ctx)
	s.mu.Lock()
	_, twice := s.calls[h.id]
	n := len(s.calls)
	if !twice && n < s.cfg.Limits.Calls {
		s.calls[h.id] = c
	}
	s.mu.Unlock()
	switch {
	case twice:
		return fmt.Errorf("two calls with the id %d", h.id)
	case n >= s.cfg.Limits.Calls:
		return fmt.Errorf("more than %d calls in flight", s.cfg.Limits.Calls)
	}
	s.work.Go(func() { run() })
	return nil
}

// prepare reads a call's arguments and returns a function that runs the call.
func (s *session) prepare(k kind, c *call, d *decoder) (func(), error) {
	switch k {
	case kindRoot:
		name := d.str()
		return func() { s.finish(c, func() ([]byte, error) { return s.traits(name) }) }, nil
	case kindStat:
		root, key := d.str(), d.str()
		return func() { s.finish(c, func() ([]byte, error) { return s.stat(c.ctx, root, key) }) }, nil
	case kindDelete:
		root, key := d.str(), d.str()
		return func() { s.finish(c, func() ([]byte, error) { return nil, s.remove(c.ctx, root, key) }) }, nil
	case kindGet:
		root, key := d.str(), d.str()
		return func() { s.finish(c, func() ([]byte, error) { return nil, s.get(c, root, key) }) }, nil
	case kindOpen:
		return s.prepareOpen(c, d), nil
	case kindRange:
		id, off, n := d.id(), d.int(), d.int()
		return func() { s.finish(c, func() ([]byte, error) { return nil, s.readRange(c, id, off, n) }) }, nil
	case kindBegin:
		return s.prepareUpload(c, d)
	default:
		return s.prepareEnd(k == kindCommit, c, d)
	}
}

// finish runs a call and answers it.
func (s *session) finish(c *call, do func() ([]byte, error)) {
	result, err := do()
	s.answer(c, result, err)
}

// answer ends a call. The other side may use the id again once it has read it.
func (s *session) answer(c *call, result []byte, err error) {
	s.forget(c)
	if s.ctx.Err() != nil {
		return // the end of the connection says more than its consequences
	}
	if err != nil {
		s.send(kindFailed, c.id, new(encoder).failure(err).b)
		return
	}
	s.send(kindAnswer, c.id, result)
}

func (s *session) forget(c *call) {
	c.cancel(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.calls, c.id)
}

// send sends a frame. If that fails, the session is over.
func (s *session) send(k kind, id uint32, payload []byte) {
	if err := s.wire.send(k, id, payload); err != nil {
		s.cancel(err)
	}
}

// root returns a root by its name.
func (s *session) root(name string) (*store.Root, error) {
	if r := s.cfg.Roots[name]; r != nil {
		return r, nil
	}
	if s.cfg.Root != nil {
		if r := s.cfg.Root(name); r != nil {
			return r, nil
		}
	}
	err := driver.Fail(plan.Denied, "%q is no root of this job: declare it as an input or an output", name)
	s.refusals.note(name, err)
	return nil, err
}

// allowed returns a root if the policy does not object.
func (s *session) allowed(root string, err error) (*store.Root, error) {
	if plan.KindOf(err) == plan.Denied {
		s.refusals.note(root, err)
	}
	if err != nil {
		return nil, err
	}
	return s.root(root)
}

// traits describes a root.
func (s *session) traits(name string) ([]byte, error) {
	r, err := s.root(name)
	if err != nil {
		return nil, err
	}
	base := strings.TrimSuffix(r.Name(""), "/")
	query := strings.TrimPrefix(strings.TrimPrefix(r.URL(), base), "/")
	return new(encoder).str(base).str(query).bool(r.Remote()).b, nil
}
