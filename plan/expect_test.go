package plan_test

import (
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// TestExpectations judges outcomes by each form of expectation, at both sides of its bounds.
func TestExpectations(t *testing.T) {
	t.Parallel()
	part := func(name string, records int64) plan.Part { return plan.Part{Name: name, Records: records} }
	for text, tt := range map[string]struct {
		outcome plan.Outcome
		unmet   string // "" if it is met
	}{
		"records >= 3":                {plan.Outcome{Parts: []plan.Part{part("part-r-0", 2), part("part-r-1", 1)}}, ""},
		"records>=4":                  {plan.Outcome{Parts: []plan.Part{part("part-r-0", 2), part("part-r-1", 1)}}, "records>=4: there are 3"},
		"records <= 3":                {plan.Outcome{Parts: []plan.Part{part("part-r-0", 3)}}, ""},
		"records <= 2":                {plan.Outcome{Parts: []plan.Part{part("part-r-0", 3)}}, "there are 3"},
		"records = 0":                 {plan.Outcome{Parts: []plan.Part{part("_quarantine/part-m-0", 3)}}, ""},
		"records = 1..3":              {plan.Outcome{Parts: []plan.Part{part("part-r-0", 3)}}, ""},
		" records = 4 .. 5 ":          {plan.Outcome{Parts: []plan.Part{part("part-r-0", 3)}}, "records = 4 .. 5: there are 3"},
		"records(daily) = 2":          {plan.Outcome{Parts: []plan.Part{part("daily/part-r-0", 2), part("daily-2/part-r-0", 5)}}, ""},
		"records( daily ) <= 1":       {plan.Outcome{Parts: []plan.Part{part("daily/part-r-0", 2)}}, "there are 2"},
		"count(late) <= 10":           {plan.Outcome{Tally: &plan.Tally{Counts: map[string]int64{"late": 10}}}, ""},
		"count(late) <= 9":            {plan.Outcome{Tally: &plan.Tally{Counts: map[string]int64{"late": 10}}}, "it is 10"},
		"count(a (b) >= c) = 0":       {plan.Outcome{Tally: &plan.Tally{Counts: map[string]int64{"a (b) >= c": 1}}}, "it is 1"},
		"count(never) = 0":            {plan.Outcome{Tally: &plan.Tally{}}, ""},
		"bad <= 2":                    {plan.Outcome{Tally: &plan.Tally{Bad: 2, RecordsIn: 2}}, ""},
		"bad <= 1":                    {plan.Outcome{Tally: &plan.Tally{Bad: 2, RecordsIn: 2}}, "there are 2, of 2"},
		"bad <= 1%":                   {plan.Outcome{Tally: &plan.Tally{Bad: 1, RecordsIn: 100}}, ""},
		"bad <= 0.5%":                 {plan.Outcome{Tally: &plan.Tally{Bad: 1, RecordsIn: 100}}, "there are 1, of 100"},
		"bad = 0":                     {plan.Outcome{Tally: &plan.Tally{}}, ""},
		"change <= 10%":               {plan.Outcome{Earlier: 100, Parts: []plan.Part{part("a", 90)}}, ""},
		"change <= 10.0%":             {plan.Outcome{Earlier: 100, Parts: []plan.Part{part("a", 111)}}, "there are 111 records, and the last commit has 100"},
		"change <= 9%":                {plan.Outcome{Earlier: 100, Parts: []plan.Part{part("a", 90)}}, "there are 90 records"},
		"change <= 1%":                {plan.Outcome{Earlier: -1, Parts: []plan.Part{part("a", 90)}}, ""},
		"change <= 50%":               {plan.Outcome{Earlier: 0, Parts: []plan.Part{part("a", 1)}}, "the last commit has 0"},
		"change <= 0%":                {plan.Outcome{Earlier: 0}, ""},
		"records >= 9007199254740992": {plan.Outcome{}, "there are 0"},
	} {
		all, err := plan.ParseExpectations([]string{text})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		switch err := all.Judge(tt.outcome); {
		case tt.unmet == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case tt.unmet != "" && (err == nil || !strings.Contains(err.Error(), tt.unmet) || plan.KindOf(err) != plan.Unmet):
			t.Errorf("%s: %v, want %s", text, err, tt.unmet)
		}
	}
	all, err := plan.ParseExpectations([]string{"records >= 2", "bad = 0", "records  >=  2"})
	if err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	err = all.Judge(plan.Outcome{Tally: &plan.Tally{Bad: 1, RecordsIn: 4}})
	if err == nil || err.Error() != "expected records >= 2: there are 0; bad = 0: there are 1, of 4" {
		t.Errorf("all that is unmet: %v", err)
	}
}

// TestExpectationsThatCannotBe: each mistake has a sentence that says what to write.
func TestExpectationsThatCannotBe(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                               "it is no condition",
		"records":                        "it is no condition",
		"rows >= 1":                      "it is no condition",
		"records > 1":                    "it is no condition",
		"records == 1":                   "it is no condition",
		"records >= 1 <= 2":              "it is no condition",
		"records(a >= 1":                 "it is no condition",
		"records >= many":                `"many" is neither`,
		"records >=":                     `"" is neither`,
		"records >= -1":                  `"-1" is neither`,
		"records >= 1e3":                 `"1e3" is neither`,
		"records >= NaN%":                `"NaN%" is neither`,
		"records >= 9007199254740993000": "is neither",
		"records >= 10%":                 "takes a number",
		"records >= 1..2":                "must follow =",
		"records = 2..1":                 "has no value",
		"records = 1..2%":                "a number and a share",
		"records() >= 1":                 "needs a name",
		"count >= 1":                     "needs a name",
		"bad(x) <= 1":                    "no name",
		"change <= 5":                    "change <= 10%",
		"change >= 5%":                   "change <= 10%",
	} {
		if _, err := plan.ParseExpectation(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "records >= N") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	all, err := plan.ParseExpectations([]string{"records(daily) >= 1"})
	if err != nil {
		t.Fatal(err)
	}
	for want, outputs := range map[string][]string{"": {"daily", "rejects"}, "it has rejects, other": {"rejects", "other"}, "one output, which has no name": {""}} {
		if err := all.Names(outputs); (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("outputs %q: %v, want %s", outputs, err, want)
		}
	}
}
