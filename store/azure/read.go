package azure

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/internal/drive"
)

// value returns what p points to, or zero.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// ifMatch is the condition that an object is of a version; none when etag is
// empty.
func ifMatch(etag string) *blob.AccessConditions {
	if etag == "" {
		return nil
	}
	tag := azcore.ETag(etag)
	return &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &tag}}
}

func (d *blobs) Stat(ctx context.Context, key string) (store.Object, error) {
	return d.describe(ctx, key, "")
}

// describe asks for an object, of one version when etag is given.
func (d *blobs) describe(ctx context.Context, key, etag string) (store.Object, error) {
	p, err := d.client.NewBlobClient(key).GetProperties(once(ctx), &blob.GetPropertiesOptions{AccessConditions: ifMatch(etag)})
	if err != nil {
		return store.Object{}, classify(err)
	}
	return store.Object{Key: key, Size: value(p.ContentLength), ETag: string(value(p.ETag)), ModTime: value(p.LastModified)}, nil
}

func (d *blobs) Open(_ context.Context, key, etag string) (driver.Reader, error) {
	return &reader{driver: d, key: key, version: drive.NewVersion(etag)}, nil
}

// reader asks for ranges of one version.
type reader struct {
	driver  *blobs
	key     string
	version *drive.Version
}

func (r *reader) Close() error { return nil }

func (r *reader) Object(ctx context.Context) (store.Object, error) {
	o, err := r.driver.describe(ctx, r.key, r.version.ETag())
	if err == nil {
		err = r.version.Keep(o.ETag)
	}
	return o, err
}

func (r *reader) Range(ctx context.Context, off, n int64) (driver.Body, error) {
	o := &blob.DownloadStreamOptions{AccessConditions: ifMatch(r.version.ETag())}
	if n >= 0 {
		o.Range = blob.HTTPRange{Offset: off, Count: n}
	}
	out, err := r.driver.client.NewBlobClient(r.key).DownloadStream(once(ctx), o)
	if err != nil {
		return driver.Body{}, classify(err)
	}
	head := drive.Head{Length: -1, ETag: string(value(out.ETag)), ContentRange: value(out.ContentRange)}
	if out.ContentLength != nil {
		head.Length = *out.ContentLength
	}
	b, err := r.version.Answer(out.Body, head, off, n, classify)
	if err != nil {
		_ = out.Body.Close()
		return driver.Body{}, err
	}
	return b, nil
}

// pager walks a listing. Listings of this driver begin at the beginning: the
// service's startFrom is for names of one level only.
type pager struct {
	driver *blobs
	prefix string
	marker string
}

func (d *blobs) List(prefix string) driver.Pager { return &pager{driver: d, prefix: prefix} }

func (p *pager) Next(ctx context.Context) (page []store.Object, last bool, err error) {
	out, err := p.driver.client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: optional(p.prefix), Marker: optional(p.marker)}).NextPage(once(ctx))
	if err != nil {
		return nil, false, listError(err)
	}
	p.marker = value(out.NextMarker)
	if out.Segment == nil {
		return nil, p.marker == "", nil
	}
	return objects(out.Segment.BlobItems), p.marker == "", nil
}

// listError classifies an error of a listing.
func listError(err error) error {
	if err = classify(err); plan.KindOf(err) == plan.NotFound {
		return noContainer() // a listing can lack only its container
	}
	return err
}

// objects returns the objects of a page.
func objects(items []*container.BlobItem) []store.Object {
	page := make([]store.Object, 0, len(items))
	for _, item := range items {
		if item == nil || item.Properties == nil || value(item.Properties.ResourceType) == "directory" {
			continue // accounts with a hierarchy of names list directories too
		}
		o := store.Object{
			Key: value(item.Name), Size: value(item.Properties.ContentLength),
			ETag: quoted(string(value(item.Properties.ETag))), ModTime: value(item.Properties.LastModified),
		}
		if !drive.Placeholder(o.Key, o.Size) {
			page = append(page, o)
		}
	}
	return page
}

// levelPager walks a listing with a delimiter.
type levelPager struct{ pager }

var _ driver.LevelLister = (*blobs)(nil)

// ListLevel makes the driver a driver.LevelLister.
func (d *blobs) ListLevel(_, prefix string) driver.LevelPager {
	return &levelPager{pager{driver: d, prefix: prefix}}
}

func (p *levelPager) Next(ctx context.Context) (page []driver.Entry, last bool, err error) {
	out, err := p.driver.client.NewListBlobsHierarchyPager("/", &container.ListBlobsHierarchyOptions{Prefix: optional(p.prefix), Marker: optional(p.marker)}).NextPage(once(ctx))
	if err != nil {
		return nil, false, listError(err)
	}
	p.marker = value(out.NextMarker)
	if out.Segment == nil {
		return nil, p.marker == "", nil
	}
	names := make([]string, 0, len(out.Segment.BlobPrefixes))
	for _, prefix := range out.Segment.BlobPrefixes {
		names = append(names, value(prefix.Name))
	}
	return drive.Entries(objects(out.Segment.BlobItems), names), p.marker == "", nil
}

// optional returns nil for the empty string, which would be sent.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// quoted returns an ETag as headers have it: listings omit its quotes.
func quoted(etag string) string {
	if etag == "" || etag[0] == '"' {
		return etag
	}
	return `"` + etag + `"`
}
