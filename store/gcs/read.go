package gcs

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/storage/v1"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/checksum"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/internal/drive"
)

// objectFields are the fields that requests ask for.
const objectFields = "name,size,generation,updated,crc32c"

func (d *bucket) Stat(ctx context.Context, key string) (store.Object, error) {
	return d.describe(ctx, key, "")
}

// describe asks for an object, of one generation when etag is given.
func (d *bucket) describe(ctx context.Context, key, etag string) (store.Object, error) {
	call := d.objects.Get(d.bucket, key).Fields(objectFields).Context(ctx)
	if etag != "" {
		generation, err := parseGeneration(etag)
		if err != nil {
			return store.Object{}, err
		}
		call = call.IfGenerationMatch(generation)
	}
	o, err := call.Do()
	if err != nil {
		return store.Object{}, classify(err)
	}
	return object(key, o), nil
}

// parseGeneration reads what ETags are here.
func parseGeneration(etag string) (int64, error) {
	generation, err := strconv.ParseInt(etag, 10, 64)
	if err != nil || generation <= 0 {
		return 0, driver.Fail(plan.Changed, "the version %q is no generation of Google Cloud Storage", etag)
	}
	return generation, nil
}

// object translates the service's description.
func object(key string, o *storage.Object) store.Object {
	modified, err := time.Parse(time.RFC3339, o.Updated)
	if err != nil {
		modified = time.Time{}
	}
	return store.Object{
		Key: key, Size: int64(o.Size), ETag: strconv.FormatInt(o.Generation, 10), ModTime: modified,
		Sum: checksum.Parse(checksum.CRC32C, o.Crc32c),
	}
}

func (d *bucket) Open(_ context.Context, key, etag string) (driver.Reader, error) {
	if etag != "" {
		if _, err := parseGeneration(etag); err != nil {
			return nil, err
		}
	}
	return &reader{driver: d, key: key, version: drive.NewVersion(etag)}, nil
}

// reader asks for ranges of one generation.
type reader struct {
	driver  *bucket
	key     string
	version *drive.Version
}

func (r *reader) Close() error { return nil }

func (r *reader) Object(ctx context.Context) (store.Object, error) {
	o, err := r.driver.describe(ctx, r.key, r.version.ETag())
	if err == nil {
		err = r.version.Keep(o.ETag)
	}
	return o, err
}

// Range requests the bytes as they are stored. The generated client cannot: it
// lets the service decompress objects that are stored with a content encoding.
func (r *reader) Range(ctx context.Context, off, n int64) (driver.Body, error) {
	d := r.driver
	query := url.Values{"alt": {"media"}}
	if etag := r.version.ETag(); etag != "" {
		query.Set("ifGenerationMatch", etag)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		d.base+"/storage/v1/b/"+url.PathEscape(d.bucket)+"/o/"+url.PathEscape(r.key)+"?"+query.Encode(), http.NoBody)
	if err != nil {
		return driver.Body{}, driver.Fail(plan.Invalid, "%w", err)
	}
	request.Header.Set("Accept-Encoding", "gzip")
	if n >= 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	}
	response, err := d.send(request)
	if err != nil {
		return driver.Body{}, err
	}
	head := drive.Head{Length: response.ContentLength, ETag: response.Header.Get("X-Goog-Generation"), ContentRange: response.Header.Get("Content-Range")}
	b, err := r.version.Answer(response.Body, head, off, n, classify)
	if err != nil {
		_ = response.Body.Close()
		return driver.Body{}, err
	}
	b.Sum = sentSum(response.Header)
	return b, nil
}

// send makes a request whose answer must be a success.
func (d *bucket) send(request *http.Request) (*http.Response, error) {
	response, err := d.http.Do(request)
	if err != nil {
		return nil, classify(err)
	}
	if err = googleapi.CheckResponse(response); err != nil {
		_ = response.Body.Close()
		return nil, classify(err)
	}
	return response, nil
}

// sentSum returns the checksum of the whole object that the headers of its
// bytes contain.
func sentSum(h http.Header) checksum.Sum {
	for _, line := range h.Values("X-Goog-Hash") {
		for part := range strings.SplitSeq(line, ",") {
			if text, ok := strings.CutPrefix(strings.TrimSpace(part), "crc32c="); ok {
				return checksum.Parse(checksum.CRC32C, text)
			}
		}
	}
	return checksum.Sum{}
}

// pager walks a listing.
type pager struct {
	driver        *bucket
	prefix, after string
	token         string
}

func (d *bucket) List(prefix string) driver.Pager { return &pager{driver: d, prefix: prefix} }

// ListAfter makes the driver a driver.RangeLister.
func (d *bucket) ListAfter(prefix, after string) driver.Pager {
	return &pager{driver: d, prefix: prefix, after: after}
}

func (p *pager) Next(ctx context.Context) (page []store.Object, last bool, err error) {
	answer, err := p.ask(ctx, "")
	if err != nil {
		return nil, false, err
	}
	return p.objects(answer), p.token == "", nil
}

// ask asks for the next page.
func (p *pager) ask(ctx context.Context, delimiter string) (*storage.Objects, error) {
	call := p.driver.objects.List(p.driver.bucket).Prefix(p.prefix).Projection("noAcl").
		Fields("nextPageToken", "prefixes", "items("+objectFields+")").Context(ctx)
	if delimiter != "" {
		call = call.Delimiter(delimiter)
	}
	if p.after != "" {
		call = call.StartOffset(p.after)
	}
	if p.token != "" {
		call = call.PageToken(p.token)
	}
	answer, err := call.Do()
	if err != nil {
		if err = classify(err); plan.KindOf(err) == plan.NotFound {
			err = noBucket() // a listing can lack only its bucket
		}
		return nil, err
	}
	p.token = answer.NextPageToken
	return answer, nil
}

// objects returns the objects of a page.
func (p *pager) objects(answer *storage.Objects) []store.Object {
	page := make([]store.Object, 0, len(answer.Items))
	for _, item := range answer.Items {
		o := object(item.Name, item)
		if drive.Placeholder(o.Key, o.Size) || p.after != "" && o.Key == p.after { // a listing begins with that key itself
			continue
		}
		page = append(page, o)
	}
	return page
}

// levelPager walks a listing with a delimiter.
type levelPager struct{ pager }

var _ driver.LevelLister = (*bucket)(nil)

// ListLevel makes the driver a driver.LevelLister.
func (d *bucket) ListLevel(_, prefix string) driver.LevelPager {
	return &levelPager{pager{driver: d, prefix: prefix}}
}

func (p *levelPager) Next(ctx context.Context) (page []driver.Entry, last bool, err error) {
	answer, err := p.ask(ctx, "/")
	if err != nil {
		return nil, false, err
	}
	return drive.Entries(p.objects(answer), answer.Prefixes), p.token == "", nil
}
