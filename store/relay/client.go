package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// Client is the asking side of a connection.
type Client struct {
	wire     *wire
	inFlight chan struct{} // a token per call in flight
	done     chan struct{}
	windows  sync.Pool // *[]byte of windowSize

	mu      sync.Mutex
	err     error // why there is no longer a connection
	last    uint32
	calls   map[uint32]*asked
	uploads map[uint32]*sending
}

// asked is a call that was not answered yet.
type asked struct {
	id     uint32
	info   chan *decoder // the message before a body; has room for it
	result chan answer   // has room for it
	window *window       // of the body; nil without one
	writes bool          // a descriptor that arrives is to write to
}

// answer is the end of a call.
type answer struct {
	payload []byte
	file    driver.Reader // of the descriptor that arrived with it
	written *os.File      // the descriptor that arrived with it, to write to
	err     error
	open    bool // it is still to come: the caller went away
}

// never is the time limit of requests that another process watches.
const never = 365 * 24 * time.Hour

// Connect opens a session with the process that serves conn, and returns a
// client, which owns conn from now on. ctx bounds only the exchange of
// greetings.
func Connect(ctx context.Context, conn net.Conn, token []byte) (*Client, error) {
	c := &Client{
		wire: newWire(conn, descriptorsPass), done: make(chan struct{}),
		calls: make(map[uint32]*asked), uploads: make(map[uint32]*sending),
	}
	c.windows.New = func() any { b := make([]byte, windowSize); return &b }
	stop := context.AfterFunc(ctx, c.wire.close)
	calls, err := c.greet(token)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.wire.close()
		return nil, fmt.Errorf("relay: the worker refused this process: %w", err)
	}
	c.inFlight = make(chan struct{}, calls)
	go c.receive()
	return c, nil
}

// greet says hello and returns how many calls may be in flight.
func (c *Client) greet(token []byte) (int, error) {
	if err := c.wire.send(kindHello, 0, new(encoder).uint(version).str(string(token)).b); err != nil {
		return 0, err
	}
	h, err := c.wire.receive()
	if err != nil {
		return 0, noEOF(err)
	}
	p, err := c.wire.payload(h)
	if err != nil {
		return 0, err
	}
	d := &decoder{b: p}
	if h.kind == kindFailed {
		return 0, d.failure()
	}
	v, calls := d.uint(), d.uint()
	if err := d.end(); err != nil || h.kind != kindWelcome || v != version || calls == 0 || calls > 1<<16 {
		return 0, errors.Join(errors.New("its greeting is malformed"), err)
	}
	return int(calls), nil
}

// Close ends the connection, and all that was not committed with it.
func (c *Client) Close() error {
	c.wire.close()
	<-c.done
	return nil
}

// Done returns a channel that is closed when the connection has ended, for any
// reason.
func (c *Client) Done() <-chan struct{} { return c.done }

// Open opens a root of the serving process by its name. It does not repeat
// requests and sets no time limit: the server does both.
func (c *Client) Open(ctx context.Context, name string, o store.Options) (*store.Root, error) {
	d, err := c.Driver(ctx, name)
	if err != nil {
		return nil, &store.Error{Op: "open", URL: name, Kind: plan.KindOf(err), Err: err}
	}
	o.Retry.Attempts = 1
	o.Transfer.Stall, o.Transfer.Request = never, never
	return store.New(d, o)
}

// Driver returns the driver of a root of the serving process, by its name.
func (c *Client) Driver(ctx context.Context, name string) (driver.Driver, error) {
	p, err := c.call(ctx, kindRoot, new(encoder).str(name).b)
	if err != nil {
		return nil, err
	}
	d := decoder{b: p}
	t := driver.Traits{URL: d.str(), Query: d.str(), Remote: d.bool()}
	if err := d.end(); err != nil {
		return nil, err
	}
	if t.Remote {
		// The parts are small, since the other side gathers them to larger
		// ones.
		t.PartSize, t.Sequential = 1<<20, true
	}
	return &rootDriver{client: c, root: name, traits: t}, nil
}

// begin sends a call, once there is room for it.
func (c *Client) begin(ctx context.Context, k kind, payload []byte, w *window) (*asked, error) {
	return c.ask(ctx, k, payload, &asked{result: make(chan answer, 1), window: w})
}

// ask is begin for a call that was prepared.
func (c *Client) ask(ctx context.Context, k kind, payload []byte, a *asked) (*asked, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if len(payload) > maxName {
		return nil, driver.Fail(plan.Invalid, "the key is too long")
	}
	select {
	case c.inFlight <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-c.done:
		return nil, c.lost()
	}
	if a.window != nil {
		a.info = make(chan *decoder, 1)
	}
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil, c.lost()
	}
	c.last++
	a.id = c.last
	c.calls[a.id] = a
	c.mu.Unlock()
	c.send(k, a.id, payload)
	return a, nil
}

// send sends a frame. If the connection does not take it, send closes it.
func (c *Client) send(k kind, id uint32, payload []byte) {
	if err := c.wire.send(k, id, payload); err != nil {
		c.wire.close()
	}
}

// wait waits for the answer of a call. If ctx ends first, wait cancels the
// call, and its answer is ignored.
func (c *Client) wait(ctx context.Context, a *asked) answer {
	select {
	case r := <-a.result:
		return r
	case <-ctx.Done():
		c.send(kindCancel, a.id, nil)
		return answer{err: context.Cause(ctx), open: true}
	case <-c.done:
		return answer{err: c.lost()}
	}
}

// call makes a call without a body.
func (c *Client) call(ctx context.Context, k kind, payload []byte) ([]byte, error) {
	a, err := c.begin(ctx, k, payload, nil)
	if err != nil {
		return nil, err
	}
	r := c.wait(ctx, a)
	return r.payload, r.err
}

// lost returns the error of every call after the connection has ended.
func (c *Client) lost() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return driver.Fail(plan.Unavailable, "the connection to the worker ended: %w", c.err)
}

// receive takes frames until the connection ends. It waits for nothing else.
func (c *Client) receive() {
	err := c.frames()
	if Gone(err) || errors.Is(err, net.ErrClosed) {
		err = errors.New("it was closed")
	}
	c.wire.close()
	for f := c.wire.file(); f != nil; f = c.wire.file() {
		_ = f.Close()
	}
	c.mu.Lock()
	c.err = err
	calls, uploads := c.calls, c.uploads
	c.calls, c.uploads = nil, nil
	c.mu.Unlock()
	close(c.done)
	lost := c.lost()
	for _, a := range calls {
		if a.window != nil {
			a.window.end(lost)
		}
		a.result <- answer{err: lost}
	}
	for _, u := range uploads {
		u.fail(lost)
	}
}

func (c *Client) frames() error {
	for {
		h, err := c.wire.receive()
		if err != nil {
			return err
		}
		c.mu.Lock()
		a, u := c.calls[h.id], c.uploads[h.id]
		if h.kind == kindAnswer || h.kind == kindFailed {
			delete(c.calls, h.id)
		}
		c.mu.Unlock()
		if h.kind == kindData {
			if a == nil || a.window == nil {
				return fmt.Errorf("data for the call %d, which waits for none", h.id)
			}
			if err := a.window.fill(c.wire, int(h.length)); err != nil {
				return err
			}
			continue
		}
		p, err := c.wire.payload(h)
		if err == nil {
			err = c.control(h, p, a, u)
		}
		if err != nil {
			return err
		}
	}
}

// control handles a frame that is not data, for a call or for an upload.
func (c *Client) control(h header, p []byte, a *asked, u *sending) error {
	d := &decoder{b: p}
	switch {
	case h.kind == kindCredit && u != nil:
		n := d.uint()
		if err := d.end(); err != nil {
			return err
		}
		return u.credit.add(n)
	case h.kind == kindCredit:
		return nil // of an upload that has ended
	case h.kind == kindInfo && a != nil && a.info != nil && len(a.info) == 0:
		a.info <- d
		return nil
	case h.kind == kindFailed && a != nil:
		c.finish(a, answer{err: d.failure()})
		return nil
	case h.kind == kindFailed:
		if u != nil {
			u.fail(d.failure())
		}
		return nil
	case h.kind == kindAnswer && a != nil:
		r := answer{payload: p}
		switch {
		case h.flags&flagFile == 0:
		case a.writes:
			r.written, r.err = c.takeWritten(d)
		default:
			r.file, r.err = c.takeFile(d)
		}
		c.finish(a, r)
		return nil
	default:
		return fmt.Errorf("a frame of kind %d for %d, which does not wait for it", h.kind, h.id)
	}
}

// finish gives a call its answer, and frees its place for another one.
func (c *Client) finish(a *asked, r answer) {
	if a.window != nil {
		err := r.err
		if err == nil {
			err = io.EOF
		}
		a.window.end(err)
	}
	a.result <- r
	<-c.inFlight
}
