package store

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/checksum"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/file"
)

// MaxBody is the most that Put and CreateOnce write: every store takes that
// much in one request.
const MaxBody = 8 << 20

// MaxOnce is the most that CreateOnce writes: its frame is part of the body.
const MaxOnce = MaxBody - onceHeader

// Root is a place in a store below which objects are named by keys.
type Root struct {
	core   *core
	prefix string // with its final slash, or empty
	owner  bool   // Close closes the driver
}

// Open opens the root that a URL names:
//
//	file:///absolute/path, or any path without "://"
//	mem://name/prefix                     in o.Mem
//	s3://bucket/prefix?region=…&endpoint=… needs import _ ".../store/s3"
//	gs://bucket/prefix                     needs import _ ".../store/gcs"
//	azblob://container/prefix?domain=…     needs import _ ".../store/azure"
//
// The text of a URL is taken as it is, without percent-decoding. A query begins
// at the first question mark, except in paths. A root is a directory: Locate
// splits the URL of a single file. Open asks a bucket once whether it exists.
func Open(ctx context.Context, rawURL string, o Options) (*Root, error) {
	fail := func(err error) (*Root, error) {
		kind, cause := driver.Cause(err)
		return nil, &Error{Op: "open", URL: redact(rawURL), Kind: kind, Err: cause}
	}
	if err := o.Validate(); err != nil {
		return fail(driver.Fail(plan.Invalid, "%w", err))
	}
	o = o.withDefaults()
	u, err := splitURL(rawURL)
	if err != nil {
		return fail(err)
	}
	prefix := strings.Trim(u.path, "/")
	if u.scheme != "file" && strings.Contains("/"+u.path, "//") {
		// Without this a root would stand for the keys of another one.
		return fail(driver.Fail(plan.Invalid, "a directory in a bucket has no two slashes in a row and none at the beginning"))
	}
	var d driver.Driver
	switch u.scheme {
	case "file":
		prefix = ""
		d, err = file.Open(u.path, o.CreateDir)
	case "mem":
		d = o.Mem.Open(u.host)
	default:
		d, err = openRemote(ctx, u, o)
	}
	if err != nil {
		return fail(err)
	}
	r := &Root{core: newCore(d, o), owner: true}
	return &Root{core: r.core, prefix: r.Sub(prefix).prefix, owner: true}, nil
}

// New returns a root on a driver. Programs that have a URL call Open. Closing
// the root closes the driver.
func New(d driver.Driver, o Options) (*Root, error) {
	if err := o.Validate(); err != nil {
		return nil, &Error{Op: "open", URL: d.Traits().URL, Kind: plan.Invalid, Err: err}
	}
	return &Root{core: newCore(d, o.withDefaults()), owner: true}, nil
}

// URL returns the URL that opens this root again, without userinfo and without
// parameters of the query that may be secret.
func (r *Root) URL() string {
	u := strings.TrimSuffix(r.Name(""), "/")
	if u == "file://" {
		u += "/" // the root of the file system
	}
	return u + r.core.traits.Query
}

// Name returns the object's full name for messages. Inlined, it would add 20 kB to every
// program.
//
//go:noinline
func (r *Root) Name(key string) string { return r.core.traits.URL + "/" + r.prefix + key }

// Remote reports whether requests cost round trips and traffic, so that
// callers should compress and ask for 1 MiB and more at a time.
func (r *Root) Remote() bool { return r.core.traits.Remote }

// Traits returns the fixed properties of the driver, as it was wrapped.
func (r *Root) Traits() driver.Traits { return r.core.traits }

// Sub returns the root below prefix. It shares driver and counters. Closing it
// does nothing.
func (r *Root) Sub(prefix string) *Root {
	prefix = strings.Trim(prefix, "/")
	if prefix != "" {
		prefix += "/"
	}
	return &Root{core: r.core, prefix: r.prefix + prefix}
}

// Usage returns the counts since Open of all roots that share the driver.
func (r *Root) Usage() plan.Usage { return r.core.meter.read() }

// Close releases what an opened root holds. Handles and writers must be done.
func (r *Root) Close() error {
	if !r.owner {
		return nil
	}
	return r.fail("close", "", r.core.driver.Close())
}

// Put writes an object with one request, and replaces an existing one. It is
// for derived markers and heartbeats: if several writers must agree on an
// object, they need CreateOnce. body may have MaxBody bytes.
func (r *Root) Put(ctx context.Context, key string, body []byte, c Class) error {
	full := r.prefix + key
	err := checkWrite(full, len(body))
	if err == nil {
		err = r.core.put(ctx, full, body, CreateOptions{Class: c})
	}
	return r.fail("put", key, err)
}

// Get returns a whole object of at most limit bytes. For a longer one the
// error's kind is TooLarge.
func (r *Root) Get(ctx context.Context, key string, limit int64) ([]byte, error) {
	body, err := r.core.get(ctx, r.prefix+key, limit)
	return body, r.fail("get", key, err)
}

// Stat describes an object.
func (r *Root) Stat(ctx context.Context, key string) (Object, error) {
	var o Object
	err := r.core.control(ctx, statRequest, r.prefix+key, func(ctx context.Context) (err error) {
		o, err = r.core.driver.Stat(ctx, r.prefix+key)
		return err
	})
	o.Key = key
	return o, r.fail("stat", key, err)
}

// Delete removes an object. It succeeds if the object is absent. A file root
// also removes the directories that this leaves empty.
func (r *Root) Delete(ctx context.Context, key string) error {
	err := r.core.control(ctx, deleteRequest, r.prefix+key, func(ctx context.Context) error {
		return r.core.driver.Delete(ctx, r.prefix+key)
	})
	return r.fail("delete", key, err)
}

// fail adds operation and object to an error, once.
func (r *Root) fail(op, key string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	kind, cause := driver.Cause(err)
	return &Error{Op: op, URL: strings.TrimSuffix(r.Name(key), "/"), Kind: kind, Err: cause}
}

// checkWrite refuses keys and bodies that not every store takes.
func checkWrite(key string, size int) error {
	if size > MaxBody {
		return driver.Fail(plan.TooLarge, "%d bytes are more than the %d of one request: use Create", size, MaxBody)
	}
	return driver.CheckKey(key)
}

// put writes a whole object with one request.
func (c *core) put(ctx context.Context, key string, body []byte, o CreateOptions) error {
	k := putRequest
	if o.Class == Heartbeat {
		k = heartbeatRequest
	}
	return c.control(ctx, k, key, func(ctx context.Context) error {
		c.meter.bytesUp.Add(int64(len(body)))
		err := c.driver.Put(ctx, key, body, o)
		if err == nil || !o.IfAbsent || !c.traits.Remote {
			return err
		}
		return c.resolve(ctx, key, err)
	})
}

// resolve looks whether a conditional write of unknown outcome, or one whose
// refusal a reset cut off, left the object there. Another try of a large body
// would only be cut off again.
func (c *core) resolve(ctx context.Context, key string, err error) error {
	switch kind, _ := driver.Cause(err); kind {
	case plan.Unavailable, plan.Unknown, plan.Corrupt:
	default:
		return err
	}
	c.meter.requests[statRequest].Add(1)
	if _, statErr := c.driver.Stat(ctx, key); statErr == nil {
		return driver.Fail(plan.Exists, "seen after an unclear answer: %w", err)
	}
	return err
}

// get reads a whole object.
func (c *core) get(ctx context.Context, key string, limit int64) ([]byte, error) {
	var body []byte
	err := c.call(ctx, getRequest, key, func(ctx context.Context) error {
		r, err := c.driver.Open(ctx, key, "")
		if err != nil {
			return err
		}
		defer r.Close()
		body, err = c.getFrom(ctx, r, limit)
		return err
	})
	return body, err
}

// getFrom reads all that a reader has.
func (c *core) getFrom(ctx context.Context, r driver.Reader, limit int64) ([]byte, error) {
	w := c.watch(ctx)
	defer w.stop()
	b, err := r.Range(w.ctx, 0, -1)
	if err != nil {
		return nil, w.cause(err)
	}
	defer b.Close()
	if b.Length > limit {
		return nil, driver.Fail(plan.TooLarge, "%d bytes, the limit is %d", b.Length, limit)
	}
	if b.Length < 0 {
		return nil, driver.Fail(plan.Corrupt, "the store did not say how long the object is")
	}
	buf := make([]byte, b.Length)
	n, err := w.fill(b, buf)
	c.meter.bytesDown.Add(int64(n))
	if err == nil {
		err = verify(b.Sum, checksum.Of(b.Sum.Algorithm, buf))
	}
	return buf, err
}

// verify checks the checksum of all bytes of an object against the one that the
// store returned. If the store returned none, any fits.
func verify(known, got checksum.Sum) error {
	if known.Known() && got != known {
		return driver.Fail(plan.Corrupt, "the bytes have checksum %v, and the store says %v", got, known)
	}
	return nil
}

// parsedURL is a URL in its parts, verbatim.
type parsedURL struct {
	scheme, host, path string
	query              url.Values
}

// splitURL takes a URL or a plain path apart.
func splitURL(raw string) (parsedURL, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		if raw == "" {
			return parsedURL{}, driver.Fail(plan.Invalid, "the URL is empty")
		}
		abs, err := filepath.Abs(raw)
		return parsedURL{scheme: "file", path: abs}, err
	}
	if !isScheme(scheme) {
		return parsedURL{}, driver.Fail(plan.Invalid, "%q is no scheme: a URL is scheme://bucket/path", scheme)
	}
	if scheme == "file" {
		if !strings.HasPrefix(rest, "/") {
			return parsedURL{}, driver.Fail(plan.Invalid, "a file URL is file:///absolute/path, with three slashes")
		}
		return parsedURL{scheme: "file", path: filepath.Clean(rest)}, nil
	}
	rest, rawQuery, _ := strings.Cut(rest, "?")
	host, path, _ := strings.Cut(rest, "/")
	if strings.Contains(host, "@") {
		return parsedURL{}, driver.Fail(plan.Invalid, "a URL must not hold credentials: give them by environment or profile")
	}
	if host == "" && scheme != "mem" {
		return parsedURL{}, driver.Fail(plan.Invalid, "the URL names no bucket")
	}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		// The parser's own error quotes the query, which may hold a secret.
		return parsedURL{}, driver.Fail(plan.Invalid, "the query of the URL is malformed")
	}
	return parsedURL{scheme, host, path, query}, nil
}

// isScheme reports whether a word is valid as the scheme of a URL.
func isScheme(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return s != ""
}

// redact returns a URL fit for messages: no userinfo, no query.
func redact(raw string) string {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || scheme == "file" {
		return raw
	}
	rest, _, _ = strings.Cut(rest, "?")
	host, path, slash := strings.Cut(rest, "/")
	if i := strings.LastIndex(host, "@"); i >= 0 {
		host = host[i+1:]
	}
	if slash {
		path = "/" + path
	}
	return scheme + "://" + host + path
}
