// Package driver is what package store asks of a kind of store: the interface
// of drivers, the values that it passes, and the errors that drivers return.
//
// Drivers and decorators of drivers import it; programs that only open roots
// use package store. A driver does little: store.Root checks keys, retries,
// paces, counts, buffers and watches for stalls.
//
// # Optional interfaces
//
// A driver can do more than Driver asks: see [RangeLister], [KnownOpener] and
// [UploadLister]. [As] finds out, also through decorators. A [Decorator]
// implements only those optional interfaces whose calls it changes. As passes
// the others through, and hides those that the driver beneath lacks.
//
// # Errors
//
// Every error has a kind: of [Fail], or of an error of packages io/fs and
// context that it wraps. The kind decides what the caller does:
//
//   - NotFound: the store said that this object does not exist. A missing
//     bucket is Invalid, an unknown host is Unavailable.
//   - Exists: a write with IfAbsent lost.
//   - Changed: the object is no longer the version that was asked for.
//   - Throttled, Unavailable, Contended, Corrupt: store.Root repeats the call.
//   - Denied, Invalid, TooLarge: repeating the call does not help.
//
// Concurrency: every method may be called by many goroutines, if its comment
// does not say otherwise. Units: sizes and offsets are bytes.
package driver

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/checksum"
)

// A Class says what a written object is for, and so what it may cost.
type Class int

const (
	// Durable objects have reached the disk when the write returns: logs,
	// manifests, parts. It is the zero value, the safe one.
	Durable Class = iota
	// Scratch objects are visible to all processes when the write returns, but
	// a power failure may lose them: shuffle runs of an embedded run.
	Scratch
	// Heartbeat objects are scratch objects that are overwritten every few
	// seconds. They are counted apart.
	Heartbeat
)

// Object describes an object.
type Object struct {
	Key     string // relative to the root
	Size    int64  // bytes; -1 if it is not known
	ETag    string // the version: two objects of equal ETag have equal bytes
	ModTime time.Time
	// Sum is the checksum of all bytes that the store keeps; zero if the store
	// returned none. Whether it returns one may depend on the request: Google
	// Cloud Storage includes it in listings, S3 returns it only for a request of
	// one object, and of few objects that were uploaded in parts; Azure and
	// files never return one.
	Sum checksum.Sum
}

// CreateOptions say how an object is written.
type CreateOptions struct {
	Class    Class
	IfAbsent bool // fail with Exists if the object exists already
}

// Driver is what a kind of store must do. Root does all else: keys and their
// names, retries, pacing, counting, framing, buffering, lengths, stalls.
//
// Every method may be called by many goroutines. Each call makes one request,
// or none on a local store, and must not retry. Errors have a kind: see the
// package comment. Keys are relative to what was opened; CheckKey has checked
// those that are written. Drivers do not keep the byte slices that they are
// passed.
type Driver interface {
	// Traits returns what the portable layer must know. It never changes.
	Traits() Traits
	// Put writes a whole object. With IfAbsent it must be atomic against
	// every other writer, and fail with Exists when it lost.
	Put(ctx context.Context, key string, body []byte, o CreateOptions) error
	// Upload begins an object that is written in parts.
	Upload(ctx context.Context, key string, o CreateOptions) (Upload, error)
	// Open prepares reads of an object. ETag "" means any version. A remote
	// driver makes no request, so a missing object may show only later.
	Open(ctx context.Context, key, etag string) (Reader, error)
	// Stat describes an object.
	Stat(ctx context.Context, key string) (Object, error)
	// List begins a listing of all keys that start with prefix.
	List(prefix string) Pager
	// Delete removes an object. It returns no error if the object is absent.
	Delete(ctx context.Context, key string) error
	// Close releases what the driver holds.
	Close() error
}

// Traits are a driver's fixed properties.
type Traits struct {
	// URL names what was opened, without secrets and without final slash.
	URL string
	// Query follows the key in URLs that can be opened again: "?region=…".
	Query string
	// Remote says that a call costs a round trip and that bytes cost traffic:
	// parts are buffered and sent side by side, reads are watched for stalls.
	Remote bool
	// PartSize is the size of an upload's parts, except the last; 0 passes
	// bytes on as they come. Remote drivers need one.
	PartSize int
	// MaxParts bounds the parts of an upload; 0 means any number.
	MaxParts int
	// Sequential says that parts of an upload to a remote store must come one
	// after another, in order. Each may still come again after an error.
	Sequential bool
}

// Upload is an object that is being written, invisible before Commit.
type Upload interface {
	// Part adds part n, counted from 1. Parts of a remote store may come side
	// by side, unless its traits say Sequential, and again after an error.
	// Parts of a local store come in order, once.
	Part(ctx context.Context, n int, body []byte) error
	// Commit makes the object visible, all parts in order. It may be called
	// again after an error.
	Commit(ctx context.Context) error
	// Abort frees what the parts hold. It is called at most once and never
	// after Commit succeeded, with a context of its own.
	Abort(ctx context.Context) error
}

// Lender is an Upload that is a file, which another process may write.
type Lender interface {
	Upload
	// Lend returns the file, open for writing and empty. It is nil if the
	// system can not report later that no process can write to it.
	Lend() (*os.File, error)
	// TakeBack returns the file's size, once no process can write to it.
	TakeBack(ctx context.Context) (int64, error)
}

// Reader reads ranges of one version of an object. A Reader that is also an
// io.ReaderAt is local: it is read through that, without a request.
type Reader interface {
	// Object describes the version that is read.
	Object(ctx context.Context) (Object, error)
	// Range begins to read n bytes at off; n < 0 reads all of the object.
	// Reading stops with an error when ctx ends. Changed says that the object
	// is no longer the version, or ends before off.
	Range(ctx context.Context, off, n int64) (Body, error)
	// Close releases what the reader holds.
	Close() error
}

// Body is the answer to a range request.
type Body struct {
	io.ReadCloser
	Length int64        // bytes that follow, as the store announced; -1: unknown
	Total  int64        // size of the whole object; -1: unknown
	Sum    checksum.Sum // of the whole object, whatever the range; zero: unknown
}

// Section returns the Body of a range of a local object of size bytes: n bytes
// of r at off, or all of it if n is negative.
func Section(r io.ReaderAt, size, off, n int64) (Body, error) {
	if n < 0 {
		off, n = 0, size
	}
	if off > size {
		return Body{}, Fail(plan.Changed, "the object ends at %d, before %d", size, off)
	}
	n = min(n, size-off)
	return Body{ReadCloser: io.NopCloser(io.NewSectionReader(r, off, n)), Length: n, Total: size}, nil
}

// Pager walks a listing. It belongs to one goroutine.
type Pager interface {
	// Next returns the next objects, ordered by key, and whether they are the
	// last. It may be called again after an error, but not after the last page.
	Next(ctx context.Context) (page []Object, last bool, err error)
}
