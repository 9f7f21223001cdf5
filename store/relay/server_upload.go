package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// upload is an object in progress. One goroutine writes it; the session's receiver
// fills its window and passes its ending. If the other side writes the file
// itself, nothing enters the window.
type upload struct {
	session  *session
	id       uint32
	name     objectName
	opts     store.CreateOptions
	wantFile bool
	window   *window
	ctx      context.Context
	cancel   context.CancelCauseFunc

	mu      sync.Mutex
	endings []ending // calls that wait for the end
	done    bool
	result  error // the answer to a commit
}

// ending is a call that ends an upload.
type ending struct {
	call   *call
	commit bool
	size   int64
}

var errAborted = errors.New("the upload was aborted")

// prepareUpload reads the arguments of a begin: root, key, class, whether the
// object must be absent, its size or -1, and whether a descriptor is wanted.
// The upload accepts data at once.
func (s *session) prepareUpload(c *call, d *decoder) (func(), error) {
	u := &upload{session: s, id: c.id, name: objectName{d.str(), d.str()}}
	class, absent, size := d.uint(), d.bool(), d.int()
	u.wantFile = d.bool() && s.wire.unix != nil
	if err := d.end(); err != nil {
		return nil, err
	}
	if class > uint64(store.Heartbeat) {
		return nil, fmt.Errorf("an unknown class %d", class)
	}
	u.opts = store.CreateOptions{Class: store.Class(class), IfAbsent: absent}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.uploads[u.id] != nil {
		return nil, fmt.Errorf("two uploads with the id %d", u.id)
	}
	if len(s.uploads) >= s.cfg.Limits.Uploads {
		err := driver.Fail(plan.TooLarge, "more than %d objects are being written by this job process", s.cfg.Limits.Uploads)
		return func() { s.answer(c, nil, err) }, nil
	}
	room := windowSize
	if size >= 0 && size < windowSize {
		room = max(int(size), 1)
	}
	u.window = newWindow(make([]byte, room))
	u.ctx, u.cancel = context.WithCancelCause(s.ctx)
	s.uploads[u.id] = u
	return func() { u.run(c) }, nil
}

// run writes the object: it answers the call of begin, then data comes until an
// ending does.
func (u *upload) run(c *call) {
	defer u.cancel(nil)
	stop := context.AfterFunc(c.ctx, func() { u.cancel(context.Cause(c.ctx)) })
	s := u.session
	r, err := s.allowed(u.name.root, s.cfg.Policy.create(u.name.root, u.name.key, u.opts))
	var w *store.Writer
	var file *os.File
	if err == nil {
		s.cfg.Activity.begin()
		w, file, err = u.create(r)
		s.cfg.Activity.end()
	}
	stop()
	if err != nil {
		u.forget()
		s.answer(c, nil, err)
		u.finish(err)
		return
	}
	defer w.Abort()
	if file != nil {
		s.passFile(c, new(encoder), file)
	} else {
		s.answer(c, nil, nil)
	}
	size, err := u.copy(w)
	if err == nil && file != nil {
		size, err = u.takeBack(w, size)
	}
	if err != nil {
		w.Abort()
		s.send(kindFailed, u.id, new(encoder).failure(err).b)
		u.drain()
	} else {
		err = u.commit(w, size)
	}
	w.Abort() // before any call learns that it is gone
	u.finish(err)
}

// create begins the object. If the other side wants to write it itself, and can,
// file is the file.
func (u *upload) create(r *store.Root) (w *store.Writer, file *os.File, err error) {
	if w, err = r.Create(u.ctx, u.name.key, u.opts); err != nil || !u.wantFile {
		return w, nil, err
	}
	if file, err = w.Lend(); err != nil {
		w.Abort()
	}
	return w, file, err
}

// takeBack returns the size of an object that the other side has written.
func (u *upload) takeBack(w *store.Writer, framed int64) (int64, error) {
	if framed > 0 {
		return 0, driver.Fail(plan.Invalid, "%d bytes came in frames for an object that is written through a descriptor", framed)
	}
	u.session.cfg.Activity.begin()
	defer u.session.cfg.Activity.end()
	return w.TakeBack()
}

// copy writes data until there is no more.
func (u *upload) copy(w *store.Writer) (size int64, err error) {
	for {
		p, err := u.window.peek(u.ctx)
		if errors.Is(err, io.EOF) {
			return size, nil
		}
		if err != nil {
			return size, driver.Fail(plan.Interrupted, "%w", err)
		}
		p = p[:min(len(p), maxData)]
		if err := u.write(w, p); err != nil {
			return size, err
		}
		size += int64(len(p))
		if n := u.window.skip(len(p)); n > 0 {
			u.session.send(kindCredit, u.id, new(encoder).uint(uint64(n)).b)
		}
	}
}

// write passes bytes to the store.
func (u *upload) write(w *store.Writer, p []byte) error {
	u.session.cfg.Activity.begin()
	defer u.session.cfg.Activity.end()
	_, err := w.Write(p)
	return err
}

// drain discards data until the other side knows that the upload failed, and
// ends it.
func (u *upload) drain() {
	for {
		p, err := u.window.peek(u.session.ctx)
		if err != nil {
			return
		}
		u.window.skip(len(p))
	}
}

// commit makes the object visible if all of it has arrived, and the policy
// still allows it.
func (u *upload) commit(w *store.Writer, size int64) error {
	u.mu.Lock()
	last := u.endings[len(u.endings)-1]
	for _, e := range u.endings {
		if e.commit {
			last = e
		}
	}
	u.mu.Unlock()
	if last.size != size {
		return driver.Fail(plan.Corrupt, "%d bytes arrived of %d", size, last.size)
	}
	if _, err := u.session.allowed(u.name.root, u.session.cfg.Policy.commit(u.name.root, u.name.key)); err != nil {
		return err
	}
	stop := context.AfterFunc(last.call.ctx, func() { u.cancel(context.Cause(last.call.ctx)) })
	defer stop()
	u.session.cfg.Activity.begin()
	defer u.session.cfg.Activity.end()
	return w.Commit()
}

// finish answers all calls that wait for the end.
func (u *upload) finish(result error) {
	u.mu.Lock()
	u.done, u.result = true, result
	waiting := u.endings
	u.endings = nil
	u.mu.Unlock()
	for _, e := range waiting {
		u.answer(e)
	}
}

// answer answers a call that ends the upload, when it has ended. The result of
// a failed upload is kept until it is aborted.
func (u *upload) answer(e ending) {
	err := u.result
	if !e.commit {
		err = nil
	}
	if err == nil {
		u.forget()
	}
	u.session.answer(e.call, nil, err)
}

func (u *upload) forget() {
	u.session.mu.Lock()
	defer u.session.mu.Unlock()
	delete(u.session.uploads, u.id)
}

// prepareEnd reads the arguments of a commit or an abort: upload, and size of a
// commit. All data before it is in the window by now.
func (s *session) prepareEnd(commit bool, c *call, d *decoder) (func(), error) {
	e := ending{call: c, commit: commit}
	id := d.id()
	if commit {
		e.size = d.int()
	}
	return func() {
		s.mu.Lock()
		u := s.uploads[id]
		s.mu.Unlock()
		if u == nil {
			s.answer(c, nil, driver.Fail(plan.Invalid, "the upload %d is not open", id))
			return
		}
		u.end(e)
	}, nil
}

// end records an ending, or answers it if the upload has ended.
func (u *upload) end(e ending) {
	u.mu.Lock()
	done := u.done
	if !done {
		u.endings = append(u.endings, e)
	}
	u.mu.Unlock()
	switch {
	case done:
		u.answer(e)
	case e.commit:
		u.window.end(io.EOF)
	default:
		u.cancel(errAborted)
		u.window.end(errAborted)
	}
}
