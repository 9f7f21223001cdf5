package store

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// deletesAtOnce is how many deletions DeleteAll has in flight: on a bucket each
// is a round trip.
const deletesAtOnce = 16

// DeleteAll deletes the objects whose key starts with prefix and that match;
// nil matches all. Objects that appear meanwhile may stay.
func (r *Root) DeleteAll(ctx context.Context, prefix string, match func(key string) bool) error {
	group, deleting := errgroup.WithContext(ctx)
	group.SetLimit(deletesAtOnce)
	for o, err := range r.List(ctx, prefix) {
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		if match == nil || match(o.Key) {
			group.Go(func() error { return r.Delete(deleting, o.Key) })
		}
	}
	return group.Wait()
}
