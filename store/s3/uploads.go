package s3

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

var _ driver.UploadLister = (*bucket)(nil)

// uploadPager walks ListMultipartUploads.
type uploadPager struct {
	driver *bucket
	prefix string
	key    *string // where the next page begins: after this key,
	id     *string // or after this one of its uploads
}

// ListUploads makes the driver a driver.UploadLister.
func (d *bucket) ListUploads(prefix string) driver.UploadPager {
	return &uploadPager{driver: d, prefix: prefix}
}

func (p *uploadPager) Next(ctx context.Context) (page []store.Unfinished, last bool, err error) {
	out, err := p.driver.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{
		Bucket: &p.driver.bucket, Prefix: optional(p.prefix), KeyMarker: p.key, UploadIdMarker: p.id,
		EncodingType: types.EncodingTypeUrl,
	})
	switch {
	case code(err) == "InvalidArgument" && p.id != nil:
		// Some gateways do not accept the id that they returned. After the key
		// they continue, and the next listing finds the other uploads of that
		// key.
		p.id = nil
		return nil, false, nil
	case code(err) == "NoSuchUpload":
		return nil, true, nil // the answer of some stores that have none
	case err != nil:
		return nil, false, classify(err)
	}
	page = make([]store.Unfinished, 0, len(out.Uploads))
	for _, u := range out.Uploads {
		key, err := decoded(u.Key, out.EncodingType)
		if err != nil {
			return nil, false, err
		}
		page = append(page, store.Unfinished{Key: key, ID: aws.ToString(u.UploadId), Began: aws.ToTime(u.Initiated)})
	}
	if !aws.ToBool(out.IsTruncated) {
		return page, true, nil
	}
	marker, err := decoded(out.NextKeyMarker, out.EncodingType)
	if err != nil {
		return nil, false, err
	}
	if err := p.continueAt(optional(marker), optional(aws.ToString(out.NextUploadIdMarker))); err != nil {
		return nil, false, err
	}
	return page, false, nil
}

// continueAt sets where the next page begins. It refuses a store that returns the
// same place twice, whose listing would never end.
func (p *uploadPager) continueAt(key, id *string) error {
	switch {
	case key == nil:
		return driver.Fail(plan.Invalid, "the store cut the listing of uploads and did not say how to continue")
	case p.key != nil && *key == *p.key && aws.ToString(id) == aws.ToString(p.id):
		return driver.Fail(plan.Invalid, "the store gives the same page of uploads again and again")
	}
	p.key, p.id = key, id
	return nil
}

// AbortUpload aborts an upload that was listed.
func (d *bucket) AbortUpload(ctx context.Context, u store.Unfinished) error {
	return (&upload{driver: d, key: u.Key, id: &u.ID}).Abort(ctx)
}
