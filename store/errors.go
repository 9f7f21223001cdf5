package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// A Kind says what went wrong, as far as a caller can act on it.
type Kind int

// The kinds of errors. Unknown is also the kind of errors that did not come
// from this package.
const (
	Unknown     Kind = iota
	NotFound         // the store says that this object does not exist
	Exists           // create-once lost: the object is already there
	Changed          // the object is not the version that was asked for
	Denied           // credentials or permissions do not allow it
	Throttled        // the store asks for fewer requests; retried
	Unavailable      // the store or the way to it failed; retried
	Conflict         // another write of the same key is in flight; retried
	Corrupt          // fewer or other bytes than promised; retried
	TooLarge         // more bytes than the caller or the store allows
	Invalid          // the request itself is wrong: URL, key, option
	Canceled         // the caller's context ended
)

var kindNames = [...]string{
	Unknown: "unknown error", NotFound: "not found", Exists: "already exists", Changed: "changed",
	Denied: "permission denied", Throttled: "throttled", Unavailable: "store unavailable",
	Conflict: "conflicting write", Corrupt: "corrupt", TooLarge: "too large", Invalid: "invalid", Canceled: "canceled",
}

// String returns the kind in words, as error texts have it.
func (k Kind) String() string {
	if k >= 0 && int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// retryable reports whether the same request may succeed a little later.
func (k Kind) retryable() bool {
	switch k {
	case Throttled, Unavailable, Conflict, Corrupt:
		return true
	default:
		return false
	}
}

// Error is what every operation of this package returns when it fails.
type Error struct {
	Op   string // the operation: "get", "create-once", "list", …
	URL  string // the object or root, without secrets
	Kind Kind
	Err  error // the cause; nil when the kind says it all
}

// Error returns operation, object, kind and cause in one line.
func (e *Error) Error() string {
	text := e.Op + " " + e.URL + ": " + e.Kind.String()
	if e.Kind == Unknown && e.Err != nil {
		return e.Op + " " + e.URL + ": " + e.Err.Error()
	}
	if e.Err != nil && !strings.HasSuffix(e.Err.Error(), e.Kind.String()) {
		return text + ": " + e.Err.Error()
	}
	if e.Err != nil {
		return e.Op + " " + e.URL + ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err: that of the outermost Error in it (or of what
// Fail made), else what can be told of errors of the standard library, else
// Unknown.
func KindOf(err error) Kind {
	var e *Error
	var f *failure
	switch {
	case err == nil:
		return Unknown
	case errors.As(err, &e):
		return e.Kind
	case errors.As(err, &f):
		return f.kind
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Canceled
	case errors.Is(err, fs.ErrNotExist):
		return NotFound
	case errors.Is(err, fs.ErrExist):
		return Exists
	case errors.Is(err, fs.ErrPermission):
		return Denied
	default:
		return Unknown
	}
}

// Fail makes an error of a kind for drivers; the portable layer adds operation
// and object. The format's %w verbs are kept.
func Fail(kind Kind, format string, args ...any) error {
	return &failure{kind, fmt.Errorf(format, args...)}
}

// failure is a kind with a cause, on its way from a driver to the Root that
// knows the operation and the object's full name.
type failure struct {
	kind Kind
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// causeOf returns the kind that a driver gave err, and err without the
// wrapping that would say the kind twice.
func causeOf(err error) (Kind, error) {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.kind, f.err
	}
	return KindOf(err), err
}
