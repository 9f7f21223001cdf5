package s3

import (
	"context"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/checksum"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/internal/drive"
)

func (d *bucket) Stat(ctx context.Context, key string) (store.Object, error) {
	return d.head(ctx, key, "")
}

// head asks for size and version, of one version when etag is given.
func (d *bucket) head(ctx context.Context, key, etag string) (store.Object, error) {
	in := &s3.HeadObjectInput{Bucket: &d.bucket, Key: &key, IfMatch: optional(etag)}
	out, err := d.client.HeadObject(ctx, in, d.askChecksum)
	if err != nil {
		return store.Object{}, classify(err)
	}
	return store.Object{
		Key: key, Size: aws.ToInt64(out.ContentLength), ETag: aws.ToString(out.ETag), ModTime: aws.ToTime(out.LastModified),
		Sum: wholeSum(out.ChecksumType, out.ChecksumCRC64NVME, out.ChecksumCRC32C, out.ChecksumCRC32),
	}, nil
}

// askChecksum makes a request ask for the checksum that the store keeps. The
// SDK's own option would do that too, but would also check the answer, where
// package store checks and can ask again.
func (d *bucket) askChecksum(o *s3.Options) {
	if d.checksum != "" {
		o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("X-Amz-Checksum-Mode", "ENABLED"))
	}
}

// wholeSum returns the checksum of a whole object, of those in a response. A
// checksum of another type is one of the checksums of parts.
func wholeSum(t types.ChecksumType, crc64nvme, crc32c, crc32 *string) checksum.Sum {
	if t != types.ChecksumTypeFullObject {
		return checksum.Sum{}
	}
	for _, c := range []struct {
		algorithm checksum.Algorithm
		text      *string
	}{{checksum.CRC32C, crc32c}, {checksum.CRC64NVME, crc64nvme}, {checksum.CRC32, crc32}} {
		if sum := checksum.Parse(c.algorithm, aws.ToString(c.text)); sum.Known() {
			return sum
		}
	}
	return checksum.Sum{}
}

func (d *bucket) Open(_ context.Context, key, etag string) (driver.Reader, error) {
	return &reader{driver: d, key: key, version: drive.NewVersion(etag)}, nil
}

// reader asks for ranges of one version.
type reader struct {
	driver  *bucket
	key     string
	version *drive.Version
}

func (r *reader) Close() error { return nil }

func (r *reader) Object(ctx context.Context) (store.Object, error) {
	o, err := r.driver.head(ctx, r.key, r.version.ETag())
	if err == nil {
		err = r.version.Keep(o.ETag)
	}
	return o, err
}

func (r *reader) Range(ctx context.Context, off, n int64) (driver.Body, error) {
	in := &s3.GetObjectInput{Bucket: &r.driver.bucket, Key: &r.key, IfMatch: optional(r.version.ETag())}
	if n >= 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	}
	out, err := r.driver.client.GetObject(ctx, in, r.driver.askChecksum)
	if err != nil {
		return driver.Body{}, classify(err)
	}
	head := drive.Head{Length: -1, ETag: aws.ToString(out.ETag), ContentRange: aws.ToString(out.ContentRange)}
	if out.ContentLength != nil {
		head.Length = *out.ContentLength
	}
	b, err := r.version.Answer(out.Body, head, off, n, classify)
	if err != nil {
		_ = out.Body.Close()
		return driver.Body{}, err
	}
	if off <= 0 && b.Length == b.Total { // the checksum of a range's answer may be of the range
		b.Sum = wholeSum(out.ChecksumType, out.ChecksumCRC64NVME, out.ChecksumCRC32C, out.ChecksumCRC32)
	}
	return b, nil
}

// pager walks ListObjectsV2.
type pager struct {
	driver        *bucket
	prefix, after string
	token         *string
}

func (d *bucket) List(prefix string) driver.Pager { return &pager{driver: d, prefix: prefix} }

// ListAfter makes the driver a driver.RangeLister.
func (d *bucket) ListAfter(prefix, after string) driver.Pager {
	return &pager{driver: d, prefix: prefix, after: after}
}

func (p *pager) Next(ctx context.Context) (page []store.Object, last bool, err error) {
	out, err := p.ask(ctx, nil)
	if err != nil {
		return nil, false, err
	}
	page, err = objects(out)
	return page, p.token == nil, err
}

// ask asks for the next page. The keys come in the encoding of URLs, since XML cannot
// hold all of them.
func (p *pager) ask(ctx context.Context, delimiter *string) (*s3.ListObjectsV2Output, error) {
	out, err := p.driver.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: &p.driver.bucket, Prefix: optional(p.prefix), StartAfter: optional(p.after), ContinuationToken: p.token,
		Delimiter: delimiter, EncodingType: types.EncodingTypeUrl,
	})
	if err != nil {
		return nil, classify(err)
	}
	if aws.ToBool(out.IsTruncated) && out.NextContinuationToken == nil {
		return nil, driver.Fail(plan.Corrupt, "the store cut the listing and did not say how to continue")
	}
	p.token = out.NextContinuationToken
	return out, nil
}

// objects returns the objects of a page, without those that consoles make to show an
// empty directory.
func objects(out *s3.ListObjectsV2Output) ([]store.Object, error) {
	page := make([]store.Object, 0, len(out.Contents))
	for i := range out.Contents {
		c := &out.Contents[i]
		key, err := decoded(c.Key, out.EncodingType)
		if err != nil {
			return nil, err
		}
		o := store.Object{Key: key, Size: aws.ToInt64(c.Size), ETag: aws.ToString(c.ETag), ModTime: aws.ToTime(c.LastModified)}
		if !drive.Placeholder(o.Key, o.Size) {
			page = append(page, o)
		}
	}
	return page, nil
}

// decoded returns a key of a listing. A store that does not know encodings sends keys
// as they are, and says so by naming none.
func decoded(key *string, encoding types.EncodingType) (string, error) {
	if encoding != types.EncodingTypeUrl {
		return aws.ToString(key), nil
	}
	plain, err := url.QueryUnescape(aws.ToString(key))
	if err != nil {
		return "", driver.Fail(plan.Corrupt, "the store sent a key that is not in the encoding of URLs: %w", err)
	}
	return plain, nil
}

// levelPager walks ListObjectsV2 with a delimiter.
type levelPager struct{ pager }

var _ driver.LevelLister = (*bucket)(nil)

// ListLevel makes the driver a driver.LevelLister.
func (d *bucket) ListLevel(_, prefix string) driver.LevelPager {
	return &levelPager{pager{driver: d, prefix: prefix}}
}

func (p *levelPager) Next(ctx context.Context) (page []driver.Entry, last bool, err error) {
	out, err := p.ask(ctx, aws.String("/"))
	if err != nil {
		return nil, false, err
	}
	found, err := objects(out)
	if err != nil {
		return nil, false, err
	}
	names := make([]string, 0, len(out.CommonPrefixes))
	for i := range out.CommonPrefixes {
		name, err := decoded(out.CommonPrefixes[i].Prefix, out.EncodingType)
		if err != nil {
			return nil, false, err
		}
		names = append(names, name)
	}
	return drive.Entries(found, names), p.token == nil, nil
}

// optional returns nil for the empty string, which would be sent.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
