package plan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
)

// A Kind says what went wrong, as far as a caller can act on it. It is the only
// classification of failures: stores, planning, attempts, the scheduler, the
// HTTP API and the exit status of commands all use it. Processes send each other
// its numbers, so that new kinds are added at the end.
type Kind uint8

// The kinds of failures.
const (
	// Unknown is the kind of a failure that no other kind describes: an error
	// of a function of the job, or of a library. The text is all there is.
	Unknown Kind = iota
	// NotFound says that a named thing does not exist: an object, an input, a
	// job, a worker. For a thing that exists and must not, see Exists. When the
	// way to a store fails, the kind is Unavailable: absence needs evidence.
	NotFound
	// Exists says that an object that must be created once already exists. Only
	// writes return it. A whole output that belongs to others is Conflict.
	Exists
	// Changed says that an object is no longer the version that was asked for.
	Changed
	// Denied says that credentials, permissions or the operator's list of
	// allowed URLs do not allow the request. Repeating it does not help.
	Denied
	// Throttled says that a store asks for fewer requests. It is retried.
	Throttled
	// Unavailable says that a store, a master or the way to it failed. The same
	// request may succeed later. It is retried.
	Unavailable
	// Contended says that another write of the same key is in flight. It is
	// retried. When an output belongs to another job, the kind is Conflict.
	Contended
	// Corrupt says that fewer or other bytes arrived than were promised. It is
	// retried, because bytes can change on the way; at rest they stay damaged.
	Corrupt
	// TooLarge says that there are more bytes than the caller, the store or a
	// format allows.
	TooLarge
	// Invalid says that the request itself is wrong: an argument, a URL, a key,
	// an option. The caller must change it. It is never retried.
	Invalid
	// Interrupted says that the caller's context ended.
	Interrupted
	// Conflict says that an output, an idempotency key or the state of a job
	// belongs to others and does not allow the request.
	Conflict
	// Cancelled says that a user cancelled the job. A command that is
	// interrupted has the kind Interrupted.
	Cancelled
	// NotLeader says that another master leads: ask that one.
	NotLeader
	// Failed says that the job ran and failed: a task failed as often as it
	// may, or the engine could not do its work.
	Failed
	// Inconsistent says that the records of a job contradict each other or are
	// damaged, so that continuing could give a wrong answer.
	Inconsistent
	// Unmet says that the output of a job does not meet what was expected of it. It is
	// staged, and not published.
	Unmet
)

// kinds describes every kind: words for the texts of errors, and the name in
// JSON.
var kinds = [...]struct{ words, name string }{
	Unknown:      {"unknown error", "unknown"},
	NotFound:     {"not found", "notFound"},
	Exists:       {"already exists", "exists"},
	Changed:      {"changed", "changed"},
	Denied:       {"permission denied", "denied"},
	Throttled:    {"throttled", "throttled"},
	Unavailable:  {"store unavailable", "unavailable"},
	Contended:    {"conflicting write", "contended"},
	Corrupt:      {"corrupt", "corrupt"},
	TooLarge:     {"too large", "tooLarge"},
	Invalid:      {"invalid", "usage"},
	Interrupted:  {"canceled", "interrupted"},
	Conflict:     {"conflict", "conflict"},
	Cancelled:    {"cancelled", "cancelled"},
	NotLeader:    {"not the leader", "notLeader"},
	Failed:       {"failed", "failed"},
	Inconsistent: {"inconsistent", "inconsistent"},
	Unmet:        {"expectations not met", "unmet"},
}

// Kinds returns all kinds, in the order of their values. Tables that translate
// kinds are tested against it.
func Kinds() []Kind {
	all := make([]Kind, len(kinds))
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// String returns the kind in words, as the texts of errors have it.
//
//go:noinline
func (k Kind) String() string {
	if int(k) < len(kinds) {
		return kinds[k].words
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Retryable reports whether the same request to a store may succeed a little
// later.
func (k Kind) Retryable() bool {
	switch k {
	case Throttled, Unavailable, Contended, Corrupt:
		return true
	default:
		return false
	}
}

// MarshalJSON returns the kind's name: "notFound".
func (k Kind) MarshalJSON() ([]byte, error) {
	if int(k) < len(kinds) {
		return strconv.AppendQuote(nil, kinds[k].name), nil
	}
	return nil, fmt.Errorf("kind %d has no name", uint8(k))
}

// UnmarshalJSON is the inverse of MarshalJSON. A name that this build does not
// know, because a newer one wrote it, is Unknown.
func (k *Kind) UnmarshalJSON(text []byte) error {
	name, err := strconv.Unquote(string(text))
	if err != nil {
		return fmt.Errorf("the kind of a failure is a string, not %s", text)
	}
	*k = Kind(max(0, slices.IndexFunc(kinds[:], func(d struct{ words, name string }) bool { return d.name == name })))
	return nil
}

// KindOf returns the kind of err: that of the outermost error in its chain
// that has one, in a method FailureKind; else that of errors of the standard
// library; else Unknown. The kind of nil is Unknown.
func KindOf(err error) Kind {
	var known interface{ FailureKind() Kind }
	switch {
	case err == nil:
		return Unknown
	case errors.As(err, &known):
		return known.FailureKind()
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Interrupted
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
