package planner_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// TestATrialReadsAShare verifies that a trial reads about the share of the input that was
// asked for, of each input something, the same each time, and says what it leaves out.
func TestATrialReadsAShare(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mem://a")
	line := strings.Repeat("x", 1023) + "\n"
	for i := range 20 {
		s.put(t, "a", fmt.Sprintf("left/%02d", i), strings.Repeat(line, 2000))
	}
	s.put(t, "a", "right/small", "one line\n")
	two := words(t)
	two.Inputs = append(two.Inputs, two.Inputs[0])
	two.Inputs[0].Name, two.Inputs[1].Name = "left", "right"
	const all = 20 * 2000 * 1024
	for _, c := range []struct {
		trial       plan.Trial
		least, most int64 // bytes of the left input
	}{
		{plan.Trial{}, all, all},
		{plan.Trial{Share: 1}, all, all},
		{plan.Trial{Share: 0.5}, all / 2, all * 6 / 10},
		{plan.Trial{Share: 0.1}, all / 10, all * 15 / 100},
		{plan.Trial{Share: 0.01}, all / 100, all * 3 / 100},
		{plan.Trial{Share: 1e-9}, 1, all * 1 / 100},
		{plan.Trial{Objects: 3}, all * 3 / 20, all * 3 / 20},
		{plan.Trial{Objects: 100}, all, all},
		{plan.Trial{Objects: 10, Share: 0.2}, all / 10, all * 15 / 100},
	} {
		r := request(t, "mem://a/out", "left=mem://a/left", "right=mem://a/right")
		r.Trial = c.trial
		table, err := s.make(t, two, r)
		if err != nil {
			t.Fatal(err)
		}
		read, objects := [2]int64{}, make(map[plan.Object]int64)
		for i := range table.Splits {
			read[table.Splits[i].Input] += table.Splits[i].Bytes()
			for _, section := range table.Splits[i].Sections {
				objects[section.Object] += section.Length
			}
		}
		whole := 0
		for o, n := range objects {
			if n == o.Size {
				whole++
			}
		}
		if read[0] < c.least || read[0] > c.most || read[1] != 9 || table.Input != read[0]+read[1] || table.LeftOut.Untried != 21-whole {
			t.Errorf("%+v: %d and %d bytes are read, want %d to %d; %d wholly read of 21 objects, and %v", c.trial, read[0], read[1], c.least, c.most, whole, table.LeftOut)
		}
		again, err := s.make(t, two, r)
		if err != nil || !reflect.DeepEqual(table.Splits, again.Splits) {
			t.Errorf("%+v: another plan reads other bytes; %v", c.trial, err)
		}
	}
	r := request(t, "mem://a/out", "left=mem://a/left", "right=mem://a/right")
	r.Trial, r.SplitSize = plan.Trial{Share: 1e-9}, 10
	if _, err := s.make(t, two, r); err == nil || !strings.Contains(err.Error(), "give a greater --split-size") {
		t.Errorf("a sample of millions of splits: %v", err)
	}
}
