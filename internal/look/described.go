package look

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/avro"
	"github.com/windrow-mr/windrow/jobs/formats/parquet"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
)

// described is a format whose objects say which columns they have. They are read by the
// same code as in jobs.
type described struct {
	magic   string // its first bytes
	scan    func(ctx context.Context, s *Source, yield func(Row) error) error
	columns func(ctx context.Context, s *Source) ([]Column, error)
	count   func(ctx context.Context, s *Source) (int64, error) // nil: by scan
}

// Bounds of memory, in bytes.
const (
	mostPages = 256 << 20 // of a Parquet object
	mostBlock = 64 << 20  // of an Avro object
)

var parquetFormat = described{
	magic: "PAR1",
	scan: func(ctx context.Context, s *Source, yield func(Row) error) error {
		info, err := inspect(ctx, s)
		if err != nil {
			return err
		}
		of := shapeOf(info.Columns)
		return scan(ctx, s, parquet.Records[map[string]any]{Max: mostPages}, func(rec map[string]any) error { return yield(of.row(rec)) })
	},
	columns: func(ctx context.Context, s *Source) ([]Column, error) {
		info, err := inspect(ctx, s)
		return shapeOf(info.Columns).columns(nil, "", nil), err
	},
	count: func(ctx context.Context, s *Source) (int64, error) {
		info, err := inspect(ctx, s)
		return info.Rows, err
	},
}

// inspect reads the footer of a Parquet object.
func inspect(ctx context.Context, s *Source) (parquet.Info, error) {
	if s.ReadAt == nil {
		return parquet.Info{}, errors.New("it is a Parquet file that is compressed as a whole, and its footer is at its end: decompress it first")
	}
	return parquet.Inspect(s.Object.Name(), readerAt(func(p []byte, off int64) error { return s.ReadAt(ctx, p, off) }), s.Object.Size)
}

// readerAt is an io.ReaderAt that reads all or fails.
type readerAt func(p []byte, off int64) error

func (r readerAt) ReadAt(p []byte, off int64) (int, error) {
	if err := r(p, off); err != nil {
		return 0, err
	}
	return len(p), nil
}

// shape is what is known of the values of a column.
type shape struct {
	typ     string // in the words of the format
	null    bool   // a value may be null
	date    bool   // times are days
	span    bool   // durations are no times of a day
	scale   int    // places of a decimal
	fields  []member
	entries *shape // of a list or a map
	same    *shape // has the fields and entries, if it is set
}

// member is a column in a record, or within another one.
type member struct {
	name string
	of   *shape
}

// shapeOf returns the shape of columns of Parquet.
func shapeOf(columns []parquet.Column) *shape {
	s := new(shape)
	for _, c := range columns {
		of := shapeOf(c.Columns)
		of.typ, of.null, of.date = c.Type, c.Nullable, strings.HasSuffix(c.Type, "INT32 DATE")
		of.entries = entriesOf(c, of)
		s.fields = append(s.fields, member{c.Name, of})
	}
	return s
}

// entriesOf returns the shape of the entries of a list, which are below one group, and of
// the values of a map with text as keys, which are below one with the key. It is nil for
// others.
func entriesOf(c parquet.Column, of *shape) *shape {
	list := strings.HasSuffix(c.Type, "group LIST")
	if len(c.Columns) != 1 || !strings.HasPrefix(c.Columns[0].Type, "repeated") || !list && !strings.HasSuffix(c.Type, "group MAP") {
		return nil
	}
	entry, below := of.fields[0].of, c.Columns[0].Columns
	switch {
	case list && len(below) == 1:
		return entry.fields[0].of
	case list:
		return entry
	case len(below) == 2 && !below[0].Nullable && strings.HasPrefix(below[0].Type, "BYTE_ARRAY "):
		return entry.fields[1].of
	}
	return nil
}

// real returns the shape that has the fields and entries.
func (s *shape) real() *shape {
	for s != nil && s.same != nil {
		s = s.same
	}
	return s
}

// field returns the shape of a field, or of a value of a map; nil for unknown.
func (s *shape) field(name string) *shape {
	if s = s.real(); s == nil || s.entries != nil {
		return s.entry()
	}
	for _, f := range s.fields {
		if f.name == name {
			return f.of
		}
	}
	return nil
}

// entry returns the shape of the entries of a list; nil for unknown. Those of a column that
// is repeated have its own.
func (s *shape) entry() *shape {
	if s = s.real(); s == nil || s.entries == nil {
		return s
	}
	return s.entries
}

// mostColumns is how many columns a schema shows.
const mostColumns = 10_000

// columns returns the columns within a shape, whose names have dots. A record that has
// itself within ends there.
func (s *shape) columns(to []Column, above string, within []*shape) []Column {
	within = append(within, s.real())
	for _, f := range s.real().fields {
		if len(to) == mostColumns {
			break
		}
		to = append(to, Column{above + f.name, f.of.typ, f.of.null})
		of := f.of.real()
		for len(of.fields) == 0 && of.entries != nil {
			of = of.entries.real()
		}
		if !slices.Contains(within, of) {
			to = of.columns(to, above+f.name+".", within)
		}
	}
	return to
}

// row returns the fields of a record in their order.
func (s *shape) row(rec map[string]any) Row {
	row := make(Row, len(s.fields))
	for i, f := range s.fields {
		row[i] = Field{f.name, shown(rec[f.name], f.of)}
	}
	return row
}

// shown returns a value as one that a Field may have.
func shown(v any, of *shape) any {
	switch v := v.(type) {
	case time.Time:
		if of = of.real(); of != nil && of.date {
			return v.Format(time.DateOnly)
		}
	case time.Duration:
		if of = of.real(); of != nil && of.span {
			return v.String()
		}
		return time.Time{}.Add(v).Format("15:04:05.999999999")
	case *big.Rat:
		if of = of.real(); of != nil {
			return v.FloatString(of.scale)
		}
		return v.RatString()
	case [16]byte:
		text := hex.EncodeToString(v[:])
		return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
	case []byte:
		if utf8.Valid(v) {
			return string(v)
		}
		return base64.StdEncoding.EncodeToString(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return text(v) // JSON has no number for it
		}
	case float32:
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return text(v)
		}
	case []any:
		for i := range v {
			v[i] = shown(v[i], of.entry())
		}
	case map[string]any:
		for name := range v {
			v[name] = shown(v[name], of.field(name))
		}
	}
	return v
}

var avroFormat = described{
	magic: "Obj\x01",
	scan: func(ctx context.Context, s *Source, yield func(Row) error) error {
		head, schema, err := avroSchema(s)
		if err != nil {
			return err
		}
		again := *s
		again.Text = head
		return scan(ctx, &again, avro.Records[any]{Max: mostBlock}, func(rec any) error {
			if fields, ok := rec.(map[string]any); ok && len(schema.fields) > 0 {
				return yield(schema.row(fields))
			}
			return yield(Row{{"value", shown(rec, schema)}})
		})
	},
	columns: func(_ context.Context, s *Source) ([]Column, error) {
		_, schema, err := avroSchema(s)
		if err != nil {
			return nil, err
		}
		if len(schema.fields) == 0 {
			return []Column{{"value", schema.typ, schema.null}}, nil
		}
		return schema.columns(nil, "", nil), nil
	},
}

// avroSchema reads the header of an object, and returns all of its bytes too.
func avroSchema(s *Source) (io.Reader, *shape, error) {
	var read bytes.Buffer
	info, err := avro.Inspect(s.Object.Name(), io.TeeReader(s.Text, &read))
	if err != nil {
		return nil, nil, err
	}
	schema, err := parseAvro(info.Schema)
	if err != nil {
		return nil, nil, fmt.Errorf("the schema in the header is invalid: %w", err)
	}
	return io.MultiReader(&read, s.Text), schema, nil
}

// scan reads an object as a job reads it.
func scan[T any](ctx context.Context, s *Source, from jobs.Reader[T], yield func(T) error) error {
	var stop error
	to := taker[T]{func(rec T) error { stop = yield(rec); return stop }}
	job := jobs.Define("look", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, from).Write(to)
		return nil
	})
	built, err := job.Build(nil, nil)
	if err != nil {
		return err
	}
	section := pipeline.Section{Section: plan.Section{Object: s.Object, Length: s.Object.Size}, Whole: s.ReadAt == nil, ReadAt: s.ReadAt,
		Open: func(context.Context, int64) (io.ReadCloser, error) { return io.NopCloser(s.Text), nil }}
	err = built.Steps[0].Run(&pipeline.Task{Context: ctx, Name: job.Name(), Log: slog.New(slog.DiscardHandler), Tally: new(plan.Tally), Progress: new(pipeline.Progress),
		Sections: []pipeline.Section{section}, Part: func(int, string) (pipeline.Part, error) { return nowhere{}, nil }})
	if stop != nil {
		return stop
	}
	return err
}

// taker takes records in place of a part.
type taker[T any] struct{ take func(T) error }

func (taker[T]) Ext() string                                    { return "" }
func (t taker[T]) Open(jobs.Part) (jobs.RecordWriter[T], error) { return t, nil }
func (t taker[T]) Write(rec T) error                            { return t.take(rec) }
func (taker[T]) Close() error                                   { return nil }

// nowhere is a part without bytes.
type nowhere struct{}

func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) End(int64) error             { return nil }

// canonicalJSON returns a JSON value as text, with the members of objects in order of their
// names.
func canonicalJSON(raw json.RawMessage) string {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return string(raw)
	}
	return nestedText(v)
}
