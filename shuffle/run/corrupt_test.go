package run

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pierrec/lz4/v4"

	"github.com/windrow-mr/windrow/shuffle/pairs"
)

func TestNoFlippedBitIsAccepted(t *testing.T) {
	t.Parallel()
	for i, layout := range layouts {
		for _, compress := range []bool{false, true} {
			rng := rand.New(rand.NewPCG(uint64(i), 3))
			rows := makeRows(rng, layout, 12, 3, true)
			data, extents := encode(t, Options{Layout: layout, Partitions: 3, Compress: compress, ReadGroup: 1}, rows)
			codec := NewCodec(layout)
			lo, hi := extents[0].Offset, extents[2].Offset+extents[2].Length
			for bit := range 8 * len(data) {
				data[bit/8] ^= 1 << (bit % 8)
				got, err := decodeAll(codec, data, extents)
				inside := int64(bit/8) >= lo && int64(bit/8) < hi
				if inside && err == nil {
					t.Fatalf("%v: bit %d of byte %d flipped and accepted", layout, bit%8, bit/8)
				}
				if !inside && (err != nil || !equalRows(got, rows)) {
					t.Fatalf("%v: byte %d is not read, yet matters: %v", layout, bit/8, err)
				}
				data[bit/8] ^= 1 << (bit % 8)
			}
		}
	}
}

func TestNoTruncationIsAccepted(t *testing.T) {
	t.Parallel()
	for _, compress := range []bool{false, true} {
		codec := NewCodec(pairs.Layout{})
		rows := makeRows(rand.New(rand.NewPCG(1, 4)), pairs.Layout{}, 50, 1, true)
		data, extents := encode(t, Options{Partitions: 1, Compress: compress}, rows)
		for n := range extents[0].Length {
			e := extents[0]
			e.Length = n
			if _, err := decodeAll(codec, data, append(extents[:0:0], e)); err == nil {
				t.Fatalf("%d of %d bytes are accepted", n, extents[0].Length)
			}
		}
	}
}

func TestOtherLayoutsAreRefused(t *testing.T) {
	t.Parallel()
	for _, wrote := range layouts {
		rows := makeRows(rand.New(rand.NewPCG(1, 4)), wrote, 50, 1, true)
		data, extents := encode(t, Options{Layout: wrote, Partitions: 1}, rows)
		for _, reads := range layouts {
			if _, err := decodeAll(NewCodec(reads), data, extents); (err == nil) != (reads == wrote) {
				t.Errorf("batch of %v read as %v: %v", wrote, reads, err)
			}
		}
	}
}

// reseal corrects the checksum of a batch, so that later checks are reached.
func reseal(codec *Codec, b []byte) {
	for _, at := range []int{codec.raw.crc, codec.lz4.crc} {
		if d := codec.NewDecoder(); len(b) >= codec.HeaderSize() {
			if tmpl, err := d.match(b); err == nil && tmpl.crc == at {
				header := bytes.Clone(b[:codec.HeaderSize()])
				copy(header[at:], "00000000")
				putCRC(b[at:], seal(header, b[codec.HeaderSize():]))
			}
		}
	}
}

// TestLiesBehindARightChecksum checks batches that only a faulty writer can
// make.
func TestLiesBehindARightChecksum(t *testing.T) {
	t.Parallel()
	put := func(b []byte, at int, n uint64) { binary.LittleEndian.PutUint64(b[at:], n) }
	codec := NewCodec(pairs.Layout{})
	head := codec.HeaderSize()
	for name, lie := range map[string]func(tmpl *template, b []byte){
		"body length": func(tmpl *template, b []byte) { put(b, tmpl.body, 8) },
		"all rows": func(tmpl *template, b []byte) {
			put(b, tmpl.rows[0], 5)
			put(b, tmpl.rows[1], 5)
			put(b, tmpl.rows[2], 5)
		},
		"rows of one column":  func(tmpl *template, b []byte) { put(b, tmpl.rows[2], 19) },
		"buffer out of range": func(tmpl *template, b []byte) { put(b, tmpl.buffers[4], 1<<40) },
		"buffer that wraps":   func(tmpl *template, b []byte) { put(b, tmpl.buffers[4], 16); put(b, tmpl.buffers[5], ^uint64(7)) },
		"validity":            func(tmpl *template, b []byte) { put(b, tmpl.buffers[1], 8) },
		"first offset": func(tmpl *template, b []byte) {
			if tmpl == &codec.raw {
				b[head] = 1
			}
			put(b, tmpl.rows[1], 0)
		},
		"offset of a row": func(tmpl *template, b []byte) { b[head+8] = 0xff },
		"raw length":      func(tmpl *template, b []byte) { put(b, head, 200<<20) },
		"huge raw length": func(tmpl *template, b []byte) { put(b, head, 1<<40) },
	} {
		for _, tmpl := range []*template{&codec.raw, &codec.lz4} {
			rows := makeRows(rand.New(rand.NewPCG(1, 4)), pairs.Layout{}, 20, 1, true)
			data, e := encode(t, Options{Partitions: 1, Compress: tmpl == &codec.lz4}, rows)
			b := data[e[0].Offset:][:e[0].Length]
			reseal(codec, b)
			if _, _, err := codec.NewDecoder().Decode(b, nil); err != nil {
				t.Fatalf("a batch that is not changed: %v", err)
			}
			lie(tmpl, b)
			reseal(codec, b)
			_, raw, err := codec.NewDecoder().Decode(b, nil)
			if err == nil || strings.Contains(err.Error(), "checksum") {
				t.Errorf("%s: error is %v", name, err)
			}
			if cap(raw) > lz4Ratio*len(b) {
				t.Errorf("%s: %d bytes were allocated", name, cap(raw))
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for i, layout := range layouts {
		for _, compress := range []bool{false, true} {
			rows := makeRows(rand.New(rand.NewPCG(1, 4)), layout, 20, 1, true)
			data, e := encode(f, Options{Layout: layout, Partitions: 1, Compress: compress}, rows)
			f.Add(data[e[0].Offset:e[0].Offset+e[0].Length], uint8(i), true)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, kind uint8, seal bool) {
		codec := NewCodec(layouts[int(kind)%len(layouts)])
		if seal {
			reseal(codec, b)
		}
		d := codec.NewDecoder()
		if n, err := d.Length(b, int64(len(b))); err == nil && n > int64(len(b)) {
			t.Fatalf("length %d of %d bytes", n, len(b))
		}
		batch, raw, err := d.Decode(b, nil)
		if cap(raw) > lz4Ratio*len(b) {
			t.Fatalf("%d bytes allocated for %d", cap(raw), len(b))
		}
		if err != nil {
			return
		}
		for i := range batch.Rows() {
			k, v := batch.Pair(i)
			if cap(k) != len(k) || cap(v) != len(v) {
				t.Fatal("a pair can be appended to its neighbour")
			}
			if i > 1<<16 {
				break // rows of no bytes are as many as they claim
			}
		}
	})
}

func FuzzLZ4(f *testing.F) {
	var c lz4.Compressor
	for _, b := range [][]byte{nil, []byte("a"), bytes.Repeat([]byte("ab"), 1000)} {
		packed, err := appendLZ4(nil, b, &c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := rawLength(b)
		if err != nil {
			return
		}
		if n > lz4Ratio*int64(len(b)) {
			t.Fatalf("%d bytes claim to hold %d", len(b), n)
		}
		_ = readLZ4(make([]byte, n), b)
	})
}

func TestLZ4FramesAreStandard(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	noise := make([]byte, 5<<20)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	half := append(bytes.Repeat([]byte("text "), 1<<20), noise...)
	for name, b := range map[string][]byte{"text": bytes.Repeat([]byte("text "), 2<<20), "half noise": half, "noise": noise, "short": {1}} {
		var c lz4.Compressor
		packed, err := appendLZ4(nil, b, &c)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(b))
		if n, err := rawLength(packed); err != nil || n != int64(len(b)) {
			t.Fatalf("%s: length %d, %v", name, n, err)
		}
		if err := readLZ4(got, packed); err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%s: other bytes than were packed: %v", name, err)
		}
		if int64(binary.LittleEndian.Uint64(packed)) == -1 {
			if name != "noise" && name != "short" {
				t.Errorf("%s is stored raw", name)
			}
			continue
		}
		got, err = io.ReadAll(lz4.NewReader(bytes.NewReader(packed[8:])))
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%s: the library reads %d of %d bytes: %v", name, len(got), len(b), err)
		}
	}
}
