package journal

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// collections holds the records of collections of garbage that are under way, or
// whose masters died or were deposed.
const collections = "collecting/"

// collection is the record of a collection.
type collection struct {
	Keys []string `json:"keys"` // of the objects that it may delete
}

// BeginCollection records the keys of shared objects that a collection of garbage may
// delete, and returns the key of the record. The master must confirm that it leads
// after that. A leader that does not find the record has taken its epoch before the
// record was written, so that the master does not lead, and must delete nothing.
func BeginCollection(ctx context.Context, root *store.Root, epoch uint64, keys []string) (string, error) {
	body, err := json.Marshal(collection{keys})
	if err != nil {
		return "", err
	}
	record := fmt.Sprintf("%s%020d.%s", collections, epoch, strings.ToLower(rand.Text()[:8]))
	w, err := root.Create(ctx, record, store.CreateOptions{})
	if err != nil {
		return "", err
	}
	defer w.Abort()
	if _, err := w.Write(body); err != nil {
		return "", err
	}
	return record, w.Commit()
}

// EndCollection forgets a collection all of whose deletions are known to have ended.
func EndCollection(ctx context.Context, root *store.Root, record string) error {
	return root.Delete(ctx, record)
}

// Doomed returns the keys that a collection of an earlier leader may delete at any
// time: a master that was stopped continues when it wakes up, however late. No new
// object may have such a key.
func Doomed(ctx context.Context, root *store.Root) (map[string]bool, error) {
	doomed := make(map[string]bool)
	for o, err := range root.List(ctx, collections) {
		if err != nil {
			return nil, err
		}
		var c collection
		body, err := root.Get(ctx, o.Key, maxAside)
		if err == nil {
			err = json.Unmarshal(body, &c)
		}
		// A record that makes no sense must not keep a master from leading.
		if err != nil && !Damaged(err) && plan.KindOf(err) != plan.NotFound {
			return nil, err
		}
		for _, key := range c.Keys {
			doomed[key] = true
		}
	}
	return doomed, nil
}
