package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/driver"
)

// levelPager lists one directory, in one page.
type levelPager struct {
	driver       *directory
	base, prefix string
	realBase     string // path of base without links; found for the first link
}

// ListLevel makes the driver a driver.LevelLister.
func (d *directory) ListLevel(base, prefix string) driver.LevelPager {
	return &levelPager{driver: d, base: base, prefix: prefix}
}

// Next returns all entries.
func (l *levelPager) Next(ctx context.Context) (page []driver.Entry, last bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	dir := l.prefix[:strings.LastIndexByte(l.prefix, '/')+1]
	entries, err := l.driver.entries(dir, l.prefix)
	if err != nil {
		return nil, false, err
	}
	for _, e := range entries {
		if entry, ok := l.entry(dir+e.Name(), e); ok {
			page = append(page, entry)
		}
	}
	return page, true, nil
}

// entry describes an entry. ok is false if it was deleted meanwhile.
func (l *levelPager) entry(key string, e fs.DirEntry) (entry driver.Entry, ok bool) {
	if e.IsDir() {
		return driver.Entry{Object: driver.Object{Key: key + "/"}, Kind: driver.IsDirectory}, true
	}
	info, err := e.Info()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return entry, false
	case err != nil:
		return driver.Entry{Object: driver.Object{Key: key}, Kind: driver.IsUnknown, Err: classify(err)}, true
	case info.Mode()&fs.ModeSymlink != 0:
		return l.link(key), true
	}
	return l.file(key, key, info), true
}

// file describes a file that is no link, and is at a path below the root.
func (l *levelPager) file(key, at string, info fs.FileInfo) driver.Entry {
	if !info.Mode().IsRegular() {
		return driver.Entry{Object: driver.Object{Key: key}, Kind: driver.IsSpecial}
	}
	return driver.Entry{Object: describe(key, info), Err: l.driver.checkEmpty(at, info)}
}

// link describes what a symbolic link leads to.
func (l *levelPager) link(key string) driver.Entry {
	unknown := driver.Entry{Object: driver.Object{Key: key}, Kind: driver.IsUnknown}
	path, err := filepath.EvalSymlinks(filepath.Join(l.driver.path, filepath.FromSlash(key)))
	var info fs.FileInfo
	if err == nil {
		info, err = os.Stat(path)
	}
	if err == nil && l.realBase == "" {
		l.realBase, err = filepath.EvalSymlinks(filepath.Join(l.driver.path, filepath.FromSlash(l.base)))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return driver.Entry{Object: driver.Object{Key: key}, Kind: driver.IsBroken}
	case errors.Is(err, fs.ErrPermission):
		unknown.Err = driver.Fail(plan.Denied, "it is a symbolic link whose target cannot be looked at: %w", fs.ErrPermission)
		return unknown
	case err != nil: // a circle
		return driver.Entry{Object: driver.Object{Key: key}, Kind: driver.IsBroken}
	}
	rel, err := filepath.Rel(l.realBase, path)
	inside := err == nil && filepath.IsLocal(rel)
	target := l.base
	if rel != "." {
		target += filepath.ToSlash(rel)
	}
	switch {
	case info.IsDir():
		entry := driver.Entry{Object: driver.Object{Key: key + "/"}, Kind: driver.IsDirectory}
		if !inside {
			entry.Err = errOutside
			return entry
		}
		entry.Link, entry.Target = true, target
		if rel != "." {
			entry.Target += "/"
		}
		return entry
	case !inside:
		return driver.Entry{Object: driver.Object{Key: key}, Err: errOutside}
	}
	entry := l.file(key, target, info)
	entry.Link, entry.Target = true, target
	return entry
}
