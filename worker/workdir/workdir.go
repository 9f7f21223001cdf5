// Package workdir makes temporary directories that do not outlive their process for
// long. A process that is killed removes nothing; the next one of its kind does.
//
// Workers have a directory for their job processes, and submit has one for the
// programs that it builds. A directory has a lock file, which its process holds and
// the system releases when the process ends. Everything may be called by any number
// of goroutines and processes. Failure: New returns errors; what cannot be removed is
// left to the next process.
//
// It is part of the engine, and may change between minor versions.
package workdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	lockFile = ".lock"
	// newLock is the name of a lock file that is not locked yet.
	newLock = ".lock-new"
	// abandoned is the age from which a directory without a lock file belongs to no
	// process that is making it.
	abandoned = time.Hour
)

// Dir is a directory of this process.
type Dir struct {
	Path string

	lock *os.File
}

// New makes a directory in parent, whose name begins with prefix, and removes those of
// processes of this user that ended without removing theirs.
func New(parent, prefix string) (*Dir, error) {
	sweep(parent, prefix)
	path, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return nil, err
	}
	d := &Dir{Path: path}
	if err := d.hold(); err != nil {
		return nil, errors.Join(err, d.Remove())
	}
	return d, nil
}

// hold locks the directory. Others see the lock file only when it is locked.
func (d *Dir) hold() (err error) {
	made := filepath.Join(d.Path, newLock)
	if d.lock, err = os.OpenFile(made, os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600); err != nil {
		return err
	}
	if err := try(d.lock); err != nil {
		return err
	}
	return os.Rename(made, filepath.Join(d.Path, lockFile))
}

// Remove removes the directory, and all that is in it.
func (d *Dir) Remove() error {
	err := os.RemoveAll(d.Path)
	if d.lock != nil {
		_ = d.lock.Close() // an error is that it is closed
	}
	return err
}

// try locks a file unless another process has.
func try(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

// sweep removes the directories of processes that have ended.
func sweep(parent, prefix string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return // MkdirTemp says why
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			sweepOne(filepath.Join(parent, e.Name()))
		}
	}
}

// sweepOne removes a directory if it is this user's and its process has ended.
func sweepOne(path string) {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Geteuid() {
		return
	}
	lock, err := os.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) && time.Since(info.ModTime()) > abandoned {
		_ = os.RemoveAll(path) // the next process tries again
	}
	if err != nil {
		return
	}
	defer lock.Close()
	if try(lock) == nil {
		_ = os.RemoveAll(path)
	}
}
