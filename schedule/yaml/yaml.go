// Package yaml reads schedules from YAML, for the commands of windrow. A file has one
// schedule, or several as documents separated by lines of three hyphens.
//
// A mistake names its line and column, and nothing of a file with a mistake is returned:
// an unknown field, a value of another type, everything that schedule.New refuses, and
// mistakes that schedules of a file make together. Errors are of the kind plan.Invalid.
// The library is that of the YAML organisation, which is maintained and gives each node
// with its position; only programs that import this package have it.
//
// It is part of the engine, and may change between minor versions.
package yaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/schedule"
)

// Bounds of a file. Its text comes from a user.
const (
	largestFile   = 1 << 20 // bytes
	mostDocuments = 1000
)

// Mistake is an error at a place of a file.
type Mistake struct {
	Line, Column int // from 1 on
	Text         string
}

// Error is the error of a file: all mistakes that were found.
type Error struct {
	File     string
	Mistakes []Mistake
}

// Error returns a line for each mistake, which begins with its place.
func (e *Error) Error() string {
	lines := make([]string, len(e.Mistakes))
	for i, m := range e.Mistakes {
		lines[i] = fmt.Sprintf("%s:%d:%d: %s", e.File, m.Line, m.Column, m.Text)
	}
	return strings.Join(lines, "\n")
}

// FailureKind returns plan.Invalid.
func (e *Error) FailureKind() plan.Kind { return plan.Invalid }

// Document is a schedule of a file, with the places of its fields.
type Document struct {
	*schedule.Schedule
	places map[string]place
}

type place struct{ line, column int }

// Place returns the line and the column of a field, or of what is around it.
func (d *Document) Place(field string) (line, column int) {
	p := find(d.places, field)
	return p.line, p.column
}

// find returns the place of a field, or of the field around it.
func find(places map[string]place, field string) place {
	for {
		if p, ok := places[field]; ok {
			return p
		}
		at := strings.LastIndexAny(field, ".[")
		if at < 0 {
			return places[""]
		}
		field = field[:at]
	}
}

// Read reads all schedules of a file. name is the name of the file, for errors.
func Read(name string, text []byte) ([]*Document, error) {
	failed := &Error{File: name}
	if len(text) > largestFile {
		failed.Mistakes = []Mistake{{1, 1, fmt.Sprintf("the file has more than %d bytes", largestFile)}}
		return nil, failed
	}
	var all []*Document
	var schedules []*schedule.Schedule
	parsed := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var node yaml.Node
		err := parsed.Decode(&node)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			failed.Mistakes = append(failed.Mistakes, syntax(err))
			break // the rest cannot be read
		}
		if len(node.Content) == 0 || node.Content[0].Tag == "!!null" {
			continue // an empty document
		}
		if len(all) == mostDocuments {
			failed.Mistakes = append(failed.Mistakes, Mistake{node.Line, node.Column, fmt.Sprintf("the file has more than %d schedules", mostDocuments)})
			break
		}
		d, mistakes := read(node.Content[0])
		failed.Mistakes = append(failed.Mistakes, mistakes...)
		if len(mistakes) == 0 {
			all, schedules = append(all, d), append(schedules, d.Schedule)
		}
	}
	if len(failed.Mistakes) == 0 {
		for _, c := range schedule.Conflicts(schedules) {
			line, column := all[c.Schedule].Place(c.Field)
			failed.Mistakes = append(failed.Mistakes, Mistake{line, column, c.Field + ": " + c.Text})
		}
	}
	if len(failed.Mistakes) == 0 && len(all) == 0 {
		failed.Mistakes = []Mistake{{1, 1, "the file has no schedule"}}
	}
	if len(failed.Mistakes) > 0 {
		return nil, failed
	}
	return all, nil
}

// syntax returns the mistake of a text that is not YAML.
func syntax(err error) Mistake {
	said := strings.TrimPrefix(err.Error(), "yaml: ")
	var line int
	if n, _ := fmt.Sscanf(said, "line %d:", &line); n == 1 {
		_, said, _ = strings.Cut(said, ": ")
	}
	return Mistake{max(line, 1), 1, "it is not YAML: " + said}
}

// read reads a document.
func read(node *yaml.Node) (*Document, []Mistake) {
	r := reader{places: map[string]place{}}
	var spec schedule.Spec
	r.value(node, "", &spec)
	if len(r.mistakes) > 0 {
		return nil, r.mistakes
	}
	s, err := schedule.New(spec)
	if e, ok := errors.AsType[*schedule.Error](err); ok {
		for _, p := range e.Problems {
			at := find(r.places, p.Field)
			r.mistakes = append(r.mistakes, Mistake{at.line, at.column, p.Field + ": " + p.Text})
		}
		return nil, r.mistakes
	}
	return &Document{s, r.places}, nil
}
