package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/windrow-mr/windrow/store"
)

func (d *driver) Stat(ctx context.Context, key string) (store.Object, error) {
	return d.head(ctx, key, "")
}

// head asks for size and version, of one version when etag is given.
func (d *driver) head(ctx context.Context, key, etag string) (store.Object, error) {
	in := &s3.HeadObjectInput{Bucket: &d.bucket, Key: &key, IfMatch: optional(etag)}
	out, err := d.client.HeadObject(ctx, in)
	if err != nil {
		return store.Object{}, classify(err)
	}
	return store.Object{
		Key: key, Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag), ModTime: aws.ToTime(out.LastModified),
	}, nil
}

func (d *driver) Open(_ context.Context, key, etag string) (store.Reader, error) {
	return &reader{driver: d, key: key, etag: etag}, nil
}

// reader asks for ranges of the version that it was opened for, or else of the
// first one that it sees.
type reader struct {
	driver *driver
	key    string

	mu   sync.Mutex
	etag string
}

func (r *reader) Close() error { return nil }

func (r *reader) Object(ctx context.Context) (store.Object, error) {
	o, err := r.driver.head(ctx, r.key, r.version())
	if err == nil {
		err = r.keep(o.ETag)
	}
	return o, err
}

func (r *reader) version() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.etag
}

// keep holds the version of a response against the one that is read: not every
// store heeds If-Match.
func (r *reader) keep(etag string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.etag == "" {
		r.etag = etag
	}
	if etag != "" && r.etag != etag {
		return store.Fail(store.Changed, "the version is %s, not %s", etag, r.etag)
	}
	return nil
}

func (r *reader) Range(ctx context.Context, off, n int64) (store.Body, error) {
	in := &s3.GetObjectInput{Bucket: &r.driver.bucket, Key: &r.key, IfMatch: optional(r.version())}
	if n >= 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	}
	out, err := r.driver.client.GetObject(ctx, in)
	if err != nil {
		return store.Body{}, classify(err)
	}
	b := store.Body{ReadCloser: body{out.Body}, Length: -1, Total: -1}
	if out.ContentLength != nil {
		b.Length = *out.ContentLength
	}
	if err = r.keep(aws.ToString(out.ETag)); err == nil && n >= 0 {
		b.Total, err = checkRange(aws.ToString(out.ContentRange), off, b.Length)
	} else {
		b.Total = b.Length
	}
	if err != nil {
		_ = out.Body.Close()
		return store.Body{}, err
	}
	return b, nil
}

// checkRange makes sure that a response is the range that begins at off, and
// returns the object's size, or -1. A server that knows no ranges answers with
// the whole object.
func checkRange(contentRange string, off, length int64) (total int64, err error) {
	if contentRange == "" {
		if off == 0 {
			return length, nil
		}
		return 0, store.Fail(store.Corrupt, "the store ignored the range and sent the object from its beginning")
	}
	var first, last int64
	var size string
	if _, err := fmt.Sscanf(contentRange, "bytes %d-%d/%s", &first, &last, &size); err != nil || first != off {
		return 0, store.Fail(store.Corrupt, "the store sent the range %q, asked for one at %d", contentRange, off)
	}
	if total, err = strconv.ParseInt(size, 10, 64); err != nil {
		return -1, nil //nolint:nilerr // "*": not known
	}
	return total, nil
}

// body gives the errors of a response's body their kind.
type body struct{ io.ReadCloser }

func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = classify(err)
	}
	return n, err
}

// pager walks ListObjectsV2.
type pager struct {
	driver *driver
	prefix string
	token  *string
}

func (d *driver) List(prefix string) store.Pager { return &pager{driver: d, prefix: prefix} }

func (p *pager) Next(ctx context.Context) (page []store.Object, last bool, err error) {
	out, err := p.driver.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &p.driver.bucket, Prefix: optional(p.prefix), ContinuationToken: p.token,
	})
	if err != nil {
		return nil, false, classify(err)
	}
	p.token = out.NextContinuationToken
	page = make([]store.Object, 0, len(out.Contents))
	for _, c := range out.Contents {
		o := store.Object{Key: aws.ToString(c.Key), Size: aws.ToInt64(c.Size), ETag: aws.ToString(c.ETag), ModTime: aws.ToTime(c.LastModified)}
		if o.Size == 0 && strings.HasSuffix(o.Key, "/") {
			continue // what consoles make to show an empty directory
		}
		page = append(page, o)
	}
	if aws.ToBool(out.IsTruncated) && p.token == nil {
		return nil, false, store.Fail(store.Corrupt, "the store cut the listing and did not say how to go on")
	}
	return page, p.token == nil, nil
}

// optional returns nil for the empty string, which would be sent.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
