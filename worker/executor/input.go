package executor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// inputs are the objects that an attempt has opened. Sections come in order, and
// one is open at a time.
type inputs struct {
	e        *Executor
	sections []plan.Section
	only     [][]int64 // see plan.Split
	lines    bool      // parts of compressed objects are read by lines
	text     bool      // foreign formats are refused
	progress *pipeline.Progress
	first    int64 // bytes of a section that are asked for at first; 0 for all
	bytes    atomic.Int64
	codecs   compress.Decompressor
	ahead    *readAhead
	head     []byte        // of the object that is open
	plain    []byte        // the same, of its decompressed bytes
	sums     []*sectionSum // by section; nil for those that need none

	last   *store.Handle
	object plan.Object
}

// Close closes the open object, and ends its fetches.
func (in *inputs) Close() {
	in.ahead.close()
	in.closeLast()
}

func (in *inputs) closeLast() {
	if in.last != nil {
		in.last.Close()
		in.last = nil
	}
}

// sections makes the sections of a split readable. The first request for each
// asks for first bytes; 0 means all.
func (e *Executor) sections(ctx context.Context, split plan.Split, progress *pipeline.Progress, first int64) ([]pipeline.Section, *inputs) {
	in := &inputs{e: e, sections: split.Sections, only: split.Only, progress: progress, first: first,
		lines: e.cfg.Pipeline.Inputs[split.Input].Lines, text: e.cfg.Pipeline.Inputs[split.Input].Text,
		codecs: compress.Decompressor{Limits: e.cfg.Limits}}
	in.ahead = newReadAhead(ctx, e.cfg.Open, split.Sections, in.lines || e.cfg.Pipeline.Inputs[split.Input].Headed, first)
	in.sums = make([]*sectionSum, len(split.Sections))
	out := make([]pipeline.Section, len(split.Sections))
	for i := range out {
		s := &out[i]
		s.Section = split.Sections[i]
		if split.Only != nil {
			s.Only = split.Only[i]
		}
		s.Whole = s.Object.Codec != ""
		s.Open = func(ctx context.Context, off int64) (io.ReadCloser, error) { return in.open(ctx, i, s, off) }
		s.ReadAt = func(ctx context.Context, p []byte, off int64) error { return in.readAt(ctx, i, p, off) }
	}
	return out, in
}

// open opens section i from offset off on.
func (in *inputs) open(ctx context.Context, i int, s *pipeline.Section, off int64) (io.ReadCloser, error) {
	if s.Whole && off != 0 {
		return nil, fmt.Errorf("%s is or may be compressed, and cannot be read from offset %d", s.Object.Name(), off)
	}
	raw, err := in.raw(ctx, i, off)
	if err != nil {
		return nil, err
	}
	plain, err := in.decompress(s, raw)
	if err != nil {
		raw.Close()
		if _, refused := errors.AsType[*FormatError](err); raw.err == nil && !refused {
			err = &InputError{s.Object.Name(), err}
		}
		return nil, err
	}
	return plain, nil
}

// raw returns the bytes at rest of section i to the object's end: from off on,
// or from the section's own beginning if off counts decompressed bytes.
func (in *inputs) raw(ctx context.Context, i int, off int64) (*raw, error) {
	s := &in.sections[i]
	if !s.Part() && off+1 < s.Offset {
		return in.before(ctx, s, off)
	}
	fetched, err := in.ahead.take(ctx, i)
	if err != nil {
		return nil, err
	}
	if fetched != nil && fetched.to == s.Object.Size && fetched.from == 0 {
		return &raw{ReadCloser: io.NopCloser(bytes.NewReader(fetched.body[off:])), in: in}, nil
	}
	h, err := in.handle(ctx, s.Object)
	if err != nil {
		return nil, err
	}
	at, soon := off, s.Offset+s.Length
	switch {
	case s.Part():
		at = s.Offset
	case s.Object.Codec != "" && s.Object.Codec != compress.Auto:
		soon = s.Object.Size
	}
	if in.first > 0 {
		soon = min(soon, at+in.first)
	}
	// Of an object of which other sections are not read, no checksum covers this one.
	alone := in.only != nil && s.Object.Sum != (plan.Checksum{}) && s.Length < s.Object.Size
	behind := &tail{ctx: ctx, from: h, name: s.Object.Name(), at: at, soon: soon, size: s.Object.Size, first: BehindSection}
	if s.Part() {
		behind.first = behindPart
	}
	if fetched != nil && fetched.from == at {
		behind.now, behind.soon = io.NopCloser(bytes.NewReader(fetched.body)), fetched.to
	}
	sum := newSectionSum(s)
	if alone {
		sum, behind.soon, behind.twice = nil, at, sum != nil
	}
	if sum == nil || in.first > 0 {
		return &raw{ReadCloser: behind, in: in}, nil
	}
	in.sums[i], behind.twice = sum, true
	return &raw{ReadCloser: &summed{behind, at, sum}, in: in}, nil
}

// before returns the bytes from off on, which is before the section: a reader looks for
// a header there. It is short, and no checksum covers it, like records that end behind a
// section.
func (in *inputs) before(ctx context.Context, s *plan.Section, off int64) (*raw, error) {
	h, err := in.handle(ctx, s.Object)
	if err != nil {
		return nil, err
	}
	t := &tail{ctx: ctx, from: h, name: s.Object.Name(), at: off, soon: off, size: s.Object.Size, first: BehindSection}
	t.twice = newSectionSum(s) != nil
	return &raw{ReadCloser: t, in: in}, nil
}

// readAt fills p with bytes of the object of section i. No checksum covers bytes that are
// read in any order. Where the store keeps one, they are read twice, as behind a section.
func (in *inputs) readAt(ctx context.Context, i int, p []byte, off int64) error {
	s := &in.sections[i]
	h, err := in.handle(ctx, s.Object)
	if err != nil {
		return err
	}
	if newSectionSum(s) != nil && int64(len(p)) < s.Object.Size { // the whole object is compared by its handle
		err = readTwice(ctx, h, s.Object.Name(), p, off)
	} else {
		err = h.ReadAt(ctx, p, off)
	}
	if err != nil {
		return err
	}
	in.bytes.Add(int64(len(p)))
	in.progress.Bytes.Add(int64(len(p)))
	return nil
}

// handle opens the version of the object that the plan pinned.
func (in *inputs) handle(ctx context.Context, o plan.Object) (*store.Handle, error) {
	if in.last != nil && in.object == o {
		return in.last, nil
	}
	in.closeLast()
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

// BehindSection is how many bytes are asked for first behind a section's end,
// where its last record may end. It doubles with each further read.
const (
	BehindSection = 64 << 10
	// behindPart is for parts of compressed objects, where a whole block must
	// be read.
	behindPart = 1 << 20
)

// tail reads an object to its end, but first asks for no more than a section.
// The bytes behind it are seldom more than the rest of a record, and each byte
// of a bucket costs money.
type tail struct {
	ctx   context.Context
	from  *store.Handle
	at    int64 // where the next stream begins
	soon  int64 // where the stream after this one begins
	size  int64
	first int64 // bytes that are asked for first behind soon
	twice bool  // the bytes behind soon are read twice: no checksum covers them
	name  string
	extra int64
	now   io.ReadCloser
}

// Read reads the next bytes.
func (t *tail) Read(p []byte) (int, error) {
	for {
		if t.now == nil {
			if t.at >= t.size {
				return 0, io.EOF
			}
			if t.soon <= t.at {
				if err := t.goBehind(); err != nil {
					return 0, err
				}
			} else {
				t.now = t.from.Stream(t.ctx, t.at, t.soon-t.at)
			}
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

// Bounds of reading twice: bytes at a time, and how often they may differ.
const (
	twiceMost  = 1 << 20
	twiceTries = 5
)

// goBehind opens bytes behind the section, twice as many as the last time.
func (t *tail) goBehind() error {
	t.extra = max(2*t.extra, t.first)
	if t.twice {
		t.extra = min(t.extra, twiceMost)
	}
	t.soon = min(t.at+t.extra, t.size)
	if !t.twice {
		t.now = t.from.Stream(t.ctx, t.at, t.soon-t.at)
		return nil
	}
	b := make([]byte, t.soon-t.at)
	if err := readTwice(t.ctx, t.from, t.name, b, t.at); err != nil {
		return err
	}
	t.now = io.NopCloser(bytes.NewReader(b))
	return nil
}

// readTwice fills p with the bytes from off on, in pieces, until each has come twice with
// the same bytes.
func readTwice(ctx context.Context, h *store.Handle, name string, p []byte, off int64) error {
	again := make([]byte, min(len(p), twiceMost)+twiceTries)
	for len(p) > 0 {
		n := min(len(p), twiceMost)
		if err := readPieceTwice(ctx, h, name, p[:n], off, again); err != nil {
			return err
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// readPieceTwice is readTwice of one piece. The buffer has room for twiceTries more.
func readPieceTwice(ctx context.Context, h *store.Handle, name string, p []byte, off int64, buffer []byte) error {
	if err := h.ReadAt(ctx, p, off); err != nil {
		return err
	}
	for try := int64(1); try < twiceTries; try++ {
		// Each request begins a byte earlier than the one before. A fault at
		// one place of the answer then hits another byte of the object.
		lead := min(try, off)
		again := buffer[:lead+int64(len(p))]
		if err := h.ReadAt(ctx, again, off-lead); err != nil {
			return err
		}
		if again = again[lead:]; bytes.Equal(p, again) {
			return nil
		}
		copy(p, again)
	}
	return &store.Error{Op: "read", URL: name, Kind: plan.Corrupt,
		Err: fmt.Errorf("bytes %d to %d differ each time they are read: check the network or the store, and run the job again", off, off+int64(len(p)))}
}

// Close ends the stream that is open.
func (t *tail) Close() error {
	if t.now == nil {
		return nil
	}
	return t.now.Close()
}

// raw counts the bytes at rest that are read, and remembers the error that
// ended them.
type raw struct {
	io.ReadCloser
	in  *inputs
	err error
}

func (r *raw) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.in.bytes.Add(int64(n))
	r.in.progress.Bytes.Add(int64(n))
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}
