// Package gcs is the Google Cloud Storage driver of package store. Import it
// for its side effect:
//
//	import _ "github.com/windrow-mr/windrow/store/gcs"
//
// and open gs://bucket/prefix. Credentials are the application default ones:
// GOOGLE_APPLICATION_CREDENTIALS, gcloud, or the machine's service account. The
// parameters of a URL are those of gocloud.dev's gcsblob, anonymous=true and
// universe_domain=…, and endpoint=…, which names another server than Google's.
// STORAGE_EMULATOR_HOST names one that needs no credentials.
//
// Requests use the JSON interface. Google's generated client makes them if it
// leaves bytes and retries alone; the driver makes the others itself, because
// reads must be raw, never decompressed on the way, and package store must
// resume uploads.
//
// Only package store calls it. Concurrency and failure are as driver.Driver
// asks. One call of a driver method is one request, except for the parts of an
// upload, which take more if an answer was lost. Versions are generations.
// Parts of an upload come one after another, because the service takes them so.
package gcs

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"gocloud.dev/gcp"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/internal/drive"
)

const (
	partSize = 8 << 20 // a multiple of the 256 KiB that parts must have
	// maxParts makes the largest object that the service takes, 5 TiB.
	maxParts = 5 << 40 / partSize

	emulatorVariable = "STORAGE_EMULATOR_HOST"
	defaultDomain    = "googleapis.com"
)

// A blank import keeps a cloud's client out of the binaries that do not use it,
// and only init can run then.
func init() { store.Register("gs", open) } //nolint:gochecknoinits // drivers arrive by blank import

// bucket is the driver of a bucket.
type bucket struct {
	objects *storage.ObjectsService
	http    *http.Client // the same that objects uses
	base    string       // scheme and host of the service
	bucket  string
	query   string
}

// open opens a bucket and asks whether it exists, by listing it. Users of a
// bucket may usually list it, and seldom ask for the bucket itself.
func open(ctx context.Context, name string, query url.Values, _ store.Options) (driver.Driver, error) {
	d := &bucket{bucket: name, query: drive.PublicQuery(query, "anonymous", "universe_domain")}
	if query.Get("access_id") == "-" {
		d.query = drive.PublicQuery(query, "access_id", "universe_domain")
	}
	if err := checkQuery(query); err != nil {
		return nil, err
	}
	var err error
	if d.http, d.base, err = connect(ctx, query); err != nil {
		return nil, err
	}
	service, err := storage.NewService(ctx, option.WithHTTPClient(d.http), option.WithEndpoint(d.base+"/storage/v1/"))
	if err != nil {
		return nil, driver.Fail(plan.Invalid, "%w", err)
	}
	d.objects = service.Objects
	_, err = d.objects.List(name).MaxResults(1).Fields("kind").Context(ctx).Do()
	switch err = classify(err); plan.KindOf(err) {
	case plan.NotFound:
		return nil, noBucket()
	case plan.Denied:
		// An account that may not list a bucket may still read and write in it.
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

func noBucket() error {
	return driver.Fail(plan.Invalid, "there is no such bucket: create it, or check its name")
}

// checkQuery refuses parameters that are unknown, and values that the driver does
// not support. access_id and private_key_path are for signed URLs, which it does not
// make.
func checkQuery(query url.Values) error {
	if err := drive.CheckQuery(query, drive.Parameter{Name: "access_id"}, drive.Parameter{Name: "private_key_path"},
		drive.Parameter{Name: "anonymous", Form: drive.Switch}, drive.Parameter{Name: "universe_domain"}, drive.Parameter{Name: "endpoint", Form: drive.Endpoint},
		drive.Parameter{Name: "grpc", Form: drive.Switch}, drive.Parameter{Name: "zonal", Form: drive.Switch}); err != nil {
		return err
	}
	for _, k := range []string{"grpc", "zonal"} {
		if on, _ := strconv.ParseBool(query.Get(k)); on {
			return driver.Fail(plan.Invalid, "the parameter %s=true is not supported: leave it out", k)
		}
	}
	return nil
}

// connect returns a client that authorises its requests, and the address of the
// service.
func connect(ctx context.Context, query url.Values) (client *http.Client, base string, err error) {
	transport := drive.Transport()
	domain := query.Get("universe_domain")
	anonymous, _ := strconv.ParseBool(query.Get("anonymous"))
	anonymous = anonymous || query.Get("access_id") == "-"
	emulator := os.Getenv(emulatorVariable)
	switch {
	case query.Get("endpoint") != "":
		base = strings.TrimSuffix(query.Get("endpoint"), "/")
	case emulator != "":
		if base = emulator; !strings.Contains(emulator, "://") {
			base = "http://" + emulator
		}
		base, anonymous = strings.TrimSuffix(base, "/"), true
	}
	if anonymous {
		client = &http.Client{Transport: transport}
	} else {
		credentials, err := gcp.DefaultCredentialsWithParams(ctx, google.CredentialsParams{UniverseDomain: domain})
		if err != nil {
			return nil, "", driver.Fail(plan.Denied,
				"no credentials were found: run gcloud auth application-default login, set GOOGLE_APPLICATION_CREDENTIALS, or add ?anonymous=true for a public bucket: %w", err)
		}
		if domain == "" {
			// If this fails, the first request reports why.
			domain, _ = credentials.GetUniverseDomain()
		}
		authorised, err := gcp.NewHTTPClient(transport, gcp.CredentialsTokenSource(credentials))
		if err != nil {
			return nil, "", driver.Fail(plan.Denied, "%w", err)
		}
		client = &authorised.Client
	}
	if base == "" {
		if domain == "" {
			domain = defaultDomain
		}
		base = "https://storage." + domain
	}
	return client, base, nil
}

func (d *bucket) Traits() driver.Traits {
	return driver.Traits{
		URL: "gs://" + d.bucket, Query: d.query, Remote: true, PartSize: partSize, MaxParts: maxParts, Sequential: true,
	}
}

func (d *bucket) Close() error {
	d.http.CloseIdleConnections()
	return nil
}
