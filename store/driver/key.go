package driver

import (
	"strings"
	"unicode/utf8"

	"github.com/windrow-mr/windrow/plan"
)

const (
	maxKey     = 1024 // bytes of a key with the root's prefix: S3's limit
	maxSegment = 255  // bytes between slashes: the limit of file systems
)

// Reserved is the directory in which a file root keeps objects that are being
// written. No key has it as a segment, and no listing shows it.
const Reserved = ".windrow-tmp"

// CheckKey returns an error of kind Invalid if key may not be written on every
// kind of store. It must be valid UTF-8 without control characters or
// backslashes, of at most 1,024 bytes. It consists of segments of 1 to 255 bytes
// separated by single slashes, none of them ".", ".." or Reserved. No key may be
// another's directory: "a" and "a/b" exclude each other.
func CheckKey(key string) error {
	switch {
	case key == "":
		return Fail(plan.Invalid, "the key is empty")
	case len(key) > maxKey:
		return Fail(plan.Invalid, "the key has %d bytes, more than %d", len(key), maxKey)
	case !utf8.ValidString(key):
		return Fail(plan.Invalid, "the key is not valid UTF-8")
	}
	for _, c := range key {
		if c < 0x20 || c == 0x7f || c == '\\' {
			return Fail(plan.Invalid, "the key has the character %q", c)
		}
	}
	return checkSegments(key)
}

// checkSegments refuses segments that some store resolves, merges or cuts.
func checkSegments(key string) error {
	for s := range strings.SplitSeq(key, "/") {
		switch {
		case s == "":
			return Fail(plan.Invalid, "the key begins or ends with a slash or has two in a row")
		case s == "." || s == "..":
			return Fail(plan.Invalid, "the key has a segment %q", s)
		case s == Reserved:
			return Fail(plan.Invalid, "the key has the reserved segment %q", s)
		case len(s) > maxSegment:
			return Fail(plan.Invalid, "the key has a segment of %d bytes, more than %d", len(s), maxSegment)
		}
	}
	return nil
}
