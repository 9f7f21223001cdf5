// Package gcs is the Google Cloud Storage driver of package store. Import it
// for its side effect:
//
//	import _ "github.com/windrow-mr/windrow/store/gcs"
//
// and open gs://bucket/prefix. Credentials are the application default ones:
// GOOGLE_APPLICATION_CREDENTIALS, gcloud, or the machine's service account.
// The parameters of a URL are those of gocloud.dev's gcsblob, anonymous=true
// and universe_domain=…, and endpoint=…, which names another server than
// Google's; STORAGE_EMULATOR_HOST names one that wants no credentials. Requests
// go over the JSON interface, by Google's generated client where that leaves
// bytes and retries alone, and directly where it does not: reads must be raw,
// never decompressed on the way, and uploads must be resumed by package store.
//
// Only package store calls it. Concurrency and failure are as Driver demands;
// one call of a driver method is one request, but for the parts of an upload,
// which are more when an answer was lost. Versions are generations. Parts of an
// upload come one after another: that is how the service takes them.
package gcs

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"slices"
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

// A blank import is what keeps a cloud's client out of the binaries that do not
// use it, and nothing else can run then.
func init() { store.Register("gs", open) } //nolint:gochecknoinits // drivers arrive by blank import

// bucket is a bucket.
type bucket struct {
	objects *storage.ObjectsService
	http    *http.Client // the same that objects uses
	base    string       // scheme and host of the service
	bucket  string
	query   string
}

// open opens a bucket and asks whether it is there, by listing it: who may use
// a bucket may mostly do that, and seldom ask for the bucket itself.
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
		// Who may not list a bucket may still read and write in it.
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

// checkQuery refuses parameters that would be ignored.
func checkQuery(query url.Values) error {
	// access_id and private_key_path are for signed URLs, which nobody makes
	// here.
	known := []string{"access_id", "private_key_path", "anonymous", "universe_domain", "endpoint", "grpc", "zonal"}
	for k := range query {
		if !slices.Contains(known, k) {
			slices.Sort(known)
			return driver.Fail(plan.Invalid, "the URL has the unknown parameter %q: known are %s", k, strings.Join(known, ", "))
		}
	}
	for _, k := range []string{"anonymous", "grpc", "zonal"} {
		on, err := strconv.ParseBool(query.Get(k))
		if query.Has(k) && err != nil {
			return driver.Fail(plan.Invalid, "the parameter %s must be true or false", k)
		}
		if on && k != "anonymous" {
			return driver.Fail(plan.Invalid, "the parameter %s=true is not supported: leave it out", k)
		}
	}
	return nil
}

// connect returns a client that authorises its requests, and where to.
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
			// That it cannot be told now is told by the first request.
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
