package relay

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/checksum"
	"github.com/windrow-mr/windrow/store/driver"
)

// encoder appends values to a payload: integers as varints, strings after their
// length.
type encoder struct{ b []byte }

//go:noinline
func (e *encoder) uint(v uint64) *encoder { e.b = binary.AppendUvarint(e.b, v); return e }

//go:noinline
func (e *encoder) int(v int64) *encoder { e.b = binary.AppendVarint(e.b, v); return e }

//go:noinline
func (e *encoder) str(s string) *encoder {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
	return e
}

func (e *encoder) bool(v bool) *encoder {
	if v {
		return e.uint(1)
	}
	return e.uint(0)
}

func (e *encoder) sum(s checksum.Sum) *encoder { return e.uint(uint64(s.Algorithm)).uint(s.Value) }

func (e *encoder) object(o store.Object) *encoder {
	e.int(o.Size).str(o.ETag).sum(o.Sum).bool(!o.ModTime.IsZero())
	if !o.ModTime.IsZero() {
		e.int(o.ModTime.Unix()).int(int64(o.ModTime.Nanosecond()))
	}
	return e
}

// failure appends an error: its kind, and its text without the operation and
// the object, which the asking root adds.
func (e *encoder) failure(err error) *encoder {
	k, cause := plan.KindOf(err), err
	if named, ok := errors.AsType[*store.Error](err); ok {
		cause = named.Err
	}
	text := k.String()
	if cause != nil {
		text = cause.Error()
	}
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return e.uint(uint64(k)).str(text)
}

// decoder takes values from a payload. After the first missing value it returns
// zeros, and end returns the error.
type decoder struct {
	b   []byte
	err error
}

var errShort = errors.New("a payload that ends too early or has bytes too many")

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.b, d.err = nil, errShort
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.b, d.err = nil, errShort
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) str() string {
	n := d.uint()
	if n > uint64(len(d.b)) || n > maxName+maxText {
		d.b, d.err = nil, errShort
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

//go:noinline
func (d *decoder) bool() bool {
	v := d.uint()
	if v > 1 {
		d.err = errShort
	}
	return v == 1
}

// id reads the id of a handle or an upload.
func (d *decoder) id() uint32 {
	v := d.uint()
	if v > 1<<32-1 {
		d.err = errShort
	}
	return uint32(v)
}

func (d *decoder) sum() checksum.Sum {
	a := d.uint()
	if a > uint64(checksum.CRC64NVME) {
		d.err = errShort
	}
	return checksum.Sum{Algorithm: checksum.Algorithm(a), Value: d.uint()}
}

func (d *decoder) object(key string) store.Object {
	o := store.Object{Key: key, Size: d.int(), ETag: d.str(), Sum: d.sum()}
	if d.bool() {
		o.ModTime = time.Unix(d.int(), d.int())
	}
	return o
}

// failure is the inverse of encoder.failure.
func (d *decoder) failure() error {
	k := plan.Kind(d.uint())
	text := d.str()
	if d.err != nil || k < plan.Unknown || k > plan.Interrupted {
		return driver.Fail(plan.Unavailable, "an error that cannot be read: %w", errShort)
	}
	return driver.Fail(k, "%s", text)
}

// end returns an error unless the payload had exactly the values that were
// read.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.err = errShort
	}
	return d.err
}
