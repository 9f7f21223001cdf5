// Package drive has the common parts of drivers of object stores over HTTP: the
// version that a reader keeps to, the check of a range that was sent, the kinds
// of statuses, and the part of a URL's query that may be shown.
//
// The drivers below store call it. Concurrency: a Version may be used by any
// number of goroutines; everything else has no state. Failure: errors are of
// driver.Fail. Units: bytes.
package drive

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/driver"
)

// IdleConnections is how many connections to one host stay open: as many as one
// process has requests in flight.
const IdleConnections = 64

// Transport returns an HTTP transport of its own that keeps connections open.
// It speaks HTTP/1.1, with a connection for each request in flight: one
// connection for all, as in HTTP/2, bounds what all of them get.
func Transport() *http.Transport {
	base, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		base = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	t := base.Clone()
	t.MaxIdleConns = 0
	t.MaxIdleConnsPerHost = IdleConnections
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	t.ForceAttemptHTTP2 = false
	return t
}

// Version is the version of an object that a reader keeps to: the one that it
// was opened for, or else the first one that it sees.
type Version struct {
	mu   sync.Mutex
	etag string
}

// NewVersion keeps to a version; "" stands for the first that is seen.
func NewVersion(etag string) *Version { return &Version{etag: etag} }

// ETag returns the version, or "" while none is known.
func (v *Version) ETag() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.etag
}

// Keep compares the version of a response with the one that is read: not every
// store honours conditions.
func (v *Version) Keep(etag string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.etag == "" {
		v.etag = etag
	}
	if etag != "" && v.etag != etag {
		return driver.Fail(plan.Changed, "the version is %s, not %s", etag, v.etag)
	}
	return nil
}

// Head describes the body of a response, as its head does.
type Head struct {
	Length       int64 // -1: unknown
	ETag         string
	ContentRange string
}

// Answer returns the driver's answer for the response to a request for n bytes
// at off, or for all of the object if n is negative. A response that is of
// another version or range is an error, and the caller closes its body.
func (v *Version) Answer(body io.ReadCloser, h Head, off, n int64, classify func(error) error) (driver.Body, error) {
	b := driver.Body{ReadCloser: Body{ReadCloser: body, Classify: classify}, Length: h.Length, Total: h.Length}
	err := v.Keep(h.ETag)
	if err == nil && n >= 0 {
		b.Total, err = CheckRange(h.ContentRange, off, h.Length)
	}
	return b, err
}

// CheckRange verifies that a response of length bytes is the range that begins
// at off, and returns the object's size, or -1. A server that knows no ranges
// answers with the whole object and no Content-Range.
func CheckRange(contentRange string, off, length int64) (total int64, err error) {
	if contentRange == "" {
		if off == 0 {
			return length, nil
		}
		return 0, driver.Fail(plan.Corrupt, "the store ignored the range and sent the object from its beginning")
	}
	var first, last int64
	var size string
	if _, err := fmt.Sscanf(contentRange, "bytes %d-%d/%s", &first, &last, &size); err != nil || first != off {
		return 0, driver.Fail(plan.Corrupt, "the store sent the range %q, asked for one at %d", contentRange, off)
	}
	if total, err = strconv.ParseInt(size, 10, 64); err != nil {
		return -1, nil //nolint:nilerr // "*": not known
	}
	return total, nil
}

// Body gives the errors of a response's body their kind.
type Body struct {
	io.ReadCloser
	Classify func(error) error
}

// Read reads. An error other than io.EOF has a kind.
func (b Body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.Classify(err)
	}
	return n, err
}

// KindOfStatus returns the kind of an HTTP status that says that a request
// failed.
func KindOfStatus(status int) plan.Kind {
	switch status {
	case http.StatusNotFound:
		return plan.NotFound
	case http.StatusUnauthorized, http.StatusForbidden:
		return plan.Denied
	case http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
		return plan.Changed
	case http.StatusConflict:
		return plan.Contended
	case http.StatusRequestEntityTooLarge:
		return plan.TooLarge
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return plan.Throttled
	case http.StatusRequestTimeout:
		return plan.Unavailable
	case http.StatusNotImplemented:
		return plan.Invalid
	default:
		if status >= 500 {
			return plan.Unavailable
		}
		if status >= 200 && status < 300 {
			return plan.Unavailable // the response broke off
		}
		return plan.Invalid
	}
}

// PublicQuery returns the query that URLs are shown with: the parameters that
// are named, and the endpoint without parts that may be secret.
func PublicQuery(query url.Values, public ...string) string {
	q := make(url.Values)
	for _, k := range public {
		if query.Has(k) {
			q[k] = query[k]
		}
	}
	if e, err := url.Parse(query.Get("endpoint")); err == nil && e.Host != "" {
		q.Set("endpoint", e.Scheme+"://"+e.Host+strings.TrimSuffix(e.Path, "/"))
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// Placeholder reports whether an object is one that consoles make to show an
// empty directory.
func Placeholder(key string, size int64) bool { return size == 0 && strings.HasSuffix(key, "/") }

// Entries returns what a directory has: objects, and the names of directories, each with
// a final slash.
func Entries(objects []driver.Object, directories []string) []driver.Entry {
	entries := make([]driver.Entry, 0, len(objects)+len(directories))
	for _, o := range objects {
		entries = append(entries, driver.Entry{Object: o})
	}
	for _, name := range directories {
		entries = append(entries, driver.Entry{Object: driver.Object{Key: name}, Kind: driver.IsDirectory})
	}
	return entries
}
