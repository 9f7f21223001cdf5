package s3

import (
	"bytes"
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/windrow-mr/windrow/store"
)

func (d *driver) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	_, err := d.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &d.bucket, Key: &key, Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		ChecksumAlgorithm: d.checksum, IfNoneMatch: ifAbsent(o), ServerSideEncryption: d.sse, SSEKMSKeyId: d.kmsKey,
	})
	return classifyWrite(err, o)
}

// Delete makes one request: the service answers alike whether there was an
// object or not.
func (d *driver) Delete(ctx context.Context, key string) error {
	_, err := d.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &d.bucket, Key: &key})
	if err = classify(err); store.KindOf(err) == store.NotFound {
		return nil
	}
	return err
}

// upload is a multipart upload.
type upload struct {
	driver *driver
	key    string
	opts   store.CreateOptions
	id     *string

	mu    sync.Mutex
	parts []types.CompletedPart // by number, from 1
	size  int64
	tried bool // a Commit's answer may have been lost
}

func (d *driver) Upload(ctx context.Context, key string, o store.CreateOptions) (store.Upload, error) {
	out, err := d.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &d.bucket, Key: &key, ServerSideEncryption: d.sse, SSEKMSKeyId: d.kmsKey,
		ChecksumAlgorithm: d.checksum,
	})
	if err != nil {
		return nil, classify(err)
	}
	return &upload{driver: d, key: key, opts: o, id: out.UploadId}, nil
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
		u.parts = append(u.parts, types.CompletedPart{})
	}
	u.parts[n-1] = types.CompletedPart{
		PartNumber: number, ETag: out.ETag,
		ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
	}
	u.size += int64(len(body))
	return nil
}

func (u *upload) Commit(ctx context.Context) error {
	d := u.driver
	_, err := d.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &d.bucket, Key: &u.key, UploadId: u.id, IfNoneMatch: ifAbsent(u.opts),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	})
	again := u.tried
	u.tried = true
	if err != nil && again && code(err) == "NoSuchUpload" {
		return u.resolve(ctx)
	}
	return classifyWrite(err, u.opts)
}

// resolve looks what became of an upload that is gone after a Commit whose
// answer was lost. A conditional one leaves the question to the caller, who
// knows what it wrote.
func (u *upload) resolve(ctx context.Context) error {
	o, err := u.driver.head(ctx, u.key, "")
	switch {
	case store.KindOf(err) == store.NotFound:
		return store.Fail(store.Unknown, "the upload is gone, and there is no object: somebody aborted or deleted it")
	case err != nil:
		return err
	case u.opts.IfAbsent:
		return store.Fail(store.Exists, "the upload is gone: the object may be its own")
	case o.Size != u.size:
		return store.Fail(store.Changed, "the upload is gone, and the object has %d bytes, not %d: somebody wrote it meanwhile", o.Size, u.size)
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
