package s3

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

var _ driver.UploadLister = (*bucket)(nil)

// uploadPager walks ListMultipartUploads.
type uploadPager struct {
	driver *bucket
	prefix string
	key    *string // where the next page begins: behind this key,
	id     *string // or behind this one of its uploads
}

// ListUploads makes the driver a store.UploadLister.
func (d *bucket) ListUploads(prefix string) driver.UploadPager {
	return &uploadPager{driver: d, prefix: prefix}
}

func (p *uploadPager) Next(ctx context.Context) (page []store.Unfinished, last bool, err error) {
	out, err := p.driver.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{
		Bucket: &p.driver.bucket, Prefix: optional(p.prefix), KeyMarker: p.key, UploadIdMarker: p.id,
	})
	switch {
	case code(err) == "InvalidArgument" && p.id != nil:
		// Some gateways do not take back the id that they gave. Behind the key
		// they go on; what else there is of that key, the next listing finds.
		p.id = nil
		return nil, false, nil
	case code(err) == "NoSuchUpload":
		return nil, true, nil // so some say that there is none
	case err != nil:
		return nil, false, classify(err)
	}
	page = make([]store.Unfinished, 0, len(out.Uploads))
	for _, u := range out.Uploads {
		page = append(page, store.Unfinished{Key: aws.ToString(u.Key), ID: aws.ToString(u.UploadId), Began: aws.ToTime(u.Initiated)})
	}
	if !aws.ToBool(out.IsTruncated) {
		return page, true, nil
	}
	if err := p.goOn(optional(aws.ToString(out.NextKeyMarker)), optional(aws.ToString(out.NextUploadIdMarker))); err != nil {
		return nil, false, err
	}
	return page, false, nil
}

// goOn sets where the next page begins. A store that gives the same place twice
// would be asked for ever.
func (p *uploadPager) goOn(key, id *string) error {
	switch {
	case key == nil:
		return driver.Fail(plan.Invalid, "the store cut the listing of uploads and did not say how to go on")
	case p.key != nil && *key == *p.key && aws.ToString(id) == aws.ToString(p.id):
		return driver.Fail(plan.Invalid, "the store gives the same page of uploads again and again")
	}
	p.key, p.id = key, id
	return nil
}

// AbortUpload aborts what was listed.
func (d *bucket) AbortUpload(ctx context.Context, u store.Unfinished) error {
	return (&upload{driver: d, key: u.Key, id: &u.ID}).Abort(ctx)
}
