package fault

import (
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/nearest"
)

// Parse reads a plan in the language of the package comment. An error names the
// wrong word, its place, and the valid ones.
func Parse(text string) (Plan, error) {
	rules, err := scan(text)
	if err != nil {
		return nil, err
	}
	var p Plan
	for _, tokens := range rules {
		r, err := parseRule(tokens)
		if err != nil {
			return nil, err
		}
		p = append(p, r)
	}
	return p, nil
}

// token is a word of a plan.
type token struct {
	text string
	at   int    // character, counted from 1
	plan string // which it is part of
}

// wrong makes the error of a token: its place, then what is wrong with it.
func (t token) wrong(format string, args ...any) error {
	return fmt.Errorf("character %d of %q: %s", t.at, t.plan, fmt.Sprintf(format, args...))
}

// scan splits a plan into rules of words.
func scan(text string) ([][]token, error) {
	var rules [][]token
	var rule []token
	var now strings.Builder
	began, quote, escaped := 0, false, false
	end := func() {
		if now.Len() > 0 {
			rule = append(rule, token{now.String(), began, text})
			now.Reset()
		}
	}
	at := 0
	for _, c := range text + "," {
		at++
		switch {
		case quote:
			now.WriteRune(c)
			quote = c != '"' || escaped
			escaped = c == '\\' && !escaped
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			end()
		case c == ',':
			end()
			if rule == nil {
				return nil, token{"", at, text}.wrong("a rule is missing: write FAULT:WHEN, such as 503:10%%; the faults are %s", list(names(false)))
			}
			rules = append(rules, rule)
			rule = nil
		default:
			if now.Len() == 0 {
				began = at
			}
			now.WriteRune(c)
			quote = c == '"'
		}
	}
	if quote {
		return nil, token{"", began, text}.wrong("a quotation mark has no partner")
	}
	return rules, nil
}

// list joins words for a sentence.
//
//go:noinline
func list(words []string) string { return strings.Join(words, ", ") }

// parseRule reads the words of one rule.
func parseRule(tokens []token) (Rule, error) {
	first := tokens[0]
	name, when, ok := strings.Cut(first.text, ":")
	w, known := named(name)
	if !known {
		return Rule{}, first.wrong("there is no fault %q%s; there are %s", name, meant(name, names(false)), list(names(false)))
	}
	r := Rule{Do: w.do, Kind: w.kind, After: -1, For: w.lasting()}
	if w.params&paramAfter == 0 {
		r.After = 0
	}
	if w.do == Limit {
		r.Rate = defaultRate
	}
	if !ok || !r.parseWhen(when) {
		return Rule{}, first.wrong("%q does not say which requests: write %s:10%%, or %s:#1-2 for tries of each request, or %s:@100-120 for requests in order of arrival",
			first.text, name, name, name)
	}
	for _, t := range tokens[1:] {
		if err := r.parseWord(&w, t); err != nil {
			return Rule{}, err
		}
	}
	if r.Burst > 1 && r.Percent == 0 {
		return Rule{}, first.wrong("burst= needs a percentage; %q names the requests itself", first.text)
	}
	return r, nil
}

// meant suggests the name that the user probably meant.
func meant(name string, known []string) string {
	if near := nearest.Name(name, known); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}

var (
	percentForm = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?%$`)
	rangeForm   = regexp.MustCompile(`^[#@]([0-9]{1,9})(-([0-9]{1,9})?)?$`)
	sizeForm    = regexp.MustCompile(`^([0-9]{1,9})(B|KiB|MiB|GiB)$`)
)

// parseWhen reads which calls are struck.
func (r *Rule) parseWhen(text string) bool {
	if percentForm.MatchString(text) {
		share, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
		r.Percent = share
		return err == nil && share > 0 && share <= 100
	}
	m := rangeForm.FindStringSubmatch(text)
	if m == nil {
		return false
	}
	r.Tries = text[0] == '#'
	first, err := strconv.Atoi(m[1])
	if err != nil || first < 1 {
		return false
	}
	last := first
	if m[2] != "" {
		last = math.MaxInt
	}
	if m[3] != "" {
		if last, err = strconv.Atoi(m[3]); err != nil || last < first {
			return false
		}
	}
	r.Nth, r.Times = first, last-first+1
	if last == math.MaxInt {
		r.Times = -1
	}
	return true
}

// parseWord reads an operation or a parameter.
func (r *Rule) parseWord(w *word, t token) error {
	name, value, isParam := strings.Cut(t.text, "=")
	if !isParam {
		return r.parseOp(w, t)
	}
	known := w.parameters()
	if !slices.Contains(known, name+"=") {
		return t.wrong("%s takes no %q; it takes an operation and %s", w.name, name+"=", list(known))
	}
	var ok bool
	var form string
	switch name {
	case "key":
		r.Key, ok = parseKey(value)
		form = "a pattern such as **/part-*"
	case "as":
		return r.parseAs(t, value)
	case "burst":
		n, err := strconv.Atoi(value)
		r.Burst, ok = n, err == nil && n >= 1 && n <= maxBurst
		form = fmt.Sprintf("a number from 1 to %d", maxBurst)
	case "after":
		r.After, ok = parseSize(value)
		form = "a size such as 64KiB"
	case "for":
		d, err := time.ParseDuration(value)
		r.For, ok = d, err == nil && d >= 0 && (d > 0 || w.do == Stall)
		form = "a duration such as 200ms"
	default:
		size, perSecond := strings.CutSuffix(value, "/s")
		r.Rate, ok = parseSize(size)
		ok = ok && perSecond && r.Rate > 0
		form = "a rate such as 1MiB/s"
	}
	if !ok {
		return t.wrong("%q: %s= takes %s", t.text, name, form)
	}
	return nil
}

// maxBurst bounds how many earlier tries every call looks back upon.
const maxBurst = 1000

// parameters lists the parameters of a fault.
func (w *word) parameters() []string {
	all := []string{"key=", "burst="}
	for _, p := range []struct {
		param parameter
		name  string
	}{{paramAs, "as="}, {paramAfter, "after="}, {paramFor, "for="}, {paramRate, "rate="}} {
		if w.params&p.param != 0 {
			all = append(all, p.name)
		}
	}
	return all
}

// parseOp reads an operation.
func (r *Rule) parseOp(w *word, t token) error {
	ops := w.ops
	if ops == nil {
		ops = allOps
	}
	known := make([]string, len(ops))
	for i, op := range ops {
		known[i] = string(op)
	}
	switch {
	case r.Op != "":
		return t.wrong("%q is a second operation beside %s: write a rule for each", t.text, r.Op)
	case slices.Contains(ops, Op(t.text)):
		r.Op = Op(t.text)
		return nil
	case slices.Contains(allOps, Op(t.text)):
		return t.wrong("%s does not happen to %s, only to %s", w.name, t.text, list(known))
	default:
		return t.wrong("%q is no operation; %s happens to %s, and takes %s", t.text, w.name, list(known), list(w.parameters()))
	}
}

// parseAs reads the error that replaces a lost answer.
func (r *Rule) parseAs(t token, value string) error {
	as, ok := named(value)
	if !ok || as.do != Fail || as.kind == plan.NotFound {
		return t.wrong("%q: as= takes one of %s", t.text, list(names(true)))
	}
	r.Kind = as.kind
	if r.Kind == plan.Unavailable {
		r.Kind = plan.Unknown // which stands for Unavailable
	}
	return nil
}

// parseKey reads a pattern, quoted or not.
func parseKey(value string) (string, bool) {
	if strings.HasPrefix(value, `"`) {
		pattern, err := strconv.Unquote(value)
		return pattern, err == nil && pattern != "" && wellFormed(pattern)
	}
	return value, value != "" && !strings.Contains(value, `"`) && wellFormed(value)
}

// wellFormed reports whether store.Match can read a pattern. Other patterns
// match nothing.
func wellFormed(pattern string) bool {
	for segment := range strings.SplitSeq(pattern, "/") {
		if _, err := path.Match(segment, ""); err != nil {
			return false
		}
	}
	return true
}

// parseSize reads a size with its unit.
func parseSize(value string) (int64, bool) {
	m := sizeForm.FindStringSubmatch(value)
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	for _, u := range units {
		if u.name == m[2] {
			n *= u.bytes
		}
	}
	return n, err == nil
}
