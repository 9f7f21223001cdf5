// Package avro reads and writes Avro object container files: a schema, and blocks of
// records in binary, which may be compressed. Objects are divided among tasks at any
// byte.
//
// The format is a plain value and safe for concurrent use. Readers and writers that it
// opens belong to one task. Errors name the object and the offset in bytes, and the field
// of a record if it is one. Sizes are bytes.
package avro

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/twmb/avro"

	"github.com/windrow-mr/windrow/jobs"
)

// Records are records of type T. A T is usually a struct, whose exported fields have the
// names of the Avro fields:
//
//	type Order struct {
//		User  string     `avro:"user"`
//		Cents int64      `avro:"cents"`
//		Note  *string    `avro:"note"`                  // null, or a string
//		At    time.Time  `avro:"at,timestamp-micros"`   // written in this unit
//		Price *big.Rat   `avro:"price,decimal(12,2)"`
//		Old   string     `avro:"new,alias=old,default=none"`
//	}
//
// A tag of "-" leaves a field out. A bool is a boolean; int8, int16, int32, uint8 and
// uint16 are an int; int, int64 and uint32 a long; float32, float64, string and []byte a
// float, double, string and bytes; [N]byte a fixed; a slice an array, a map with strings as
// keys a map, a struct a record, and a pointer a union of null and the type. A time.Time is
// a timestamp-millis unless its tag says timestamp-micros, timestamp-nanos or date; a
// time.Duration is a time-millis or time-micros; a *big.Rat is a decimal; a string or
// [16]byte with the tag uuid is a uuid.
//
// Every object has the schema of its writer, which is resolved with that of T by the rules
// of Avro: a field that T does not have is skipped, one that the object does not have gets
// the default of its tag, and nil if it is a pointer; aliases name fields of old; an int
// becomes a long, float or double, a long a float or double, a float a double, and strings
// and bytes each other. A union with null needs a pointer. Names of records, enums and
// fixed types do not matter, unless Schema is set. A time.Time takes any unit of dates and
// timestamps, a time.Duration any of times, a *big.Rat any decimal, a string an enum, and
// a []byte a fixed. Anything else is an error that names the field and both types.
//
// A T of map[string]any, or any, takes records of any schema as they are, and needs Schema
// for writing.
type Records[T any] struct {
	// Schema, in JSON, is the schema of T: records are written with it, and it is resolved
	// with those of objects, with its names. It is for types that a T alone does not name,
	// such as enums. The empty string means that of T.
	Schema string
	// Codec compresses blocks that are written: "null", which is the default, "deflate",
	// "snappy" or "zstandard". These and "bzip2" are read.
	Codec string
	// BlockSize is the size from which a block of records is written, before compression;
	// 0 means 64 KiB.
	BlockSize int
	// Max is the greatest size of a block, before and after compression, at most 64 MiB;
	// 0 means 16 MiB. A greater one is an error.
	Max int
}

const (
	defaultMax       = 16 << 20
	defaultBlockSize = 64 << 10
)

// check returns the options with their defaults, or an error.
func (f Records[T]) check() (Records[T], error) {
	if f.Max == 0 {
		f.Max = defaultMax
	}
	if f.BlockSize == 0 {
		f.BlockSize = min(defaultBlockSize, f.Max)
	}
	if f.Codec == "" {
		f.Codec = "null"
	}
	switch {
	case f.Max < 0 || f.Max > jobs.MaxBlock:
		return f, fmt.Errorf("avro.Records{Max: %d}: a block has 1 byte to %d", f.Max, jobs.MaxBlock)
	case f.BlockSize < 0 || f.BlockSize > f.Max:
		return f, fmt.Errorf("avro.Records{BlockSize: %d}: a block that is written has 1 byte to Max, which is %d", f.BlockSize, f.Max)
	case writers[f.Codec] == nil:
		return f, fmt.Errorf("avro.Records{Codec: %q}: blocks are written with null, deflate, snappy or zstandard", f.Codec)
	}
	return f, nil
}

// Split divides an object at any byte.
func (f Records[T]) Split(obj jobs.Object, target int64) ([]jobs.Section, error) {
	if _, err := f.check(); err != nil {
		return nil, err
	}
	return jobs.ByteRanges(obj, target), nil
}

// Headed returns true: all sections need the header of their object.
func (Records[T]) Headed() bool { return true }

// Scan yields each record of the blocks that belong to s: those behind a sync marker that
// begins in s. The marker at the end of the header counts as one.
func (f Records[T]) Scan(ctx *jobs.Context, s *jobs.Section, yield func(T) error) (err error) {
	f, err = f.check()
	if err != nil {
		return err
	}
	own, err := f.schema(false)
	if err != nil {
		return err
	}
	blocks, err := openBlocks(ctx, s, f.Max)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := blocks.close(); err == nil {
			err = closeErr
		}
	}()
	decoder, err := newDecoder[T](blocks.header.schema, own, f.Schema != "", f.Max)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Where(0), err)
	}
	r := &reader[T]{s: s, decode: decoder, blocks: blocks, yield: yield}
	for {
		b, err := blocks.next()
		if err != nil || b == nil {
			return err
		}
		if err := r.block(b); err != nil {
			return err
		}
	}
}

// reader makes records from blocks.
type reader[T any] struct {
	s      *jobs.Section
	decode *decoder[T]
	blocks *blocks
	yield  func(T) error
	slot   T // so that no record escapes by itself
}

// block yields the records of a block.
func (r *reader[T]) block(b *block) error {
	rest := b.data
	for i := range b.records {
		offset := int64(len(b.data) - len(rest))
		r.at(b, i, offset)
		var zero T
		r.slot = zero
		left, err := r.decode.record(rest, &r.slot)
		if err == nil && len(left) == len(rest) {
			err = errors.New("a record has no bytes")
		}
		if err != nil {
			return fmt.Errorf("%s: record %d of %d in its block: %w", r.where(b, offset), i+1, b.records, err)
		}
		if err := r.yield(r.slot); err != nil {
			return err
		}
		rest = left
	}
	if len(rest) > 0 {
		return fmt.Errorf("%s: the block has %d bytes behind the last of its %d records: the object is damaged",
			r.where(b, int64(len(b.data)-len(rest))), len(rest), b.records)
	}
	return nil
}

// at reports where a record begins. Records of compressed blocks are identified by their
// block and the offset in it.
func (r *reader[T]) at(b *block, i, offset int64) {
	switch {
	case !r.blocks.compressed():
		r.s.At(b.begin + offset)
	case r.s.Object.Size < jobs.MaxInBlocks:
		r.s.AtBlock(b.at, offset)
	default:
		r.s.At(b.at + i) // such a number has no room for both
	}
}

func (r *reader[T]) where(b *block, offset int64) string {
	if !r.blocks.compressed() {
		return r.s.Where(b.begin + offset)
	}
	return r.s.WhereInBlock(b.at, offset)
}

// schema returns the schema of T, or nil if T takes records of any schema. Writing needs
// one.
func (f Records[T]) schema(writes bool) (s *avro.Schema, err error) {
	t := reflect.TypeFor[T]()
	switch {
	case f.Schema != "":
		if s, err = parse(f.Schema); err != nil {
			return nil, fmt.Errorf("avro.Records{Schema: …}: %w", err)
		}
		return s, nil
	case !writes && takesAny(t):
		return nil, nil
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("a %v has no schema by itself: set Schema of avro.Records, or use a struct", t)
	}
	err = safely(func() error {
		s, err = avro.SchemaFor[T](avro.WithName(recordName(t)))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("a %v has no schema by itself: %w; change the type, or set Schema of avro.Records", t, plain(err))
	}
	return s, nil
}

// takesAny reports whether a T takes records of any schema.
func takesAny(t reflect.Type) bool {
	return t.Kind() == reflect.Interface ||
		t.Kind() == reflect.Map && t.Key().Kind() == reflect.String && t.Elem().Kind() == reflect.Interface
}

// recordName returns a name of Avro for a type, which may have parameters or no name.
func recordName(t reflect.Type) string {
	name := []byte(t.Name())
	for i, c := range name {
		if c == '[' {
			name = name[:i]
			break
		}
		if c >= 0x80 {
			return "Record"
		}
	}
	if len(name) == 0 {
		return "Record"
	}
	return string(name)
}
