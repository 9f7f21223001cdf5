package drive

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/nearest"
	"github.com/windrow-mr/windrow/store/driver"
)

// Form is the form of the value of a parameter.
type Form int

// The forms of values.
const (
	Text     Form = iota // any text
	Switch               // true or false
	Number               // a whole number, not negative
	Endpoint             // the URL of a service, without credentials and query
)

// Parameter is a parameter of the URLs of a driver.
type Parameter struct {
	Name  string
	Form  Form
	OneOf []string // the values of a Text that are allowed, in any case; nil for all
	Begin string   // of every value of a Text
}

// CheckQuery refuses a query with a parameter that is unknown, repeated, or of the
// wrong form. No text contains a value, or an unknown name that is not close to a
// known one: either may be a secret that was put in the wrong place.
func CheckQuery(query url.Values, known ...Parameter) error {
	names := make([]string, len(known))
	for i, p := range known {
		names[i] = p.Name
	}
	slices.Sort(names)
	for name, values := range query {
		i := slices.IndexFunc(known, func(p Parameter) bool { return p.Name == name })
		if i < 0 {
			if near := nearest.Name(name, names); near != "" {
				return driver.Fail(plan.Invalid, "the URL has the unknown parameter %q: did you mean %q?", name, near)
			}
			return driver.Fail(plan.Invalid, "the URL has an unknown parameter: known are %s", strings.Join(names, ", "))
		}
		if len(values) != 1 {
			return driver.Fail(plan.Invalid, "the URL has the parameter %s %d times: give it once", name, len(values))
		}
		if err := known[i].check(values[0]); err != nil {
			return err
		}
	}
	return nil
}

// check refuses a value of the wrong form.
func (p *Parameter) check(value string) error {
	switch p.Form {
	case Switch:
		if _, err := strconv.ParseBool(value); err != nil {
			return driver.Fail(plan.Invalid, "the parameter %s of the URL must be true or false", p.Name)
		}
	case Number:
		if _, err := strconv.ParseUint(value, 10, 31); err != nil {
			return driver.Fail(plan.Invalid, "the parameter %s of the URL must be a whole number", p.Name)
		}
	case Endpoint:
		u, err := url.Parse(value)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return driver.Fail(plan.Invalid, "the parameter %s of the URL must be a URL such as https://HOST:PORT", p.Name)
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return driver.Fail(plan.Invalid, "the parameter %s of the URL must not hold credentials or a query: give credentials by environment or profile", p.Name)
		}
	case Text:
		if p.OneOf != nil && !slices.ContainsFunc(p.OneOf, func(one string) bool { return strings.EqualFold(one, value) }) {
			return driver.Fail(plan.Invalid, "the parameter %s of the URL must be one of %s", p.Name, strings.Join(p.OneOf, ", "))
		}
		if !strings.HasPrefix(value, p.Begin) {
			return driver.Fail(plan.Invalid, "the parameter %s of the URL must begin with %s", p.Name, p.Begin)
		}
	}
	return nil
}

// leastHidden is the length from which on a value is hidden. Shorter ones are words
// such as "true", which texts have anyway.
const leastHidden = 5

// Hide returns an error with the text of err, in which the values of a query are
// hidden: libraries quote the URL that they were given.
func Hide(err error, query url.Values) error {
	text := err.Error()
	for _, values := range query {
		for _, v := range values {
			if len(v) < leastHidden {
				continue
			}
			text = strings.ReplaceAll(text, v, "…")
			text = strings.ReplaceAll(text, url.QueryEscape(v), "…")
		}
	}
	return errors.New(text)
}
