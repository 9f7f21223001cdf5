// Package file is the driver of package store for directories of a file system.
//
// Package store opens it for file:// URLs and plain paths. Programs that need a
// driver, to decorate it and pass it to store.New, call Open.
//
// Objects are files, and keys are their paths below the directory. On Linux an
// upload can be lent to another process: see driver.Lender.
//
// Concurrency and failure are as driver.Driver asks. Units: bytes.
package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/driver"
)

// directory keeps objects as files below a directory. Everything goes through
// an os.Root, so that neither a key nor a symbolic link leaves it.
//
// An object is written to a file of its own in the reserved directory and gets
// its name when it is complete. link(2), which fails if the name is taken, gives
// the name of a create-once; rename(2) gives all others. Durable objects are
// synced before they get their name, and every directory on the way to it after.
type directory struct {
	root *os.Root
	path string

	mu     sync.Mutex
	wrote  bool              // this driver may have made the reserved directory
	synced map[string]uint64 // directory → inode whose entry in its parent is on disk
}

// Open opens the driver of a directory, and makes the directory if it is
// missing and create is set. Without create its absence has the kind NotFound.
// It removes what dead processes have left in the reserved directory.
func Open(dir string, create bool) (driver.Driver, error) {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return nil, driver.Fail(plan.Invalid, "it is a file, and a directory is needed here (%s is one, and the file in it is %q)", filepath.Dir(dir), filepath.Base(dir))
	case errors.Is(err, fs.ErrNotExist) && create:
		err = makeDirs(dir)
	case errors.Is(err, fs.ErrNotExist):
		return nil, driver.Fail(plan.NotFound, "there is no such directory")
	}
	if err != nil {
		return nil, classify(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, classify(err)
	}
	d := &directory{root: root, path: dir, synced: make(map[string]uint64)}
	d.sweep()
	return d, nil
}

// makeDirs makes a directory and those missing above it, on disk.
func makeDirs(dir string) error {
	err := os.Mkdir(dir, 0o777)
	if errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		if err = makeDirs(filepath.Dir(dir)); err == nil {
			err = os.Mkdir(dir, 0o777)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return err
	}
	defer parent.Close()
	return syncDir(parent)
}

func (d *directory) Traits() driver.Traits {
	return driver.Traits{URL: strings.TrimSuffix("file://"+d.path, "/")}
}

// Close removes the reserved directory, unless another process uses it.
func (d *directory) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wrote {
		_ = d.root.Remove(driver.Reserved) // fails if it is not empty, as it should
	}
	return d.root.Close()
}

func (d *directory) Stat(_ context.Context, key string) (driver.Object, error) {
	if err := localPath(key); err != nil {
		return driver.Object{}, err
	}
	info, err := d.root.Stat(key)
	if err != nil {
		return driver.Object{}, d.absent(err)
	}
	if !info.Mode().IsRegular() {
		return driver.Object{}, notAFile(info.Mode())
	}
	if err := d.checkEmpty(key, info); err != nil {
		return driver.Object{}, err
	}
	return describe(key, info), nil
}

func (d *directory) Delete(_ context.Context, key string) error {
	if err := localPath(key); err != nil {
		return err
	}
	info, err := d.root.Lstat(key)
	if err == nil && !info.IsDir() {
		err = d.root.Remove(key)
	}
	if err != nil {
		err = d.absent(err)
		if kind, _ := driver.Cause(err); kind == plan.NotFound {
			return nil
		}
		return err
	}
	if !info.IsDir() {
		d.prune(path.Dir(key))
	}
	return nil
}

// prune removes empty directories, from dir upwards. A writer whose directory
// vanishes makes it again.
func (d *directory) prune(dir string) {
	for ; dir != "."; dir = path.Dir(dir) {
		info, err := d.root.Lstat(dir)
		if err != nil || !info.IsDir() {
			return // a symbolic link stays
		}
		d.mu.Lock()
		delete(d.synced, dir)
		d.mu.Unlock()
		if d.root.Remove(dir) != nil {
			return
		}
	}
}

// absent gives an error of a lookup its kind. A missing name is NotFound only
// while the root itself exists.
func (d *directory) absent(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return driver.Fail(plan.NotFound, "no such object")
	}
	if errors.Is(err, fs.ErrNotExist) {
		info, statErr := d.root.Stat(".")
		if statErr != nil {
			return driver.Fail(plan.Unavailable, "the root directory cannot be read: %w", statErr)
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink == 0 {
			return driver.Fail(plan.Unavailable, "the root directory was removed")
		}
		return driver.Fail(plan.NotFound, "no such object")
	}
	return classify(err)
}

// classify gives an error of the file system its kind and drops the path: the
// caller names the whole one.
func classify(err error) error {
	cause := err
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		cause = p.Err
	case errors.As(err, &l):
		cause = l.Err
	}
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return driver.Fail(plan.Denied, "%w", cause)
	case errors.Is(err, syscall.EXDEV):
		return driver.Fail(plan.Invalid, "its directory is on another file system than the root: open a root there")
	case errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.ELOOP):
		return driver.Fail(plan.Invalid, "%w", cause)
	case errors.Is(err, syscall.ESTALE), errors.Is(err, syscall.ETIMEDOUT):
		return driver.Fail(plan.Unavailable, "%w", cause)
	case strings.Contains(cause.Error(), "escapes from parent"):
		// os.Root has no exported error for this.
		return errOutside
	default:
		return driver.Fail(plan.Unknown, "%w", cause)
	}
}

// errOutside says that a link leads out of the directory within which links must lead.
var errOutside = driver.Fail(plan.Invalid, "a symbolic link leads out of the directory that is read: name its target instead, or remove it")

// localPath refuses keys that are not paths below the root. Keys of files that
// other programs made may have what CheckKey refuses.
func localPath(key string) error {
	if !validPath(key) || key == "." {
		return driver.Fail(plan.Invalid, "the key is not a path below the root")
	}
	return checkReserved(key)
}

// validPath reports whether a name is a path below the root, as fs.ValidPath does. The
// bytes of names need not be UTF-8: file systems do not ask for it.
func validPath(name string) bool {
	return fs.ValidPath(strings.ToValidUTF8(name, "\uFFFD")) && strings.IndexByte(name, 0) < 0
}

func checkReserved(key string) error {
	if strings.Contains(key, driver.Reserved) {
		for s := range strings.SplitSeq(key, "/") {
			if s == driver.Reserved {
				return driver.Fail(plan.Invalid, "the key has the reserved segment %q", s)
			}
		}
	}
	return nil
}

func notAFile(m fs.FileMode) error {
	if m.IsDir() {
		return driver.Fail(plan.NotFound, "it is a directory, not an object")
	}
	return driver.Fail(plan.Invalid, "it is a %s, which can be read only once and from its beginning: copy what comes out of it to a file, and read that", special(m))
}

// special names what a file is that is neither regular nor a directory.
func special(m fs.FileMode) string {
	switch {
	case m&fs.ModeNamedPipe != 0:
		return "pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeCharDevice != 0:
		return "character device"
	case m&fs.ModeDevice != 0:
		return "block device"
	default:
		return "special file"
	}
}

// checkEmpty refuses a file that has no size and holds bytes, as those below /proc do.
// It would be read as empty. A file that cannot be opened is left to its reader.
func (d *directory) checkEmpty(key string, info fs.FileInfo) error {
	if info.Size() > 0 {
		return nil
	}
	f, err := d.root.OpenFile(key, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	if n, _ := f.Read(make([]byte, 1)); n == 0 {
		return nil
	}
	if again, err := f.Stat(); err == nil && again.Size() > 0 {
		return nil // it was written to meanwhile
	}
	return driver.Fail(plan.Invalid, "its file system says that it has 0 bytes, and it has some, as files below /proc do: copy it to a file of a disk, and read that")
}

// describe describes a file. A file that replaced another has another inode. A
// file that was written in place has another time: programs can set that of its
// content, and rsync and cp do, but not that of its last change of any kind.
func describe(key string, info fs.FileInfo) driver.Object {
	o := driver.Object{Key: key, Size: info.Size(), ModTime: info.ModTime()}
	var inode uint64
	var last int64
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		inode, last = st.Ino, touched(st)
	}
	tag := make([]byte, 0, 64)
	tag = append(strconv.AppendUint(tag, inode, 16), '-')
	tag = append(strconv.AppendInt(tag, o.Size, 16), '-')
	tag = append(strconv.AppendInt(tag, o.ModTime.UnixNano(), 16), '-')
	o.ETag = string(strconv.AppendInt(tag, last, 16))
	return o
}

// isVersion reports whether a file is the version that an ETag names. Those of the
// version before lack the last field.
func isVersion(o *driver.Object, etag string) bool {
	const fields = 3
	return o.ETag == etag || strings.Count(etag, "-") == fields-1 && strings.HasPrefix(o.ETag, etag+"-")
}
