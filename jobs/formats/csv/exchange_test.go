//go:build formats

package csv_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/csv"
	"github.com/windrow-mr/windrow/jobs/internal/peers"
)

// exchanged is a record that all peers have a type for.
type exchanged struct {
	Name string  `csv:"name" json:"name"`
	N    int64   `csv:"n" json:"n"`
	F    float64 `csv:"f" json:"f"`
	Last *int64  `csv:"last" json:"last"`
}

func exchangedRecords() []exchanged {
	seven := int64(-7)
	return []exchanged{
		{"plain", 1, 0.5, nil},
		{"Zug, \"Zug\"", math.MaxInt64, 1e300, &seven},
		{"two\nlines", math.MinInt64, -0.1, nil},
		{"é 日本 🌾", 0, 3, &seven},
		{"'single'; \t|", -1, 1.0 / 3, nil},
	}
}

// python runs a program, and returns what it prints.
func python(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	out, err := peers.Python(t.Context(), program, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestExchangeWithPeers verifies that DuckDB, pyarrow and polars read what is written
// here, and that what they write is read here, in any sections.
func TestExchangeWithPeers(t *testing.T) {
	t.Parallel()
	format, want := csv.Records[exchanged]{Multiline: true}, exchangedRecords()
	text, err := written(format, want)
	if err != nil {
		t.Fatal(err)
	}
	ours := filepath.Join(t.TempDir(), "ours.csv")
	if err := os.WriteFile(ours, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for peer, programs := range map[string]struct{ read, write string }{
		"DuckDB": {
			`print(json.dumps(duckdb.sql(f"select * from read_csv('{sys.argv[1]}', header=true, columns={{'name':'VARCHAR','n':'BIGINT','f':'DOUBLE','last':'BIGINT'}})").to_arrow_table().to_pylist()))`,
			`t = pyarrow.Table.from_pylist(rows); duckdb.sql(f"copy (select * from t) to '{sys.argv[1]}' (header)")`,
		},
		"pyarrow": {
			`print(json.dumps(pyarrow.csv.read_csv(sys.argv[1], parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True)).to_pylist()))`,
			`pyarrow.csv.write_csv(pyarrow.Table.from_pylist(rows), sys.argv[1])`,
		},
		"polars": {
			`print(json.dumps(polars.read_csv(sys.argv[1]).to_dicts()))`,
			`polars.DataFrame(rows).write_csv(sys.argv[1])`,
		},
	} {
		t.Run(peer, func(t *testing.T) {
			const imports = "import json, sys, duckdb, polars, pyarrow, pyarrow.csv\n"
			var got []exchanged
			if err := json.Unmarshal(python(t, imports+programs.read, ours), &got); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("it reads %s, want %s; %v", show(got), show(want), err)
			}
			rows, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			theirs := filepath.Join(t.TempDir(), "theirs.csv")
			python(t, imports+"rows = json.loads(sys.argv[2])\n"+programs.write, theirs, string(rows))
			text, err := os.ReadFile(theirs)
			if err != nil {
				t.Fatal(err)
			}
			for _, section := range []int64{0, 1, 7, 50} {
				var got []exchanged
				job := jobs.Define("read", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
					jobs.FlatMap(jobs.Read(p, format), func(_ *jobs.Context, rec exchanged, _ func([]byte)) error {
						got = append(got, rec)
						return nil
					}).Write(copyOf{})
					return nil
				})
				if _, err := run(t, job, string(text), section); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("in sections of %d bytes %q is read as %s, want %s; %v", section, text, show(got), show(want), err)
				}
			}
		})
	}
}
