package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/windrow-mr/windrow/internal/pipeline"
	"github.com/windrow-mr/windrow/jobs/formats/compress"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// inputs are the objects that an attempt has opened.
type inputs struct {
	e        *Executor
	progress *pipeline.Progress
	bytes    atomic.Int64
	last     *store.Handle // sections come in order: one object at a time
	object   plan.Object
}

// Close closes the object that is open.
func (in *inputs) Close() {
	if in.last != nil {
		in.last.Close()
		in.last = nil
	}
}

// sections makes sections readable. Of each, first bytes are asked for at first;
// 0 means all.
func (e *Executor) sections(of []plan.Section, progress *pipeline.Progress, first int64) ([]pipeline.Section, *inputs) {
	in := &inputs{e: e, progress: progress}
	out := make([]pipeline.Section, len(of))
	for i, s := range of {
		codec := s.Object.Codec
		out[i] = pipeline.Section{Section: s, Whole: codec != ""}
		out[i].Open = func(ctx context.Context, off int64) (io.ReadCloser, error) {
			if codec != "" && off != 0 {
				return nil, fmt.Errorf("%s is compressed and cannot be read from offset %d", s.Object.Name(), off)
			}
			h, err := in.handle(ctx, s.Object)
			if err != nil {
				return nil, err
			}
			if codec == "" {
				soon := s.Offset + s.Length
				if first > 0 {
					soon = min(soon, off+first)
				}
				return &counted{&tail{ctx: ctx, from: h, at: off, soon: soon, size: s.Object.Size}, in}, nil
			}
			return decompress(s.Object, &counted{h.Stream(ctx, 0, -1), in})
		}
	}
	return out, in
}

// handle opens the version of the object that the plan pinned.
func (in *inputs) handle(ctx context.Context, o plan.Object) (*store.Handle, error) {
	if in.last != nil && in.object == o {
		return in.last, nil
	}
	in.Close()
	root, err := in.e.cfg.Open(o.Root)
	if err != nil {
		return nil, err
	}
	h, err := root.OpenKnown(ctx, store.Object{Key: o.Key, Size: o.Size, ETag: o.ETag})
	if err != nil {
		return nil, err
	}
	in.last, in.object = h, o
	return h, nil
}

// afterEnd is how much is read at first behind a section's end, where its last
// record may end. It doubles with each further read.
const afterEnd = 64 << 10

// tail reads an object to its end, but asks for no more than a section at
// first: behind it there is seldom more than the rest of a record to read, and
// on a bucket what is asked for is paid for.
type tail struct {
	ctx   context.Context
	from  *store.Handle
	at    int64 // where the next stream begins
	soon  int64 // where the stream after this one begins
	size  int64
	extra int64
	now   io.ReadCloser
}

// Read reads on.
func (t *tail) Read(p []byte) (int, error) {
	for {
		if t.now == nil {
			if t.at >= t.size {
				return 0, io.EOF
			}
			if t.soon <= t.at {
				t.extra = max(2*t.extra, afterEnd)
				t.soon = min(t.at+t.extra, t.size)
			}
			t.now = t.from.Stream(t.ctx, t.at, t.soon-t.at)
		}
		n, err := t.now.Read(p)
		if errors.Is(err, io.EOF) {
			err = t.now.Close()
			t.now, t.at = nil, t.soon
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Close ends the stream that is open.
func (t *tail) Close() error {
	if t.now == nil {
		return nil
	}
	return t.now.Close()
}

// counted counts the bytes that are read, at rest.
type counted struct {
	io.ReadCloser
	in *inputs
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.in.bytes.Add(int64(n))
	c.in.progress.Bytes.Add(int64(n))
	return n, err
}

// decompress reads an object through its codec. What is wrong with the bytes
// is told with the object's name.
func decompress(o plan.Object, raw io.ReadCloser) (io.ReadCloser, error) {
	codec, err := compress.Parse(o.Codec)
	if err != nil {
		raw.Close()
		return nil, err
	}
	r, err := codec.Reader(raw)
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("%s: %w", o.Name(), err)
	}
	return &unpacked{ReadCloser: r, raw: raw, object: o}, nil
}

type unpacked struct {
	io.ReadCloser
	raw    io.Closer
	object plan.Object
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%s: %w", u.object.Name(), err)
	}
	return n, err
}

// Close closes the codec and the object beneath it.
func (u *unpacked) Close() error {
	err := u.ReadCloser.Close()
	if e := u.raw.Close(); err == nil {
		err = e
	}
	return err
}
