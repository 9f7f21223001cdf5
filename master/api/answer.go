package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/nearest"
)

// handle returns a handler that answers with the error that serve returns. If serve
// has begun to answer, it returns nil.
func (s *server) handle(serve func(*server, http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := serve(s, w, r); err != nil {
			s.refuse(w, r, err)
		}
	})
}

// refuse answers with an error.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*client.Error](err)
	switch {
	case ok:
	case r.Context().Err() != nil && errors.Is(err, context.Canceled):
		return // the client no longer listens
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e = client.Errorf(plan.Unavailable, "the master could not answer in time: try again")
	default:
		e = client.Errorf(plan.Failed, "%v", err)
	}
	if e.Kind == plan.Failed {
		s.cfg.Log.Error("a request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	status := e.Status
	if status < 400 {
		status = client.HTTPStatus(e.Kind)
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	write(w, status, client.Problem{Error: e})
}

// write answers with a document.
func write(w http.ResponseWriter, status int, document any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(document); err != nil { // a document without JSON: a number such as NaN
		status = http.StatusInternalServerError
		b.Reset()
		fmt.Fprintf(&b, `{"error":{"kind":"failed","text":%q}}`+"\n", "the answer cannot be encoded: "+err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a client that no longer listens needs no error
}

// read decodes the document of a request: JSON of limited size, without unknown
// fields.
func read(w http.ResponseWriter, r *http.Request, limit int64, document any) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return &client.Error{Status: http.StatusUnsupportedMediaType, Kind: plan.Invalid, Text: "the body must be JSON, with Content-Type: application/json"}
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	d.DisallowUnknownFields()
	if err := d.Decode(document); err != nil {
		return mistake(err, document)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return client.Errorf(plan.Invalid, "the body holds more than one JSON document")
	}
	return nil
}

// mistake returns a readable error for an error of a decoder.
func mistake(err error, document any) error {
	if big, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &client.Error{Status: http.StatusRequestEntityTooLarge, Kind: plan.Invalid, Text: fmt.Sprintf("the body has more than %d bytes", big.Limit)}
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		where := kind.Field
		if where == "" {
			where = "the body"
		}
		return client.Errorf(plan.Invalid, "%s cannot be a JSON %s", clipped(where), clipped(kind.Value))
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name = strings.Trim(name, `"`)
		names := fields(reflect.TypeOf(document).Elem())
		if near := nearest.Name(name, names); near != "" {
			return client.Errorf(plan.Invalid, "unknown field %q: did you mean %q?", clipped(name), near)
		}
		return client.Errorf(plan.Invalid, "unknown field %q: there are %s", clipped(name), strings.Join(names, ", "))
	}
	if errors.Is(err, io.EOF) {
		return client.Errorf(plan.Invalid, "the body is empty; it must be a JSON document")
	}
	return client.Errorf(plan.Invalid, "the body is not JSON: %s", clipped(err.Error()))
}

// fields returns the JSON names of a struct's fields, including those of the
// structs in it.
func fields(t reflect.Type) []string {
	var names []string
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		names = append(names, name)
		for _, inner := range fields(f.Type) {
			if !slices.Contains(names, inner) {
				names = append(names, inner)
			}
		}
	}
	return names
}

// query is the query of a request. Every parameter must be known.
type query struct {
	values url.Values
	err    error
}

func queryOf(r *http.Request, known ...string) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.fail("the query cannot be read: %s", clipped(err.Error()))
		return q
	}
	for name, given := range values {
		if len(given) > 1 {
			q.fail("parameter %s is given %d times", clipped(name), len(given))
		}
		if slices.Contains(known, name) {
			continue
		}
		if near := nearest.Name(name, known); near != "" {
			q.fail("unknown parameter %q: did you mean %q?", clipped(name), near)
		} else if len(known) == 0 {
			q.fail("unknown parameter %q: there are none", clipped(name))
		} else {
			q.fail("unknown parameter %q: there are %s", clipped(name), strings.Join(known, ", "))
		}
	}
	return q
}

func (q *query) fail(format string, args ...any) {
	if q.err == nil {
		q.err = client.Errorf(plan.Invalid, format, args...)
	}
}

// number returns a parameter between 1 and most, or unset if it is not given.
func (q *query) number(name string, unset, most int) int {
	text := q.values.Get(name)
	if text == "" {
		return unset
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		q.fail("%s=%s is not a number from 1 to %d", name, clipped(text), most)
		return unset
	}
	return n
}

// truth returns a parameter that is true or false.
func (q *query) truth(name string) bool {
	text := q.values.Get(name)
	if text != "" && text != "true" && text != "false" {
		q.fail("%s=%s is neither true nor false", name, clipped(text))
	}
	return text == "true"
}

// choice returns a parameter that is one of a few words, or empty.
func choice[T ~string](q *query, name string, of []T) T {
	text := T(q.values.Get(name))
	if text == "" || slices.Contains(of, text) {
		return text
	}
	words := make([]string, len(of))
	for i, w := range of {
		words[i] = string(w)
	}
	if near := nearest.Name(string(text), words); near != "" {
		q.fail("%s=%s: did you mean %s?", name, clipped(string(text)), near)
	} else {
		q.fail("%s=%s is not one of %s", name, clipped(string(text)), strings.Join(words, ", "))
	}
	return ""
}

// task returns a parameter that is a task's id; the zero TaskID for none.
func (q *query) task(name string) plan.TaskID {
	text := q.values.Get(name)
	if text == "" {
		return plan.TaskID{}
	}
	id, err := plan.ParseTaskID(text)
	if err != nil {
		q.fail("%s=%s is not a task such as map/17", name, clipped(text))
	}
	return id
}

// jobID returns the id of the job that a path names.
func jobID(r *http.Request) (plan.JobID, error) {
	id := plan.JobID(r.PathValue("id"))
	if !id.Valid() {
		return "", client.Errorf(plan.Invalid, "%q is not the id of a job, which has 26 letters and digits", clipped(string(id)))
	}
	return id, nil
}
