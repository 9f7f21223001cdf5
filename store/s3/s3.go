// Package s3 is the driver of package store for Amazon S3 and other stores with its
// protocol. Programs that open s3 URLs import it for its effect alone, and nothing
// calls it directly:
//
//	import _ "github.com/windrow-mr/windrow/store/s3"
//
//	s3://bucket/prefix?region=eu-central-1
//	s3://bucket/prefix?endpoint=http://127.0.0.1:9000&use_path_style=true&region=us-east-1
//
// The URL's query is that of gocloud.dev/blob/s3blob, which also finds the
// credentials. The driver makes requests with the client beneath it, because the
// portable bucket lacks what correctness and cost depend on here: one attempt per
// call, a condition on every write including those of several parts, the version on
// every range, an abort that outlives its context, a delete without a HEAD, at most
// three parts of 8 MiB in memory.
//
// Concurrency: as driver.Driver asks. Failure: every error has a kind, from the
// service's error code, or from the HTTP status if there is none. Units: bytes.
package s3

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob/s3blob"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/internal/drive"
)

const (
	partSize = 8 << 20 // also the largest object that is sent with one request
	maxParts = 10_000  // the service's limit
)

// A blank import keeps a cloud's client out of the binaries that do not use it,
// and only init can run then.
func init() { store.Register("s3", open) }

// bucket is the driver of a bucket.
type bucket struct {
	client *s3.Client
	bucket string
	query  string
	sse    types.ServerSideEncryption
	kmsKey *string
	// checksum is the algorithm by which the store checks uploads: CRC32C,
	// which costs next to nothing, unless the URL says that the store knows
	// none.
	checksum types.ChecksumAlgorithm
}

// open opens a bucket and asks whether it exists.
func open(ctx context.Context, name string, query url.Values, _ store.Options) (driver.Driver, error) {
	d := &bucket{bucket: name, query: publicQuery(query)}
	d.sse = types.ServerSideEncryption(query.Get("ssetype"))
	if key := query.Get("kmskeyid"); key != "" {
		d.kmsKey = &key
	}
	if err := drive.CheckQuery(query, parameters()...); err != nil {
		return nil, err
	}
	client, err := connect(ctx, name, query)
	if err != nil {
		return nil, driver.Fail(plan.Invalid, "%w", drive.Hide(err, query))
	}
	d.client = s3.New(client.Options(), tune)
	if client.Options().RequestChecksumCalculation != aws.RequestChecksumCalculationWhenRequired {
		d.checksum = types.ChecksumAlgorithmCrc32c
	}
	_, err = d.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name})
	switch err = classify(err); plan.KindOf(err) {
	case plan.NotFound:
		return nil, driver.Fail(plan.Invalid, "there is no such bucket: create it, or check its name and the endpoint")
	case plan.Denied:
		// An account that may not list a bucket may still read and write in it.
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// parameters returns the parameters of URLs, which are those of s3blob and of the
// AWS configuration of gocloud.dev.
func parameters() []drive.Parameter {
	var sse []string
	for _, t := range types.ServerSideEncryptionAes256.Values() {
		sse = append(sse, string(t))
	}
	checksums := []string{"when_supported", "when_required"}
	return []drive.Parameter{
		{Name: "accelerate", Form: drive.Switch}, {Name: "anonymous", Form: drive.Switch}, {Name: "awssdk", OneOf: []string{"v2"}},
		{Name: "disable_https", Form: drive.Switch}, {Name: "dualstack", Form: drive.Switch}, {Name: "endpoint", Form: drive.Endpoint},
		{Name: "fips", Form: drive.Switch}, {Name: "hostname_immutable", Form: drive.Switch}, {Name: "kmskeyid"}, {Name: "profile"},
		{Name: "rate_limiter_capacity", Form: drive.Number}, {Name: "region"}, {Name: "request_checksum_calculation", OneOf: checksums},
		{Name: "response_checksum_validation", OneOf: checksums}, {Name: "role", Begin: "arn:"}, {Name: "s3ForcePathStyle", Form: drive.Switch},
		{Name: "ssetype", OneOf: sse}, {Name: "use_path_style", Form: drive.Switch},
	}
}

// connect makes a client as the URL says.
func connect(ctx context.Context, bucket string, query url.Values) (*s3.Client, error) {
	q := make(url.Values, len(query)+1)
	for k, v := range query {
		q[k] = slices.Clone(v)
	}
	if !q.Has("response_checksum_validation") {
		// Ranges have no checksum to validate, and the SDK logs that of each.
		q.Set("response_checksum_validation", "when_required")
	}
	opener := new(s3blob.URLOpener)
	b, err := opener.OpenBucketURL(ctx, &url.URL{Scheme: "s3", Host: bucket, RawQuery: q.Encode()})
	if err != nil {
		return nil, err
	}
	var client *s3.Client
	if !b.As(&client) {
		return nil, errors.New("the bucket has no S3 client")
	}
	return client, nil
}

// tune leaves retries to package store, and connections open.
func tune(o *s3.Options) {
	o.Retryer = aws.NopRetryer{}
	if o.Region == "" {
		o.Region = "us-east-1" // the region of stores without regions
	}
	if c, ok := o.HTTPClient.(*awshttp.BuildableClient); ok {
		o.HTTPClient = c.WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConns = 0
			t.MaxIdleConnsPerHost = drive.IdleConnections
		})
	}
}

// publicQuery returns the query that URLs are shown with, without parameters
// that may be secret.
func publicQuery(query url.Values) string {
	return drive.PublicQuery(query, "accelerate", "anonymous", "disable_https", "dualstack", "fips", "hostname_immutable", "profile",
		"rate_limiter_capacity", "region", "request_checksum_calculation", "response_checksum_validation", "s3ForcePathStyle",
		"ssetype", "use_path_style")
}

func (d *bucket) Traits() driver.Traits {
	return driver.Traits{URL: "s3://" + d.bucket, Query: d.query, Remote: true, PartSize: partSize, MaxParts: maxParts}
}

func (d *bucket) Close() error { return nil }
