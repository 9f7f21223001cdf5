package schedule

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Run is what a schedule submits for an interval.
type Run struct {
	Interval
	Input   []string
	Output  string
	Params  map[string]string
	Success []string // objects that must exist first
}

// parseTemplates reads all templates.
func (s *Schedule) parseTemplates(c *checker) {
	list := func(field string, texts []string) (all []*urlTemplate) {
		for i, text := range texts {
			t, err := parseTemplate(text)
			c.add(fmt.Sprintf("%s[%d]", field, i), err)
			if strings.TrimSpace(text) == "" {
				c.addf(fmt.Sprintf("%s[%d]", field, i), "the URL is empty")
			}
			all = append(all, t)
		}
		return all
	}
	single := func(field, text string) *urlTemplate {
		t, err := parseTemplate(text)
		c.add(field, err)
		if err == nil && t.unit > 0 {
			c.addf(field, "%q would be several: months, days and hours are for input", text)
		}
		return t
	}
	s.input, s.success = list("input", s.spec.Input), list("ready.success", s.spec.Ready.Success)
	if s.spec.Output == "" {
		c.addf("output", "no output is named")
	}
	s.output = single("output", s.spec.Output)
	s.params = map[string]*urlTemplate{}
	for _, name := range slices.Sorted(maps.Keys(s.spec.Job.Params)) {
		s.params[name] = single("job.params."+name, s.spec.Job.Params[name])
	}
}

// Resolve returns the run of an interval. In Input, Output, Ready.Success and the
// parameters it replaces {{ds}}, {{ts}} (the nominal time), {{next_ds}} (its end), those
// with _nodash, and .Nominal, .Start, .End and .Name. In Input and Ready.Success,
// {{months LAYOUT}}, {{days LAYOUT}} and {{hours LAYOUT}} make a URL for each part of the
// interval; if a URL has several of them, one for each of the finest. All in the zone of
// the schedule. The error is an *Error.
func (s *Schedule) Resolve(i Interval) (*Run, error) {
	c := new(checker)
	list := func(field string, templates []*urlTemplate) (all []string) {
		for n, t := range templates {
			texts, err := t.resolve(s.spec.Name, &i, s.zone)
			c.add(fmt.Sprintf("%s[%d]", field, n), err)
			all = append(all, texts...)
		}
		if len(all) > mostTexts {
			c.addf(field, "the interval becomes more than %d URLs: use days or months, or a pattern", mostTexts)
		}
		return all
	}
	single := func(field string, t *urlTemplate) string {
		texts, err := t.resolve(s.spec.Name, &i, s.zone)
		c.add(field, err)
		return strings.Join(texts, "")
	}
	empty := func(field, text string) {
		if strings.TrimSpace(text) == "" {
			c.addf(field, "it becomes empty for the interval that begins at %s", i.Nominal.Format(time.RFC3339))
		}
	}
	r := &Run{Interval: i, Input: list("input", s.input), Success: list("ready.success", s.success), Output: single("output", s.output)}
	for n, text := range r.Input {
		empty(fmt.Sprintf("input[%d]", n), text)
	}
	if len(c.problems) == 0 {
		empty("output", r.Output)
	}
	if len(s.params) > 0 {
		r.Params = map[string]string{}
	}
	for _, name := range slices.Sorted(maps.Keys(s.params)) {
		r.Params[name] = single("job.params."+name, s.params[name])
	}
	if len(c.problems) > 0 {
		return nil, &Error{c.problems}
	}
	return r, nil
}

// tried is how many intervals of a new schedule are resolved, to find mistakes that
// depend on the interval.
const tried = 60

// sample returns the first intervals of a schedule, from its start or from 2024 on.
func (s *Schedule) sample(n int) (all []Interval) {
	at := time.Unix(1704067200, 0)
	if !s.spec.Start.IsZero() {
		at = s.spec.Start
	}
	for range n {
		i, ok := s.Next(at)
		if !ok {
			break
		}
		all, at = append(all, i), i.End
	}
	return all
}

// try resolves some intervals.
func (s *Schedule) try(c *checker) {
	outputs := map[string]Interval{}
	sample := s.sample(tried)
	if len(sample) == 0 {
		c.addf("cron", "no interval lies between start and end")
	}
	for _, i := range sample {
		r, err := s.Resolve(i)
		if err != nil {
			c.problems = append(c.problems, err.(*Error).Problems...) //nolint:errorlint,forcetypeassert // Resolve returns no other
			return
		}
		before, twice := outputs[r.Output]
		outputs[r.Output] = i
		if !twice || s.spec.OnExists != "" && s.spec.OnExists != failExists {
			continue
		}
		if !strings.Contains(s.spec.Output, "{{") {
			c.addf("output", "it is the same for all intervals, so the second run would find the output of the first: add {{ds}} or {{ts}}, or set onExists to replace or append")
		} else {
			c.addf("output", "the intervals that begin at %s and %s both have the output %s: name it by {{ts}}, or set onExists to replace or append", before.Nominal.Format(time.RFC3339), i.Nominal.Format(time.RFC3339), r.Output)
		}
		return
	}
}
