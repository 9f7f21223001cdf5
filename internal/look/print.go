package look

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	wcli "github.com/windrow-mr/windrow/internal/cli"
)

// printer prints rows.
type printer interface {
	print(r Row) error
	end() error
}

func newPrinter(format string, to io.Writer) (printer, error) {
	switch format {
	case "table":
		return &columned{lines: &tableLines{to: wcli.Visible(to)}}, nil
	case "json":
		return &jsonPrinter{to: to}, nil
	case "csv":
		return &columned{lines: csvLines{csv.NewWriter(to)}}, nil
	}
	return nil, fmt.Errorf("unknown format %q: there are table, json and csv", format)
}

// text returns a value as text, the same for equal values of all formats.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		if utf8.Valid(v) {
			return string(v)
		}
		return base64.StdEncoding.EncodeToString(v)
	case bool:
		return strconv.FormatBool(v)
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 32)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case json.RawMessage:
		return jsonText(v)
	case fmt.Stringer:
		return v.String()
	case []any, map[string]any:
		return nestedText(v)
	}
	return fmt.Sprint(v)
}

// nestedText returns lists and maps as JSON, with the members of maps in order of their
// names.
func nestedText(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// jsonText returns a JSON value as text: a string without quotes, null as nothing.
func jsonText(raw json.RawMessage) string {
	var s *string
	if json.Unmarshal(raw, &s) == nil {
		if s == nil {
			return ""
		}
		return *s
	}
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return b.String()
}

// isNull reports whether a value is none.
func isNull(v any) bool {
	raw, ok := v.(json.RawMessage)
	return v == nil || ok && string(raw) == "null"
}

// jsonPrinter prints a line for each record.
type jsonPrinter struct {
	to  io.Writer
	buf bytes.Buffer
}

func (p *jsonPrinter) print(r Row) error {
	p.buf.WriteByte('{')
	for i, f := range r {
		if i > 0 {
			p.buf.WriteByte(',')
		}
		if err := p.value(f.Name); err != nil {
			return err
		}
		p.buf.WriteByte(':')
		if err := p.value(f.Value); err != nil {
			return fmt.Errorf("column %q cannot be JSON: %w", f.Name, err)
		}
	}
	p.buf.WriteString("}\n")
	if p.buf.Len() < 64<<10 {
		return nil
	}
	return p.end()
}

func (p *jsonPrinter) value(v any) error {
	if b, ok := v.([]byte); ok && utf8.Valid(b) {
		v = string(b)
	}
	e := json.NewEncoder(&p.buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	p.buf.Truncate(p.buf.Len() - 1) // the line feed
	return nil
}

func (p *jsonPrinter) end() error {
	_, err := p.to.Write(p.buf.Bytes())
	p.buf.Reset()
	return err
}

// sampled is how many records show which columns there are.
const sampled = 100

// columns are the columns of the first records.
type columns struct {
	names []string
	place map[string]int
}

// of returns the columns of rows.
func columnsOf(rows []Row) *columns {
	c := &columns{place: make(map[string]int)}
	for _, r := range rows {
		for _, f := range r {
			if _, ok := c.place[f.Name]; !ok {
				c.place[f.Name] = len(c.names)
				c.names = append(c.names, f.Name)
			}
		}
	}
	return c
}

// line returns the values of a row in order of the columns.
func (c *columns) line(r Row) ([]string, error) {
	line := make([]string, len(c.names))
	for _, f := range r {
		i, ok := c.place[f.Name]
		if !ok {
			return nil, fmt.Errorf("a record has the column %q, which none of the first %d has: print the records with -o json", f.Name, sampled)
		}
		line[i] = text(f.Value)
	}
	return line, nil
}

// columned is a printer of lines of values, in order of the columns of the first records. It
// holds these until their columns are known.
type columned struct {
	held    []Row
	columns *columns
	lines
}

// lines take the values of records.
type lines interface {
	begin(names []string, first [][]string) error // before the first lines, which follow
	line(values []string) error
	finish() error
}

func (p *columned) print(r Row) error {
	if p.columns == nil {
		if p.held = append(p.held, slices.Clone(r)); len(p.held) < sampled {
			return nil
		}
		return p.flush()
	}
	line, err := p.columns.line(r)
	if err != nil {
		return err
	}
	return p.line(line)
}

// flush passes on what is held.
func (p *columned) flush() error {
	p.columns = columnsOf(p.held)
	var first [][]string
	for _, r := range p.held {
		line, err := p.columns.line(r)
		if err != nil {
			return err
		}
		first = append(first, line)
	}
	if p.held = nil; len(first) == 0 {
		return nil
	}
	if err := p.begin(p.columns.names, first); err != nil {
		return err
	}
	for _, line := range first {
		if err := p.line(line); err != nil {
			return err
		}
	}
	return nil
}

func (p *columned) end() error {
	if p.columns == nil {
		if err := p.flush(); err != nil {
			return err
		}
	}
	return p.finish()
}

// csvLines are a header and a line for each record.
type csvLines struct{ out *csv.Writer }

func (p csvLines) begin(names []string, _ [][]string) error { return p.out.Write(names) }

func (p csvLines) line(values []string) error { return p.out.Write(values) }

func (p csvLines) finish() error {
	p.out.Flush()
	return p.out.Error()
}

// widest is the width of the widest column of a table, in characters.
const widest = 60

// tableLines are columns below each other. The first records decide about their widths;
// longer values are cut.
type tableLines struct {
	to     io.Writer
	widths []int
	buf    bytes.Buffer
}

// oneLine keeps a value in its line.
var oneLine = strings.NewReplacer("\n", `\n`, "\t", `\t`)

func (p *tableLines) begin(names []string, first [][]string) error {
	p.widths = make([]int, len(names))
	if len(names) == 1 && names[0] == "line" {
		p.widths[0] = math.MaxInt // text is shown as it is
		return nil
	}
	for _, line := range append([][]string{names}, first...) {
		for i, cell := range line {
			p.widths[i] = min(max(p.widths[i], utf8.RuneCountInString(oneLine.Replace(cell)), 1), widest)
		}
	}
	return p.line(names)
}

// line prints a line of cells.
func (p *tableLines) line(cells []string) error {
	for i, cell := range cells {
		cell = oneLine.Replace(cell)
		n := utf8.RuneCountInString(cell)
		if n > p.widths[i] {
			cell, n = string([]rune(cell)[:p.widths[i]-1])+"…", p.widths[i]
		}
		p.buf.WriteString(cell)
		if i < len(cells)-1 {
			p.buf.WriteString(strings.Repeat(" ", p.widths[i]-n+2))
		}
	}
	p.buf.WriteByte('\n')
	if p.buf.Len() < 64<<10 {
		return nil
	}
	return p.finish()
}

func (p *tableLines) finish() error {
	_, err := p.to.Write(p.buf.Bytes())
	p.buf.Reset()
	return err
}
