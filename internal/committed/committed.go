// Package committed reads the committed output of a job: the parts that the output's
// log lists, decompressed, in their order.
//
// Copy reads one version of an output, also when a job replaces it meanwhile, and
// checks the bytes against the checksums of the manifest. It holds at most 8 MiB and
// has at most 1,000 parts open.
package committed

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/checksum"
)

const (
	// wholeBytes is the largest output that is read whole before any of it is
	// written. Such an output can be read again when it is replaced meanwhile.
	wholeBytes = 8 << 20
	// tries limits how often an output that keeps being replaced is read.
	tries = 10
	// maxOpen limits how many parts are opened before the first is copied.
	maxOpen = 1000
)

// Copy writes the records of an output. An output that is replaced before anything
// was written is read again. After that, Copy fails: it never mixes two versions.
func Copy(ctx context.Context, to io.Writer, url string, stores store.Options) error {
	root, below, err := find(ctx, url, stores)
	if err != nil {
		return err
	}
	defer root.Close()
	read := func() (*output.Manifest, error) {
		m, err := output.Read(ctx, root)
		if err == nil && below == "" {
			m = m.Data()
		}
		if err == nil && below != "" {
			m = m.Below(below)
			if len(m.Parts) == 0 {
				err = &store.Error{Op: "read", URL: root.Name(below), Kind: plan.NotFound, Err: errors.New("the job that wrote the output has no output of that name, or no part of it")}
			}
		}
		return m, err
	}
	m, err := read()
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		written, err := copyManifest(ctx, to, root, m)
		if plan.KindOf(err) != plan.NotFound {
			return err
		}
		newest, readErr := read()
		switch {
		case readErr != nil:
			return errors.Join(err, readErr)
		case newest.Job == m.Job && newest.Run == m.Run:
			return fmt.Errorf("a committed part is missing: %w", err)
		case written > 0 || try == tries:
			return fmt.Errorf("the output was replaced while it was read, and only a part of it was written; read it again: %w", err)
		}
		m = newest
	}
}

// CopyStaged writes the records that an output would have if what is staged there were
// published.
func CopyStaged(ctx context.Context, to io.Writer, url string, stores store.Options) error {
	root, err := store.Open(ctx, url, stores)
	if err != nil {
		return err
	}
	defer root.Close()
	m, err := output.ReadStaged(ctx, root)
	if err != nil {
		return err
	}
	_, err = copyManifest(ctx, to, root, m.Data())
	return err
}

// Records returns how many records an output has, and whether there is an output at a URL.
func Records(ctx context.Context, url string, stores store.Options) (n int64, is bool, err error) {
	root, below, err := find(ctx, url, stores)
	if plan.KindOf(err) == plan.NotFound || plan.KindOf(err) == plan.Invalid {
		return 0, false, nil // an object, or a pattern, or what the caller's own attempt will say
	}
	if err != nil {
		return 0, false, err
	}
	defer root.Close()
	if is, err := output.IsOutput(ctx, root); err != nil || !is {
		return 0, false, err
	}
	m, err := output.Read(ctx, root)
	if err != nil {
		return 0, false, err
	}
	if below == "" {
		m = m.Data()
	} else {
		m = m.Below(below)
	}
	for i := range m.Parts {
		n += m.Parts[i].Records
	}
	return n, true, nil
}

// find opens the output at a URL, or the one that the directory at the URL lies in: then
// below is the directory's name there.
func find(ctx context.Context, url string, stores store.Options) (root *store.Root, below string, err error) {
	root, err = store.Open(ctx, url, stores)
	if err != nil {
		return nil, "", err
	}
	if is, err := output.IsOutput(ctx, root); err != nil || is {
		return root, "", err
	}
	var opened []*store.Root
	within, below, ok, err := output.Within(ctx, url, func(ctx context.Context, url string) (*store.Root, error) {
		r, err := store.Open(ctx, url, stores)
		if err == nil {
			opened = append(opened, r)
		}
		return r, err
	})
	if err != nil || !ok {
		within, below = root, "" // whose error says what is there
	}
	for _, r := range append(opened, root) {
		if r != within {
			r.Close()
		}
	}
	return within, below, err
}

// copyManifest writes the parts of a manifest, and returns how many bytes it
// wrote.
func copyManifest(ctx context.Context, to io.Writer, root *store.Root, m *output.Manifest) (written int64, err error) {
	out := &countedWriter{to: to}
	if m.Bytes <= wholeBytes {
		held := &holding{to: out}
		if err := copyParts(ctx, held, root, m.Parts); err != nil {
			return out.n, err
		}
		return out.n, held.flush()
	}
	err = copyParts(ctx, out, root, m.Parts)
	return out.n, err
}

// holding keeps bytes until flush, or until there are more than wholeBytes: a small
// part can hold a large text.
type holding struct {
	to    io.Writer
	whole []byte
	over  bool
}

func (w *holding) Write(p []byte) (int, error) {
	if !w.over && len(w.whole)+len(p) <= wholeBytes {
		w.whole = append(w.whole, p...)
		return len(p), nil
	}
	w.over = true
	if err := w.flush(); err != nil {
		return 0, err
	}
	return w.to.Write(p)
}

func (w *holding) flush() error {
	_, err := w.to.Write(w.whole)
	w.whole = nil
	return err
}

type countedWriter struct {
	to io.Writer
	n  int64
}

func (w *countedWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.n += int64(n)
	return n, err
}

// copyParts writes parts. It opens up to maxOpen parts before it writes the first:
// an open file stays readable when it is deleted.
func copyParts(ctx context.Context, to io.Writer, root *store.Root, parts []plan.Part) error {
	for first := 0; first < len(parts); first += maxOpen {
		if err := copyOpened(ctx, to, root, parts[first:min(first+maxOpen, len(parts))]); err != nil {
			return err
		}
	}
	return nil
}

func copyOpened(ctx context.Context, to io.Writer, root *store.Root, parts []plan.Part) error {
	handles := make([]*store.Handle, len(parts))
	defer func() {
		for _, h := range handles {
			if h != nil {
				h.Close()
			}
		}
	}()
	for i := range parts {
		h, err := root.OpenKnown(ctx, store.Object{Key: parts[i].Name, Size: parts[i].Size})
		if err != nil {
			return err
		}
		handles[i] = h
	}
	for i := range parts {
		if err := copyPart(ctx, to, handles[i], &parts[i]); err != nil {
			return err
		}
	}
	return nil
}

// copyPart writes a part, and checks that its bytes are those that were committed.
func copyPart(ctx context.Context, to io.Writer, h *store.Handle, part *plan.Part) error {
	raw := h.Stream(ctx, 0, part.Size)
	defer raw.Close()
	sum := checksum.NewCRC32C()
	plain, err := compress.FromName(part.Name).Reader(io.TeeReader(raw, sum))
	if err != nil {
		return fmt.Errorf("%s: %w", part.Name, err)
	}
	defer plain.Close()
	if _, err := io.Copy(to, plain); err != nil {
		return fmt.Errorf("%s: %w", part.Name, err)
	}
	if sum.Sum32() != part.CRC32C {
		return fmt.Errorf("%s is not what was committed: its CRC32C is %08x, the manifest says %08x; the bytes that were written are wrong", part.Name, sum.Sum32(), part.CRC32C)
	}
	return nil
}
