package file

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/driver"
)

// reader reads a file that stays open, and notices when it is written to. It
// continues to read a file that another one replaced, as it was.
type reader struct {
	file   *os.File
	fd     int
	object driver.Object

	// A file that was asked for in one version must not be touched at all, except
	// that it may lose its name. Others are: a file that was just created has two.
	pinned  bool
	touched int64
}

func (d *directory) Open(_ context.Context, key, etag string) (driver.Reader, error) {
	if err := localPath(key); err != nil {
		return nil, err
	}
	// Without O_NONBLOCK opening a pipe would wait for its writer.
	f, err := d.root.OpenFile(key, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, d.absent(err)
	}
	r, err := newReader(f, key, etag)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return r, nil
}

func newReader(f *os.File, key, etag string) (*reader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, classify(err)
	}
	if !info.Mode().IsRegular() {
		return nil, notAFile(info.Mode())
	}
	r := &reader{file: f, object: describe(key, info)}
	if etag != "" && !isVersion(&r.object, etag) {
		return nil, driver.Fail(plan.Changed, "the file was written to or replaced")
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && etag != "" {
		r.pinned, r.touched = true, touched(st)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, classify(err)
	}
	if err = raw.Control(func(fd uintptr) { r.fd = int(fd) }); err != nil {
		return nil, classify(err)
	}
	return r, nil
}

// ReadAt reads straight into p. The check afterwards covers the bytes that were
// read: a later write does not change them.
func (r *reader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.file.ReadAt(p, off)
	var st syscall.Stat_t
	if statErr := syscall.Fstat(r.fd, &st); statErr != nil {
		return 0, classify(statErr)
	}
	if st.Size != r.object.Size || modified(&st) != r.object.ModTime.UnixNano() || r.pinned && st.Nlink > 0 && touched(&st) != r.touched {
		return 0, driver.Fail(plan.Changed, "the file was written to while it was read")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = classify(err)
	}
	return n, err
}

func (r *reader) Object(_ context.Context) (driver.Object, error) { return r.object, nil }

func (r *reader) Range(_ context.Context, off, n int64) (driver.Body, error) {
	return driver.Section(r, r.object.Size, off, n)
}

func (r *reader) Close() error { return r.file.Close() }

const pageSize = 1000 // objects of a page

// pager walks the tree in the order of keys, with one directory in memory per
// level. A directory sorts as if its name ended in a slash, as it does in the
// keys below it.
type pager struct {
	driver *directory
	prefix string
	began  bool
	levels []level
}

// level is a directory with the entries that are still to come.
type level struct {
	dir     string // with a final slash, or empty for the root
	entries []fs.DirEntry
}

func (d *directory) List(prefix string) driver.Pager { return &pager{driver: d, prefix: prefix} }

func (p *pager) Next(ctx context.Context) (page []driver.Object, last bool, err error) {
	if !p.began {
		dir := p.prefix[:strings.LastIndexByte(p.prefix, '/')+1]
		if err := p.enter(dir); err != nil {
			return nil, false, err
		}
		p.began = true
	}
	for len(page) < pageSize && len(p.levels) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		top := len(p.levels) - 1
		level := p.levels[top]
		if len(level.entries) == 0 {
			p.levels = p.levels[:top]
			continue
		}
		p.levels[top].entries = level.entries[1:]
		o, err := p.visit(level.dir+level.entries[0].Name(), level.entries[0])
		if err != nil {
			p.levels[top].entries = level.entries // the next call begins here
			if len(page) > 0 {
				return page, false, nil
			}
			return nil, false, err
		}
		if o.Key != "" {
			page = append(page, o)
		}
	}
	return page, len(p.levels) == 0, nil
}

// visit returns an entry's object, or enters a directory. It does neither for
// pipes and the like, and for links to directories, whose files are listed where
// they are.
func (p *pager) visit(name string, e fs.DirEntry) (driver.Object, error) {
	if e.IsDir() {
		return driver.Object{}, p.enter(name + "/")
	}
	info, err := e.Info()
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if info, err = p.driver.root.Stat(name); err != nil {
			_, cause := driver.Cause(classify(err))
			return driver.Object{}, driver.Fail(plan.Invalid, "symbolic link %s: %w", name, cause)
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return driver.Object{}, nil // deleted meanwhile
	case err != nil:
		return driver.Object{}, classify(err)
	case !info.Mode().IsRegular():
		return driver.Object{}, nil
	}
	return describe(name, info), nil
}

// enter reads a directory. A missing one has no objects.
func (p *pager) enter(dir string) error {
	entries, err := p.driver.entries(dir, p.prefix)
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return compareEntries(a.Name(), a.IsDir(), b.Name(), b.IsDir()) })
	p.levels = append(p.levels, level{dir, entries})
	return nil
}

// entries returns the entries of a directory whose keys begin with a prefix. A missing
// directory has none.
func (d *directory) entries(dir, prefix string) ([]fs.DirEntry, error) {
	name := path.Clean(dir)
	if !validPath(name) {
		return nil, driver.Fail(plan.Invalid, "the prefix is not a path below the root")
	}
	f, err := d.root.OpenFile(name, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		kind, cause := driver.Cause(d.absent(err))
		if kind == plan.NotFound {
			return nil, nil
		}
		return nil, driver.Fail(kind, "directory %s: %w", name, cause)
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		if err = d.absent(err); plan.KindOf(err) == plan.NotFound {
			return nil, nil // removed meanwhile
		}
		return nil, err
	}
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		return e.Name() == driver.Reserved || !strings.HasPrefix(dir+e.Name(), prefix)
	}), nil
}

// compareEntries compares names as if those of directories ended in a slash.
func compareEntries(a string, aDir bool, b string, bDir bool) int {
	n := min(len(a), len(b))
	if c := strings.Compare(a[:n], b[:n]); c != 0 {
		return c
	}
	next := func(s string, dir bool) int {
		switch {
		case len(s) > n:
			return int(s[n])
		case dir:
			return '/'
		default:
			return -1
		}
	}
	return next(a, aDir) - next(b, bDir)
}
