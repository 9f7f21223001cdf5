package arrow

import (
	"encoding/binary"
	"strings"
	"testing"
)

// runsOf returns a column of rows with runs that end at some rows, whose values are the
// numbers of the runs.
func runsOf(rows int, ends ...int16) *values {
	whole := dataType{kind: typeInt, bits: 16, signed: true}
	e, n := &values{f: &field{dataType: whole}, rows: len(ends)}, &values{f: &field{dataType: whole}, rows: len(ends)}
	for i, end := range ends {
		e.data = binary.LittleEndian.AppendUint16(e.data, uint16(end))
		n.data = binary.LittleEndian.AppendUint16(n.data, uint16(i))
	}
	return &values{f: &field{dataType: dataType{kind: typeRunEnd}}, rows: rows, below: []*values{e, n}}
}

// TestRuns verifies that the value of each row of a column with runs is found, in any
// order, and that runs that do not cover the rows are an error.
func TestRuns(t *testing.T) {
	t.Parallel()
	v := runsOf(6, 2, 3, 7)
	if err := v.check(); err != nil {
		t.Fatal(err)
	}
	for _, row := range []int{0, 1, 2, 3, 5, 0, 4, 2, 1} {
		of, i, null, err := v.at(row)
		if want := []int{0, 0, 1, 2, 2, 2}[row]; err != nil || null || of != v.below[1] || i != want {
			t.Errorf("row %d is in run %d (null: %v), want %d; %v", row, i, null, want, err)
		}
	}
	for want, v := range map[string]*values{
		"its runs end after 7 of 8 rows":     runsOf(8, 2, 3, 7),
		"the ends of its runs do not ascend": runsOf(6, 2, 2, 7),
		"its runs have no ends":              runsOf(6),
	} {
		if err := v.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestColumnsWithOneDictionary verifies that all parts of a dictionary are read that one of
// its columns needs, and that columns of other types cannot have the same one.
func TestColumnsWithOneDictionary(t *testing.T) {
	t.Parallel()
	of := func(kind int, wanted ...bool) *field {
		f := &field{dataType: dataType{kind: typeStruct}}
		for _, w := range wanted {
			f.children = append(f.children, &field{dataType: dataType{kind: kind}, wanted: w})
		}
		return f
	}
	a, b := of(typeText, true, false, false), of(typeText, false, true, false)
	if !unite(a, b) || !a.children[0].wanted || !a.children[1].wanted || a.children[2].wanted {
		t.Errorf("the wanted parts are %v, %v, %v", a.children[0].wanted, a.children[1].wanted, a.children[2].wanted)
	}
	if unite(a, of(typeBool, true, true, true)) || unite(a, of(typeText, true)) {
		t.Error("columns of other types have the same dictionary")
	}
	c := of(typeText, true, true, true)
	c.children[1].indices, c.children[1].dictionary = &dataType{kind: typeInt, bits: 8}, 7
	if unite(a, c) {
		t.Error("one of the columns has a dictionary within, and the other has none")
	}
}
