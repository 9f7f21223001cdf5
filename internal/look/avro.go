package look

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// parseAvro returns the shape of values of a schema.
func parseAvro(text string) (*shape, error) {
	p := &avroParser{named: map[string]*shape{}}
	return p.parse(json.RawMessage(text), "", 0)
}

// avroParser resolves names of types.
type avroParser struct{ named map[string]*shape }

// mostDeep bounds how deep types are nested.
const mostDeep = 200

var errDeep = errors.New("its types are nested too deep")

func (p *avroParser) parse(raw json.RawMessage, space string, depth int) (*shape, error) {
	raw = bytes.TrimSpace(raw)
	switch {
	case depth > mostDeep:
		return nil, errDeep
	case len(raw) == 0:
		return nil, errors.New("a type is missing")
	case raw[0] == '[':
		return p.union(raw, space, depth)
	case raw[0] != '{':
		var name string
		if err := json.Unmarshal(raw, &name); err != nil {
			return nil, err
		}
		for _, known := range []string{fullName(name, space), name} {
			if t := p.named[known]; t != nil {
				return t, nil
			}
		}
		return &shape{typ: name}, nil
	}
	var o struct {
		Type      json.RawMessage `json:"type"`
		Name      string          `json:"name"`
		Namespace string          `json:"namespace"`
		Logical   string          `json:"logicalType"`
		Precision int             `json:"precision"`
		Scale     int             `json:"scale"`
		Items     json.RawMessage `json:"items"`
		Values    json.RawMessage `json:"values"`
		Fields    []struct {
			Name string          `json:"name"`
			Type json.RawMessage `json:"type"`
		} `json:"fields"`
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	if o.Namespace != "" {
		space = o.Namespace
	}
	if i := strings.LastIndexByte(o.Name, '.'); i >= 0 {
		space = o.Name[:i]
	}
	var kind string
	if json.Unmarshal(o.Type, &kind) != nil {
		return p.parse(o.Type, space, depth+1)
	}
	t := &shape{typ: kind}
	if o.Name != "" {
		p.named[fullName(o.Name, space)] = t
	}
	var err error
	switch kind {
	case "array":
		t.entries, err = p.parse(o.Items, space, depth+1)
	case "map":
		t.entries, err = p.parse(o.Values, space, depth+1)
	case "record", "error":
		for _, f := range o.Fields {
			of, err := p.parse(f.Type, space, depth+1)
			if err != nil {
				return nil, err
			}
			t.fields = append(t.fields, member{f.Name, of})
		}
	}
	if err != nil {
		return nil, err
	}
	switch {
	case t.entries != nil:
		t.typ = fmt.Sprintf("%s of %s", kind, t.entries.typ)
	case o.Logical == "decimal":
		t.typ, t.scale = fmt.Sprintf("%s decimal(%d, %d)", kind, o.Precision, o.Scale), max(o.Scale, 0)
	case o.Logical != "":
		t.typ = kind + " " + o.Logical
	}
	t.date = o.Logical == "date"
	return t, nil
}

func fullName(name, space string) string {
	if space == "" || strings.Contains(name, ".") {
		return name
	}
	return space + "." + name
}

// union returns the type of a union. One of null and a type is the type.
func (p *avroParser) union(raw json.RawMessage, space string, depth int) (*shape, error) {
	var branches []json.RawMessage
	if err := json.Unmarshal(raw, &branches); err != nil {
		return nil, err
	}
	var others []*shape
	null := false
	for _, b := range branches {
		t, err := p.parse(b, space, depth+1)
		if err != nil {
			return nil, err
		}
		if t.typ == "null" {
			null = true
		} else {
			others = append(others, t)
		}
	}
	if len(others) == 1 {
		// A record that is not complete yet may be in a union in itself.
		return &shape{typ: others[0].typ, null: null, same: others[0]}, nil
	}
	var names []string
	for _, t := range others {
		names = append(names, t.typ)
	}
	return &shape{typ: strings.Join(names, " or "), null: null}, nil
}
