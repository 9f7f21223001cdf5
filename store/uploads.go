package store

import (
	"context"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/windrow-mr/windrow/store/driver"
)

// AbortUploads aborts the uploads that were begun and not ended, whose object's
// key starts with prefix, and that match. Except on files, match is also called
// for uploads that are still being written: if it returns true for one of those,
// the writer loses the object.
//
// It lists all uploads before it aborts the first, since stores continue a
// listing after the last upload of a page, which must still exist. A store that
// cannot list uploads drops them by itself, and AbortUploads does nothing.
func (r *Root) AbortUploads(ctx context.Context, prefix string, match func(u Unfinished) bool) error {
	c := r.core
	d := c.uploads
	if d == nil {
		return nil
	}
	matching, err := r.uploads(ctx, d, prefix, match)
	if err != nil {
		return r.fail("list uploads", prefix, err)
	}
	group, aborting := errgroup.WithContext(ctx)
	group.SetLimit(deletesAtOnce)
	for _, u := range matching {
		group.Go(func() error {
			err := c.control(aborting, multipartRequest, u.Key, func(ctx context.Context) error { return d.AbortUpload(ctx, u) })
			return r.fail("abort upload", strings.TrimPrefix(u.Key, r.prefix), err)
		})
	}
	return group.Wait()
}

// uploads lists the uploads that match, with the keys of the driver.
func (r *Root) uploads(ctx context.Context, d driver.UploadLister, prefix string, match func(u Unfinished) bool) (matching []Unfinished, err error) {
	full := r.prefix + prefix
	pager := d.ListUploads(full)
	for last := false; !last; {
		var page []Unfinished
		if err := r.core.control(ctx, listRequest, full, func(ctx context.Context) (err error) {
			page, last, err = pager.Next(ctx)
			return err
		}); err != nil {
			return nil, err
		}
		for _, u := range page {
			// Other roots must keep their uploads if a store ignores the prefix.
			if u.Key != "" && !strings.HasPrefix(u.Key, full) {
				continue
			}
			ours := u
			ours.Key = strings.TrimPrefix(u.Key, r.prefix)
			if match(ours) {
				matching = append(matching, u)
			}
		}
	}
	return matching, nil
}
