package look

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Field is a value of a record: nil, a bool, a number, a string, []byte, json.RawMessage
// for JSON, time.Time, or a list or a map of them.
type Field struct {
	Name  string
	Value any
}

// Row is a record, with its fields in their order.
type Row []Field

// Rows are the records of an object. Read returns io.EOF after the last one. A row is
// valid until the next call.
type Rows interface {
	Read() (Row, error)
	Close() error
}

// maxLine is the length of the longest line or record, in bytes.
const maxLine = 64 << 20

// lineScanner reads lines.
type lineScanner struct {
	*bufio.Scanner
	first bool
}

func newLines(r io.Reader) *lineScanner {
	s := &lineScanner{bufio.NewScanner(r), true}
	s.Buffer(make([]byte, 64<<10), maxLine)
	return s
}

// next returns the next line without its end.
func (s *lineScanner) next() ([]byte, error) {
	if !s.Scan() {
		switch err := s.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			return nil, fmt.Errorf("a line is longer than %d bytes: is it text? Name the format with --format", maxLine)
		case err != nil:
			return nil, err
		}
		return nil, io.EOF
	}
	line := s.Bytes()
	if s.first {
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		s.first = false
	}
	return line, nil
}

// lineRows are lines.
type lineRows struct{ *lineScanner }

func openLines(s *Source) (Rows, error) { return lineRows{newLines(s.Text)}, nil }

func (r lineRows) Read() (Row, error) {
	line, err := r.next()
	if err != nil {
		return nil, err
	}
	return Row{{"line", string(line)}}, nil
}

func (lineRows) Close() error { return nil }

// tableRows are records of fields under names.
type tableRows struct {
	next  func() ([]string, error)
	names []string
}

// openTSV reads lines of fields with tabs between them, without quotes, as TSV is
// written by jobs.
func openTSV(s *Source) (Rows, error) {
	in := newLines(s.Text)
	r := &tableRows{next: func() ([]string, error) {
		line, err := in.next()
		if err != nil {
			return nil, err
		}
		return strings.Split(string(line), "\t"), nil
	}}
	return r, r.readNames(s.Header)
}

func openCSV(s *Source) (Rows, error) {
	text := bufio.NewReader(s.Text)
	if mark, err := text.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		_, _ = text.Discard(len(mark)) // they are buffered
	}
	in := csv.NewReader(text)
	in.FieldsPerRecord = -1
	r := &tableRows{next: in.Read}
	return r, r.readNames(!s.NoHeader)
}

// readNames reads a header.
func (r *tableRows) readNames(header bool) (err error) {
	if !header {
		return nil
	}
	if r.names, err = r.next(); errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (r *tableRows) Read() (Row, error) {
	fields, err := r.next()
	if err != nil {
		return nil, err
	}
	row := make(Row, len(fields))
	for i, f := range fields {
		name := strconv.Itoa(i + 1)
		if i < len(r.names) {
			name = r.names[i]
		}
		if row[i].Name = name; f != "" { // an empty field is null
			row[i].Value = f
		}
	}
	return row, nil
}

func (*tableRows) Close() error { return nil }

// jsonRows are JSON Lines.
type jsonRows struct {
	in   *lineScanner
	line int
}

func openJSON(s *Source) (Rows, error) { return &jsonRows{in: newLines(s.Text)}, nil }

func (r *jsonRows) Read() (Row, error) {
	for {
		line, err := r.in.next()
		if err != nil {
			return nil, err
		}
		r.line++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		row, err := object2row(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", r.line, err)
		}
		return row, nil
	}
}

func (*jsonRows) Close() error { return nil }

// object2row returns the members of a JSON object. Another value is one field.
func object2row(line []byte) (Row, error) {
	if !json.Valid(line) {
		var v any
		err := json.Unmarshal(line, &v)
		if line[0] == '[' {
			return nil, fmt.Errorf("%w: an array over several lines is no JSON Lines; write each record on a line of its own, as jq -c '.[]' does", err)
		}
		return nil, err
	}
	if line[0] != '{' {
		return Row{{"value", json.RawMessage(bytes.Clone(line))}}, nil
	}
	d := json.NewDecoder(bytes.NewReader(line))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	var row Row
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		row = append(row, Field{fmt.Sprint(name), raw})
	}
	return row, nil
}
