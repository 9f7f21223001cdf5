package gcs

import (
	"context"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/storage/v1"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/checksum"
	"github.com/windrow-mr/windrow/store/internal/drive"
)

const contentType = "application/octet-stream"

// Put writes with one request. The service checks the bytes against the
// checksum of the request.
func (d *bucket) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	sum := checksum.Of(checksum.CRC32C, body)
	content := drive.NewBytes(body)
	defer content.Release()
	call := d.objects.Insert(d.bucket, &storage.Object{Name: key, ContentType: contentType, Crc32c: sum.Base64()}).
		Media(content, googleapi.ChunkSize(0), googleapi.ContentType(contentType)).
		Fields("generation").Context(ctx)
	if o.IfAbsent {
		call = call.IfGenerationMatch(0)
	}
	_, err := call.Do()
	return notAnObject(classifyWrite(err, o))
}

// notAnObject returns the error of a write, where NotFound means the bucket.
func notAnObject(err error) error {
	if plan.KindOf(err) == plan.NotFound {
		return noBucket()
	}
	return err
}

func (d *bucket) Delete(ctx context.Context, key string) error {
	err := classify(d.objects.Delete(d.bucket, key).Context(ctx).Do())
	if plan.KindOf(err) == plan.NotFound {
		return nil
	}
	return err
}
