package store

import (
	"context"
	"strings"

	"github.com/windrow-mr/windrow/store/driver"

	"golang.org/x/sync/errgroup"
)

// AbortUploads aborts uploads that were begun and not ended, if the key of their
// object starts with prefix and they match. Uploads that are under way are asked
// for as well, except on files: whose match is true for one of those takes the
// object from its writer.
//
// All are listed before the first is aborted, since stores go on behind the last
// one of a page, which must still be there. Where uploads cannot be listed, the
// store drops them by itself, and nothing happens here.
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
			// A store that ignores the prefix must not cost neighbours their uploads.
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
