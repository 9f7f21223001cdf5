package planner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker/executor"
	"github.com/windrow-mr/windrow/worker/planner/splits"
)

// Codecs say how objects are decompressed and compressed.
type Codecs struct {
	Output compress.Codec  // of the parts
	Input  string          // of all objects, or compress.Auto
	Limits compress.Limits // of the decompressed size; Window is not set
}

// ParseCodecs reads the names of codecs and the limits of decompressed size
// that a user gave. A limit of 0 is the default.
func ParseCodecs(output, input string, maxRatio, maxDecompressed int64) (c Codecs, err error) {
	if c.Output, err = compress.ParseOutput(output); err != nil {
		return c, &Error{plan.Invalid, err}
	}
	c.Input = input
	if c.Input == "" {
		c.Input = compress.Auto
	}
	if c.Input != compress.Auto {
		if _, err := compress.Parse(c.Input); err != nil {
			return c, invalidf("how to decompress: %w, or %s", err, compress.Auto)
		}
	}
	if maxDecompressed < 0 {
		return c, invalidf("the limit of %d decompressed bytes is negative", maxDecompressed)
	}
	c.Limits = compress.Limits{Ratio: max(maxRatio, 0), Size: maxDecompressed}
	if maxRatio == 0 {
		c.Limits.Ratio = compress.DefaultRatio
	}
	return c, nil
}

// codecOf returns the codec of an input's object, as far as its name shows it.
func (c *Codecs) codecOf(in *Input, key string) string {
	codec := c.Input
	if codec == compress.Auto {
		named := compress.FromName(key)
		if named == compress.None && in.Text {
			return compress.Auto
		}
		codec = named.String()
	}
	if codec == compress.None.String() {
		return ""
	}
	return codec
}

// maxInspecting bounds how many objects are inspected at once.
const maxInspecting = 16

// insides are what is known of the insides of compressed objects, by the object's name.
type insides map[string]inside

// inside says how a compressed object can be divided.
type inside struct {
	table   compress.SeekTable // of a zstd object; nil if it has none
	blocked bool               // a gzip object is in BGZF
	endless bool               // and lacks the block that marks its end
}

// inspect inspects objects that are larger than least, and so may be divided. It
// reads the first bytes of those whose names show no codec, and of gzip objects, which
// may be in BGZF; and the last bytes of zstd objects, which may be a seek table. It
// notes how they can be divided. The task that reads a smaller object finds its codec
// without another request.
func (m *maker) inspect(ctx context.Context, least int64) error {
	inputs, known := m.inputs, make(insides)
	found := make([][]inside, len(inputs))
	looking, ctx := errgroup.WithContext(ctx)
	looking.SetLimit(maxInspecting)
	var refused refusals
	for n := range inputs {
		lines := m.job.Inputs[n].Lines
		if lines {
			inputs[n].Parts = known.parts
		}
		objects := inputs[n].Objects
		found[n] = make([]inside, len(objects))
		for j := range objects {
			o := &objects[j]
			if o.Size == 0 && o.Codec != "" && o.Codec != compress.Auto {
				refused.add(emptyStream(o))
				continue
			}
			look := o.Size > least && (o.Codec == compress.Auto || lines && (o.Codec == compress.Zstd.String() || o.Codec == compress.Gzip.String()))
			ask := m.wantsSum(o)
			if !look && !ask {
				continue
			}
			looking.Go(func() (err error) {
				if ask {
					err = m.askSum(ctx, o)
				}
				if look && err == nil {
					found[n][j], err = m.lookInto(ctx, o, lines)
				}
				if format, ok := errors.AsType[*executor.FormatError](err); ok {
					refused.add(format)
					return nil
				}
				return err
			})
		}
	}
	if err := looking.Wait(); err != nil {
		return err
	}
	if err := refused.err(); err != nil {
		return err
	}
	var endless []string
	for n := range found {
		for j, in := range found[n] {
			name := inputs[n].Objects[j].Name()
			if in.endless {
				endless = append(endless, name)
			}
			if in.blocked || in.table != nil {
				known[name] = in
			}
		}
	}
	if len(endless) > 0 {
		m.log.Warn("objects in BGZF lack the empty block that marks their end: they may have been cut short when they were written", "objects", len(endless), "first", endless[0])
	}
	return nil
}

// emptyStream makes the error of an object without a byte that must be a compressed
// stream. A stream of no data has bytes, too.
func emptyStream(o *plan.Object) *executor.FormatError {
	return &executor.FormatError{Object: o.Name(), What: "it is empty, and no " + o.Codec + " stream has 0 bytes: it may have been cut short when it was written",
		Advice: "write it again, remove it, or give --decompress none, with which it is an empty object"}
}

// refusals are the objects that cannot be read as they are named. Several goroutines
// add to them.
type refusals struct {
	mu    sync.Mutex
	found []*executor.FormatError
}

func (r *refusals) add(e *executor.FormatError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found = append(r.found, e)
}

// mostRefused is how many objects an error names.
const mostRefused = 5

// err returns nil if there are none, and else one error that names the first ones.
func (r *refusals) err() error {
	slices.SortFunc(r.found, func(a, b *executor.FormatError) int { return cmp.Compare(a.Object, b.Object) })
	switch n := len(r.found); n {
	case 0:
		return nil
	case 1:
		return r.found[0]
	default:
		var names []string
		for _, e := range r.found[:min(n, mostRefused)] {
			names = append(names, fmt.Sprintf("%s (%s)", e.Object, e.What))
		}
		if n > mostRefused {
			names = append(names, "…")
		}
		return invalidf("%d objects of the input cannot be read: %s; convert them, leave them out of the input by a pattern that matches only the others, or give --decompress none to read their bytes as they are", n, strings.Join(names, "; "))
	}
}

// wantsSum reports whether to ask a store for an object's checksum. It is false
// where the listing had it, where the store keeps none, and for an object that
// is read by one request, whose answer has it.
func (m *maker) wantsSum(o *plan.Object) bool {
	if o.Size <= executor.OneRequest || o.Sum != (plan.Checksum{}) {
		return false
	}
	root, err := m.roots.Opened(o.Root)
	return err == nil && root.Remote()
}

// askSum asks the store for an object's checksum. Some stores keep none.
func (m *maker) askSum(ctx context.Context, o *plan.Object) error {
	root, err := m.roots.Opened(o.Root)
	if err != nil {
		return err
	}
	seen, err := root.Stat(ctx, o.Key)
	if err == nil && seen.ETag == o.ETag {
		o.Sum = sumOf(seen)
	}
	return err // the task that reads finds a change since the listing
}

// sumOf returns the checksum of an object that the store knows.
func sumOf(o store.Object) plan.Checksum {
	return plan.Checksum{Algorithm: uint8(o.Sum.Algorithm), Value: o.Sum.Value}
}

// lookInto finds an object's codec if it is unknown, and how it can be divided if it is
// read by lines.
func (m *maker) lookInto(ctx context.Context, o *plan.Object, lines bool) (in inside, err error) {
	root, err := m.roots.Opened(o.Root)
	if err != nil {
		return in, err
	}
	h, err := root.OpenKnown(ctx, store.Object{Key: o.Key, Size: o.Size, ETag: o.ETag})
	if err != nil {
		return in, err
	}
	defer h.Close()
	gzip, zstd := compress.Gzip.String(), compress.Zstd.String()
	var head []byte
	if o.Codec == compress.Auto || o.Codec == gzip {
		head = make([]byte, min(o.Size, compress.ForeignSize))
		if err := h.ReadAt(ctx, head, 0); err != nil {
			return in, err
		}
	}
	if o.Codec == compress.Auto {
		o.Codec = ""
		if c := compress.Detect(head); c != compress.None {
			o.Codec = c.String()
		} else if err := executor.CheckText(*o, head); err != nil {
			return in, err
		}
	}
	switch {
	case lines && o.Codec == gzip && compress.Blocked(head) && o.Size < plan.MaxPlaced:
		in.blocked = true
		end := make([]byte, min(o.Size, int64(len(compress.BlockedEnd))))
		err = h.ReadAt(ctx, end, o.Size-int64(len(end)))
		in.endless = string(end) != compress.BlockedEnd
	case lines && o.Codec == zstd:
		in.table, err = m.seekTable(ctx, h, o)
	}
	return in, err
}

// seekTable returns the seek table of a zstd object, if it has one.
func (m *maker) seekTable(ctx context.Context, h *store.Handle, o *plan.Object) (compress.SeekTable, error) {
	tail := make([]byte, min(o.Size, compress.SeekTail))
	if err := h.ReadAt(ctx, tail, o.Size-int64(len(tail))); err != nil {
		return nil, err
	}
	if need := compress.SeekTableSize(tail, o.Size); need > int64(len(tail)) {
		tail = make([]byte, need)
		if err := h.ReadAt(ctx, tail, o.Size-need); err != nil {
			return nil, err
		}
	}
	table := compress.ReadSeekTable(tail, o.Size)
	if n := len(table); n > 0 && m.req.Codecs.Limits.Size > 0 && table[n-1].Plain > m.req.Codecs.Limits.Size {
		return nil, fmt.Errorf("%s: its seek table says that %d bytes come out of it, and the limit is %d; raise --max-decompressed if that is intended", o.Name(), table[n-1].Plain, m.req.Codecs.Limits.Size)
	}
	return table, nil
}

// parts divides a compressed object that can be read by lines from within.
func (k insides) parts(o plan.Object, target int64) ([]plan.Section, error) {
	in := k[o.Name()]
	switch {
	case in.blocked, o.Codec == compress.Bzip2.String() && o.Size < plan.MaxPlaced:
		return splits.Ranges(o, target), nil
	case in.table != nil:
		frames := make([]splits.Frame, len(in.table))
		for n, f := range in.table {
			frames[n] = splits.Frame(f)
		}
		return splits.Frames(o, target, frames), nil
	}
	return []plan.Section{{Object: o, Length: o.Size}}, nil
}
