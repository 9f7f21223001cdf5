package plan

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// An Expectation is a condition on what a job has made, such as "records >= 1000". It is
// judged when all tasks are done and before the output is published.
type Expectation struct {
	text    string
	measure string  // one of measures
	name    string  // in parentheses: of an output or a counter
	share   bool    // the bounds are shares, of records
	low     float64 // the least value that is expected; -Inf for none
	high    float64 // the greatest; +Inf for none
}

// Measures of expectations.
const (
	measureRecords = "records"
	measureCount   = "count"
	measureBad     = "bad"
	measureChange  = "change"
)

// ParseExpectation reads an expectation as users write it:
//
//	records >= 1000         the job makes so many records of output
//	records = 1000..2000    from 1000 to 2000
//	records(daily) >= 1     of the output of that name
//	count(late) <= 10       a counter of the job's functions
//	bad <= 1%               records that were left out, of those that were read
//	change <= 20%           the number of records, against that of the last commit
func ParseExpectation(text string) (Expectation, error) {
	m := expectationForm.FindStringSubmatch(text)
	if m == nil {
		return Expectation{}, unreadable(text, "it is no condition")
	}
	e := Expectation{text: strings.Join(strings.Fields(text), " "), measure: m[1], name: strings.TrimSpace(m[3]), low: math.Inf(-1), high: math.Inf(1)}
	switch named := m[2] != ""; {
	case e.measure == measureCount && e.name == "", named && e.name == "":
		return Expectation{}, unreadable(text, e.measure+"() needs a name")
	case e.name != "" && (e.measure == measureBad || e.measure == measureChange):
		return Expectation{}, unreadable(text, e.measure+" has no name in parentheses")
	}
	if err := e.bound(m[4], strings.TrimSpace(m[5])); err != nil {
		return Expectation{}, unreadable(text, err.Error())
	}
	return e, nil
}

// expectationForm matches an expectation. A counter's name can have any character: the last
// parenthesis before an operator ends it.
var expectationForm = regexp.MustCompile(`^\s*(records|count|bad|change)\s*(\((.*)\))?\s*(>=|<=|=)([^=<>]*)$`)

//go:noinline
func unreadable(text, why string) error {
	return fmt.Errorf("expectation %q: %s; write records >= N, records(OUTPUT) <= N, records = N..M, count(COUNTER) <= N, bad <= N, bad <= P%% or change <= P%%", text, why)
}

// bound sets the bounds from the right side of an expectation.
func (e *Expectation) bound(op, value string) error {
	from, to, isRange := strings.Cut(value, "..")
	if isRange && op != "=" {
		return fmt.Errorf("the range %s must follow =", value)
	}
	if !isRange {
		to = from
	}
	var bounds [2]float64
	for i, v := range []string{from, to} {
		digits, share := strings.CutSuffix(strings.TrimSpace(v), "%")
		n, err := strconv.ParseInt(digits, 10, 64)
		bounds[i] = float64(n)
		if share {
			bounds[i], err = strconv.ParseFloat(digits, 64)
			bounds[i] /= 100
		}
		if err != nil || !(bounds[i] >= 0) || bounds[i] > 1<<53 {
			return fmt.Errorf("%q is neither a number from 0 to 2^53 nor a share such as 10%%", v)
		}
		if i == 1 && share != e.share {
			return fmt.Errorf("the ends of %s are a number and a share", value)
		}
		e.share = share
	}
	switch {
	case bounds[0] > bounds[1]:
		return fmt.Errorf("the range %s has no value", value)
	case e.measure == measureChange && (op != "<=" || !e.share):
		return fmt.Errorf("change takes the greatest share: change <= 10%%")
	case e.share && e.measure != measureChange && e.measure != measureBad:
		return fmt.Errorf("%s takes a number, not a share", e.measure)
	}
	if op != "<=" {
		e.low = bounds[0]
	}
	if op != ">=" {
		e.high = bounds[1]
	}
	return nil
}

// String returns the text that was read, with single blanks.
func (e Expectation) String() string { return e.text }

// Output returns the output that the expectation names, "" for none.
func (e Expectation) Output() string {
	if e.measure == measureRecords {
		return e.name
	}
	return ""
}

// Outcome is what expectations are judged by.
type Outcome struct {
	Parts []Part // of the committed attempts
	Tally *Tally
	// Earlier is how many records the job made whose commit is the last one of the
	// output; negative where there is none.
	Earlier int64
}

// Judge returns how the outcome differs from the expectation, "" if it does not.
func (e Expectation) Judge(o Outcome) string {
	var n float64
	var found string
	switch e.measure {
	case measureRecords:
		records := o.records(e.name)
		n, found = float64(records), fmt.Sprintf("there are %d", records)
	case measureCount:
		n, found = float64(o.Tally.Counts[e.name]), fmt.Sprintf("it is %d", o.Tally.Counts[e.name])
	case measureBad:
		n, found = float64(o.Tally.Bad), fmt.Sprintf("there are %d, of %d", o.Tally.Bad, o.Tally.RecordsIn)
		if e.share {
			n /= math.Max(1, float64(o.Tally.RecordsIn))
		}
	case measureChange:
		now := o.records("")
		if o.Earlier < 0 {
			return "" // there is nothing to compare with
		}
		n = math.Abs(float64(now) - float64(o.Earlier))
		found = fmt.Sprintf("there are %d records, and the last commit has %d", now, o.Earlier)
		if n > 0 {
			n /= float64(o.Earlier) // a change from nothing is greater than any share
		}
	}
	if n >= e.low && n <= e.high {
		return ""
	}
	return fmt.Sprintf("%s: %s", e.text, found)
}

// records returns how many records the data of an output has, of all for "".
func (o Outcome) records(output string) int64 {
	var n int64
	for i := range o.Parts {
		p := &o.Parts[i]
		if !p.IsQuarantine() && (output == "" || strings.HasPrefix(p.Name, output+"/")) {
			n += p.Records
		}
	}
	return n
}

// Expectations are those of a job, and of its submission.
type Expectations []Expectation

// ParseExpectations reads expectations. It leaves out those that occur before.
func ParseExpectations(texts []string) (Expectations, error) {
	var all Expectations
	for _, text := range texts {
		e, err := ParseExpectation(text)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(all, func(known Expectation) bool { return known.text == e.text }) {
			all = append(all, e)
		}
	}
	return all, nil
}

// Names returns an error if an expectation names an output that a job does not have.
func (all Expectations) Names(outputs []string) error {
	for _, e := range all {
		name := e.Output()
		switch {
		case name == "" || slices.Contains(outputs, name):
		case len(outputs) == 0 || len(outputs) == 1 && outputs[0] == "":
			return fmt.Errorf("expectation %q: the job has one output, which has no name: write records without (%s)", e, name)
		default:
			return fmt.Errorf("expectation %q: the job has no output %s; it has %s", e, name, strings.Join(outputs, ", "))
		}
	}
	return nil
}

// Judge returns an *UnmetError unless all expectations are met.
func (all Expectations) Judge(o Outcome) error {
	var unmet []string
	for _, e := range all {
		if text := e.Judge(o); text != "" {
			unmet = append(unmet, text)
		}
	}
	if len(unmet) == 0 {
		return nil
	}
	return &UnmetError{unmet}
}

// UnmetError says which expectations an outcome does not meet. Another attempt has the
// same outcome.
type UnmetError struct{ Unmet []string }

// Error returns the expectations, each with what was found.
func (e *UnmetError) Error() string { return "expected " + strings.Join(e.Unmet, "; ") }

// FailureKind returns Unmet.
func (e *UnmetError) FailureKind() Kind { return Unmet }

// declaration begins a line of a pipeline's text that has an expectation.
const declaration = "expect "

// Declare returns the line of a pipeline's text that has an expectation.
func Declare(text string) string { return declaration + strconv.Quote(text) + "\n" }

// Declared returns the expectations in a pipeline's text. They are in its head, before
// the first operation, whose line begins with its number.
func Declared(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if line[0] >= '0' && line[0] <= '9' {
			break
		}
		if quoted, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), declaration); ok {
			if e, err := strconv.Unquote(quoted); err == nil {
				all = append(all, e)
			}
		}
	}
	return all
}

// AllExpected returns the expectations in a pipeline's text, and more, each once.
func AllExpected(text string, more []string) []string {
	var all []string
	for _, e := range slices.Concat(Declared(text), more) {
		if !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all
}
