package schedule

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Change is a field that differs between two specifications. A value is JSON; "" is a
// field that is not set.
type Change struct {
	Field string `json:"field"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

// Diff lists the fields that differ, in alphabetical order.
func Diff(before, after Spec) ([]Change, error) {
	old, err := flat(before)
	if err != nil {
		return nil, err
	}
	now, err := flat(after)
	if err != nil {
		return nil, err
	}
	names := maps.Clone(old)
	maps.Copy(names, now)
	var all []Change
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if old[name] != now[name] {
			all = append(all, Change{name, old[name], now[name]})
		}
	}
	return all, nil
}

// flat returns the fields of a specification that are set, as JSON, by their paths.
func flat(s Spec) (map[string]string, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("schedule %s: %w", s.Name, err)
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("schedule %s: %w", s.Name, err)
	}
	all := map[string]string{}
	flatten(all, "", fields)
	return all, nil
}

func flatten(all map[string]string, prefix string, fields map[string]json.RawMessage) {
	for name, value := range fields {
		inner := map[string]json.RawMessage{}
		if json.Unmarshal(value, &inner) == nil {
			flatten(all, prefix+name+".", inner)
			continue
		}
		all[prefix+name] = string(value)
	}
}
