package avro

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/twmb/avro"

	"github.com/windrow-mr/windrow/jobs"
)

// Ext is ".avro".
func (Records[T]) Ext() string { return ".avro" }

// Open begins a part. It fails when T has no schema.
func (f Records[T]) Open(w jobs.Part) (jobs.RecordWriter[T], error) {
	f, err := f.check()
	if err != nil {
		return nil, err
	}
	schema, err := f.schema(true)
	if err != nil {
		return nil, err
	}
	compress, err := writers[f.Codec]()
	if err != nil {
		return nil, err
	}
	return &writer[T]{w: w, f: f, schema: schema, compress: compress, sorter: newSorter(schema)}, nil
}

// writer gathers records into blocks.
type writer[T any] struct {
	w        io.Writer
	f        Records[T]
	schema   *avro.Schema
	compress compressor
	slot     T // so that no record escapes by itself
	sorter   *sorter
	unsorted []byte // a record, for sorter
	block    []byte
	records  int64
	packed   []byte // the block, compressed
	out      []byte // the last marker, and what is not written yet
	headed   int    // where in out that marker is
	marker   []byte // nil until the header is made
}

// Write adds a record.
func (w *writer[T]) Write(rec T) error {
	w.slot = rec
	begin := len(w.block)
	longer, err := w.encode()
	if err != nil {
		return fmt.Errorf("a record cannot be written as Avro: %w", plain(err))
	}
	switch size := len(longer) - begin; {
	case size == 0:
		return errors.New("a record has no bytes, and the reader would not find it: give its type a field that is not null")
	case size > w.f.Max:
		w.block = longer[:begin]
		return fmt.Errorf("a record has %d bytes, and the limit of a block is %d: raise Max of avro.Records", size, w.f.Max)
	case begin > 0 && len(longer) > w.f.Max:
		w.block = longer[:begin]
		if err := w.flush(); err != nil {
			return err
		}
		longer = append(w.block, longer[begin:]...)
	}
	w.block = longer
	w.records++
	if len(w.block) < w.f.BlockSize {
		return nil
	}
	return w.flush()
}

// encode returns the block with the record in slot.
func (w *writer[T]) encode() (longer []byte, err error) {
	err = safely(func() error {
		if w.sorter == nil {
			longer, err = w.schema.AppendEncode(w.block, &w.slot)
			return err
		}
		if w.unsorted, err = w.schema.AppendEncode(w.unsorted[:0], &w.slot); err != nil {
			return err
		}
		longer, err = w.sorter.append(w.block, w.unsorted)
		return err
	})
	return longer, err
}

// flush writes the block, behind the header if it is the first one.
func (w *writer[T]) flush() (err error) {
	var packed []byte
	if w.records > 0 {
		if packed, err = w.compress(w.packed[:0], w.block); err != nil {
			return err
		}
		w.packed = packed
		if len(packed) > w.f.Max {
			return fmt.Errorf("a block has %d bytes after compression, and the limit is %d: raise Max of avro.Records", len(packed), w.f.Max)
		}
	}
	written := len(w.marker) // the marker before the block is in w.out
	if w.marker == nil {
		w.header(packed)
	}
	if w.records > 0 {
		w.out = binary.AppendVarint(w.out, w.records)
		w.out = binary.AppendVarint(w.out, int64(len(packed)))
		w.out = append(append(w.out, packed...), w.marker...)
		// A marker in a block may begin with bytes of the one before it.
		from := w.headed + 1
		if i := bytes.Index(w.out[from:], w.marker); from+i < len(w.out)-markerSize {
			return errors.New("a record holds the bytes that are the sync marker of its own file: use another Codec or BlockSize of avro.Records")
		}
	}
	if _, err := w.w.Write(w.out[written:]); err != nil {
		return err
	}
	w.out, w.headed = append(w.out[:0], w.marker...), 0
	w.block, w.records = w.block[:0], 0
	return nil
}

// header begins the object, and chooses its sync marker. A marker by chance would make an
// attempt that runs again write other bytes. This one is a digest of the schema and of the
// first block, so the same records are the same bytes. It does not occur in that block, and
// an error is better than to write it in a later one: that can only be a copy of a file with
// the same beginning. A reader verifies it again.
func (w *writer[T]) header(packed []byte) {
	w.out = append(w.out[:0], magic...)
	w.out = binary.AppendVarint(w.out, 2)
	for _, s := range []string{"avro.codec", w.f.Codec, "avro.schema", w.schema.String()} {
		w.out = binary.AppendVarint(w.out, int64(len(s)))
		w.out = append(w.out, s...)
	}
	w.out = append(w.out, 0)
	for n := uint64(0); w.marker == nil || bytes.Contains(packed, w.marker); n++ {
		digest := sha256.New()
		digest.Write(binary.BigEndian.AppendUint64(nil, n))
		digest.Write(w.out)
		digest.Write(packed)
		w.marker = digest.Sum(nil)[:markerSize]
	}
	w.headed = len(w.out)
	w.out = append(w.out, w.marker...)
}

// Close writes what is buffered, and the header of a part without records.
func (w *writer[T]) Close() error {
	if w.records == 0 && w.marker != nil {
		return nil
	}
	return w.flush()
}
