//go:build formats

package parquet_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs/formats/parquet"
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
	path := filepath.Join(t.TempDir(), "in.parquet")
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

// exchanged are records that all peers can have.
type exchanged struct {
	ID    int64      `parquet:"id"`
	N     int32      `parquet:"n"`
	Ok    bool       `parquet:"ok"`
	X     float64    `parquet:"x"`
	Text  string     `parquet:"text"`
	Note  *string    `parquet:"note"`
	At    time.Time  `parquet:"at,timestamp(microsecond)"`
	Day   time.Time  `parquet:"day,date"`
	Cents int64      `parquet:"cents,decimal(2:12)"`
	Tags  []string   `parquet:"tags"`
	Home  home       `parquet:"home"`
	Trips []home     `parquet:"trips"`
	Last  *time.Time `parquet:"last,timestamp(millisecond)"`
}

type home struct {
	City string  `parquet:"city"`
	Zip  *uint16 `parquet:"zip"`
}

func exchange(r *rand.Rand, n int) []exchanged {
	var all []exchanged
	for i := range n {
		e := exchanged{ID: r.Int64(), N: int32(r.Uint32()), Ok: r.IntN(2) == 0, X: r.NormFloat64(), Text: fmt.Sprintf("é%d", i%50),
			At: time.UnixMicro(r.Int64N(1 << 50)).UTC(), Day: time.Unix(86400*r.Int64N(20000), 0).UTC(), Cents: r.Int64N(1e10) - 5e9, Tags: []string{}, Trips: []home{}}
		zip, note, last := uint16(r.Uint32()), strings.Repeat("n", r.IntN(4)), time.UnixMilli(r.Int64N(1<<40)).UTC()
		e.Home = home{City: note, Zip: &zip}
		for range r.IntN(4) {
			e.Tags = append(e.Tags, fmt.Sprint(r.IntN(9)))
			e.Trips = append(e.Trips, home{City: "c"}, home{City: "d", Zip: &zip})
		}
		if r.IntN(3) > 0 {
			e.Note, e.Last = &note, &last
		}
		all = append(all, e)
	}
	return all
}

// copies reads an object by a peer, which writes what it has read again.
func copies(t *testing.T, program string, options ...string) {
	records := exchange(rand.New(rand.NewPCG(1, 5)), 5000)
	f := parquet.Records[exchanged]{RowGroup: 64 << 10}
	for i, option := range options {
		f.Codec = []string{"zstd", "snappy", "lz4_raw", "gzip", "uncompressed"}[i%5]
		from := saved(t, written(t, f, records))
		to := filepath.Join(t.TempDir(), "out.parquet")
		python(t, program, from, to, option)
		got, err := read(t, f, loaded(t, to), 50_000)
		if err != nil {
			t.Errorf("%s: %v", option, err)
			continue
		}
		if len(got) != len(records) {
			t.Errorf("%s: %d records, want %d", option, len(got), len(records))
			continue
		}
		for i := range got {
			if !reflect.DeepEqual(got[i], records[i]) {
				t.Errorf("%s: record %d is\n%s, want\n%s", option, i, show(got[i]), show(records[i]))
				break
			}
		}
	}
}

// TestExchangeWithPyarrow verifies that pyarrow reads what is written here, page checksums
// included, and that what it writes is read here, with each of its codecs and encodings.
func TestExchangeWithPyarrow(t *testing.T) {
	t.Parallel()
	copies(t, `
import sys, pyarrow.parquet as pq
table = pq.read_table(sys.argv[1], page_checksum_verification=True)
table.validate(full=True)
options = eval(sys.argv[3])
pq.write_table(table, sys.argv[2], row_group_size=700, **options)`,
		"dict()", "dict(compression='zstd')", "dict(compression='gzip')", "dict(compression='brotli')", "dict(compression='lz4')", "dict(compression='none')",
		"dict(data_page_version='2.0')", "dict(version='1.0', coerce_timestamps='us')", "dict(use_dictionary=False, data_page_size=4096)",
		"dict(write_page_checksum=True)", "dict(store_decimal_as_integer=True)",
		"dict(use_dictionary=False, column_encoding={'id':'DELTA_BINARY_PACKED','n':'DELTA_BINARY_PACKED','text':'DELTA_BYTE_ARRAY','note':'DELTA_LENGTH_BYTE_ARRAY','x':'BYTE_STREAM_SPLIT'})",
		"dict(use_dictionary=False, data_page_version='2.0', column_encoding={'ok':'RLE','id':'BYTE_STREAM_SPLIT','text':'DELTA_LENGTH_BYTE_ARRAY'})",
		"dict(use_compliant_nested_type=False)")
}

// TestExchangeWithDuckDB verifies both directions with DuckDB.
func TestExchangeWithDuckDB(t *testing.T) {
	t.Parallel()
	copies(t, `
import sys, duckdb
db = duckdb.connect()
db.execute("SET TimeZone = 'UTC'")
db.execute(f"COPY (FROM read_parquet('{sys.argv[1]}')) TO '{sys.argv[2]}' (FORMAT parquet, ROW_GROUP_SIZE 2048, {sys.argv[3]})")`,
		"CODEC 'snappy'", "CODEC 'zstd'", "CODEC 'gzip'", "CODEC 'lz4_raw'", "CODEC 'brotli'", "CODEC 'uncompressed'", "PARQUET_VERSION v2")
}

// TestExchangeWithPolars verifies both directions with polars.
func TestExchangeWithPolars(t *testing.T) {
	t.Parallel()
	copies(t, `
import sys, polars as pl
pl.read_parquet(sys.argv[1]).write_parquet(sys.argv[2], row_group_size=900, **eval(sys.argv[3]))`,
		"dict()", "dict(compression='snappy')", "dict(compression='gzip')", "dict(compression='lz4')", "dict(compression='brotli')", "dict(compression='uncompressed')")
}

// TestExchangeSums verifies the values of all kinds of fields by what DuckDB computes of
// them, nulls and maps included.
func TestExchangeSums(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(2, 5))
	var records []row
	var want, labels, nulls int64
	for range 2000 {
		v := someRow(r)
		want += int64(v.U32)
		labels += int64(len(v.Labels))
		if v.Nulls == nil {
			nulls++
		}
		records = append(records, v)
	}
	path := saved(t, written(t, parquet.Records[row]{RowGroup: 64 << 10}, records))
	got := python(t, `
import sys, duckdb
print(*duckdb.sql(f"select sum(u32)::bigint, sum(len(map_keys(labels)))::bigint, count(*) - count(nulls) from read_parquet('{sys.argv[1]}')").fetchall()[0])`, path)
	if want := fmt.Sprintln(want, labels, nulls); got != want {
		t.Errorf("DuckDB sums to %q, want %q", got, want)
	}
}
