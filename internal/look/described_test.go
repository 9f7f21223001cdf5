package look_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"
	"testing"
)

// fixture returns an object that testdata/make.py wrote with pyarrow or fastavro.
func fixture(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const (
	tripOne = `{"id":1,"city":"Zug <x>","fare":"12.50","day":"2026-11-29","at":"2026-11-29T10:30:00.25Z","clock":"01:02:03","share":0.25,"raw":"/wA=","stops":[{"name":"a","on":"2026-11-29"},{"name":null,"on":null}],"tags":{"a":null,"b":2}`
	tripTwo = `{"id":2,"city":null,"fare":null,"day":null,"at":null,"clock":null,"share":"NaN","raw":"text","stops":[],"tags":null`
)

// TestColumnsAreShown verifies what users see of files that pyarrow and fastavro wrote, by
// name, by first bytes and compressed.
func TestColumnsAreShown(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.put("a.parquet", fixture(t, "trips.parquet"))
	u.put("b", fixture(t, "trips.parquet"))
	u.put("c.avro", fixture(t, "trips.avro"))
	u.put("d", fixture(t, "trips.avro"))
	u.put("e.avro.gz", zipped(fixture(t, "trips.avro")))
	u.put("f.avro", fixture(t, "numbers.avro"))
	u.put("j.arrow", fixture(t, "trips.arrow"))
	u.put("k", fixture(t, "trips.arrow"))
	u.put("l.arrows", fixture(t, "trips.arrows"))
	u.put("n.arrows.gz", zipped(fixture(t, "trips.arrows")))
	u.put("g.txt", "PAR1 is how Parquet begins\n")
	u.put("h", "Obj 1\n")
	u.put("i.jsonl", strings.NewReplacer(`"id":1`, `"id": 1`, `{"name":"a","on":"2026-11-29"}`, `{"on":"2026-11-29", "name":"a"}`).Replace(tripOne)+"}\n"+tripTwo+"}\n")
	const withNull = `,"next":null}` + "\n"
	const more = `,"kind":"x","took":"-1m30s","codes":[{"key":7,"value":"s"}]}` + "\n"
	for line, want := range map[string]string{
		"head -o json mem://in/a.parquet":                        tripOne + "}\n" + tripTwo + "}\n",
		"cat -o json mem://in/b":                                 tripOne + "}\n" + tripTwo + "}\n",
		"head -o json -n 1 mem://in/c.avro":                      tripOne + withNull,
		"cat -o json mem://in/d":                                 tripOne + withNull + tripTwo + withNull,
		"head -o json -n 1 mem://in/e.avro.gz":                   tripOne + withNull,
		"head mem://in/f.avro":                                   "value\n3\n-4\n",
		"cat -o csv --format avro mem://in/f.avro":               "value\n3\n-4\n",
		"head mem://in/g.txt":                                    "PAR1 is how Parquet begins\n",
		"head mem://in/h":                                        "Obj 1\n",
		"count mem://in/a.parquet mem://in/d mem://in/e.avro.gz": "6\n",
		"diff mem://in/b mem://in/e.avro.gz":                     "0 records only in mem://in/b, 0 only in mem://in/e.avro.gz, 2 in both\n",
		"diff mem://in/a.parquet mem://in/i.jsonl":               "0 records only in mem://in/a.parquet, 0 only in mem://in/i.jsonl, 2 in both\n",
		"head -o json mem://in/j.arrow":                          tripOne + more + tripTwo + more,
		"cat -o json mem://in/k":                                 tripOne + more + tripTwo + more,
		"head -o json -n 1 mem://in/l.arrows":                    tripOne + more,
		"cat -o json mem://in/n.arrows.gz":                       tripOne + more + tripTwo + more,
		"count mem://in/j.arrow mem://in/l.arrows":               "4\n",
		"diff mem://in/k mem://in/l.arrows":                      "0 records only in mem://in/k, 0 only in mem://in/l.arrows, 2 in both\n",
		"schema -o csv mem://in/l.arrows": "column,type,null\nid,int64,false\ncity,utf8,true\nfare,\"decimal128(9, 2)\",true\nday,date32,true\nat,\"timestamp[us, UTC]\",true\n" +
			"clock,time64[us],true\nshare,float64,true\nraw,binary,true\nstops,list,true\nstops.name,utf8,true\nstops.on,date32,true\ntags,map,true\n" +
			"kind,utf8 dictionary,true\ntook,duration[ms],true\ncodes,map,true\ncodes.key,int32,false\ncodes.value,utf8,true\n",
		"schema -o csv mem://in/f.avro": "column,type,null\nvalue,long,false\n",
		"schema -o csv mem://in/c.avro": "column,type,null\nid,long,false\ncity,string,true\nfare,\"bytes decimal(9, 2)\",true\nday,int date,true\nat,long timestamp-micros,true\n" +
			"clock,long time-micros,true\nshare,double,false\nraw,bytes,false\nstops,array of record,false\nstops.name,string,true\nstops.on,int date,true\ntags,map of int,true\nnext,record,true\n",
		"schema -o csv mem://in/a.parquet": "column,type,null\nid,INT64,false\ncity,BYTE_ARRAY STRING,true\nfare,\"FIXED_LEN_BYTE_ARRAY(4) DECIMAL(9, 2)\",true\nday,INT32 DATE,true\n" +
			"at,INT64 TIMESTAMP(MICROS),true\nclock,INT64 TIME(MICROS),true\nshare,DOUBLE,true\nraw,BYTE_ARRAY,true\nstops,group LIST,true\nstops.list,repeated group,false\n" +
			"stops.list.element,group,true\nstops.list.element.name,BYTE_ARRAY STRING,true\nstops.list.element.on,INT32 DATE,true\ntags,group MAP,true\ntags.key_value,repeated group,false\n" +
			"tags.key_value.key,BYTE_ARRAY STRING,false\ntags.key_value.value,INT32,true\n",
	} {
		if code, stdout, stderr := u.do(line); code != 0 || stdout != want {
			t.Errorf("%s: exit %d, %s\n%s, want\n%s", line, code, stderr, stdout, want)
		}
	}
}

// TestAFileThatIsCompressedAsAWhole: its footer is at its end, so it cannot be read.
func TestAFileThatIsCompressedAsAWhole(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.put("m.arrow.gz", zipped(fixture(t, "trips.arrow")))
	if code, stdout, stderr := u.do("head mem://in/m.arrow.gz"); code != 1 || stdout != "" || !strings.Contains(stderr, "decompress the object first") || !strings.Contains(stderr, "m.arrow.gz") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
}

// TestParquetIsCountedByItsFooter counts the rows of a file whose pages are destroyed: they
// are not read.
func TestParquetIsCountedByItsFooter(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	b := []byte(fixture(t, "trips.parquet"))
	footer := len(b) - 8 - int(binary.LittleEndian.Uint32(b[len(b)-8:]))
	copy(b[4:footer], bytes.Repeat([]byte{0xff}, footer))
	u.put("x.parquet", string(b))
	if code, stdout, stderr := u.do("count mem://in/x.parquet"); code != 0 || stdout != "2\n" {
		t.Errorf("exit %d, %q, %s", code, stdout, stderr)
	}
	if code, stdout, stderr := u.do("head mem://in/x.parquet"); code == 0 || stdout != "" || !strings.Contains(stderr, "mem://in/x.parquet") {
		t.Errorf("head: exit %d, %q, %s", code, stdout, stderr)
	}
}

// TestDamagedColumns verifies that files that are cut short, or compressed where they cannot
// be, give an error that names them.
func TestDamagedColumns(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	parquet, avro := fixture(t, "trips.parquet"), fixture(t, "trips.avro")
	u.put("a.parquet.gz", zipped(parquet))
	u.put("b.parquet", parquet[:len(parquet)-5])
	u.put("c.avro", avro[:300])
	u.put("d.avro", avro[:len(avro)-20])
	u.put("e.parquet", "not one of these at all\n")
	u.put("f.avro", "nor this\n")
	for name, want := range map[string]string{
		"a.parquet.gz": "compressed as a whole", "b.parquet": "cut short", "c.avro": "the object ends in its header",
		"d.avro": "cut short", "e.parquet": "does not end with PAR1", "f.avro": "no Avro object container file",
	} {
		for _, verb := range []string{"head", "count", "schema", "cat -o json"} {
			if verb == "schema" && name == "d.avro" {
				continue // its header is whole
			}
			if code, _, stderr := u.do(verb + " mem://in/" + name); code == 0 || !strings.Contains(stderr, "mem://in/"+name) || !strings.Contains(stderr, want) || strings.Contains(stderr, "goroutine") {
				t.Errorf("%s %s: exit %d, %s, want %q", verb, name, code, stderr, want)
			}
		}
	}
}

// FuzzDescribed: any bytes give records or an error.
func FuzzDescribed(f *testing.F) {
	formats := []string{"parquet", "avro", "arrow"}
	for i, name := range []string{"trips.parquet", "trips.avro", "trips.arrow", "trips.arrows"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint8(min(i, 2)))
	}
	f.Fuzz(func(t *testing.T, b []byte, kind uint8) {
		u := newUser(t)
		u.put("x", string(b))
		format := formats[int(kind)%len(formats)]
		for _, verb := range []string{"head -o json", "schema", "head"} {
			if code, _, stderr := u.do(verb + " --format " + format + " mem://in/x"); code != 0 && (code != 1 || strings.Contains(stderr, "goroutine")) {
				t.Errorf("%s: exit %d, %s", verb, code, stderr)
			}
		}
	})
}
