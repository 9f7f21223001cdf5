package relay

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// rootDriver is the driver of a root of the serving process.
type rootDriver struct {
	client *Client
	root   string
	traits driver.Traits
}

func (d *rootDriver) Traits() driver.Traits { return d.traits }

// Close does nothing: its owner closes the client.
func (d *rootDriver) Close() error { return nil }

func (d *rootDriver) named(key string) *encoder { return new(encoder).str(d.root).str(key) }

func (d *rootDriver) Stat(ctx context.Context, key string) (store.Object, error) {
	p, err := d.client.call(ctx, kindStat, d.named(key).b)
	if err != nil {
		return store.Object{}, err
	}
	in := decoder{b: p}
	o := in.object(key)
	return o, in.end()
}

func (d *rootDriver) Delete(ctx context.Context, key string) error {
	_, err := d.client.call(ctx, kindDelete, d.named(key).b)
	return err
}

// List refuses: a job process gets the names of the objects that it may read.
func (d *rootDriver) List(string) driver.Pager { return noPager{} }

type noPager struct{}

func (noPager) Next(context.Context) ([]store.Object, bool, error) {
	return nil, false, driver.Fail(plan.Denied, "a job process cannot list: it gets the names of what it may read")
}

func (d *rootDriver) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	u, err := d.begin(ctx, key, o, int64(len(body)))
	if err != nil {
		return err
	}
	if err = u.Part(ctx, 1, body); err == nil {
		err = u.Commit(ctx)
	}
	if err != nil {
		// The call's own context may have ended. If Abort fails too, the
		// connection has ended, and the server aborts what is left.
		_ = u.Abort(context.WithoutCancel(ctx))
	}
	return err
}

func (d *rootDriver) Upload(ctx context.Context, key string, o store.CreateOptions) (driver.Upload, error) {
	return d.begin(ctx, key, o, -1)
}

// begin begins an object of a size, -1 if it is not known yet. In that case, and on
// a local store, it uses a descriptor if it can.
func (d *rootDriver) begin(ctx context.Context, key string, o store.CreateOptions, size int64) (*sending, error) {
	wantFile := size < 0 && !d.traits.Remote && descriptorsPass && d.client.wire.unix != nil
	u, err := d.beginWith(ctx, key, o, size, wantFile)
	if errors.Is(err, errNoFile) {
		u, err = d.beginWith(ctx, key, o, size, false)
	}
	return u, err
}

func (d *rootDriver) beginWith(ctx context.Context, key string, o store.CreateOptions, size int64, wantFile bool) (*sending, error) {
	c := d.client
	payload := d.named(key).uint(uint64(o.Class)).bool(o.IfAbsent).int(size).bool(wantFile).b
	a, err := c.ask(ctx, kindBegin, payload, &asked{result: make(chan answer, 1), writes: wantFile})
	if err != nil {
		return nil, err
	}
	u := &sending{client: c, id: a.id, credit: newCredit()}
	u.ctx, u.cancel = context.WithCancelCause(context.WithoutCancel(ctx)) // it lasts beyond this call
	c.mu.Lock()
	if c.err == nil {
		c.uploads[u.id] = u
	}
	c.mu.Unlock()
	r := c.wait(ctx, a)
	if r.err != nil {
		if ctx.Err() != nil || errors.Is(r.err, errNoFile) {
			_ = u.end(context.WithoutCancel(ctx), kindAbort, nil) // answered after the call, if that still has no answer
		}
		if r.open {
			a.closeWritten()
		}
		u.forget(r.err)
		return nil, r.err
	}
	u.file = r.written
	return u, nil
}

// closeWritten closes the descriptor that came for a call which was canceled.
func (a *asked) closeWritten() {
	select {
	case r := <-a.result:
		if r.written != nil {
			_ = r.written.Close() // empty, and unused
		}
	default:
	}
}

// sending is an upload that travels to the serving process, or a file of that
// process which is written here.
type sending struct {
	client *Client
	id     uint32
	file   *os.File // nil: data travels
	credit *credit
	size   int64
	ctx    context.Context // ends when the upload has failed
	cancel context.CancelCauseFunc
}

// fail ends the upload; Part and Commit return the error from now on.
func (u *sending) fail(err error) { u.cancel(err) }

func (u *sending) forget(err error) {
	u.cancel(err)
	u.client.mu.Lock()
	defer u.client.mu.Unlock()
	delete(u.client.uploads, u.id)
}

// Part sends bytes as the other side has room for them. If the store does not
// take them, a later part or Commit returns the error.
func (u *sending) Part(ctx context.Context, _ int, body []byte) error {
	if u.file != nil {
		return u.write(ctx, body)
	}
	waiting, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(u.ctx, func() { stop(context.Cause(u.ctx)) })()
	for len(body) > 0 {
		if u.ctx.Err() != nil {
			return context.Cause(u.ctx)
		}
		n, err := u.credit.take(waiting, min(len(body), maxData))
		if err != nil {
			return err
		}
		u.client.send(kindData, u.id, body[:n])
		u.size += int64(n)
		body = body[n:]
	}
	return nil
}

// write writes bytes to the file.
func (u *sending) write(ctx context.Context, body []byte) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case u.ctx.Err() != nil:
		return context.Cause(u.ctx)
	}
	n, err := u.file.Write(body)
	u.size += int64(n)
	if err, ok := errors.AsType[*fs.PathError](err); ok {
		return err.Err // the name is only known to this side
	}
	return err
}

// Commit waits until the object is visible. It closes the file first: the other
// side makes sure that no process can still write to it.
func (u *sending) Commit(ctx context.Context) error {
	if u.ctx.Err() != nil {
		return context.Cause(u.ctx)
	}
	u.closeFile()
	err := u.end(ctx, kindCommit, new(encoder).uint(uint64(u.id)).int(u.size).b)
	if err == nil {
		u.forget(errors.New("the upload was committed"))
	}
	return err
}

// Abort waits until nothing is left of the object.
func (u *sending) Abort(ctx context.Context) error {
	u.closeFile()
	defer u.forget(errAborted)
	return u.end(ctx, kindAbort, nil)
}

// closeFile closes the file, if there is one and it was not closed before. All
// written bytes are in it, or Write has failed; the other side syncs it.
func (u *sending) closeFile() {
	if u.file != nil {
		_ = u.file.Close()
	}
}

func (u *sending) end(ctx context.Context, k kind, payload []byte) error {
	if payload == nil {
		payload = new(encoder).uint(uint64(u.id)).b
	}
	_, err := u.client.call(ctx, k, payload)
	return err
}

// Open prepares reads. On a local store it opens the object, by a descriptor if
// it can. On others the first read opens it.
func (d *rootDriver) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	return d.OpenKnown(ctx, store.Object{Key: key, Size: -1, ETag: etag})
}

// OpenKnown is Open with a size, so that the other side need not ask its store
// for it.
func (d *rootDriver) OpenKnown(ctx context.Context, o store.Object) (driver.Reader, error) {
	r := &reader{driver: d, key: o.Key, etag: o.ETag, size: o.Size}
	if d.traits.Remote {
		return r, nil
	}
	file, err := r.open(ctx, descriptorsPass && d.client.wire.unix != nil)
	if err != nil {
		return nil, err
	}
	if file != nil {
		return file, nil
	}
	return r, nil
}

// reader reads an object by ranges.
type reader struct {
	driver    *rootDriver
	key, etag string
	size      int64 // -1: unknown

	mu     sync.Mutex
	opened bool
	handle uint32
	object store.Object
}

// open opens the object, once. If a descriptor arrived, open returns its
// reader, and this one is useless.
func (r *reader) open(ctx context.Context, wantFile bool) (driver.Reader, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.opened {
		return nil, nil
	}
	file, err := r.ask(ctx, wantFile)
	if errors.Is(err, errNoFile) {
		file, err = r.ask(ctx, false)
	}
	return file, err
}

func (r *reader) ask(ctx context.Context, wantFile bool) (driver.Reader, error) {
	c := r.driver.client
	a, err := c.begin(ctx, kindOpen, r.driver.named(r.key).str(r.etag).bool(wantFile).int(r.size).b, nil)
	if err != nil {
		return nil, err
	}
	answered := c.wait(ctx, a)
	switch {
	case answered.open:
		go c.abandon(a)
		return nil, answered.err
	case answered.err != nil:
		return nil, answered.err
	case answered.file != nil:
		if file, ok := answered.file.(interface{ pin() }); ok && r.etag != "" {
			file.pin()
		}
		return answered.file, nil
	}
	d := decoder{b: answered.payload}
	d.bool()
	r.object, r.handle = d.object(r.key), a.id
	if err := d.end(); err != nil {
		return nil, err
	}
	r.opened = true
	return nil, nil
}

// errNoFile says that a descriptor was sent, and that this process had no room
// for it.
var errNoFile = errors.New("a descriptor did not arrive: this process has too many open files")

// takeWritten returns the descriptor that arrived with the answer of a begin.
// See takeFile for why the answer identifies the file.
func (c *Client) takeWritten(d *decoder) (*os.File, error) {
	f := c.wire.file()
	device, inode := d.uint(), d.uint()
	if f == nil {
		return nil, errNoFile
	}
	err := d.end()
	if err == nil {
		var dev, ino uint64
		if dev, ino, err = identity(f); err == nil && (dev != device || ino != inode) {
			err = errNoFile
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// takeFile makes a reader of the descriptor that arrived with the answer of an
// open. The answer identifies the file: a process that has no room for one
// descriptor must not mistake the next one for it.
func (c *Client) takeFile(d *decoder) (driver.Reader, error) {
	f := c.wire.file()
	d.bool()
	o := d.object("")
	device, inode := d.uint(), d.uint()
	if f == nil {
		return nil, errNoFile
	}
	if err := d.end(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return newFileReader(f, o, device, inode)
}

// abandon closes what a canceled open may still have opened. It ends with the
// answer, or with the connection.
func (c *Client) abandon(a *asked) {
	select {
	case r := <-a.result:
		switch {
		case r.err != nil:
		case r.file != nil:
			_ = r.file.Close()
		default:
			c.send(kindClose, a.id, nil)
		}
	case <-c.done:
	}
}

func (r *reader) Object(ctx context.Context) (store.Object, error) {
	if _, err := r.open(ctx, false); err != nil {
		return store.Object{}, err
	}
	return r.object, nil
}

func (r *reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.opened {
		r.opened = false
		r.driver.client.send(kindClose, r.handle, nil)
	}
	return nil
}

// Range asks for a range. A whole object of any version needs no open.
func (r *reader) Range(ctx context.Context, off, n int64) (driver.Body, error) {
	c := r.driver.client
	if r.driver.traits.Remote && n < 0 && r.etag == "" {
		b, err := c.body(ctx, kindGet, r.driver.named(r.key).b)
		if k := plan.KindOf(err); k != plan.TooLarge && k != plan.Invalid {
			return b, err
		}
	}
	if _, err := r.open(ctx, false); err != nil {
		return driver.Body{}, err
	}
	return c.body(ctx, kindRange, new(encoder).uint(uint64(r.handle)).int(off).int(n).b)
}

// body makes a call whose answer is bytes.
func (c *Client) body(ctx context.Context, k kind, payload []byte) (driver.Body, error) {
	buf := c.windows.Get().(*[]byte)
	b := &body{client: c, ctx: ctx, buf: buf, window: newWindow(*buf)}
	var err error
	if b.asked, err = c.begin(ctx, k, payload, b.window); err != nil {
		c.windows.Put(buf)
		return driver.Body{}, err
	}
	d, err := b.begun()
	if err != nil {
		_ = b.Close()
		return driver.Body{}, err
	}
	answer := driver.Body{ReadCloser: b, Length: d.int(), Total: d.int(), Sum: d.sum()}
	if err := d.end(); err != nil {
		_ = b.Close()
		return driver.Body{}, err
	}
	b.left = answer.Length
	return answer, nil
}

// begun waits for the message before the bytes of the body.
func (b *body) begun() (*decoder, error) {
	a := b.asked
	select {
	case d := <-a.info:
		return d, nil
	case r := <-a.result:
		a.result <- r // Close reads it
		select {
		case d := <-a.info: // a short body ends at once
			return d, nil
		default:
		}
		if r.err == nil {
			r.err = driver.Fail(plan.Unavailable, "%w", errShort)
		}
		return nil, r.err
	case <-b.ctx.Done():
		return nil, context.Cause(b.ctx)
	case <-b.client.done:
		return nil, b.client.lost()
	}
}

// body is the answer to a range, in transit.
type body struct {
	client *Client
	ctx    context.Context
	asked  *asked
	window *window
	buf    *[]byte
	left   int64 // bytes that were announced and not read
	closed bool
}

var _ io.ReadCloser = (*body)(nil)

func (b *body) Read(p []byte) (int, error) {
	if b.closed {
		return 0, errors.New("the body was closed")
	}
	from, err := b.window.peek(b.ctx)
	if err != nil {
		return 0, err
	}
	n := copy(p, from)
	b.left -= int64(n)
	if more := b.window.skip(n); more > 0 && b.left > 0 {
		b.client.send(kindCredit, b.asked.id, new(encoder).uint(uint64(more)).b)
	}
	return n, nil
}

// Close gives the body up. Its window is used again when nothing can enter it.
func (b *body) Close() error {
	if b.closed {
		return nil
	}
	b.closed = true
	if b.left == 0 { // it was read to its end, or never began: the answer has arrived or is in transit
		select {
		case <-b.asked.result:
			b.client.windows.Put(b.buf)
			return nil
		case <-b.ctx.Done():
		case <-b.client.done:
			return nil
		}
	}
	b.client.send(kindCancel, b.asked.id, nil)
	return nil
}
