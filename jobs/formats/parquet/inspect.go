package parquet

import (
	"context"
	"fmt"
	"io"
	"math"
)

// Info is what the footer of a file says.
type Info struct {
	Columns   []Column // in their order
	Rows      int64
	RowGroups int
}

// Column is a column of a file, or a group of columns.
type Column struct {
	Name     string
	Type     string // in the words of the format, such as "INT32 DATE" or "group LIST"
	Nullable bool
	Columns  []Column // of a group
}

// Inspect reads the footer of a file of size bytes, and no records: it shows which fields
// a struct can have that reads the file. Name is for errors.
func Inspect(name string, r io.ReaderAt, size int64) (Info, error) {
	f, err := readFooter(context.Background(), &file{name: name, size: size, readAt: func(_ context.Context, p []byte, off int64) error {
		n, err := r.ReadAt(p, off)
		if n == len(p) {
			return nil
		}
		return err
	}})
	if err != nil {
		return Info{}, err
	}
	info := Info{Columns: f.root.inspect(), RowGroups: len(f.groups)}
	for i := range f.groups {
		if f.groups[i].rows > math.MaxInt64-info.Rows {
			return Info{}, fmt.Errorf("the footer of %s is damaged: its row groups have more than %d rows", name, int64(math.MaxInt64))
		}
		info.Rows += f.groups[i].rows
	}
	return info, nil
}

// inspect returns the columns below an element.
func (e *element) inspect() (columns []Column) {
	for _, c := range e.children {
		columns = append(columns, Column{Name: c.name, Type: c.String(), Nullable: c.repetition == optional, Columns: c.inspect()})
	}
	return columns
}
