package azure

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/internal/drive"
)

// ifAbsent is the condition of create-once.
func ifAbsent(o store.CreateOptions) *blob.AccessConditions {
	if !o.IfAbsent {
		return nil
	}
	anything := azcore.ETagAny
	return &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: &anything}}
}

func (d *blobs) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	content := drive.NewBytes(body)
	defer content.Release()
	_, err := d.client.NewBlockBlobClient(key).Upload(once(ctx), content, &blockblob.UploadOptions{AccessConditions: ifAbsent(o)})
	return classifyWrite(err, o)
}

func (d *blobs) Delete(ctx context.Context, key string) error {
	_, err := d.client.NewBlobClient(key).Delete(once(ctx), nil)
	if err = classify(err); plan.KindOf(err) == plan.NotFound {
		return nil
	}
	return err
}

// upload is a list of blocks. All writers of a key share the blocks that are
// not committed, so the names of an upload's blocks begin with a number of its
// own. A commit drops the blocks of all other writers, which then come too
// late.
type upload struct {
	driver *blobs
	client *blockblob.Client
	key    string
	opts   store.CreateOptions
	number [12]byte

	mu     sync.Mutex
	blocks []string // names by part, from 1
}

func (d *blobs) Upload(_ context.Context, key string, o store.CreateOptions) (driver.Upload, error) {
	u := &upload{driver: d, client: d.client.NewBlockBlobClient(key), key: key, opts: o}
	rand.Read(u.number[:]) // never fails
	return u, nil
}

// name returns the name of a part's block: base64, and as long as that of any
// other block, as the service demands.
func (u *upload) name(n int) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(u.number[:], uint32(n)))
}

func (u *upload) Part(ctx context.Context, n int, body []byte) error {
	name := u.name(n)
	content := drive.NewBytes(body)
	defer content.Release()
	if _, err := u.client.StageBlock(once(ctx), name, content, nil); err != nil {
		return classifyWrite(err, store.CreateOptions{})
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(u.blocks) < n {
		u.blocks = append(u.blocks, "")
	}
	u.blocks[n-1] = name
	return nil
}

// Commit may be called again after an error: committed blocks may be committed
// again.
func (u *upload) Commit(ctx context.Context) error {
	_, err := u.client.CommitBlockList(once(ctx), u.blocks, &blockblob.CommitBlockListOptions{AccessConditions: ifAbsent(u.opts)})
	if bloberror.HasCode(err, bloberror.InvalidBlockList) {
		return u.late(ctx)
	}
	return classifyWrite(err, u.opts)
}

// late returns why blocks are gone.
func (u *upload) late(ctx context.Context) error {
	_, err := u.driver.describe(ctx, u.key, "")
	switch {
	case plan.KindOf(err) == plan.NotFound:
		return driver.Fail(plan.Unknown, "the parts are gone, and there is no object: another client wrote and deleted it meanwhile")
	case err != nil:
		return err
	case u.opts.IfAbsent:
		return driver.Fail(plan.Exists, "another writer was first")
	}
	return driver.Fail(plan.Changed, "the parts are gone: another client wrote the object meanwhile")
}

// Abort leaves the blocks to the service. They are invisible, and no request
// drops them without touching the object.
func (u *upload) Abort(_ context.Context) error { return nil }
