package schedule

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/windrow-mr/windrow/plan/nearest"
)

// Bounds of templates. A schedule of a user is resolved by the master.
const (
	longestTemplate = 4 << 10 // bytes
	longestText     = 4 << 10 // bytes, of what a template becomes
	mostTexts       = 10_000  // that a template becomes
)

// urlTemplate is a text with values of the interval. Text/template executes it. Only
// actions, if and with are allowed, and only functions that return short texts, so that
// time and memory are bounded by the length of the template.
type urlTemplate struct {
	text *template.Template
	// unit is the finest one of the functions that list the parts of the interval. 0:
	// the template has none, and becomes one text.
	unit unit
}

// unit is a part of time.
type unit int

const (
	monthUnit unit = iota + 1
	dayUnit
	hourUnit
)

var units = map[string]unit{"months": monthUnit, "days": dayUnit, "hours": hourUnit}

// values are the fields of templates.
type values struct {
	Name                string // of the schedule
	Nominal, Start, End Moment
}

var valueNames = []string{"Name", "Nominal", "Start", "End"}

// Moment is an instant in a template, in the time zone of the schedule. Printed, it is
// as in RFC 3339.
type Moment struct{ at time.Time }

// String writes the instant as in RFC 3339.
func (m Moment) String() string { return m.at.Format(time.RFC3339) }

// Format writes the instant by a layout of package time, such as "2006/01/02".
func (m Moment) Format(layout string) (string, error) {
	if len(layout) > 200 {
		return "", fmt.Errorf("a layout of %d bytes: it has at most 200", len(layout))
	}
	return m.at.Format(layout), nil
}

// UTC returns the instant in UTC.
func (m Moment) UTC() Moment { return Moment{m.at.UTC()} }

// AddDate returns the instant that is so many years, months and days later.
func (m Moment) AddDate(years, months, days int) Moment {
	const most = 100_000
	clamp := func(n int) int { return min(max(n, -most), most) }
	return Moment{m.at.AddDate(clamp(years), clamp(months), clamp(days))}
}

// Unix returns the seconds since the Unix epoch.
func (m Moment) Unix() int64 { return m.at.Unix() }

// functions returns the functions of templates for an interval. part points to the part
// of the interval that is being written.
func functions(i *Interval, part *time.Time, l *time.Location) template.FuncMap {
	format := func(at time.Time, layout string) func() string {
		return func() string { return at.In(l).Format(layout) }
	}
	const day, dense, moment, denseMoment = "2006-01-02", "20060102", time.RFC3339, "20060102T150405"
	all := template.FuncMap{
		"ds": format(i.Nominal, day), "ds_nodash": format(i.Nominal, dense), "ts": format(i.Nominal, moment), "ts_nodash": format(i.Nominal, denseMoment),
		"next_ds": format(i.End, day), "next_ds_nodash": format(i.End, dense),
	}
	for name := range units {
		all[name] = func(layout string) (string, error) { return Moment{part.In(l)}.Format(layout) }
	}
	return all
}

// builtins are the functions of text/template that are allowed.
var builtins = []string{"eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not"}

// parseTemplate reads a template.
func parseTemplate(text string) (*urlTemplate, error) {
	if len(text) > longestTemplate {
		return nil, fmt.Errorf("the template has %d bytes, of at most %d", len(text), longestTemplate)
	}
	known := functions(new(Interval), new(time.Time), time.UTC)
	parsed, err := template.New("").Option("missingkey=error").Funcs(known).Parse(text)
	if err != nil {
		return nil, templateError(text, err, slices.Sorted(maps.Keys(known)))
	}
	t := &urlTemplate{text: parsed}
	if len(parsed.Templates()) > 1 {
		return nil, fmt.Errorf("%q defines a template: write values and if only", text)
	}
	if parsed.Tree == nil {
		return t, nil // an empty text
	}
	if err := t.check(parsed.Root, known); err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	return t, nil
}

// templateError says what is wrong with a template, without the name and the line that
// text/template adds.
func templateError(text string, err error, known []string) error {
	said := strings.TrimPrefix(err.Error(), "template: :1: ")
	if quoted, ok := strings.CutPrefix(said, "function "); ok {
		name := strings.Trim(strings.TrimSuffix(quoted, " not defined"), `"`)
		if near := nearest.Name(name, known); near != "" {
			return fmt.Errorf("%q has no value %q; did you mean %q?", text, name, near)
		}
		return fmt.Errorf("%q has no value %q: there are %s, and fields such as .Start", text, name, strings.Join(known, ", "))
	}
	return fmt.Errorf("%q is not a template: %s", text, said)
}

// check allows only nodes and functions whose time and memory are bounded.
func (t *urlTemplate) check(node parse.Node, known template.FuncMap) error {
	var children []parse.Node
	branch := func(b *parse.BranchNode) {
		children = append(children, b.Pipe, b.List)
		if b.ElseList != nil {
			children = append(children, b.ElseList)
		}
	}
	switch n := node.(type) {
	case *parse.ListNode:
		children = n.Nodes
	case *parse.ActionNode:
		children = []parse.Node{n.Pipe}
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			children = append(children, c)
		}
	case *parse.CommandNode:
		children = n.Args
	case *parse.ChainNode:
		children = []parse.Node{n.Node}
	case *parse.IdentifierNode:
		t.unit = max(t.unit, units[n.Ident])
		if known[n.Ident] == nil && !slices.Contains(builtins, n.Ident) {
			return fmt.Errorf("the function %s is not allowed", n.Ident)
		}
	case *parse.FieldNode:
		if !slices.Contains(valueNames, n.Ident[0]) {
			if near := nearest.Name(n.Ident[0], valueNames); near != "" {
				return fmt.Errorf("there is no field .%s; did you mean .%s?", n.Ident[0], near)
			}
			return fmt.Errorf("there is no field .%s: there are .%s", n.Ident[0], strings.Join(valueNames, ", ."))
		}
	case *parse.TextNode, *parse.StringNode, *parse.NumberNode, *parse.BoolNode, *parse.DotNode, *parse.VariableNode, *parse.CommentNode, *parse.NilNode:
	default:
		return fmt.Errorf("%s is not allowed: write values and if only", node)
	}
	for _, child := range children {
		if err := t.check(child, known); err != nil {
			return err
		}
	}
	return nil
}

// errLong ends a text that is too long.
var errLong = errors.New("it becomes longer than 4 KiB")

// bounded is a text of bounded length.
type bounded struct{ strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > longestText {
		return 0, errLong
	}
	return b.Builder.Write(p)
}

// resolve returns the texts that the template becomes, in order and without repetition:
// one, or one for each part of the interval.
func (t *urlTemplate) resolve(name string, i *Interval, l *time.Location) ([]string, error) {
	part := i.Start
	execute, err := t.bind(name, i, &part, l)
	if err != nil {
		return nil, err
	}
	if t.unit == 0 {
		text, err := execute()
		return []string{text}, err
	}
	var all []string
	seen := map[string]bool{}
	for ; part.Before(i.End); part = t.unit.after(part, l) {
		text, err := execute()
		if err != nil {
			return nil, err
		}
		if !seen[text] {
			seen[text], all = true, append(all, text)
		}
		if len(all) > mostTexts {
			return nil, fmt.Errorf("the interval has more than %d parts: use days or months, or a pattern", mostTexts)
		}
	}
	return all, nil
}

// bind returns a function that executes the template for an interval, and for the part
// that a pointer names at the time.
func (t *urlTemplate) bind(name string, i *Interval, part *time.Time, l *time.Location) (func() (string, error), error) {
	if t.text.Tree == nil {
		return func() (string, error) { return "", nil }, nil
	}
	// Functions belong to a clone, so that goroutines can share the template.
	text, err := t.text.Clone()
	if err != nil {
		return nil, fmt.Errorf("the template cannot be copied: %w", err)
	}
	text.Funcs(functions(i, part, l))
	v := values{name, Moment{i.Nominal.In(l)}, Moment{i.Start.In(l)}, Moment{i.End.In(l)}}
	return func() (string, error) {
		var b bounded
		err := text.Execute(&b, v)
		switch {
		case errors.Is(err, errLong):
			return "", errLong
		case err != nil:
			_, said, _ := strings.Cut(err.Error(), "executing \"\" at ")
			return "", fmt.Errorf("at %s", said)
		}
		return b.String(), nil
	}, nil
}

// after returns the first instant of the next part of time: when the clock shows the
// next whole hour, or another day or month. Of an hour that is shown twice, both begin.
func (u unit) after(at time.Time, l *time.Location) time.Time {
	at = at.In(l)
	year, month, day := at.Date()
	switch u {
	case monthUnit:
		return time.Unix(zone{l}.first(civil(dayOf(year, month+1, 1)*daySeconds)), 0)
	case dayUnit:
		return time.Unix(zone{l}.first(civil(dayOf(year, month, day+1)*daySeconds)), 0)
	default:
		p := zone{l}.at(at.Unix())
		_, second := divide(at.Unix()+p.offset, 3600)
		return time.Unix(min(at.Unix()-second+3600, p.end), 0)
	}
}
