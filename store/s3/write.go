package s3

import (
	"bytes"
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/checksum"
	"github.com/windrow-mr/windrow/store/driver"
)

func (d *bucket) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	_, err := d.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &d.bucket, Key: &key, Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		ChecksumAlgorithm: d.checksum, IfNoneMatch: ifAbsent(o), ServerSideEncryption: d.sse, SSEKMSKeyId: d.kmsKey,
	})
	return d.classifyWrite(ctx, key, err, o)
}

// isDirectory reports whether there are objects below a key. Versitygw on a file
// system refuses to write to such a key. It uses the same words for a free key
// while others delete the last objects beside it, since its directory vanishes.
// isDirectory is a second request of one call, made only after that refusal, and
// is not counted.
func (d *bucket) isDirectory(ctx context.Context, key string) bool {
	out, err := d.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &d.bucket, Prefix: aws.String(key + "/"), MaxKeys: aws.Int32(1)})
	return err == nil && len(out.Contents) > 0
}

// Delete makes one request: the service gives the same answer whether the
// object existed or not.
func (d *bucket) Delete(ctx context.Context, key string) error {
	_, err := d.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &d.bucket, Key: &key})
	if err = classify(err); plan.KindOf(err) == plan.NotFound {
		return nil
	}
	return err
}

// upload is a multipart upload.
type upload struct {
	driver *bucket
	key    string
	opts   store.CreateOptions
	id     *string

	// whole says that the store keeps a checksum of the whole object, and wants
	// it with the last request.
	whole bool

	mu    sync.Mutex
	parts []part // by number, from 1
	tried bool   // a Commit's answer may have been lost
}

// part is a part that the store has.
type part struct {
	types.CompletedPart
	size int64
	sum  checksum.Sum
}

func (d *bucket) Upload(ctx context.Context, key string, o store.CreateOptions) (driver.Upload, error) {
	in := &s3.CreateMultipartUploadInput{
		Bucket: &d.bucket, Key: &key, ServerSideEncryption: d.sse, SSEKMSKeyId: d.kmsKey,
		ChecksumAlgorithm: d.checksum,
	}
	if d.checksum != "" {
		in.ChecksumType = types.ChecksumTypeFullObject
	}
	out, err := d.client.CreateMultipartUpload(ctx, in)
	if err != nil {
		return nil, classify(err)
	}
	// Stores that do not know the type keep checksums of the parts' checksums,
	// and do not confirm the type.
	return &upload{driver: d, key: key, opts: o, id: out.UploadId, whole: out.ChecksumType == types.ChecksumTypeFullObject}, nil
}

func (u *upload) Part(ctx context.Context, n int, body []byte) error {
	number := aws.Int32(int32(n))
	out, err := u.driver.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &u.driver.bucket, Key: &u.key, UploadId: u.id, PartNumber: number,
		Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))), ChecksumAlgorithm: u.driver.checksum,
	})
	if err != nil {
		return classify(err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(u.parts) < n {
		u.parts = append(u.parts, part{})
	}
	u.parts[n-1] = part{size: int64(len(body)), sum: checksum.Of(checksum.CRC32C, body), CompletedPart: types.CompletedPart{
		PartNumber: number, ETag: out.ETag,
		ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
	}}
	return nil
}

// size returns how many bytes all parts have.
func (u *upload) size() (n int64) {
	for _, p := range u.parts {
		n += p.size
	}
	return n
}

// complete is the request that makes the object. If the store keeps a checksum
// of it, the request has the checksum of all that was sent, to compare.
func (u *upload) complete() *s3.CompleteMultipartUploadInput {
	d := u.driver
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &d.bucket, Key: &u.key, UploadId: u.id, IfNoneMatch: ifAbsent(u.opts), MultipartUpload: new(types.CompletedMultipartUpload),
	}
	sum := checksum.Of(checksum.CRC32C, nil)
	for _, p := range u.parts {
		in.MultipartUpload.Parts = append(in.MultipartUpload.Parts, p.CompletedPart)
		sum = sum.Append(p.sum, p.size)
	}
	if u.whole {
		in.ChecksumType, in.ChecksumCRC32C = types.ChecksumTypeFullObject, aws.String(sum.Base64())
	}
	return in
}

func (u *upload) Commit(ctx context.Context) error {
	_, err := u.driver.client.CompleteMultipartUpload(ctx, u.complete())
	again := u.tried
	u.tried = true
	if err != nil && again && code(err) == "NoSuchUpload" {
		return u.resolve(ctx)
	}
	return u.driver.classifyWrite(ctx, u.key, err, u.opts)
}

// resolve finds out what happened to an upload that is gone after a Commit
// whose answer was lost. A conditional one leaves the question to the caller,
// which knows what it wrote.
func (u *upload) resolve(ctx context.Context) error {
	o, err := u.driver.head(ctx, u.key, "")
	switch {
	case plan.KindOf(err) == plan.NotFound:
		return driver.Fail(plan.Unknown, "the upload is gone, and there is no object: another client aborted or deleted it")
	case err != nil:
		return err
	case u.opts.IfAbsent:
		return driver.Fail(plan.Exists, "the upload is gone: the object may be its own")
	case o.Size != u.size():
		return driver.Fail(plan.Changed, "the upload is gone, and the object has %d bytes, not %d: another client wrote it meanwhile", o.Size, u.size())
	}
	return nil
}

func (u *upload) Abort(ctx context.Context) error {
	_, err := u.driver.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &u.driver.bucket, Key: &u.key, UploadId: u.id,
	})
	if code(err) == "NoSuchUpload" {
		return nil
	}
	return classify(err)
}

// ifAbsent is the condition of create-once.
func ifAbsent(o store.CreateOptions) *string {
	if o.IfAbsent {
		return aws.String("*")
	}
	return nil
}
