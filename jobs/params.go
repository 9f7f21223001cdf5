package jobs

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/windrow-mr/windrow/plan/nearest"
)

// Param describes one parameter of a job.
type Param struct {
	Name     string // kebab-case, as in --param name=value
	Type     string // the texts that it takes: "text", "whole number", "duration such as 30m"…
	Help     string
	Required bool
	Default  string // text of the default, "" when Required
	Switch   bool   // a truth value: on a command line its name alone means true
}

// paramSet is the analysis of a parameter struct. It is made once, when the job
// is defined.
type paramSet struct {
	list   []Param
	fields []paramField // beside list
}

type paramField struct {
	index []int
	typ   reflect.Type
}

// paramsOf lists the parameters of the struct v, whose values are defaults.
func paramsOf(v reflect.Value) (*paramSet, error) {
	if v.Kind() != reflect.Struct {
		return nil, fmt.Errorf("parameters must be a struct, not %s; use struct{}{} for none", v.Type())
	}
	set := &paramSet{}
	for _, f := range reflect.VisibleFields(v.Type()) {
		if f.Anonymous || !f.IsExported() {
			continue
		}
		name := f.Tag.Get("name")
		if name == "" {
			name = kebab(f.Name)
		}
		if err := checkName("parameter", name); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(set.list, func(p Param) bool { return p.Name == name }) {
			return nil, fmt.Errorf("two parameters are called %s", name)
		}
		value, err := v.FieldByIndexErr(f.Index)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: embedded pointers cannot hold parameters", name)
		}
		p := Param{Name: name, Type: wanted(f.Type), Help: f.Tag.Get("help"), Required: f.Tag.Get("required") == "true",
			Switch: f.Type.Kind() == reflect.Bool && wanted(f.Type) == truthValue}
		if !p.Required {
			if p.Default, err = paramText(value); err != nil {
				return nil, fmt.Errorf("parameter %s: %w", name, err)
			}
		}
		set.list = append(set.list, p)
		set.fields = append(set.fields, paramField{f.Index, f.Type})
	}
	return set, nil
}

// fill sets the fields of v from texts and returns all parameters as canonical
// JSON. It reports all errors together.
func (s *paramSet) fill(v reflect.Value, texts map[string]string) (string, error) {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if !slices.ContainsFunc(s.list, func(p Param) bool { return p.Name == name }) {
			errs = append(errs, s.unknown(name))
		}
	}
	if len(errs) > 0 {
		return "", errors.Join(errs...) // a required one is probably the misspelt one
	}
	canonical := make(map[string]string, len(s.list))
	for i, p := range s.list {
		field := v.FieldByIndex(s.fields[i].index)
		text, given := texts[p.Name]
		switch {
		case given:
			// A fresh value: decoding into the default would write through its
			// slices, maps and pointers, which all runs share.
			field.SetZero()
			if err := setParam(field, text); err != nil {
				if err = fmt.Errorf(": %w", err); errors.Is(err, errForm) {
					err = errForm
				}
				errs = append(errs, fmt.Errorf("parameter %s: %q is not a %s%w", p.Name, text, p.Type, err))
				continue
			}
		case p.Required:
			errs = append(errs, fmt.Errorf("parameter %s is required: give it as --param %s=…", p.Name, p.Name))
			continue
		}
		text, err := paramText(field)
		if err != nil {
			errs = append(errs, fmt.Errorf("parameter %s: %w", p.Name, err))
		}
		canonical[p.Name] = text
	}
	if len(errs) > 0 {
		return "", errors.Join(errs...)
	}
	b, err := json.Marshal(canonical) // sorts by name
	return string(b), err
}

// ParamTexts returns the texts of a job's parameters from their struct v, by
// name, as Options of package windrow take them. A nil pointer is a parameter
// that is not given; all others are given.
func ParamTexts(v any) (map[string]string, error) {
	value := reflect.ValueOf(v)
	if value.Kind() != reflect.Struct {
		return nil, fmt.Errorf("parameters must be a struct, not %T", v)
	}
	addressable := reflect.New(value.Type()).Elem()
	addressable.Set(value)
	set, err := paramsOf(addressable)
	if err != nil {
		return nil, err
	}
	texts := make(map[string]string, len(set.list))
	for i, p := range set.list {
		field := addressable.FieldByIndex(set.fields[i].index)
		if field.Kind() == reflect.Pointer && field.IsNil() {
			continue
		}
		if texts[p.Name], err = paramText(field); err != nil {
			return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
		}
	}
	return texts, nil
}

// unknown returns the error for a name that is no parameter's.
func (s *paramSet) unknown(name string) error {
	if len(s.list) == 0 {
		return fmt.Errorf("unknown parameter %s: the job has none", name)
	}
	names := make([]string, len(s.list))
	for i, p := range s.list {
		names[i] = p.Name
	}
	if near := nearest.Name(name, names); near != "" {
		return fmt.Errorf("unknown parameter %s: did you mean %s?", name, near)
	}
	return fmt.Errorf("unknown parameter %s: the job has %s", name, strings.Join(names, ", "))
}

// errForm says only that a text does not have the form of its type.
var errForm = errors.New("")

// setParam sets field from text.
func setParam(field reflect.Value, text string) error {
	if u, ok := unmarshaler(field); ok {
		return u.UnmarshalText([]byte(text))
	}
	var err error
	switch {
	case field.Type() == reflect.TypeFor[time.Duration]():
		var d time.Duration
		d, err = time.ParseDuration(text)
		field.SetInt(int64(d))
	case field.Kind() == reflect.String:
		field.SetString(text)
	case field.Kind() == reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(text)
		field.SetBool(b)
	case field.CanInt():
		var n int64
		n, err = strconv.ParseInt(text, 10, field.Type().Bits())
		field.SetInt(n)
	case field.CanUint():
		var n uint64
		n, err = strconv.ParseUint(text, 10, field.Type().Bits())
		field.SetUint(n)
	case field.CanFloat():
		var f float64
		f, err = strconv.ParseFloat(text, field.Type().Bits())
		field.SetFloat(f)
	default:
		return json.Unmarshal([]byte(text), field.Addr().Interface())
	}
	if num, ok := errors.AsType[*strconv.NumError](err); ok {
		if errors.Is(num.Err, strconv.ErrSyntax) {
			return errForm
		}
		return num.Err // without the name of a Go function and the text again
	}
	return err
}

// unmarshaler returns the field's own UnmarshalText. It allocates the value of
// a nil pointer.
func unmarshaler(field reflect.Value) (encoding.TextUnmarshaler, bool) {
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](field.Addr()); ok {
		return u, true
	}
	if field.Kind() != reflect.Pointer || !field.Type().Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return nil, false
	}
	field.Set(reflect.New(field.Type().Elem()))
	u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](field)
	return u, ok
}

// paramText is the inverse of setParam.
func paramText(field reflect.Value) (string, error) {
	if field.Kind() == reflect.Pointer && field.IsNil() {
		return "", nil
	}
	if m, ok := reflect.TypeAssert[encoding.TextMarshaler](field.Addr()); ok {
		b, err := m.MarshalText()
		return string(b), err
	}
	if m, ok := reflect.TypeAssert[encoding.TextMarshaler](field); ok {
		b, err := m.MarshalText()
		return string(b), err
	}
	if d, ok := reflect.TypeAssert[time.Duration](field); ok {
		return d.String(), nil
	}
	if field.Kind() == reflect.String {
		return field.String(), nil
	}
	b, err := json.Marshal(field.Interface())
	return string(b), err
}

// truthValue is the type of a boolean parameter.
const truthValue = "truth value (true or false)"

// wanted describes in words the texts that a parameter of type t takes.
func wanted(t reflect.Type) string {
	text := reflect.TypeFor[encoding.TextUnmarshaler]()
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "duration such as 90s or 30m"
	case t.Implements(text) || reflect.PointerTo(t).Implements(text):
		return strings.TrimPrefix(t.String(), "*")
	}
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return truthValue
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "whole number from 0"
	case reflect.Float32, reflect.Float64:
		return "number"
	}
	return "JSON value for " + t.String()
}

// kebab turns a field's name into a parameter's: MaxLineBytes to
// max-line-bytes, ID to id, HTTPPort to http-port.
func kebab(name string) string {
	runes := []rune(name)
	var b strings.Builder
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 {
			afterLower := !unicode.IsUpper(runes[i-1])
			beforeLower := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if afterLower || beforeLower {
				b.WriteByte('-')
			}
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.ReplaceAll(b.String(), "_", "-")
}
