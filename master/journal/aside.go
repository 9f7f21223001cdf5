package journal

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/checksum"
)

// aside is what a create-once object holds in place of a body that is too long for
// it, as JSON: the object that has the body.
type aside struct {
	Object struct {
		Key    string `json:"key"` // below the cluster's root
		Size   int64  `json:"size"`
		CRC32C uint32 `json:"crc32c"`
	} `json:"object"`
}

// asideStart begins every such document, and no other document of this package.
const asideStart = `{"object":`

// maxAside bounds the bodies that are read.
const maxAside = 1 << 30

// setAside writes a long body to an object whose name begins with prefix, and which
// no other process uses. It returns the document that refers to it.
func setAside(ctx context.Context, root *store.Root, prefix string, body []byte) ([]byte, error) {
	var a aside
	a.Object.Key = prefix + "." + strings.ToLower(rand.Text()[:8])
	a.Object.Size, a.Object.CRC32C = int64(len(body)), checksum.SumCRC32C(body)
	w, err := root.Create(ctx, a.Object.Key, store.CreateOptions{})
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Commit(); err != nil {
		return nil, err
	}
	return json.Marshal(a)
}

// fetchAside is the inverse of setAside.
func fetchAside(ctx context.Context, root *store.Root, document []byte) ([]byte, error) {
	var a aside
	if err := json.Unmarshal(document, &a); err != nil {
		return nil, fmt.Errorf("the reference to a long object is damaged: %w", err)
	}
	body, err := root.Get(ctx, a.Object.Key, maxAside)
	if err != nil {
		return nil, err
	}
	if int64(len(body)) != a.Object.Size || checksum.SumCRC32C(body) != a.Object.CRC32C {
		return nil, fmt.Errorf("%s: damaged: its %d bytes are not those that were written", root.Name(a.Object.Key), len(body))
	}
	return body, nil
}
