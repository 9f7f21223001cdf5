package look

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// Column is a column: as the object says, or as its first records have it.
type Column struct {
	Name string
	Type string
	Null bool // a record may lack it
}

// schema returns the columns of the first object that has any.
func (d *data) schema(ctx context.Context, urls []string) ([]Column, error) {
	objects, err := d.find(ctx, urls)
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		var columns []Column
		if err := d.with(ctx, o, func(f *format, s *Source) (err error) {
			if f.described != nil {
				columns, err = f.described.columns(ctx, s)
				return err
			}
			var of inferred
			if err := f.scan(ctx, s, of.add); err != nil && !errors.Is(err, errEnough) {
				return err
			}
			columns = of.columns()
			return nil
		}); err != nil {
			return nil, named(o, err)
		}
		if len(columns) > 0 {
			return columns, nil
		}
	}
	return nil, nil
}

// inferred are the columns of records.
type inferred struct {
	rows  int
	names []string
	seen  map[string]*seen
}

type seen struct {
	types map[string]bool
	rows  int // that have a value
}

func (s *inferred) add(r Row) error {
	if s.rows == sampled {
		return errEnough
	}
	s.rows++
	if s.seen == nil {
		s.seen = make(map[string]*seen)
	}
	for _, f := range r {
		c := s.seen[f.Name]
		if c == nil {
			c = &seen{types: make(map[string]bool)}
			s.seen[f.Name] = c
			s.names = append(s.names, f.Name)
		}
		if t := typeOf(f.Value); t != "" {
			c.types[t] = true
			c.rows++
		}
	}
	return nil
}

func (s *inferred) columns() []Column {
	var all []Column
	for _, name := range s.names {
		c := s.seen[name]
		all = append(all, Column{name, c.typ(), c.rows < s.rows})
	}
	return all
}

// typ returns the narrowest type of all values.
func (c *seen) typ() string {
	if len(c.types) == 2 && c.types["integer"] && c.types["number"] {
		return "number"
	}
	if len(c.types) == 2 && c.types["date"] && c.types["time"] {
		return "time"
	}
	for t := range c.types {
		if len(c.types) == 1 {
			return t
		}
	}
	return "string"
}

// typeOf returns the type of a value; "" for none. Text that looks like a number or a
// time is one.
func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case json.RawMessage:
		switch v[0] {
		case '{':
			return "object"
		case '[':
			return "list"
		case '"':
			if t := typeOf(jsonText(v)); t == "time" || t == "date" {
				return t
			}
			return "string"
		}
		return typeOf(jsonText(v))
	case string:
		return typeOfText(v)
	}
	return "string"
}

func typeOfText(s string) string {
	if s == "" {
		return ""
	}
	if _, err := strconv.ParseInt(s, 10, 64); err == nil {
		return "integer"
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return "number"
	}
	if s == "true" || s == "false" {
		return "boolean"
	}
	if _, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return "time"
	}
	if _, err := time.Parse(time.DateOnly, s); err == nil {
		return "date"
	}
	return "string"
}
