package look

import (
	"bytes"
	"context"
	"io"
	"strings"

	"github.com/windrow-mr/windrow/jobs/formats/arrow"
)

var arrowFormat = described{
	magic: "ARROW1",
	scan: func(ctx context.Context, s *Source, yield func(Row) error) error {
		of, again, err := arrowSchema(ctx, s)
		if err != nil {
			return err
		}
		return scan(ctx, again, arrow.Records[map[string]any]{Max: mostBlock}, func(rec map[string]any) error { return yield(of.row(rec)) })
	},
	columns: func(ctx context.Context, s *Source) ([]Column, error) {
		of, _, err := arrowSchema(ctx, s)
		if err != nil {
			return nil, err
		}
		return of.columns(nil, "", nil), nil
	},
}

// arrowSchema reads the schema of an object, and returns a source of all of it too.
func arrowSchema(ctx context.Context, s *Source) (of *shape, again *Source, err error) {
	var read bytes.Buffer
	first, rest := *s, *s
	first.Text = io.TeeReader(s.Text, &read)
	rest.Text = io.MultiReader(&read, s.Text)
	var columns []arrow.Column
	err = scan(ctx, &first, arrow.Schema{}, func(c arrow.Column) error {
		columns = append(columns, c)
		return nil
	})
	return arrowShape(columns), &rest, err
}

// arrowShape returns the shape of columns of Arrow.
func arrowShape(columns []arrow.Column) *shape {
	s := new(shape)
	for _, c := range columns {
		of := arrowShape(c.Columns)
		kind, _, _ := strings.Cut(c.Type, "[")
		of.typ, of.null = c.Type, c.Nullable
		of.date, of.span = strings.HasPrefix(kind, "date"), kind == "duration"
		switch {
		case strings.HasPrefix(kind, "run_end_encoded") && len(of.fields) == 2: // it shows as its values do
			values := of.fields[1].of
			of.date, of.span, of.entries, of.fields = values.date, values.span, values.entries, values.fields
		case strings.Contains(kind, "list") && len(of.fields) == 1:
			of.entries, of.fields = of.fields[0].of, nil
		case strings.HasPrefix(kind, "map") && len(of.fields) == 1 && len(of.fields[0].of.fields) == 2:
			entry := of.fields[0].of
			if of.entries, of.fields = entry, nil; strings.Contains(entry.fields[0].of.typ, "utf8") {
				of.entries = entry.fields[1].of
			}
		}
		s.fields = append(s.fields, member{c.Name, of})
	}
	return s
}
