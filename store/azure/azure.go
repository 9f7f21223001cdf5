// Package azure is the Azure Blob Storage driver of package store. Import it
// for its side effect:
//
//	import _ "github.com/windrow-mr/windrow/store/azure"
//
// and open azblob://container/prefix. The parameters of a URL, and the
// environment (AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY,
// AZURE_STORAGE_SAS_TOKEN, AZURE_STORAGE_CONNECTION_STRING, or what
// azidentity's default credential finds) are those of gocloud.dev's azureblob:
// storage_account, domain, protocol, cdn and localemu. gocloud.dev opens the
// container. Requests use the SDK's own client, one for each call, because
// package store does the retries and must distinguish errors.
//
// Only package store calls it. Concurrency and failure are as driver.Driver
// asks. Beginning and aborting an upload are no requests: parts that were not
// committed are invisible, and the service drops them after a week.
package azure

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // opens azblob:// URLs

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/internal/drive"
)

const (
	scheme   = "azblob"
	partSize = 8 << 20
	maxParts = 50_000 // the service's limit
)

// A blank import keeps a cloud's client out of the binaries that do not use it,
// and only init can run then.
func init() { store.Register(scheme, open) } //nolint:gochecknoinits // drivers arrive by blank import

// blobs is the driver of a container.
type blobs struct {
	client *container.Client
	name   string
	query  string
}

// open opens a container and asks whether it exists.
func open(ctx context.Context, name string, query url.Values, _ store.Options) (driver.Driver, error) {
	d := &blobs{name: name, query: drive.PublicQuery(query, "cdn", "domain", "localemu", "protocol", "storage_account")}
	var err error
	if err = drive.CheckQuery(query, drive.Parameter{Name: "cdn", Form: drive.Switch}, drive.Parameter{Name: "domain"}, drive.Parameter{Name: "localemu", Form: drive.Switch},
		drive.Parameter{Name: "protocol", OneOf: []string{"http", "https"}}, drive.Parameter{Name: "storage_account"}); err != nil {
		return nil, err
	}
	if d.client, err = connect(ctx, name, query); err != nil {
		return nil, driver.Fail(plan.Invalid, "%w: name the storage account by AZURE_STORAGE_ACCOUNT, or storage_account= in the URL", drive.Hide(err, query))
	}
	_, err = d.client.GetProperties(once(ctx), nil)
	switch err = classify(err); plan.KindOf(err) {
	case plan.NotFound:
		return nil, noContainer()
	case plan.Denied:
		if answered(err) {
			// An account that may not ask for a container may still read and
			// write in it.
			return d, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

func noContainer() error {
	return driver.Fail(plan.Invalid, "there is no such container: create it, or check its name and the storage account")
}

// connect makes a client as the URL says.
func connect(ctx context.Context, name string, query url.Values) (*container.Client, error) {
	b, err := blob.DefaultURLMux().OpenBucketURL(ctx, &url.URL{Scheme: scheme, Host: name, RawQuery: query.Encode()})
	if err != nil {
		return nil, err
	}
	var client *container.Client
	if !b.As(&client) {
		return nil, errors.New("the container has no client of the Azure SDK")
	}
	return client, nil
}

// once makes the SDK send a request once, and the service send bytes as they
// are stored: without this header Go's HTTP client decompresses objects that
// are stored with a content encoding.
func once(ctx context.Context) context.Context {
	ctx = policy.WithRetryOptions(ctx, policy.RetryOptions{MaxRetries: -1})
	return policy.WithHTTPHeader(ctx, http.Header{"Accept-Encoding": {"identity"}})
}

func (d *blobs) Traits() driver.Traits {
	return driver.Traits{URL: scheme + "://" + d.name, Query: d.query, Remote: true, PartSize: partSize, MaxParts: maxParts}
}

func (d *blobs) Close() error { return nil }
