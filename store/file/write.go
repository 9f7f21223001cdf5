package file

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/driver"
)

// publishTries bounds how often a writer makes its directory again when another
// process removes the empty directory before the object has its name.
const publishTries = 1000

// maxSynced bounds the directories that a driver remembers as synced.
const maxSynced = 10_000

// upload is a file that has no name yet.
type upload struct {
	driver *directory
	key    string
	opts   driver.CreateOptions
	file   *os.File
	temp   string // its name in the reserved directory, until it has another
}

func (d *directory) Put(ctx context.Context, key string, body []byte, o driver.CreateOptions) error {
	if o.IfAbsent {
		// Saves a loser of the race two syncs; link decides in any case.
		if err := d.taken(key, o); err != nil {
			return err
		}
	}
	u, err := d.begin(key, o)
	if err != nil {
		return err
	}
	if err = u.Part(ctx, 1, body); err == nil {
		err = u.Commit(ctx)
	}
	if err != nil {
		_ = u.Abort(ctx)
	}
	return err
}

func (d *directory) Upload(_ context.Context, key string, o driver.CreateOptions) (driver.Upload, error) {
	return d.begin(key, o)
}

// begin makes the file that will be the object.
func (d *directory) begin(key string, o driver.CreateOptions) (*upload, error) {
	if err := localPath(key); err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.wrote = true
	d.mu.Unlock()
	for range publishTries {
		var r [12]byte
		rand.Read(r[:]) // never fails
		temp := driver.Reserved + "/" + hex.EncodeToString(r[:])
		f, err := d.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if err == nil {
			lock(f)
			return &upload{driver: d, key: key, opts: o, file: f, temp: temp}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, classify(err)
		}
		if err = d.root.Mkdir(driver.Reserved, 0o777); errors.Is(err, fs.ErrNotExist) {
			return nil, driver.Fail(plan.Unavailable, "the root directory was removed")
		} else if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, classify(err)
		}
	}
	return nil, driver.Fail(plan.Contended, "other processes keep removing %s", driver.Reserved)
}

func (u *upload) Part(ctx context.Context, _ int, body []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := u.file.Write(body); err != nil {
		return classify(err)
	}
	return nil
}

func (u *upload) Commit(_ context.Context) error {
	if u.opts.Class == driver.Durable {
		if err := u.file.Sync(); err != nil {
			return classify(err)
		}
	}
	if err := u.publish(); err != nil {
		return err
	}
	_ = u.file.Close() // nothing is buffered, and what was written is synced
	if u.opts.Class != driver.Durable {
		return nil
	}
	return u.driver.settle(path.Dir(u.key))
}

// publish gives the file its name.
func (u *upload) publish() error {
	d := u.driver
	for range publishTries {
		var err error
		if u.opts.IfAbsent {
			if err = d.root.Link(u.temp, u.key); err == nil {
				_ = d.root.Remove(u.temp) // a second name, that a sweep would find
			}
		} else {
			err = d.root.Rename(u.temp, u.key)
		}
		switch {
		case err == nil:
			u.temp = ""
			return nil
		case errors.Is(err, fs.ErrNotExist):
			err = d.makeParent(u.key)
		case errors.Is(err, fs.ErrExist), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTEMPTY):
			err = d.taken(u.key, u.opts)
		}
		if err != nil {
			return clash(err)
		}
	}
	return driver.Fail(plan.Contended, "other processes keep removing the directory")
}

// makeParent makes the directories of a key.
func (d *directory) makeParent(key string) error {
	err := d.root.MkdirAll(path.Dir(key), 0o777)
	if errors.Is(err, fs.ErrExist) {
		return nil // another process made it, and perhaps removed it: try again
	}
	if errors.Is(err, fs.ErrNotExist) {
		if _, statErr := d.root.Lstat(driver.Reserved); statErr != nil {
			return driver.Fail(plan.Unavailable, "the root directory was removed")
		}
		return nil // a directory was removed meanwhile: try again
	}
	return err
}

// taken returns why a name cannot be given, or nil if it can be by now.
func (d *directory) taken(key string, o driver.CreateOptions) error {
	if err := localPath(key); err != nil {
		return err
	}
	info, err := d.root.Lstat(key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return clash(err)
	case info.IsDir():
		// A deletion left an empty directory, which is no object.
		if err = d.root.Remove(key); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return driver.Fail(plan.Invalid, "there are objects below it: a key cannot be another's directory")
	case !o.IfAbsent:
		return nil
	}
	if o.Class == driver.Durable {
		// The winner may not have synced the directory yet.
		if err = d.settle(path.Dir(key)); err != nil {
			return err
		}
	}
	return driver.Fail(plan.Exists, "another writer was first")
}

// clash gives an error its kind, and recognises a key whose directory is an
// object.
func clash(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return driver.Fail(plan.Invalid, "a part of its path is an object: a key cannot be another's directory")
	}
	var known interface{ FailureKind() plan.Kind }
	if errors.As(err, &known) {
		return err
	}
	return classify(err)
}

func (u *upload) Abort(_ context.Context) error {
	_ = u.file.Close()
	if u.temp == "" {
		return nil
	}
	if err := u.driver.root.Remove(u.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return classify(err)
	}
	return nil
}

// settle syncs a directory, and the directories above it whose entries are not
// known to be on disk. It keeps this knowledge by inode, since another process
// may remove a directory and make it again.
func (d *directory) settle(dir string) error {
	inode, err := d.syncOne(dir, true)
	for err == nil && dir != "." && !d.known(dir, inode) {
		parent := path.Dir(dir)
		var above uint64
		if above, err = d.syncOne(parent, true); err == nil {
			d.learn(dir, inode)
		}
		dir, inode = parent, above
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the object was deleted, and then its directory
	}
	return err
}

// known reports whether a directory's entry in its parent is on disk.
func (d *directory) known(dir string, inode uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.synced[dir] == inode
}

// learn remembers that a directory's entry is on disk. Forgetting costs a sync.
func (d *directory) learn(dir string, inode uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.synced) >= maxSynced {
		clear(d.synced)
	}
	d.synced[dir] = inode
}

// syncOne opens a directory, syncs it if sync is set, and returns its inode.
func (d *directory) syncOne(dir string, sync bool) (uint64, error) {
	f, err := d.root.Open(dir)
	if err != nil {
		return 0, classify(err)
	}
	defer f.Close()
	if sync {
		if err = syncDir(f); err != nil {
			return 0, classify(err)
		}
	}
	info, err := f.Stat()
	if err != nil {
		return 0, classify(err)
	}
	st, _ := info.Sys().(*syscall.Stat_t)
	return st.Ino, nil
}

// syncDir syncs a directory if the file system can.
func syncDir(f *os.File) error {
	err := f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

// lock marks a file as being written, while it is open. On file systems without
// locks the file's age must do.
func lock(f *os.File) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	held := false
	err = raw.Control(func(fd uintptr) { held = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB) == nil })
	return err == nil && held
}
