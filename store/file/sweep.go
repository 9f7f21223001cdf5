package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/windrow-mr/windrow/store/driver"
)

// staleAfter is the age from which an unlocked file in the reserved directory
// counts as left by a dead process. The lock alone would do, except in the
// moment between a file's creation and its lock.
const staleAfter = time.Minute

// sweep removes what dead processes left in the reserved directory. Its failure,
// as on a root that may only be read, does no harm: these files are invisible.
func (d *directory) sweep() {
	left, err := d.abandoned()
	if err != nil {
		return
	}
	for _, u := range left {
		_ = d.removeAbandoned(filepath.Base(u.ID))
	}
	_ = d.root.Remove(driver.Reserved) // fails when it is not empty
}

// abandoned lists what dead processes left in the reserved directory. A file is
// as old as its last write.
func (d *directory) abandoned() ([]driver.Unfinished, error) {
	dir, err := d.root.Open(driver.Reserved)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, classify(err)
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return nil, classify(err)
	}
	var left []driver.Unfinished
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) < staleAfter {
			continue
		}
		if f := d.unheld(e.Name()); f != nil {
			_ = f.Close()
			left = append(left, driver.Unfinished{ID: filepath.Join(d.path, driver.Reserved, e.Name()), Began: info.ModTime()})
		}
	}
	return left, nil
}

// unheld opens a file of the reserved directory and locks it. It returns nil if
// another process holds the lock.
func (d *directory) unheld(name string) *os.File {
	f, err := d.root.Open(driver.Reserved + "/" + name)
	if err != nil {
		return nil
	}
	if !lock(f) {
		_ = f.Close()
		return nil
	}
	return f
}

// removeAbandoned removes an unlocked file of the reserved directory.
func (d *directory) removeAbandoned(name string) error {
	f := d.unheld(name)
	if f == nil {
		return nil // it is gone, or another process sweeps
	}
	defer f.Close()
	if err := d.root.Remove(driver.Reserved + "/" + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return classify(err)
	}
	return nil
}

// ListUploads makes the driver a driver.UploadLister. It lists only the files of
// dead processes. Their keys are unknown, so it lists all of them, whatever the
// prefix.
func (d *directory) ListUploads(string) driver.UploadPager { return abandonedPager{d} }

type abandonedPager struct{ driver *directory }

func (p abandonedPager) Next(ctx context.Context) (page []driver.Unfinished, last bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	page, err = p.driver.abandoned()
	return page, true, err
}

// AbortUpload removes a file that a dead process has left.
func (d *directory) AbortUpload(_ context.Context, u driver.Unfinished) error {
	return d.removeAbandoned(filepath.Base(u.ID))
}
