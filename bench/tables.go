package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/windrow-mr/windrow/bench/inputs"
	"github.com/windrow-mr/windrow/bench/measure"
)

// question is a group-by question of the H2O db-benchmark, in DuckDB's SQL.
type question struct{ number, query string }

func questions() []question {
	return []question{
		{"1", "SELECT id1, sum(v1) FROM {groups} GROUP BY id1"},
		{"2", "SELECT id1, id2, sum(v1) FROM {groups} GROUP BY id1, id2"},
		{"3", "SELECT id3, sum(v1), avg(v3) FROM {groups} GROUP BY id3"},
		{"4", "SELECT id4, avg(v1), avg(v2), avg(v3) FROM {groups} GROUP BY id4"},
		{"5", "SELECT id6, sum(v1), sum(v2), sum(v3) FROM {groups} GROUP BY id6"},
		{"7", "SELECT id3, max(v1) - min(v2) FROM {groups} GROUP BY id3"},
		{"10", "SELECT id1, id2, id3, id4, id5, id6, sum(v3), count(*) FROM {groups} GROUP BY id1, id2, id3, id4, id5, id6"},
	}
}

const joinQuery = "SELECT o.number, o.product, o.pieces * p.cents FROM {orders} AS o JOIN {products} AS p ON o.product = p.product"

// tableColumns are the columns of the inputs that are tables, in DuckDB's SQL.
var tableColumns = map[inputs.Kind]string{
	inputs.Groups: "'id1': 'VARCHAR', 'id2': 'VARCHAR', 'id3': 'VARCHAR', 'id4': 'INTEGER', 'id5': 'INTEGER', 'id6': 'INTEGER', " +
		"'v1': 'INTEGER', 'v2': 'INTEGER', 'v3': 'DOUBLE'",
	inputs.Orders:   "'number': 'VARCHAR', 'product': 'VARCHAR', 'pieces': 'INTEGER'",
	inputs.Products: "'product': 'VARCHAR', 'cents': 'INTEGER'",
}

// tableQuery returns the query of a job over files.
func tableQuery(j *job, files []string) string {
	query := j.query
	for i, kind := range j.kinds() {
		query = strings.ReplaceAll(query, "{"+string(kind)+"}", "read_csv("+quoted(files[i])+", columns={"+tableColumns[kind]+
			"}, delim=',', header=true, quote='', escape='', auto_detect=false)")
	}
	return query
}

// sortLines sorts the lines of a file by their bytes.
func (d *driver) sortLines(ctx context.Context, path string) error {
	_, err := measure.Execute(ctx, io.Discard, "sort", "-T", d.dir, "-o", path, path)
	return err
}

// sameRows sorts an output and compares it with the floor's, which is sorted.
func (d *driver) sameRows(ctx context.Context, want, got string) error {
	if err := d.sortLines(ctx, got); err != nil {
		return err
	}
	w, err := os.Open(want)
	if err != nil {
		return err
	}
	defer w.Close()
	g, err := os.Open(got)
	if err != nil {
		return err
	}
	defer g.Close()
	return compareLines(ctx, newPlain(w), newPlain(g), sameRow)
}

// relative is how much floats may differ, in relation to them: programs add them
// up in another order.
const relative = 1e-9

// sameRow reports whether two lines have the same columns, texts by their bytes and
// numbers that are not whole by their value.
func sameRow(want, got []byte) bool {
	if bytes.Equal(want, got) {
		return true
	}
	w, g := strings.Split(strings.TrimSuffix(string(want), "\n"), "\t"), strings.Split(strings.TrimSuffix(string(got), "\n"), "\t")
	return slices.EqualFunc(w, g, func(w, g string) bool {
		if w == g {
			return true
		}
		a, wantErr := strconv.ParseFloat(w, 64)
		b, gotErr := strconv.ParseFloat(g, 64)
		return wantErr == nil && gotErr == nil && math.Abs(a-b) <= relative*max(math.Abs(a), math.Abs(b))
	})
}

// mostFrequent is the number of words in the output top.
const mostFrequent = 10

// checkTop compares the output top with the lines of the floor that have the
// greatest counts. Words of equal counts are in order.
func (d *driver) checkTop(ctx context.Context, j *job, want, out string) error {
	file, err := os.Open(want)
	if err != nil {
		return err
	}
	defer file.Close()
	top, err := topOf(newPlain(file))
	if err != nil {
		return err
	}
	var got bytes.Buffer
	if _, err := measure.Execute(ctx, &got, filepath.Join(d.bin, j.program()), "cat", filepath.Join(out, "top")); err != nil {
		return err
	}
	return compareLines(ctx, newPlain(strings.NewReader(top)), newPlain(&got), bytes.Equal)
}

// topOf returns the lines "word TAB count" with the greatest counts.
func topOf(counts lines) (string, error) {
	type counted struct {
		line string
		n    int64
	}
	var top []counted
	for {
		line, more, err := nextOf(counts)
		if err != nil {
			return "", err
		}
		if !more {
			break
		}
		_, number, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), "\t")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return "", fmt.Errorf("the floor counts %.100q", line)
		}
		at := len(top) // words of one count stay in their order
		for at > 0 && top[at-1].n < n {
			at--
		}
		if at < mostFrequent {
			top = slices.Insert(top, at, counted{string(line), n})
			top = top[:min(len(top), mostFrequent)]
		}
	}
	var text strings.Builder
	for _, c := range top {
		text.WriteString(c.line)
	}
	return text.String(), nil
}
