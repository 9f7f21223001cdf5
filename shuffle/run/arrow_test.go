package run

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	flatbuffers "github.com/google/flatbuffers/go"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// arrowRows reads all pairs of a run with the stock reader.
func arrowRows(t *testing.T, layout pairs.Layout, data []byte) [][2][]byte {
	t.Helper()
	r, err := ipc.NewFileReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	schema := r.Schema()
	for i, width := range []int{layout.Key, layout.Value} {
		var want arrow.DataType = arrow.BinaryTypes.Binary
		if width != 0 {
			want = &arrow.FixedSizeBinaryType{ByteWidth: width}
		}
		f := schema.Field(i)
		if f.Name != []string{"key", "value"}[i] || f.Nullable || !arrow.TypeEqual(f.Type, want) {
			t.Errorf("column %d is %v", i, f)
		}
	}
	metadata := schema.Metadata()
	if v, _ := metadata.GetValue("windrow.run"); v != Version {
		t.Errorf("schema states version %q", v)
	}
	at := func(a arrow.Array, i int) []byte {
		switch a := a.(type) {
		case *array.Binary:
			return bytes.Clone(a.Value(i))
		case *array.FixedSizeBinary:
			return bytes.Clone(a.Value(i))
		}
		t.Fatalf("column of type %T", a)
		return nil
	}
	var rows [][2][]byte
	for i := range r.NumRecords() {
		rec, err := r.RecordAt(i)
		if err != nil {
			t.Fatal(err)
		}
		for j := range int(rec.NumRows()) {
			rows = append(rows, [2][]byte{at(rec.Column(0), j), at(rec.Column(1), j)})
		}
		rec.Release()
	}
	return rows
}

func TestTheArrowLibraryReadsRuns(t *testing.T) {
	t.Parallel()
	for i, layout := range layouts {
		for _, compress := range []bool{false, true} {
			rng := rand.New(rand.NewPCG(uint64(i), 2))
			cases := map[string][]row{
				"no rows":  nil,
				"one row":  makeRows(rng, layout, 1, 1, true),
				"many":     makeRows(rng, layout, 20_000, 7, true),
				"noise":    makeRows(rng, layout, 3000, 2, false),
				"gaps":     makeRows(rng, layout, 3, 7, true),
				"all zero": {{0, make([]byte, layout.Key), make([]byte, layout.Value)}},
			}
			if layout.Value == 0 {
				huge := makeRows(rng, layout, 3, 1, true)
				huge[1].value = bytes.Repeat([]byte("huge"), 3<<20)
				cases["huge"] = huge
			}
			for name, rows := range cases {
				data, _ := encode(t, Options{Layout: layout, Partitions: 7, Compress: compress}, rows)
				got := arrowRows(t, layout, data)
				if len(got) != len(rows) {
					t.Fatalf("%v %s: %d rows of %d", layout, name, len(got), len(rows))
				}
				for j, r := range rows {
					if !bytes.Equal(got[j][0], r.key) || !bytes.Equal(got[j][1], r.value) {
						t.Fatalf("%v %s: row %d is %q, want %q %q", layout, name, j, got[j], r.key, r.value)
					}
				}
			}
		}
	}
}

// footerMetadata returns the custom metadata of a run's footer.
func footerMetadata(t *testing.T, data []byte) map[string]string {
	t.Helper()
	if string(data[len(data)-6:]) != "ARROW1" {
		t.Fatal("no magic at the end")
	}
	end := len(data) - 10
	footer := data[end-int(binary.LittleEndian.Uint32(data[end:])) : end]
	table := &flatbuffers.Table{Bytes: footer, Pos: flatbuffers.GetUOffsetT(footer)}
	field := flatbuffers.UOffsetT(table.Offset(4 + 2*4)) // the fifth
	metadata := make(map[string]string)
	for i := range table.VectorLen(field) {
		kv := flatbuffers.Table{Bytes: footer, Pos: table.Indirect(table.Vector(field) + flatbuffers.UOffsetT(4*i))}
		str := func(slot int) string {
			return string(kv.ByteVector(kv.Pos + flatbuffers.UOffsetT(kv.Offset(flatbuffers.VOffsetT(slot)))))
		}
		metadata[str(4)] = str(6)
	}
	return metadata
}

func TestTheFooterHoldsTheIndex(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(9, 9))
	rows := makeRows(rng, pairs.Layout{}, 3000, 500, false)
	rows = append(rows[:1000], rows[2000:]...) // some partitions are empty
	data, want := encode(t, Options{Partitions: 600, BatchBytes: 500}, rows)
	metadata := footerMetadata(t, data)
	if metadata["windrow.partitions"] != "600" {
		t.Errorf("footer states %q partitions", metadata["windrow.partitions"])
	}
	index, err := base64.RawStdEncoding.DecodeString(metadata["windrow.index"])
	if err != nil {
		t.Fatal(err)
	}
	got := make([]plan.Extent, 600)
	number := func() int64 {
		n, size := binary.Uvarint(index)
		index = index[size:]
		return int64(n)
	}
	p, offset := int64(0), int64(0)
	for len(index) > 0 {
		p += number()
		offset += number()
		got[p] = plan.Extent{Offset: offset, Length: number(), FirstRow: number(), Rows: number()}
		p++
	}
	for i := range want {
		want[i].Largest = 0 // it is not in the footer
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("index is not the extents")
	}
}
