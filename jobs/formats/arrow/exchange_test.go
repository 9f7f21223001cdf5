//go:build formats

package arrow_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs/formats/arrow"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/internal/peers"
)

// python runs a program, and returns what it prints.
func python(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := peers.Python(t.Context(), program, args...)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func saved(t *testing.T, object []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in.arrow")
	if err := os.WriteFile(path, object, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func loaded(t *testing.T, path string) []byte {
	t.Helper()
	object, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// copies reads an object by a peer, which writes what it has read again in several ways.
func copies[T any](t *testing.T, program string, records []T, options ...string) {
	t.Helper()
	f := arrow.Records[T]{Batch: 64 << 10}
	for i, option := range options {
		f.Codec = []string{"zstd", "lz4", "none"}[i%3]
		from := saved(t, written(t, f, records))
		to := filepath.Join(t.TempDir(), "out")
		python(t, program, from, to, option)
		got, err := readNamed(t, f, minirun.Object{Name: "out", Text: string(loaded(t, to))}, 50_000)
		if err != nil {
			t.Errorf("%s: %v", option, err)
			continue
		}
		same(t, option, got, records)
	}
}

func someRows(seed uint64, n int) []row {
	r := rand.New(rand.NewPCG(seed, 5))
	all := make([]row, n)
	for i := range all {
		all[i] = someRow(r)
	}
	return all
}

// TestExchangeWithPyarrow verifies that pyarrow reads and validates records of all types
// that are written here, and that files and streams that it writes of them are read here,
// with each of its options.
func TestExchangeWithPyarrow(t *testing.T) {
	t.Parallel()
	copies(t, `
import sys, pyarrow as pa, pyarrow.ipc as ipc, pyarrow.feather as feather
table = feather.read_table(sys.argv[1])
table.validate(full=True)
kind, size, options = eval(sys.argv[3])
if kind == 'feather':
    feather.write_feather(table, sys.argv[2], chunksize=size, **options)
else:
    new = ipc.new_file if kind == 'file' else ipc.new_stream
    with new(sys.argv[2], table.schema, options=ipc.IpcWriteOptions(**options)) as w:
        w.write_table(table.combine_chunks(), max_chunksize=size)
`, someRows(1, 1500), "'feather', 100, dict()", "'feather', 700, dict(compression='zstd', compression_level=19)", "'feather', 10_000, dict(compression='uncompressed')",
		"'file', 99, dict(compression='lz4')", "'file', 1, dict()", "'file', 333, dict(metadata_version=ipc.MetadataVersion.V4, use_legacy_format=True)",
		"'stream', 99, dict(compression='zstd')", "'stream', 500, dict(allow_64bit=True)", "'stream', 333, dict(metadata_version=ipc.MetadataVersion.V4, use_legacy_format=True)")
}

// TestExchangeTypesOfPyarrow reads columns of the types that pyarrow can write and that are
// not written here: the values are those that pyarrow says.
func TestExchangeTypesOfPyarrow(t *testing.T) {
	t.Parallel()
	type row struct {
		Word  *string           `arrow:"word"`
		Deep  []*string         `arrow:"deep"`
		Large string            `arrow:"large"`
		Bytes []byte            `arrow:"bytes"`
		View  *string           `arrow:"view"`
		Lists []*string         `arrow:"lists"`
		Views []int64           `arrow:"views"`
		Fixed []int64           `arrow:"fixed"`
		Runs  *string           `arrow:"runs"`
		Coded *string           `arrow:"coded"`
		D32   string            `arrow:"d32"`
		D64   string            `arrow:"d64"`
		D256  string            `arrow:"d256"`
		Half  *float64          `arrow:"half"`
		Map   map[string]*int64 `arrow:"map"`
		None  *int64            `arrow:"none"`
	}
	program := `
import sys, json, decimal, pyarrow as pa, pyarrow.ipc as ipc, pyarrow.compute as pc
kind, options = eval(sys.argv[2])
n = 300
def batch(k):
    words = [None if i % 7 == 3 else 'word %d' % (i % (5 + k)) for i in range(n)]
    texts = ['t' * (i % 40) + str(i) for i in range(n)]
    numbers = [[j for j in range(i % 4)] for i in range(n)]
    runs = [None if i // 50 == 2 else 'run %d' % (i // 50) for i in range(n)]
    dictionary = pa.array(['word %d' % j for j in range(5 + k)])
    word = pa.DictionaryArray.from_arrays(pa.array([None if w is None else int(w[5:]) for w in words], pa.int16()), dictionary)
    decimals = [decimal.Decimal(i - 150).scaleb(-2) for i in range(n)]
    columns = dict(
        union=pa.UnionArray.from_sparse(pa.array([i % 2 for i in range(n)], pa.int8()), [pa.array(range(n)), pa.array(texts)]),
        dense=pa.UnionArray.from_dense(pa.array([0] * n, pa.int8()), pa.array(range(n), pa.int32()), [pa.array(range(n))]),
        interval=pa.array([pa.MonthDayNano([1, 2, 3])] * n),
        skipped=pa.array(texts).cast(pa.string_view()),
        word=word,
        deep=pa.ListArray.from_arrays(pa.array(range(n + 1), pa.int32()), word),
        large=pa.array(texts, pa.large_string()), bytes=pa.array([t.encode() for t in texts], pa.binary_view()),
        view=pa.array([None if i % 5 == 0 else t for i, t in enumerate(texts)], pa.string_view()),
        lists=pa.array([[w] for w in words], pa.large_list(pa.string())),
        views=pa.array(numbers, pa.list_view(pa.int64())), fixed=pa.array([[i, -i] for i in range(n)], pa.list_(pa.int64(), 2)),
        runs=pc.run_end_encode(pa.array(runs), run_end_type=pa.int32()), coded=pc.run_end_encode(word.cast(pa.string()), run_end_type=pa.int64()),
        d32=pa.array(decimals, pa.decimal32(9, 2)), d64=pa.array(decimals, pa.decimal64(18, 3)), d256=pa.array(decimals, pa.decimal256(60, 30)),
        half=pa.array([None if i % 3 == 0 else i / 4 for i in range(n)], pa.float16()),
        map=pa.array([[('k', i), ('l', None)][:i % 3] for i in range(n)], pa.map_(pa.string(), pa.int64())),
        none=pa.nulls(n),
    )
    return pa.record_batch(columns)
batches = [batch(0), batch(0), batch(0).slice(13, 101)]
if options.get('emit_dictionary_deltas'):
    batches.append(batch(3))
new = ipc.new_file if kind == 'file' else ipc.new_stream
with new(sys.argv[1], batches[0].schema, options=ipc.IpcWriteOptions(**options)) as w:
    for b in batches: w.write_batch(b)
names = ['word', 'deep', 'large', 'bytes', 'view', 'lists', 'views', 'fixed', 'runs', 'coded', 'd32', 'd64', 'd256', 'half', 'map', 'none']
for b in batches:
    for r in b.select(names).to_pylist():
        r['map'], r['bytes'] = dict(r['map']), r['bytes'].decode()
        for d in ('d32', 'd64', 'd256'): r[d] = format(r[d], 'f')
        print(json.dumps(r))
`
	for _, option := range []string{"'file', dict()", "'file', dict(compression='lz4')", "'file', dict(compression='zstd', emit_dictionary_deltas=True)", "'stream', dict(compression='lz4', emit_dictionary_deltas=True)", "'stream', dict()"} {
		to := filepath.Join(t.TempDir(), "out")
		want := strings.Split(strings.TrimSuffix(python(t, program, to, option), "\n"), "\n")
		got, err := readNamed(t, arrow.Records[row]{}, minirun.Object{Name: "out", Text: string(loaded(t, to))}, 10_000)
		if err != nil {
			t.Errorf("%s: %v", option, err)
			continue
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d records, want %d", option, len(got), len(want))
			continue
		}
		for i, r := range got {
			said := map[string]any{"word": r.Word, "deep": r.Deep, "large": r.Large, "bytes": string(r.Bytes), "view": r.View, "lists": r.Lists, "views": r.Views, "fixed": r.Fixed,
				"runs": r.Runs, "coded": r.Coded, "d32": r.D32, "d64": r.D64, "d256": r.D256, "half": r.Half, "map": r.Map, "none": r.None}
			if a, b := canonical(t, said), canonical(t, json.RawMessage(want[i])); a != b {
				t.Errorf("%s: record %d is\n%s, want\n%s", option, i, a, b)
				break
			}
		}
	}
}

// canonical returns a value as JSON with sorted members.
func canonical(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	if text, err = json.Marshal(plain); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// exchanged are records of the types that polars keeps.
type exchanged struct {
	ID    int64      `arrow:"id"`
	Small uint8      `arrow:"small"`
	Ok    *bool      `arrow:"ok"`
	X     float64    `arrow:"x"`
	Text  string     `arrow:"text"`
	Raw   []byte     `arrow:"raw"`
	Note  *string    `arrow:"note"`
	At    time.Time  `arrow:"at,timestamp(microsecond)"`
	Day   time.Time  `arrow:"day,date"`
	Cents int64      `arrow:"cents,decimal(2:12)"`
	Tags  []string   `arrow:"tags"`
	Home  home       `arrow:"home"`
	Trips []home     `arrow:"trips"`
	Last  *time.Time `arrow:"last,timestamp(millisecond)"`
	Took  *int64     `arrow:"took"`
}

type home struct {
	City string  `arrow:"city"`
	Zip  *uint16 `arrow:"zip"`
}

func exchange(r *rand.Rand, n int) []exchanged {
	var all []exchanged
	for i := range n {
		e := exchanged{ID: r.Int64(), Small: uint8(r.Uint32()), X: r.NormFloat64(), Text: fmt.Sprintf("é%d", i%50), Raw: []byte{byte(i), 255, 0},
			At: time.UnixMicro(r.Int64N(1 << 50)).UTC(), Day: time.Unix(86400*r.Int64N(20000), 0).UTC(), Cents: r.Int64N(1e10) - 5e9, Tags: []string{}, Trips: []home{}}
		zip, note, last, ok := uint16(r.Uint32()), strings.Repeat("n", r.IntN(30)), time.UnixMilli(r.Int64N(1<<40)).UTC(), i%2 == 0
		e.Home = home{City: note, Zip: &zip}
		for range r.IntN(4) {
			e.Tags = append(e.Tags, fmt.Sprint(r.IntN(9)))
			e.Trips = append(e.Trips, home{City: "c"}, home{City: "d", Zip: &zip})
		}
		if r.IntN(3) > 0 {
			e.Note, e.Last, e.Ok = &note, &last, &ok
		}
		all = append(all, e)
	}
	return all
}

// TestExchangeWithPolars verifies both directions with polars, whose texts are views unless
// it is asked for others.
func TestExchangeWithPolars(t *testing.T) {
	t.Parallel()
	copies(t, `
import sys, polars as pl
kind, options = eval(sys.argv[3])
frame = pl.read_ipc(sys.argv[1])
if kind == 'categories':
    frame = frame.with_columns(pl.col('text', 'note').cast(pl.Categorical))
if kind == 'stream':
    frame.write_ipc_stream(sys.argv[2], **options)
else:
    frame.write_ipc(sys.argv[2], **options)`, exchange(rand.New(rand.NewPCG(1, 5)), 5000),
		"'file', dict()", "'file', dict(compression='lz4')", "'file', dict(compression='zstd')", "'file', dict(compat_level=pl.CompatLevel.oldest())",
		"'categories', dict(compression='lz4')", "'stream', dict()", "'stream', dict(compression='zstd')", "'stream', dict(compression='lz4', compat_level=pl.CompatLevel.oldest())")
}

// TestExchangeSums verifies the values of parts by what pyarrow and polars compute of them.
func TestExchangeSums(t *testing.T) {
	t.Parallel()
	records := someRows(2, 2000)
	var numbers, labels, nulls int64
	for _, v := range records {
		numbers += int64(v.U32)
		labels += int64(len(v.Labels))
		if v.Nulls == nil {
			nulls++
		}
	}
	for _, codec := range []string{"none", "lz4", "zstd"} {
		path := saved(t, written(t, arrow.Records[row]{Batch: 64 << 10, Codec: codec}, records))
		got := python(t, `
import sys, pyarrow.feather as f, pyarrow.compute as pc, polars as pl
table = f.read_table(sys.argv[1])
print(pc.sum(table['u32']), sum(len(r) for r in table['labels'].to_pylist()), table['nulls'].null_count)
print(pl.read_ipc(sys.argv[1], columns=['u32'])['u32'].cast(pl.Int64).sum())
`, path)
		if want := fmt.Sprintf("%d %d %d\n%d\n", numbers, labels, nulls, numbers); got != want {
			t.Errorf("%s: the peers say %q, want %q", codec, got, want)
		}
	}
}
