package run

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/shuffle/pairs"
)

// row is a pair and its partition.
type row struct {
	part       int
	key, value []byte
}

var layouts = []pairs.Layout{{}, {Key: 10}, {Value: 8}, {Key: 10, Value: 90}}

// makeRows returns n rows of random partitions in order of partition. Text
// repeats itself, so that it can be compressed.
func makeRows(rng *rand.Rand, layout pairs.Layout, n, partitions int, text bool) []row {
	rows := make([]row, n)
	each := func(width int) []byte {
		if width == 0 {
			width = rng.IntN(30)
		}
		b := make([]byte, width)
		for i := range b {
			if b[i] = byte(rng.Uint32()); text {
				b[i] = 'a' + b[i]%2
			}
		}
		return b
	}
	for i := range rows {
		rows[i] = row{i * partitions / max(n, 1), each(layout.Key), each(layout.Value)}
	}
	return rows
}

// encode writes rows as a run.
func encode(tb testing.TB, o Options, rows []row) ([]byte, []plan.Extent) {
	tb.Helper()
	var out bytes.Buffer
	w := NewWriter(&out, o)
	sizes := make([]int64, o.Partitions)
	for _, r := range rows {
		sizes[r.part] += int64(len(r.key) + len(r.value))
	}
	last := -1
	for _, r := range rows {
		if r.part != last {
			if err := w.Partition(r.part, sizes[r.part]); err != nil {
				tb.Fatal(err)
			}
			last = r.part
		}
		if err := w.Append(r.key, r.value); err != nil {
			tb.Fatal(err)
		}
	}
	extents, size, err := w.Finish()
	if err != nil {
		tb.Fatal(err)
	}
	if size != int64(out.Len()) {
		tb.Fatalf("Finish states %d bytes, %d were written", size, out.Len())
	}
	return out.Bytes(), extents
}

// decode reads one partition as a reducer does: only by its extent.
func decode(codec *Codec, data []byte, part int, e plan.Extent) ([]row, error) {
	var rows []row
	if e.Rows == 0 {
		return nil, nil
	}
	if e.Offset+e.Length > int64(len(data)) {
		return nil, fmt.Errorf("extent beyond the end")
	}
	d := codec.NewDecoder()
	skip, left := int(e.FirstRow), int(e.Rows)
	for b := data[e.Offset : e.Offset+e.Length]; len(b) > 0; skip = 0 {
		n, err := d.Length(b, int64(len(b)))
		if err != nil {
			return nil, err
		}
		batch, _, err := d.Decode(b[:n], nil)
		if err != nil {
			return nil, err
		}
		for i := skip; i < batch.Rows() && left > 0; i++ {
			k, v := batch.Pair(i)
			rows = append(rows, row{part, bytes.Clone(k), bytes.Clone(v)})
			left--
		}
		b = b[n:]
	}
	if left != 0 {
		return nil, fmt.Errorf("%d rows are missing", left)
	}
	return rows, nil
}

func decodeAll(codec *Codec, data []byte, extents []plan.Extent) ([]row, error) {
	var rows []row
	for p, e := range extents {
		more, err := decode(codec, data, p, e)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func equalRows(a, b []row) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].part != b[i].part || !bytes.Equal(a[i].key, b[i].key) || !bytes.Equal(a[i].value, b[i].value) {
			return false
		}
	}
	return true
}

func TestEveryPartitionIsReadBackByItsExtent(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		layout := layouts[seed%4]
		partitions := 1 + rng.IntN(40)
		o := Options{
			Layout: layout, Partitions: partitions, Compress: rng.IntN(2) == 0,
			BatchBytes: []int{0, 1, 300, 5000}[rng.IntN(4)], ReadGroup: rng.IntN(4),
		}
		rows := makeRows(rng, layout, rng.IntN(3000), partitions, rng.IntN(2) == 0)
		data, extents := encode(t, o, rows)
		got, err := decodeAll(NewCodec(layout), data, extents)
		if err != nil || !equalRows(got, rows) {
			t.Fatalf("seed %d, %+v: read %d of %d rows, or others: %v", seed, o, len(got), len(rows), err)
		}
	}
}

func TestBatchesFollowTheRules(t *testing.T) {
	t.Parallel()
	value := func(n int) []byte { return bytes.Repeat([]byte{7}, n) }
	fill := func(part, n, size int) (rows []row) {
		for range n {
			rows = append(rows, row{part, []byte("k"), value(size)})
		}
		return rows
	}
	batches := func(e plan.Extent, data []byte) (n int) {
		d := NewCodec(pairs.Layout{}).NewDecoder()
		for b := data[e.Offset : e.Offset+e.Length]; len(b) > 0; n++ {
			size, err := d.Length(b, int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			b = b[size:]
		}
		return n
	}
	t.Run("small neighbours share a batch", func(t *testing.T) {
		t.Parallel()
		rows := append(fill(0, 3, 10), fill(2, 4, 10)...)
		_, e := encode(t, Options{Partitions: 4}, rows)
		if e[0].Offset != e[2].Offset || e[2].FirstRow != 3 || e[1] != (plan.Extent{}) {
			t.Fatalf("extents are %+v", e)
		}
	})
	t.Run("but not across read groups", func(t *testing.T) {
		t.Parallel()
		rows := append(append(fill(0, 3, 10), fill(1, 4, 10)...), fill(2, 4, 10)...)
		_, e := encode(t, Options{Partitions: 4, ReadGroup: 2}, rows)
		if e[0].Offset != e[1].Offset || e[1].Offset == e[2].Offset {
			t.Fatalf("extents are %+v", e)
		}
	})
	t.Run("nor with one of 16 KiB", func(t *testing.T) {
		t.Parallel()
		rows := append(append(fill(0, 3, 10), fill(1, 20, 1000)...), fill(2, 4, 10)...)
		_, e := encode(t, Options{Partitions: 3}, rows)
		if e[0].Offset == e[1].Offset || e[1].Offset == e[2].Offset || e[1].FirstRow != 0 {
			t.Fatalf("extents are %+v", e)
		}
	})
	t.Run("nor beyond 64 KiB", func(t *testing.T) {
		t.Parallel()
		var rows []row
		for p := range 20 {
			rows = append(rows, fill(p, 10, 1000)...)
		}
		_, e := encode(t, Options{Partitions: 20}, rows)
		for _, x := range e {
			if x.Length > 64<<10+1024 {
				t.Fatalf("a shared batch has %d bytes", x.Length)
			}
		}
	})
	t.Run("a batch has 256 KiB, or 1 MiB in big partitions", func(t *testing.T) {
		t.Parallel()
		data, e := encode(t, Options{Partitions: 2}, append(fill(0, 1000, 1000), fill(1, 9000, 1000)...))
		if n := batches(e[0], data); n != 4 {
			t.Errorf("1 MB is in %d batches", n)
		}
		if n := batches(e[1], data); n != 9 {
			t.Errorf("9 MB are in %d batches", n)
		}
	})
	t.Run("a huge record has a batch of its own", func(t *testing.T) {
		t.Parallel()
		rows := append(append(fill(0, 2, 10), fill(0, 1, 3<<20)...), fill(0, 2, 10)...)
		data, e := encode(t, Options{Partitions: 1}, rows)
		if n := batches(e[0], data); n != 3 || e[0].Largest < 3<<20 || e[0].Largest > 3<<20+1024 {
			t.Fatalf("%d batches, the largest takes %d bytes", n, e[0].Largest)
		}
	})
}

func TestCompressionOnlyWhereItPays(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	size := func(text, compress bool) int {
		rows := makeRows(rng, pairs.Layout{Key: 10, Value: 90}, 5000, 2, text)
		data, _ := encode(t, Options{Layout: pairs.Layout{Key: 10, Value: 90}, Partitions: 2, Compress: compress}, rows)
		return len(data)
	}
	if raw, packed := size(true, false), size(true, true); packed > raw/2 {
		t.Errorf("text takes %d bytes raw and %d compressed", raw, packed)
	}
	if raw, packed := size(false, false), size(false, true); packed != raw {
		t.Errorf("noise takes %d bytes raw and %d when compression is allowed", raw, packed)
	}
}

// countingWriter fails once limit bytes were written.
type countingWriter struct{ n, limit int }

func (w *countingWriter) Write(p []byte) (int, error) {
	if w.n += len(p); w.n > w.limit {
		return 0, fmt.Errorf("disk full")
	}
	return len(p), nil
}

func TestWriterReportsErrors(t *testing.T) {
	t.Parallel()
	w := NewWriter(&countingWriter{limit: 1 << 20}, Options{Partitions: 1})
	if err := w.Partition(0, 0); err != nil {
		t.Fatal(err)
	}
	var err error
	for i := 0; i < 3000 && err == nil; i++ {
		err = w.Append([]byte("key"), make([]byte, 1000))
	}
	if err == nil || err.Error() != "disk full" {
		t.Errorf("Append after a failed write: %v", err)
	}
	if _, _, err := w.Finish(); err == nil {
		t.Error("Finish succeeds after a failed write")
	}
	w = NewWriter(&countingWriter{limit: 1 << 20}, Options{Partitions: 3})
	for i, p := range []int{1, 1, 3} {
		if err := w.Partition(p, 0); (err != nil) != (i > 0) {
			t.Errorf("Partition(%d): %v", p, err)
		}
	}
}

// Not parallel: allocations are counted for the whole process.
func TestWritingDoesNotAllocatePerBatch(t *testing.T) {
	w := NewWriter(&countingWriter{limit: 1 << 40}, Options{Layout: pairs.Layout{Value: 8}, Partitions: 1, BatchBytes: 1000})
	if err := w.Partition(0, 1<<20); err != nil {
		t.Fatal(err)
	}
	key, value := []byte("some key"), make([]byte, 8)
	write := func() {
		for range 100_000 {
			_ = w.Append(key, value)
		}
		w.blocks = w.blocks[:0]
	}
	write()
	if n := testing.AllocsPerRun(3, write); n > 5 {
		t.Errorf("%v allocations in 100,000 pairs", n)
	}
}
