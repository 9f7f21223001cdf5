package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// staleAfter is the age from which a file in the reserved directory that
// nobody holds locked is taken for what a dead process left. The lock alone
// would do, but for the moment between a file's creation and its lock.
const staleAfter = time.Minute

// sweep removes what dead processes left in the reserved directory. That it
// fails, as on a root that may only be read, does no harm: nobody sees these
// files.
func (d *fileDriver) sweep() {
	left, err := d.abandoned()
	if err != nil {
		return
	}
	for _, u := range left {
		_ = d.removeAbandoned(filepath.Base(u.ID))
	}
	_ = d.root.Remove(reservedSegment) // fails when it is not empty
}

// abandoned lists what dead processes left in the reserved directory. How old a
// file is, its last write tells.
func (d *fileDriver) abandoned() ([]Unfinished, error) {
	dir, err := d.root.Open(reservedSegment)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fileError(err)
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return nil, fileError(err)
	}
	var left []Unfinished
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || time.Since(info.ModTime()) < staleAfter {
			continue
		}
		if f := d.unheld(e.Name()); f != nil {
			_ = f.Close()
			left = append(left, Unfinished{ID: filepath.Join(d.path, reservedSegment, e.Name()), Began: info.ModTime()})
		}
	}
	return left, nil
}

// unheld opens a file of the reserved directory and locks it, if nobody else
// holds it; else it returns nil.
func (d *fileDriver) unheld(name string) *os.File {
	f, err := d.root.Open(reservedSegment + "/" + name)
	if err != nil {
		return nil
	}
	if !lock(f) {
		_ = f.Close()
		return nil
	}
	return f
}

// removeAbandoned removes a file of the reserved directory that nobody holds.
func (d *fileDriver) removeAbandoned(name string) error {
	f := d.unheld(name)
	if f == nil {
		return nil // it is gone, or another sweeps
	}
	defer f.Close()
	if err := d.root.Remove(reservedSegment + "/" + name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileError(err)
	}
	return nil
}

// ListUploads makes the driver an UploadLister. It lists the files of dead
// processes alone, of which nobody knows what they were to be: all of them,
// whatever the prefix.
func (d *fileDriver) ListUploads(string) UploadPager { return abandonedPager{d} }

type abandonedPager struct{ driver *fileDriver }

func (p abandonedPager) Next(ctx context.Context) (page []Unfinished, last bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	page, err = p.driver.abandoned()
	return page, true, err
}

// AbortUpload removes a file that a dead process left.
func (d *fileDriver) AbortUpload(_ context.Context, u Unfinished) error {
	return d.removeAbandoned(filepath.Base(u.ID))
}
