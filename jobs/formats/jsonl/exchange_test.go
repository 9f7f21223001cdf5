//go:build formats

package jsonl_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs/formats/jsonl"
	"github.com/windrow-mr/windrow/jobs/internal/peers"
)

// exchanged is a record that all peers have a type for.
type exchanged struct {
	Name  string   `json:"name"`
	N     int64    `json:"n"`
	F     float64  `json:"f"`
	Last  *int64   `json:"last"`
	Tags  []string `json:"tags"`
	Place place    `json:"place"`
}

type place struct {
	X int64 `json:"x"`
	Y *bool `json:"y"`
}

func exchangedRecords() []exchanged {
	seven, yes := int64(-7), true
	return []exchanged{
		{"plain", 1, 0.5, nil, []string{"a", "b"}, place{1, nil}},
		{"Zug, \"Zug\"\\", math.MaxInt64, 1e300, &seven, []string{}, place{-1, &yes}},
		{"two\nlines\t\u2028", math.MinInt64, -0.1, nil, []string{""}, place{0, nil}},
		{"é 日本 🌾 <&>", 0, 3, &seven, []string{"é\"\n"}, place{2, &yes}},
	}
}

// TestExchangeWithPeers verifies that DuckDB, pyarrow, polars and Python's own decoder read
// what is written here, and that what they write is read here, in any sections.
func TestExchangeWithPeers(t *testing.T) {
	t.Parallel()
	format, want := jsonl.Records[exchanged]{Strict: true}, exchangedRecords()
	var text strings.Builder
	for _, rec := range want {
		line, err := json.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(append(line, '\n'))
	}
	written, err := run(t, format, 0, text.String())
	if err != nil {
		t.Fatal(err)
	}
	ours := filepath.Join(t.TempDir(), "ours.jsonl")
	if err := os.WriteFile(ours, []byte(written), 0o600); err != nil {
		t.Fatal(err)
	}
	for peer, programs := range map[string]struct{ read, write string }{
		"DuckDB": {
			`print(json.dumps(duckdb.sql(f"select * from read_json('{sys.argv[1]}')").to_arrow_table().to_pylist(), default=int))`, // its integers can be wider
			`t = pyarrow.Table.from_pylist(rows); duckdb.sql(f"copy (select * from t) to '{sys.argv[1]}' (format json)")`,
		},
		"pyarrow": {`print(json.dumps(pyarrow.json.read_json(sys.argv[1]).to_pylist()))`, ``},
		"polars": {
			`print(json.dumps(polars.read_ndjson(sys.argv[1]).to_dicts()))`,
			`polars.DataFrame(rows).write_ndjson(sys.argv[1])`,
		},
		"Python": {
			`print(json.dumps([json.loads(line) for line in open(sys.argv[1], newline="\n", encoding="utf-8")]))`,
			`open(sys.argv[1], "w").writelines(json.dumps(row) + "\n" for row in rows)`,
		},
	} {
		t.Run(peer, func(t *testing.T) {
			const imports = "import json, sys, duckdb, polars, pyarrow, pyarrow.json\n"
			var got []exchanged
			if err := json.Unmarshal(python(t, imports+programs.read, ours), &got); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("it reads %+v, want %+v; %v", got, want, err)
			}
			if programs.write == "" {
				return
			}
			rows, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			theirs := filepath.Join(t.TempDir(), "theirs.jsonl")
			python(t, imports+"rows = json.loads(sys.argv[2])\n"+programs.write, theirs, string(rows))
			text, err := os.ReadFile(theirs)
			if err != nil {
				t.Fatal(err)
			}
			for _, section := range []int64{0, 1, 7, 50} {
				if got, err := run(t, format, section, string(text)); err != nil || got != written {
					t.Errorf("in sections of %d bytes %s is read as %s, want %s; %v", section, text, got, written, err)
				}
			}
		})
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
