// Package arrow reads and writes Arrow IPC files, which are also called Feather files of
// version 2, and reads Arrow IPC streams: records of typed columns, which are stored column
// by column in batches.
//
// Of a file only what is needed is requested: the footer, and the buffers of the columns
// that the record's type names. A batch is read by the section in which its first byte
// lies. A stream, whose name usually ends in .arrows, has no footer, and is one section.
//
// The fields of a struct and its tags decide about columns:
//
//	type Trip struct {
//		ID      int64
//		Started time.Time         `arrow:"started_at"`
//		Fare    int64             `arrow:"fare,decimal(2:9)"` // cents
//		Tip     *float64          `arrow:"tip"`               // null is nil
//		Stops   []Stop            `arrow:"stops"`
//		Labels  map[string]string `arrow:"labels"`
//		Hidden  string            `arrow:"-"`
//	}
//
// Go types, the columns that they are written as, and others that they read:
//
//	bool                     bool
//	int8 to int64, int       int8 to int64; reads narrower ones
//	uint8 to uint64, uint    uint8 to uint64; reads narrower ones
//	float32, float64         float32, float64; reads float16, float64 also float32 and decimals
//	string                   utf8; reads large_utf8, utf8_view, binary, and decimals as their text
//	[]byte                   binary; reads large_binary, binary_view, fixed_size_binary, utf8
//	[n]byte                  fixed_size_binary(n)
//	time.Time                timestamp(ns) in UTC; reads all units, date32 and date64
//	time.Duration            duration(ns); reads all units, time32, time64 and int64
//	*T                       a T that may be null
//	[]T                      list; reads large_list, list_view, large_list_view, fixed_size_list
//	map[K]V                  map, sorted by key, for K a string or a whole number
//	struct                   struct; fields of embedded structs are those of the outer one
//
// Each of them reads columns with dictionaries and run_end_encoded columns of its type. A
// column of the type null is all nulls. Unions and intervals can be in an object, and cannot
// be read.
//
// Options of tags follow the name: timestamp(unit) for time.Time and int64, time(unit) and
// duration(unit) for time.Duration, with the units second, millisecond, microsecond and
// nanosecond, date for time.Time and int32, decimal(scale:precision) for int, int32 and
// int64, and optional to write a zero value as null and to read null as zero.
//
// The format is a plain value and safe for concurrent use. Readers and writers that it
// opens belong to one task. Errors name the object, the batch, the column and the row.
// Sizes are bytes. The package reads the format itself, so that objects that lie about
// sizes cost no memory.
package arrow

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/windrow-mr/windrow/jobs"
)

// Records are records of type T, a struct whose fields are columns. The function that
// receives a record may keep it.
//
// A T of map[string]any reads all columns of any object: whole numbers are int64, or uint64
// if the column has no sign; float16 and float32 are float32; text is a string, and so are
// decimals; other bytes are []byte; dates and timestamps are a time.Time in UTC, times and
// durations a time.Duration; a list is []any, a struct a map[string]any, and so is a map
// whose keys are text; null is nil. It writes nothing. See also Schema.
type Records[T any] struct {
	// Missing lets an object lack columns that T has. Their fields are zero. Otherwise
	// that is an error.
	Missing bool
	// Nulls lets a null be zero where a field has no null. Otherwise that is an error, and
	// a field that is a pointer is nil.
	Nulls bool
	// Max is how much memory the columns of a batch that are read may take, with their
	// dictionaries and before and after decompression, and how much one record may take, in
	// bytes. 0 means 64 MiB.
	Max int64
	// Batch is how much memory a batch of a part may take until it is written, in bytes; 0
	// means 4 MiB. A task with PartitionBy writes up to 32 parts at the same time on a local
	// store, and 2 on others.
	Batch int64
	// Codec compresses the buffers that are written: "zstd", "lz4" or "none"; "" means zstd.
	Codec string
}

// Bounds of options.
const (
	leastMax   = 1 << 20
	mostMax    = mostPlain
	usualMax   = 64 << 20
	leastBatch = 64 << 10
	mostBatch  = 1 << 30
	usualBatch = 4 << 20
)

func (f Records[T]) check() error {
	switch {
	case f.Max != 0 && (f.Max < leastMax || f.Max > mostMax):
		return fmt.Errorf("arrow.Records{Max: %d}: columns need at least 1 MiB, and at most 4 GiB can be set", f.Max)
	case f.Batch != 0 && (f.Batch < leastBatch || f.Batch > mostBatch):
		return fmt.Errorf("arrow.Records{Batch: %d}: a batch has at least 64 KiB and at most 1 GiB", f.Batch)
	}
	_, err := f.codec()
	return err
}

func (f Records[T]) codec() (int, error) {
	switch f.Codec {
	case "", "zstd":
		return codecZstd, nil
	case "lz4":
		return codecLZ4, nil
	case "none":
		return codecNone, nil
	}
	return 0, fmt.Errorf("arrow.Records{Codec: %q}: choose zstd, lz4 or none", f.Codec)
}

// Split divides an object by bytes. Each batch is in one section. An object whose name ends
// in .arrows is one section.
func (f Records[T]) Split(obj jobs.Object, target int64) ([]jobs.Section, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	if _, err := recordOf(reflect.TypeFor[T]()); err != nil {
		return nil, err
	}
	if isStream(obj.Name) {
		target = obj.Size
	}
	return jobs.ByteRanges(obj, target), nil
}

// Scan yields the records of the batches that begin in s. The section at the beginning of
// a stream yields all records of the stream.
func (f Records[T]) Scan(ctx *jobs.Context, s *jobs.Section, yield func(T) error) error {
	if err := f.check(); err != nil {
		return err
	}
	n, err := recordOf(reflect.TypeFor[T]())
	if err != nil {
		return err
	}
	var slot, zero T
	r := &reader{ctx: ctx, s: s, budget: budget{limit: f.Max}}
	if f.Max == 0 {
		r.budget.limit = usualMax
	}
	defer r.close()
	ok, err := r.open(func(fields []*field) (bool, error) { return r.match(n, fields, f.Missing, f.Nulls) })
	if err != nil || !ok {
		return err
	}
	for {
		if ok, err := r.next(); err != nil || !ok {
			return err
		}
		for r.row < r.rows {
			slot = zero
			if err := r.read(unsafe.Pointer(&slot)); err != nil {
				return err
			}
			s.At(r.offset)
			if err := yield(slot); err != nil {
				return err
			}
		}
	}
}

// Ext is ".arrow".
func (Records[T]) Ext() string { return ".arrow" }

// Open begins a part.
func (f Records[T]) Open(w jobs.Part) (jobs.RecordWriter[T], error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	n, err := nodeOf(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	if len(n.below) == 0 {
		return nil, fmt.Errorf("%v has no exported fields, and so no columns", n.typ)
	}
	out := &writer[T]{rows: rows{w: w, limit: f.Batch}}
	if out.codec, err = f.codec(); err != nil {
		return nil, err
	}
	if out.limit == 0 {
		out.limit = usualBatch
	}
	return out, out.schema(n)
}

// Scattered returns true: the footer of an object says what is read of it.
func (Records[T]) Scattered() bool { return true }
