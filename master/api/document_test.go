package api_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/api"
	"github.com/windrow-mr/windrow/master/api/apitest"
	"github.com/windrow-mr/windrow/plan"
)

func sha(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

type object = map[string]any

func document(t *testing.T) object {
	t.Helper()
	b, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc object
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// at returns the value at a path in a document.
func at(v any, path ...string) any {
	for _, name := range path {
		m, _ := v.(object)
		v = m[name]
	}
	return v
}

// operations returns the operations of the document: "GET /v1/jobs".
func operations(doc object) map[string]object {
	all := map[string]object{}
	for path, methods := range at(doc, "paths").(object) {
		for method, op := range methods.(object) {
			all[strings.ToUpper(method)+" "+path] = op.(object)
		}
	}
	return all
}

// TestDocumentHasAllOperations verifies that the document and the handler have the
// same operations, and that the handler serves the document.
func TestDocumentHasAllOperations(t *testing.T) {
	t.Parallel()
	doc := document(t)
	documented := slices.Sorted(maps.Keys(operations(doc)))
	if served := api.Operations(); !slices.Equal(documented, served) {
		t.Errorf("documented: %q\nserved: %q", documented, served)
	}
	if got := decode[object](t, request(t, api.Handler(apitest.New(), api.Config{}), http.MethodGet, "/v1/openapi.json", "")); !reflect.DeepEqual(got, doc) {
		t.Error("another document is served")
	}
	ids := map[string]bool{}
	for name, op := range operations(doc) {
		id, _ := op["operationId"].(string)
		if id == "" || ids[id] || op["summary"] == nil || at(op, "responses", "default") == nil {
			t.Errorf("%s has no unique operationId, no summary, or no default response", name)
		}
		ids[id] = true
		for placeholder := range strings.SplitSeq(name, "{") {
			name, _, ok := strings.Cut(placeholder, "}")
			params, _ := op["parameters"].([]any)
			if ok && !slices.ContainsFunc(params, func(p any) bool { return at(p, "name") == name && at(p, "in") == "path" }) {
				t.Errorf("%s does not describe %s", id, name)
			}
		}
	}
}

// TestDocumentHasAllParameters verifies that the handler knows every documented
// parameter of a query, and lists them all when it refuses another one.
func TestDocumentHasAllParameters(t *testing.T) {
	t.Parallel()
	h := api.Handler(populated(), api.Config{})
	for name, op := range operations(document(t)) {
		var documented []string
		params, _ := op["parameters"].([]any)
		for _, p := range params {
			if at(p, "in") == "query" {
				documented = append(documented, at(p, "name").(string))
			}
		}
		method, path, _ := strings.Cut(name, " ")
		if path == "/healthz" || path == "/readyz" || path == "/v1/openapi.json" {
			continue // they accept any parameter
		}
		path = strings.NewReplacer("{sha256}", digest, "{id}", string(apitest.ID(901))).Replace(path)
		e := problem(t, request(t, h, method, path+"?qqqqqqqqqqqqqqqq=1", ""))
		want := "there are " + strings.Join(documented, ", ")
		if len(documented) == 0 {
			want = "there are none"
		}
		if !strings.HasSuffix(e.Text, want) {
			t.Errorf("%s says %q, but the document %q", name, e.Text, want)
		}
	}
}

// TestSchemasAreTheTypes verifies that the schemas have the fields of the types,
// and no others.
func TestSchemasAreTheTypes(t *testing.T) {
	t.Parallel()
	schemas := at(document(t), "components", "schemas").(object)
	types := map[string]reflect.Type{"Health": reflect.TypeOf(struct {
		Status string `json:"status"`
	}{})}
	for _, v := range []any{client.Error{}, client.Problem{}, client.Submission{}, client.Submitted{}, client.Job{}, client.Cause{}, client.Progress{}, plan.LeftOut{}, plan.Trial{}, client.Phase{},
		client.Result{}, client.Requests{}, client.JobsPage{}, client.Counters{}, client.Amount{}, client.Stat{}, client.Task{}, client.TasksPage{}, client.Log{}, client.LogList{},
		client.Worker{}, client.Workers{}, client.Cluster{}, client.Garbage{}, client.GarbageItem{}, client.GarbageSkipped{}, client.CollectGarbage{}, plan.Spec{}, plan.Bundle{}, plan.File{}, plan.Skew{}} {
		types[reflect.TypeOf(v).Name()] = reflect.TypeOf(v)
	}
	if got, want := slices.Sorted(maps.Keys(schemas)), slices.Sorted(maps.Keys(types)); !slices.Equal(got, want) {
		t.Fatalf("schemas %q, types %q", got, want)
	}
	for name, typ := range types {
		properties := at(schemas[name], "properties").(object)
		var required []string
		listed, _ := at(schemas[name], "required").([]any)
		for _, r := range listed {
			required = append(required, r.(string))
		}
		for f := range typ.Fields() {
			field, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if field == "-" {
				continue
			}
			if properties[field] == nil {
				t.Errorf("%s: the schema lacks %s", name, field)
				continue
			}
			if got, want := kindOf(properties[field].(object)), wanted(f.Type); got != want {
				t.Errorf("%s.%s is %s in the schema, but %s in Go", name, field, got, want)
			}
			always := !strings.Contains(options, "omit")
			if always != slices.Contains(required, field) && name != "CollectGarbage" {
				t.Errorf("%s.%s: always there: %v, required: %v", name, field, always, !always)
			}
			delete(properties, field)
		}
		if len(properties) > 0 {
			t.Errorf("%s: only the schema has %v", name, slices.Sorted(maps.Keys(properties)))
		}
	}
}

// kindOf names the type that a schema describes.
func kindOf(s object) string {
	if ref, ok := s["$ref"].(string); ok {
		return ref[strings.LastIndex(ref, "/")+1:]
	}
	switch s["type"] {
	case "array":
		return "[]" + kindOf(s["items"].(object))
	case "object":
		return "map of " + kindOf(s["additionalProperties"].(object))
	case "string":
		if s["format"] == "date-time" {
			return "time"
		}
	}
	return fmt.Sprint(s["type"])
}

// wanted names the type that a schema of a Go type must describe.
func wanted(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "time"
	case t == reflect.TypeFor[[]byte](), t == reflect.TypeFor[plan.Kind]():
		return "string"
	case t.Kind() == reflect.Pointer:
		return wanted(t.Elem())
	case t.Kind() == reflect.Slice:
		return "[]" + wanted(t.Elem())
	case t.Kind() == reflect.Map:
		return "map of " + wanted(t.Elem())
	case t.Kind() == reflect.Struct:
		return t.Name()
	case t.Kind() == reflect.Bool:
		return "boolean"
	case t.Kind() == reflect.Float64:
		return "number"
	case t.Kind() == reflect.String:
		return "string"
	default:
		return "integer"
	}
}

// TestAnswersFitDocument verifies that answers fit the schemas that the document
// has for them, by status.
func TestAnswersFitDocument(t *testing.T) {
	t.Parallel()
	doc := document(t)
	ops := operations(doc)
	b := populated()
	b.Set(&apitest.Job{Job: client.Job{ID: apitest.ID(903), Job: "wordcount", Output: "mem://out", State: client.FailedJob, Phases: []client.Phase{}, Cause: &client.Cause{Kind: plan.Unmet, Text: "expected records >= 1"}}})
	h := api.Handler(b, api.Config{})
	failed := "/v1/jobs/" + string(apitest.ID(903))
	job := "/v1/jobs/" + string(apitest.ID(901))
	other := "/v1/jobs/" + string(apitest.ID(902))
	seen := map[string]bool{}
	for _, c := range []struct{ operation, target, body string }{
		{"GET /v1/jobs", "/v1/jobs", ""}, {"GET /v1/jobs", "/v1/jobs?limit=1", ""}, {"GET /v1/jobs", "/v1/jobs?x=1", ""},
		{"POST /v1/jobs", "/v1/jobs", with(t, map[string]any{"idempotencyKey": "a"})}, {"POST /v1/jobs", "/v1/jobs", with(t, map[string]any{"idempotencyKey": "a"})},
		{"POST /v1/jobs", "/v1/jobs", "{}"},
		{"GET /v1/jobs/{id}", job, ""}, {"GET /v1/jobs/{id}", other, ""}, {"GET /v1/jobs/{id}", "/v1/jobs/x", ""},
		{"GET /v1/jobs/{id}/spec", job + "/spec", ""}, {"GET /v1/jobs/{id}/tasks", job + "/tasks", ""}, {"GET /v1/jobs/{id}/tasks", job + "/tasks?limit=1", ""},
		{"GET /v1/jobs/{id}/tasks", other + "/tasks", ""}, {"GET /v1/jobs/{id}/counters", job + "/counters", ""}, {"GET /v1/jobs/{id}/counters", other + "/counters", ""},
		{"GET /v1/jobs/{id}/logs", job + "/logs", ""}, {"GET /v1/jobs/{id}/logs", other + "/logs", ""},
		{"GET /v1/jobs/{id}/log", job + "/log?task=map/0&attempt=3.1.00000001", ""}, {"GET /v1/jobs/{id}/events", job + "/events", ""},
		{"POST /v1/jobs/{id}/retry", other + "/retry", ""}, {"POST /v1/jobs/{id}/cancel", other + "/cancel", ""}, {"POST /v1/jobs/{id}/cancel", job + "/cancel", ""},
		{"POST /v1/jobs/{id}/publish", failed + "/publish", ""}, {"POST /v1/jobs/{id}/discard", failed + "/discard", ""}, {"POST /v1/jobs/{id}/discard", job + "/discard", ""},
		{"GET /v1/workers", "/v1/workers", ""}, {"POST /v1/workers/{id}/drain", "/v1/workers/w1/drain", ""}, {"GET /v1/workers", "/v1/workers", ""},
		{"GET /v1/cluster", "/v1/cluster", ""}, {"POST /v1/gc", "/v1/gc", `{"dryRun":true}`}, {"POST /v1/gc", "/v1/gc", `{}`}, {"POST /v1/gc", "/v1/gc", `{}`},
		{"PUT /v1/bundles/{sha256}", "/v1/bundles/" + sha("x"), "x"}, {"HEAD /v1/bundles/{sha256}", "/v1/bundles/" + sha("x"), ""}, {"HEAD /v1/bundles/{sha256}", "/v1/bundles/" + digest, ""},
		{"GET /v1/openapi.json", "/v1/openapi.json", ""}, {"GET /healthz", "/healthz", ""}, {"GET /readyz", "/readyz", ""},
	} {
		method, _, _ := strings.Cut(c.operation, " ")
		r := request(t, h, method, c.target, c.body)
		responses := ops[c.operation]["responses"].(object)
		response, ok := responses[fmt.Sprint(r.StatusCode)]
		if !ok {
			response = responses["default"]
		}
		seen[c.operation] = seen[c.operation] || r.StatusCode < 300
		kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
		content, _ := at(response, "content").(object)
		body := r.body
		switch {
		case content == nil && (body == "" || method == http.MethodHead):
		case content[kind] == nil:
			t.Errorf("%s %s: %d with %q of type %q, which is not documented", method, c.target, r.StatusCode, body, kind)
		case kind == "application/json":
			var v any
			if err := json.Unmarshal([]byte(body), &v); err != nil {
				t.Fatal(err)
			}
			for _, wrong := range fits(doc, at(content[kind], "schema").(object), v, "") {
				t.Errorf("%s %s: %d %s", method, c.target, r.StatusCode, wrong)
			}
		}
	}
	for op := range ops {
		if !seen[op] {
			t.Errorf("%s was never answered without an error", op)
		}
	}
}

// TestFits verifies that fits finds values that do not fit a schema.
func TestFits(t *testing.T) {
	t.Parallel()
	doc := document(t)
	good := `{"id":"x","job":"j","output":"o","priority":1,"state":"failed","run":0,"submitted":"2026-05-01T12:00:00Z","phases":[],"workers":0,
		"progress":{"fraction":0.5,"bytes":0,"input":0,"shuffled":0,"retried":0}}`
	for _, change := range [][2]string{{`"x"`, `"x"`}, {`"id":"x",`, ``}, {`"failed"`, `"dead"`}, {`"run":0`, `"run":0.5`}, {`"run":0`, `"run":"0"`}, {`0.5`, `1.5`}, {`0.5`, `null`},
		{`"phases":[]`, `"phases":null`}, {`"phases":[]`, `"phases":[1]`}, {`2026-05-01T12`, `May`}, {`"workers":0`, `"workers":0,"colour":1`}} {
		var v any
		if err := json.Unmarshal([]byte(strings.Replace(good, change[0], change[1], 1)), &v); err != nil {
			t.Fatal(err)
		}
		wrong := fits(doc, object{"$ref": "#/components/schemas/Job"}, v, "")
		if (len(wrong) == 0) != (change[0] == change[1]) {
			t.Errorf("with %s in place of %s: %q", change[1], change[0], wrong)
		}
	}
}

// fits lists the parts of a value that do not fit a schema.
func fits(doc, schema object, v any, where string) []string {
	if ref, ok := schema["$ref"].(string); ok {
		return fits(doc, at(doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...).(object), v, where)
	}
	wrong := func(format string, args ...any) []string {
		return []string{where + ": " + fmt.Sprintf(format, args...)}
	}
	if enum, ok := schema["enum"].([]any); ok && !slices.Contains(enum, v) {
		return wrong("%v is not one of %v", v, enum)
	}
	switch schema["type"] {
	case "string":
		s, ok := v.(string)
		if pattern, has := schema["pattern"].(string); !ok || has && !regexp.MustCompile(pattern).MatchString(s) {
			return wrong("%v is not such a text", v)
		}
		if _, err := time.Parse(time.RFC3339, s); schema["format"] == "date-time" && err != nil {
			return wrong("%v is not a time", v)
		}
	case "integer", "number":
		n, ok := v.(float64)
		least, hasLeast := schema["minimum"].(float64)
		most, hasMost := schema["maximum"].(float64)
		if !ok || schema["type"] == "integer" && n != float64(int64(n)) || hasLeast && n < least || hasMost && n > most {
			return wrong("%v is not such a number", v)
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			return wrong("%v is neither true nor false", v)
		}
	case "array":
		list, ok := v.([]any)
		if !ok {
			return wrong("%v is not a list", v)
		}
		var all []string
		for i := range list {
			all = append(all, fits(doc, schema["items"].(object), list[i], fmt.Sprintf("%s[%d]", where, i))...)
		}
		return all
	case "object":
		return fitsObject(doc, schema, v, where)
	}
	return nil
}

func fitsObject(doc, schema object, v any, where string) (all []string) {
	m, ok := v.(object)
	if !ok {
		return []string{fmt.Sprintf("%s: %v is not an object", where, v)}
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := m[name.(string)]; !ok {
			all = append(all, fmt.Sprintf("%s.%s is missing", where, name))
		}
	}
	properties, _ := schema["properties"].(object)
	for name, inner := range m {
		property, known := properties[name].(object)
		if !known {
			property, known = schema["additionalProperties"].(object)
		}
		switch {
		case known:
			all = append(all, fits(doc, property, inner, where+"."+name)...)
		case schema["additionalProperties"] == false:
			all = append(all, fmt.Sprintf("%s.%s is not documented", where, name))
		}
	}
	return all
}
