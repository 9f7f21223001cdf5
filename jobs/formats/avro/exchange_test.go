//go:build formats

package avro_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/avro"
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

// traded has all types that the formats exchange.
type traded struct {
	Bool    bool             `avro:"bool"`
	Int     int32            `avro:"int"`
	Long    int64            `avro:"long"`
	Float   float32          `avro:"float"`
	Double  float64          `avro:"double"`
	Bytes   []byte           `avro:"bytes"`
	Text    string           `avro:"text"`
	Fixed   [3]byte          `avro:"fixed"`
	Enum    string           `avro:"enum"`
	Maybe   *string          `avro:"maybe"`
	Numbers []int64          `avro:"numbers"`
	Map     map[string]int32 `avro:"map"`
	Date    time.Time        `avro:"date,date"`
	TimeMs  time.Duration    `avro:"time_ms"`
	TimeUs  time.Duration    `avro:"time_us,time-micros"`
	Millis  time.Time        `avro:"millis"`
	Micros  time.Time        `avro:"micros,timestamp-micros"`
	Decimal *big.Rat         `avro:"decimal,decimal(9,2)"`
	UUID    string           `avro:"uuid,uuid"`
	Inner   *trade           `avro:"inner"`
	Trades  []trade          `avro:"trades"`
}

type trade struct {
	A int64   `avro:"a"`
	B *string `avro:"b"`
}

const tradedSchema = `{"type":"record","name":"traded","namespace":"x.y","fields":[
{"name":"bool","type":"boolean"},{"name":"int","type":"int"},{"name":"long","type":"long"},{"name":"float","type":"float"},{"name":"double","type":"double"},
{"name":"bytes","type":"bytes"},{"name":"text","type":"string"},{"name":"fixed","type":{"type":"fixed","name":"three","size":3}},
{"name":"enum","type":{"type":"enum","name":"color","symbols":["RED","GREEN"]}},{"name":"maybe","type":["null","string"],"default":null},
{"name":"numbers","type":{"type":"array","items":"long"}},{"name":"map","type":{"type":"map","values":"int"}},
{"name":"date","type":{"type":"int","logicalType":"date"}},{"name":"time_ms","type":{"type":"int","logicalType":"time-millis"}},
{"name":"time_us","type":{"type":"long","logicalType":"time-micros"}},{"name":"millis","type":{"type":"long","logicalType":"timestamp-millis"}},
{"name":"micros","type":{"type":"long","logicalType":"timestamp-micros"}},
{"name":"decimal","type":["null",{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}]},
{"name":"uuid","type":{"type":"string","logicalType":"uuid"}},
{"name":"inner","type":["null",{"type":"record","name":"trade","fields":[{"name":"a","type":"long"},{"name":"b","type":["null","string"]}]}]},
{"name":"trades","type":{"type":"array","items":"trade"}}]}`

// someTraded are records as the script below makes them.
func someTraded() (all []traded) {
	for i := range 100 {
		n := int64(i)
		rec := traded{
			Bool: i%2 == 0, Int: int32(1-2*(i%2)) * int32(n) * 1_000_000, Long: n << 50, Float: float32(n) / 4, Double: float64(n) / 7, Bytes: []byte{byte(i), 0, 255},
			Text: fmt.Sprint("日本\n", i), Fixed: [3]byte{byte(i), 1, 2}, Enum: []string{"RED", "GREEN"}[i%2], Numbers: []int64{}, Map: map[string]int32{},
			Date: time.Unix(86400*n*100, 0).UTC(), TimeMs: time.Duration(n) * 1001 * time.Millisecond, TimeUs: time.Duration(n) * 1_000_001 * time.Microsecond,
			Millis: time.UnixMilli(n * 12345678901).UTC(), Micros: time.UnixMicro(n * 12345678901234).UTC(),
			UUID: fmt.Sprintf("6ba7b810-9dad-11d1-80b4-%012x", i), Trades: []trade{},
		}
		for j := range i % 4 {
			rec.Numbers = append(rec.Numbers, n*int64(j))
			rec.Map[fmt.Sprint("k", j)] = int32(j)
			rec.Trades = append(rec.Trades, trade{int64(j), nil})
		}
		if i%3 == 0 {
			s := fmt.Sprint("maybe ", i)
			rec.Maybe, rec.Decimal, rec.Inner = &s, big.NewRat(n*-101, 100), &trade{n, &s}
		}
		all = append(all, rec)
	}
	return all
}

// plainly returns a record as text, the same as the script below.
func plainly(r traded) string {
	null := func(is bool, v any) any {
		if is {
			return nil
		}
		return v
	}
	var decimal, inner any
	if r.Decimal != nil {
		decimal = r.Decimal.FloatString(2)
	}
	one := func(t trade) any { return []any{t.A, t.B} }
	if r.Inner != nil {
		inner = one(*r.Inner)
	}
	trades := []any{}
	for _, t := range r.Trades {
		trades = append(trades, one(t))
	}
	text, err := json.Marshal([]any{
		r.Bool, r.Int, r.Long, fmt.Sprint(r.Float * 4), fmt.Sprint(int64(r.Double*7 + 0.5)), hex.EncodeToString(r.Bytes), r.Text, hex.EncodeToString(r.Fixed[:]), r.Enum,
		null(r.Maybe == nil, r.Maybe), r.Numbers, r.Map, r.Date.Format(time.DateOnly), r.TimeMs.Microseconds(), r.TimeUs.Microseconds(),
		r.Millis.UnixMicro(), r.Micros.UnixMicro(), decimal, r.UUID, inner, trades,
	})
	if err != nil {
		panic(err)
	}
	return string(text)
}

const readScript = `
import sys, json, fastavro, datetime
def us(t): return ((t.hour*60+t.minute)*60+t.second)*10**6+t.microsecond
epoch = datetime.datetime(1970,1,1,tzinfo=datetime.timezone.utc)
def stamp(t): return (t-epoch)//datetime.timedelta(microseconds=1)
def one(t): return None if t is None else [t["a"], t["b"]]
for name in sys.argv[1:]:
    with open(name,"rb") as f:
        for r in fastavro.reader(f):
            print(json.dumps([r["bool"], r["int"], r["long"], "%g" % (r["float"]*4), str(round(r["double"]*7)), r["bytes"].hex(), r["text"], r["fixed"].hex(), r["enum"],
                r["maybe"], r["numbers"], dict(sorted(r["map"].items())), r["date"].isoformat(), us(r["time_ms"]), us(r["time_us"]),
                stamp(r["millis"]), stamp(r["micros"]), None if r["decimal"] is None else str(r["decimal"]), str(r["uuid"]), one(r["inner"]), [one(t) for t in r["trades"]]],
                separators=(",",":"), ensure_ascii=False))
`

const writeScript = `
import sys, json, fastavro, datetime, decimal, uuid
epoch = datetime.datetime(1970,1,1,tzinfo=datetime.timezone.utc)
def time(us): return (datetime.datetime.min+datetime.timedelta(microseconds=us)).time()
def rec(i):
    s = "maybe %d" % i if i%3==0 else None
    return dict(bool=i%2==0, int=(1-2*(i%2))*i*1000000, long=i<<50, float=i/4, double=i/7, bytes=bytes([i,0,255]), text="日本\n%d"%i, fixed=bytes([i,1,2]), enum=["RED","GREEN"][i%2],
        maybe=s, numbers=[i*j for j in range(i%4)], map={"k%d"%j:j for j in range(i%4)}, date=datetime.date(1970,1,1)+datetime.timedelta(days=i*100),
        time_ms=time(i*1001000), time_us=time(i*1000001), millis=epoch+datetime.timedelta(milliseconds=i*12345678901), micros=epoch+datetime.timedelta(microseconds=i*12345678901234),
        decimal=None if s is None else decimal.Decimal(i*-101)/100, uuid=uuid.UUID("6ba7b810-9dad-11d1-80b4-%012x"%i), inner=None if s is None else dict(a=i,b=s),
        trades=[dict(a=j,b=None) for j in range(i%4)])
with open(sys.argv[1],"wb") as f:
    fastavro.writer(f, fastavro.parse_schema(json.loads(sys.argv[2])), [rec(i) for i in range(100)], codec=sys.argv[3], sync_interval=1000)
`

// TestExchangeWithFastavroWrites writes records of all types, with every codec, and reads
// them by fastavro.
func TestExchangeWithFastavroWrites(t *testing.T) {
	t.Parallel()
	records := someTraded()
	var want []string
	for _, rec := range records {
		want = append(want, plainly(rec))
	}
	for _, schema := range []string{"", tradedSchema} {
		for _, codec := range codecs {
			job := jobs.Define("write", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
				format := avro.Records[traded]{Schema: schema, Codec: codec, BlockSize: 1000}
				jobs.FlatMap(jobs.ReadLines(p), func(_ *jobs.Context, _ []byte, emit func(traded)) error {
					for _, rec := range records {
						emit(rec)
					}
					return nil
				}).Write(format)
				return nil
			})
			result, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Lines("go"))
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Join(t.TempDir(), "part.avro")
			if err := os.WriteFile(name, []byte(result.Text()), 0o600); err != nil {
				t.Fatal(err)
			}
			got := strings.Split(strings.TrimSpace(python(t, readScript, name)), "\n")
			if !reflect.DeepEqual(got, want) {
				for i := range min(len(got), len(want)) {
					if got[i] != want[i] {
						t.Fatalf("%s: record %d is read as\n%s, want\n%s", codec, i, got[i], want[i])
					}
				}
				t.Fatalf("%s: %d records are read, want %d", codec, len(got), len(want))
			}
		}
	}
}

// TestExchangeWithFastavroReads reads what fastavro wrote with every codec, in sections.
func TestExchangeWithFastavroReads(t *testing.T) {
	t.Parallel()
	want := someTraded()
	for _, codec := range append([]string{"bzip2"}, codecs...) {
		name := filepath.Join(t.TempDir(), "in.avro")
		python(t, writeScript, name, tradedSchema, codec)
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, split := range []int64{1 << 20, 777} {
			got, err := read[traded](t, avro.Records[traded]{}, split, string(text))
			if err != nil || len(got) != len(want) {
				t.Fatalf("%s: %d records, %v", codec, len(got), err)
			}
			for i := range want {
				if plainly(got[i]) != plainly(want[i]) || got[i].Float != want[i].Float || got[i].Double != want[i].Double {
					t.Fatalf("%s, split %d: record %d is\n%s, want\n%s", codec, split, i, plainly(got[i]), plainly(want[i]))
				}
			}
		}
	}
}
