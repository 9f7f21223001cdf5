package store

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
)

// fileReader reads a file that stays open, and notices when it is written to:
// a file that another one replaced goes on to be read as it was.
type fileReader struct {
	file   *os.File
	fd     int
	object Object
}

func (d *fileDriver) Open(_ context.Context, key, etag string) (Reader, error) {
	if err := localPath(key); err != nil {
		return nil, err
	}
	// Without O_NONBLOCK opening a pipe would wait for its writer.
	f, err := d.root.OpenFile(key, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, d.absent(err)
	}
	r, err := newFileReader(f, key, etag)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return r, nil
}

func newFileReader(f *os.File, key, etag string) (*fileReader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fileError(err)
	}
	if !info.Mode().IsRegular() {
		return nil, notAFile(info.Mode())
	}
	r := &fileReader{file: f, object: fileObject(key, info)}
	if etag != "" && etag != r.object.ETag {
		return nil, Fail(plan.Changed, "the file was written to or replaced")
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, fileError(err)
	}
	if err = raw.Control(func(fd uintptr) { r.fd = int(fd) }); err != nil {
		return nil, fileError(err)
	}
	return r, nil
}

// ReadAt reads straight into p. The check afterwards covers what was read: a
// write that came after it does not touch these bytes.
func (r *fileReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.file.ReadAt(p, off)
	var st syscall.Stat_t
	if statErr := syscall.Fstat(r.fd, &st); statErr != nil {
		return 0, fileError(statErr)
	}
	if st.Size != r.object.Size || modified(&st) != r.object.ModTime.UnixNano() {
		return 0, Fail(plan.Changed, "the file was written to while it was read")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = fileError(err)
	}
	return n, err
}

func (r *fileReader) Object(_ context.Context) (Object, error) { return r.object, nil }

func (r *fileReader) Range(_ context.Context, off, n int64) (Body, error) {
	return sectionBody(r, r.object.Size, off, n)
}

func (r *fileReader) Close() error { return r.file.Close() }

// filePager walks the tree in the order of keys, one directory in memory per
// level. A directory sorts as if its name ended in a slash, as it does in the
// keys below it.
type filePager struct {
	driver *fileDriver
	prefix string
	began  bool
	levels []fileLevel
}

// fileLevel is a directory with the entries that are still to come.
type fileLevel struct {
	dir     string // with a final slash, or empty for the root
	entries []fs.DirEntry
}

func (d *fileDriver) List(prefix string) Pager { return &filePager{driver: d, prefix: prefix} }

func (p *filePager) Next(ctx context.Context) (page []Object, last bool, err error) {
	if !p.began {
		dir := p.prefix[:strings.LastIndexByte(p.prefix, '/')+1]
		if err := p.enter(dir); err != nil {
			return nil, false, err
		}
		p.began = true
	}
	for len(page) < listPage && len(p.levels) > 0 {
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

// visit returns an entry's object, or enters the directory that it is. Neither
// is the case for pipes and the like, and for links to directories: whatever is
// in those is listed where it is.
func (p *filePager) visit(name string, e fs.DirEntry) (Object, error) {
	if e.IsDir() {
		return Object{}, p.enter(name + "/")
	}
	info, err := e.Info()
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if info, err = p.driver.root.Stat(name); err != nil {
			_, cause := causeOf(fileError(err))
			return Object{}, Fail(plan.Invalid, "symbolic link %s: %w", name, cause)
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Object{}, nil // deleted meanwhile
	case err != nil:
		return Object{}, fileError(err)
	case !info.Mode().IsRegular():
		return Object{}, nil
	}
	return fileObject(name, info), nil
}

// enter reads a directory. One that is missing has no objects.
func (p *filePager) enter(dir string) error {
	name := path.Clean(dir)
	if !fs.ValidPath(name) {
		return Fail(plan.Invalid, "the prefix is not a path below the root")
	}
	f, err := p.driver.root.OpenFile(name, os.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		kind, cause := causeOf(p.driver.absent(err))
		if kind == plan.NotFound {
			return nil
		}
		return Fail(kind, "directory %s: %w", name, cause)
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		if err = p.driver.absent(err); plan.KindOf(err) == plan.NotFound {
			return nil // removed meanwhile
		}
		return err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		full := dir + e.Name()
		return e.Name() == reservedSegment || !strings.HasPrefix(full, p.prefix)
	})
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return compareEntries(a.Name(), a.IsDir(), b.Name(), b.IsDir()) })
	p.levels = append(p.levels, fileLevel{dir, entries})
	return nil
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
