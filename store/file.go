package store

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
)

// fileDriver keeps objects as files below a directory. Everything goes through
// an os.Root, so that neither a key nor a symbolic link leaves it.
//
// An object is written to a file of its own in the reserved directory and gets
// its name when it is complete: by link(2), which fails when the name is
// taken, for create-once, and by rename(2) otherwise. Durable objects are
// synced before they get their name, and every directory on the way to it
// after.
type fileDriver struct {
	root *os.Root
	path string

	mu     sync.Mutex
	wrote  bool              // the reserved directory may be ours to remove
	synced map[string]uint64 // directory → inode whose entry in its parent is on disk
}

// openFile opens the driver of a file root.
func openFile(dir string, o Options) (*fileDriver, error) {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return nil, Fail(plan.Invalid, "it is a file, and a directory is needed here (%s is one, and holds it as %q)", filepath.Dir(dir), filepath.Base(dir))
	case errors.Is(err, fs.ErrNotExist) && o.CreateDir:
		err = makeDirs(dir)
	case errors.Is(err, fs.ErrNotExist):
		return nil, Fail(plan.NotFound, "there is no such directory")
	}
	if err != nil {
		return nil, fileError(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fileError(err)
	}
	d := &fileDriver{root: root, path: dir, synced: make(map[string]uint64)}
	d.sweep()
	return d, nil
}

// makeDirs makes a directory and what is missing above it, on disk.
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

func (d *fileDriver) Traits() Traits {
	return Traits{URL: strings.TrimSuffix("file://"+d.path, "/")}
}

// Close removes the reserved directory, unless somebody else is using it.
func (d *fileDriver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wrote {
		_ = d.root.Remove(reservedSegment) // fails when it is not empty: as it should
	}
	return d.root.Close()
}

func (d *fileDriver) Stat(_ context.Context, key string) (Object, error) {
	if err := localPath(key); err != nil {
		return Object{}, err
	}
	info, err := d.root.Stat(key)
	if err != nil {
		return Object{}, d.absent(err)
	}
	if !info.Mode().IsRegular() {
		return Object{}, notAFile(info.Mode())
	}
	return fileObject(key, info), nil
}

func (d *fileDriver) Delete(_ context.Context, key string) error {
	if err := localPath(key); err != nil {
		return err
	}
	info, err := d.root.Lstat(key)
	if err == nil && !info.IsDir() {
		err = d.root.Remove(key)
	}
	if err != nil {
		err = d.absent(err)
		if kind, _ := causeOf(err); kind == plan.NotFound {
			return nil
		}
		return err
	}
	if !info.IsDir() {
		d.prune(path.Dir(key))
	}
	return nil
}

// prune removes directories that are empty, from dir upwards. A writer whose
// directory vanishes makes it again.
func (d *fileDriver) prune(dir string) {
	for ; dir != "."; dir = path.Dir(dir) {
		info, err := d.root.Lstat(dir)
		if err != nil || !info.IsDir() {
			return // a symbolic link is not ours to remove
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
// while the root itself is there.
func (d *fileDriver) absent(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return Fail(plan.NotFound, "no such object")
	}
	if errors.Is(err, fs.ErrNotExist) {
		info, statErr := d.root.Stat(".")
		if statErr != nil {
			return Fail(plan.Unavailable, "the root directory cannot be looked at: %w", statErr)
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink == 0 {
			return Fail(plan.Unavailable, "the root directory was removed")
		}
		return Fail(plan.NotFound, "no such object")
	}
	return fileError(err)
}

// fileError gives an error of the file system its kind and drops the path,
// which the caller names as a whole.
func fileError(err error) error {
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
		return Fail(plan.Denied, "%w", cause)
	case errors.Is(err, syscall.EXDEV):
		return Fail(plan.Invalid, "its directory is on another file system than the root: open a root there")
	case errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.ELOOP):
		return Fail(plan.Invalid, "%w", cause)
	case errors.Is(err, syscall.ESTALE), errors.Is(err, syscall.ETIMEDOUT):
		return Fail(plan.Unavailable, "%w", cause)
	case strings.Contains(cause.Error(), "escapes from parent"):
		// os.Root has no exported error for this.
		return Fail(plan.Invalid, "a symbolic link leads out of the directory that is read: name its target instead, or remove it")
	default:
		return Fail(plan.Unknown, "%w", cause)
	}
}

// localPath refuses keys that are no path below the root. Keys of files that
// others made may hold what CheckKey refuses.
func localPath(key string) error {
	if !fs.ValidPath(key) || key == "." || strings.ContainsRune(key, 0) {
		return Fail(plan.Invalid, "the key is not a path below the root")
	}
	return checkReserved(key)
}

func checkReserved(key string) error {
	if strings.Contains(key, reservedSegment) {
		for s := range strings.SplitSeq(key, "/") {
			if s == reservedSegment {
				return Fail(plan.Invalid, "the key has the reserved segment %q", s)
			}
		}
	}
	return nil
}

func notAFile(m fs.FileMode) error {
	if m.IsDir() {
		return Fail(plan.NotFound, "it is a directory, not an object")
	}
	return Fail(plan.Invalid, "it is not a regular file")
}

// fileObject describes a file. A file that replaced another has another inode,
// one that was written in place another time or size.
func fileObject(key string, info fs.FileInfo) Object {
	o := Object{Key: key, Size: info.Size(), ModTime: info.ModTime()}
	var inode uint64
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = st.Ino
	}
	tag := make([]byte, 0, 48)
	tag = append(strconv.AppendUint(tag, inode, 16), '-')
	tag = append(strconv.AppendInt(tag, o.Size, 16), '-')
	o.ETag = string(strconv.AppendInt(tag, o.ModTime.UnixNano(), 16))
	return o
}
