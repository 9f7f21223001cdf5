package store

import (
	"context"
	"io"
	"time"

	"github.com/windrow-mr/windrow/store/checksum"
)

// A Class says what a written object is for, and so what it may cost.
type Class int

const (
	// Durable objects have reached the disk when the write returns: logs,
	// manifests, parts. It is the zero value, the safe one.
	Durable Class = iota
	// Scratch objects are visible to everybody when the write returns, but a
	// power cut may lose them: shuffle runs of an embedded run.
	Scratch
	// Heartbeat objects are scratch that is overwritten every few seconds;
	// they are counted apart.
	Heartbeat
)

// Object is what a store knows of an object.
type Object struct {
	Key     string // relative to the root
	Size    int64  // bytes; -1 where it is not known
	ETag    string // the version: two objects of equal ETag have equal bytes
	ModTime time.Time
	// Sum is the checksum of all bytes that the store keeps; zero where it
	// told none. What a store tells may depend on the request: Google Cloud
	// Storage tells it in listings too, S3 only when one object is asked for,
	// and of few objects that were uploaded in parts; Azure and files never.
	Sum checksum.Sum
}

// Driver is what a kind of store must do. Root does all else: keys and their
// names, retries, pacing, counting, framing, buffering, lengths, stalls.
//
// Every method may be called by many goroutines. Each call stands for one
// request, or for none on a store that is at hand, and must not retry. Errors
// have a kind, by Fail or by wrapping errors of io/fs and context. Keys are
// relative to what was opened and were checked by CheckKey when they are
// written. Drivers do not keep byte slices that they were handed.
type Driver interface {
	// Traits says what the portable layer must know; it never changes.
	Traits() Traits
	// Put writes a whole object. With IfAbsent it must be atomic against
	// every other writer, and fail with Exists when it lost.
	Put(ctx context.Context, key string, body []byte, o CreateOptions) error
	// Upload begins an object that is written in parts.
	Upload(ctx context.Context, key string, o CreateOptions) (Upload, error)
	// Open prepares reads of an object. ETag "" means any version. A remote
	// driver makes no request: that the object is missing may come out later.
	Open(ctx context.Context, key, etag string) (Reader, error)
	// Stat describes an object.
	Stat(ctx context.Context, key string) (Object, error)
	// List begins a listing of all keys that start with prefix.
	List(prefix string) Pager
	// Delete removes an object. That it is absent is no error.
	Delete(ctx context.Context, key string) error
	// Close gives up what the driver holds.
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
	// PartSize is the size of an upload's parts, except the last; 0 lets
	// bytes through as they come. Remote drivers need one.
	PartSize int
	// MaxParts bounds the parts of an upload; 0 means any number.
	MaxParts int
	// Sequential says that parts of an upload to a remote store must come one
	// after another, in order; each may still come again after an error.
	Sequential bool
}

// CreateOptions say how an object is written.
type CreateOptions struct {
	Class    Class
	IfAbsent bool // fail with Exists when there is such an object already
}

// Upload is an object on its way, invisible before Commit.
type Upload interface {
	// Part adds part n, counted from 1. Parts of a remote store may come side
	// by side, unless its traits say Sequential, and again after an error;
	// others come in order, once.
	Part(ctx context.Context, n int, body []byte) error
	// Commit makes the object visible, all parts in order. After an error it
	// may be called again.
	Commit(ctx context.Context) error
	// Abort frees what the parts hold. It is called at most once and never
	// after Commit succeeded, with a context of its own.
	Abort(ctx context.Context) error
}

// Reader reads ranges of one version of an object. A Reader that is also an
// io.ReaderAt is at hand: it is read through that, without a request.
type Reader interface {
	// Object describes the version that is read.
	Object(ctx context.Context) (Object, error)
	// Range begins to read n bytes at off; n < 0 reads all of the object.
	// Reading stops with an error when ctx ends. Changed says that the object
	// is not the version any more, or ends before off.
	Range(ctx context.Context, off, n int64) (Body, error)
	// Close gives up what the reader holds.
	Close() error
}

// Body is the answer to a range request.
type Body struct {
	io.ReadCloser
	Length int64        // bytes that follow, as the store announced; -1: not said
	Total  int64        // size of the whole object; -1: not said
	Sum    checksum.Sum // of the whole object, whatever the range; zero: not said
}

// RangeLister is a Driver that can begin a listing behind any key. Listings of
// many pages are walked side by side with it.
type RangeLister interface {
	// ListAfter begins a listing of the keys that start with prefix and are
	// greater than after, by their bytes. after is valid UTF-8 and need not be
	// a key. The portable layer notices when a store ignores it.
	ListAfter(prefix, after string) Pager
}

// KnownOpener is a Driver that would otherwise ask for what OpenKnown is told.
type KnownOpener interface {
	// OpenKnown is Open of an object of this Size. ETag "" means any version.
	OpenKnown(ctx context.Context, o Object) (Reader, error)
}

// UploadLister is a Driver that can list the uploads which were begun and not
// ended. A store without it drops what killed processes leave by itself, or has
// nothing to drop.
type UploadLister interface {
	// ListUploads begins a listing of the uploads to keys that start with
	// prefix. What has no key is listed whatever the prefix.
	ListUploads(prefix string) UploadPager
	// AbortUpload frees what a listed upload holds. That it is gone is no error.
	AbortUpload(ctx context.Context, u Unfinished) error
}

// Unfinished is an upload that was begun, and neither committed nor aborted.
type Unfinished struct {
	// Key is what the object would be called, relative to the root. It is empty
	// where a store gives names at the end: files, which list an upload only when
	// the process that began it is dead.
	Key string
	// ID tells it from other uploads of the key, or of the store where there is no key.
	ID string
	// Began is by the store's clock; zero where it does not say.
	Began time.Time
}

// UploadPager walks a listing of uploads as a Pager does one of objects, in
// whatever order the store has.
type UploadPager interface {
	Next(ctx context.Context) (page []Unfinished, last bool, err error)
}

// Pager walks a listing.
type Pager interface {
	// Next returns the next objects, ordered by key, and whether they are the
	// last. After an error it may be called again, after the last not.
	Next(ctx context.Context) (page []Object, last bool, err error)
}
