package look

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker/planner"
)

// data opens objects as rows.
type data struct {
	stores           store.Options
	format           string // "": by name or first bytes
	header, noHeader bool
	staged           bool // outputs are read as if what is staged there were published
	roots            map[string]*store.Root
}

// object is an object that is read.
type object = plan.Object

// named adds an object's name to an error that lacks it.
func named(o object, err error) error {
	if strings.Contains(err.Error(), o.Name()) {
		return err
	}
	return fmt.Errorf("%s: %w", o.Name(), err)
}

// Locate splits the URL of an input into a root and a key.
func (d *data) Locate(url string) (rootURL, key string, err error) { return store.Locate(url) }

// Get opens a root once. It never makes a directory.
func (d *data) Get(ctx context.Context, url string, _ bool) (*store.Root, error) {
	if root := d.roots[url]; root != nil {
		return root, nil
	}
	root, err := store.Open(ctx, url, d.stores)
	if err != nil {
		return nil, err
	}
	if d.roots == nil {
		d.roots = make(map[string]*store.Root)
	}
	d.roots[url] = root
	return root, nil
}

// Opened returns a root that Get has opened.
func (d *data) Opened(url string) (*store.Root, error) {
	if root := d.roots[url]; root != nil {
		return root, nil
	}
	return nil, fmt.Errorf("%s was not opened", url)
}

func (d *data) close() {
	for _, root := range d.roots {
		root.Close()
	}
}

// find returns the objects that a job would read.
func (d *data) find(ctx context.Context, urls []string) ([]object, error) {
	if !d.staged {
		return planner.Find(ctx, urls, d)
	}
	var all []object
	for _, url := range urls {
		root, err := d.Get(ctx, url, false)
		if err != nil {
			return nil, err
		}
		m, err := output.ReadStaged(ctx, root)
		if err != nil {
			return nil, err
		}
		for _, p := range m.Data().Parts {
			all = append(all, object{Root: url, Key: p.Name, Size: p.Size})
		}
	}
	return all, nil
}

// Source is an object that a format reads.
type Source struct {
	Object           object
	Text             io.Reader                                            // from the beginning, decompressed
	ReadAt           func(ctx context.Context, p []byte, off int64) error // nil if it is compressed
	Header, NoHeader bool
}

// format reads objects as rows.
type format struct {
	name      string
	exts      []string
	open      func(s *Source) (Rows, error)
	described *described // in place of open
}

var formats = []format{
	{name: "lines", exts: []string{".txt", ".log"}, open: openLines},
	{name: "csv", exts: []string{".csv"}, open: openCSV},
	{name: "tsv", exts: []string{".tsv"}, open: openTSV},
	{name: "jsonl", exts: []string{".jsonl", ".ndjson", ".json"}, open: openJSON},
	{name: "parquet", exts: []string{".parquet"}, described: &parquetFormat},
	{name: "avro", exts: []string{".avro"}, described: &avroFormat},
	{name: "arrow", exts: []string{".arrow", ".arrows", ".feather"}, described: &arrowFormat},
}

func formatNames() []string {
	var names []string
	for i := range formats {
		names = append(names, formats[i].name)
	}
	return names
}

// headSize is how many first bytes show a format.
const headSize = 4 << 10

// with opens an object for its format.
func (d *data) with(ctx context.Context, o object, use func(f *format, s *Source) error) error {
	h, err := d.handle(ctx, o)
	if err != nil {
		return err
	}
	defer h.Close()
	p, err := plain(ctx, h, o)
	if err != nil {
		return err
	}
	defer func() { _ = closeAll(p.closers) }() // what was read of it is sound
	p.Header, p.NoHeader = d.header, d.noHeader
	f, err := d.formatOf(withoutCodec(o.Key), p.head)
	if err != nil {
		return err
	}
	return use(f, &p.Source)
}

// withoutCodec returns a name without the extension of a codec.
func withoutCodec(key string) string {
	if compress.FromName(key) != compress.None {
		return strings.TrimSuffix(key, path.Ext(key))
	}
	return key
}

// read passes on the records of an object.
func (d *data) read(ctx context.Context, o object, yield func(Row) error) error {
	var stop error
	err := d.with(ctx, o, func(f *format, s *Source) error {
		return f.scan(ctx, s, func(r Row) error { stop = yield(r); return stop })
	})
	switch {
	case stop != nil:
		return stop
	case err != nil:
		return named(o, err)
	}
	return nil
}

// scan passes on the records of an object.
func (f *format) scan(ctx context.Context, s *Source, yield func(Row) error) error {
	if f.described != nil {
		return f.described.scan(ctx, s, yield)
	}
	rows, err := f.open(s)
	if err != nil {
		return err
	}
	defer rows.Close()
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = yield(row)
		}
		if err != nil {
			return err
		}
	}
}

// count returns the number of records of what a URL names.
func (d *data) count(ctx context.Context, url string) (n int64, err error) {
	objects, err := d.find(ctx, []string{url})
	if err != nil {
		return 0, err
	}
	for _, o := range objects {
		if err := d.with(ctx, o, func(f *format, s *Source) error {
			if f.described != nil && f.described.count != nil {
				more, err := f.described.count(ctx, s)
				n += more
				return err
			}
			return f.scan(ctx, s, func(Row) error { n++; return nil })
		}); err != nil {
			return 0, named(o, err)
		}
	}
	return n, nil
}

// plainly is an object as a format sees it.
type plainly struct {
	Source
	codec   compress.Codec
	head    []byte // of the text
	closers []io.Closer
}

// plain decompresses an object, by its name or its first bytes.
func plain(ctx context.Context, h *store.Handle, o object) (*plainly, error) {
	head := make([]byte, min(headSize, o.Size))
	if err := h.ReadAt(ctx, head, 0); err != nil {
		return nil, err
	}
	codec := compress.FromName(o.Key)
	if codec == compress.None {
		codec = compress.Detect(head)
	}
	raw := h.Stream(ctx, 0, o.Size)
	p := &plainly{Source{Object: o, Text: raw}, codec, head, []io.Closer{raw}}
	if codec == compress.None || o.Size == 0 {
		p.ReadAt = h.ReadAt
		return p, nil
	}
	text, err := codec.Reader(raw)
	if err != nil {
		raw.Close()
		return nil, err
	}
	p.closers = append(p.closers, text)
	p.head = make([]byte, headSize)
	n, err := io.ReadFull(text, p.head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.Join(err, closeAll(p.closers))
	}
	p.head = p.head[:n]
	p.Text = io.MultiReader(bytes.NewReader(p.head), text)
	return p, nil
}

// copy writes the bytes of objects, decompressed.
func (d *data) copy(ctx context.Context, to io.Writer, url string) error {
	objects, err := d.find(ctx, []string{url})
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := d.copyOne(ctx, to, o); err != nil {
			return named(o, err)
		}
	}
	return nil
}

func (d *data) copyOne(ctx context.Context, to io.Writer, o object) (err error) {
	h, err := d.handle(ctx, o)
	if err != nil {
		return err
	}
	p, err := plain(ctx, h, o)
	if err != nil {
		return errors.Join(err, h.Close())
	}
	_, err = io.Copy(to, p.Text)
	return errors.Join(err, closeAll(append([]io.Closer{h}, p.closers...)))
}

// handle opens the version of an object that was found.
func (d *data) handle(ctx context.Context, o object) (*store.Handle, error) {
	root, err := d.Get(ctx, o.Root, false)
	if err != nil {
		return nil, err
	}
	return root.OpenKnown(ctx, store.Object{Key: o.Key, Size: o.Size, ETag: o.ETag})
}

func closeAll(all []io.Closer) (err error) {
	for _, c := range slices.Backward(all) {
		if e := c.Close(); err == nil {
			err = e
		}
	}
	return err
}

// formatOf returns the format of an object, by its name without the extension of a
// codec, or by its first bytes.
func (d *data) formatOf(key string, head []byte) (*format, error) {
	ext := strings.ToLower(path.Ext(key))
	for i := range formats {
		f := &formats[i]
		if d.format == f.name || d.format == "" && slices.Contains(f.exts, ext) {
			return f, nil
		}
	}
	for i := range formats {
		if f := &formats[i]; f.described != nil && bytes.HasPrefix(head, []byte(f.described.magic)) {
			if foreign, _ := compress.Foreign("", head); foreign != "" { // else it is text that begins so
				return f, nil
			}
		}
	}
	switch {
	case !textual(head):
		return nil, fmt.Errorf("the format is not known: it is binary, and begins with % x; name it with --format", head[:min(len(head), 8)])
	case bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")):
		return &formats[3], nil
	}
	return &formats[0], nil
}

// textual reports whether first bytes are those of a text in UTF-8.
func textual(head []byte) bool {
	if bytes.IndexByte(head, 0) >= 0 {
		return false
	}
	for cut := range min(utf8.UTFMax, len(head)+1) { // a character may end behind them
		if utf8.Valid(head[:len(head)-cut]) {
			return true
		}
	}
	return false
}
