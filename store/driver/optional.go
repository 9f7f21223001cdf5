package driver

import (
	"context"
	"time"
)

// Decorator is a Driver that passes calls on to another. A decorator that
// changes what Open does must change OpenKnown too, since a Root prefers that.
type Decorator interface {
	Driver
	// Unwrap returns the driver beneath.
	Unwrap() Driver
}

// As returns d as a T, one of the optional interfaces, and reports whether d
// can do what T asks. Of a chain of decorators it returns the outermost that is
// a T. The driver beneath all decorators decides whether there is one: a
// decorator may implement T without knowing what it decorates, and its methods
// are called only if As of the driver beneath it returns a T.
func As[T any](d Driver) (t T, ok bool) {
	decorator, is := d.(Decorator)
	if !is {
		t, ok = d.(T)
		return t, ok
	}
	if t, ok = As[T](decorator.Unwrap()); !ok {
		return t, false
	}
	if own, is := d.(T); is {
		return own, true
	}
	return t, true
}

// RangeLister is a Driver that can begin a listing after any key. A Root walks
// several parts of a long listing side by side with it.
type RangeLister interface {
	// ListAfter begins a listing of the keys that start with prefix and are
	// greater than after, by their bytes. after is valid UTF-8 and need not be
	// a key. The portable layer notices a store that ignores it.
	ListAfter(prefix, after string) Pager
}

// KnownOpener is a Driver whose Open makes a request that the size saves.
type KnownOpener interface {
	// OpenKnown is Open of an object of this Size. ETag "" means any version.
	OpenKnown(ctx context.Context, o Object) (Reader, error)
}

// UploadLister is a Driver that can list the uploads that were begun and have
// not ended. A store without it drops what killed processes leave by itself,
// or has nothing to drop.
type UploadLister interface {
	// ListUploads begins a listing of the uploads to keys that start with
	// prefix. Uploads without a key are listed whatever the prefix.
	ListUploads(prefix string) UploadPager
	// AbortUpload frees what a listed upload holds. It returns no error if the
	// upload is gone.
	AbortUpload(ctx context.Context, u Unfinished) error
}

// Unfinished is an upload that was begun, and neither committed nor aborted.
type Unfinished struct {
	// Key is the name that the object would have, relative to the root. It is
	// empty on stores that give names at the end: files, which list an upload
	// only when the process that began it is dead.
	Key string
	// ID distinguishes it from other uploads of the key, or of the store if
	// there is no key.
	ID string
	// Began is by the store's clock; zero if the store does not return it.
	Began time.Time
}

// UploadPager walks a listing of uploads as a Pager walks one of objects, in
// whatever order the store has.
type UploadPager interface {
	Next(ctx context.Context) (page []Unfinished, last bool, err error)
}

// Expirer is a Driver that can read the rules by which its store deletes or archives
// objects by itself.
type Expirer interface {
	// Expiry returns a text for each rule that applies to any key that starts with
	// prefix.
	Expiry(ctx context.Context, prefix string) (rules []string, err error)
}
