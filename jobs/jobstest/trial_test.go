package jobstest

import (
	"bytes"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
)

// TestWaysAreWhatTheySay verifies that the ways of Strict divide the work as
// they claim, also for a short input.
func TestWaysAreWhatTheySay(t *testing.T) {
	t.Parallel()
	words := func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
		for w := range bytes.FieldsSeq(line) {
			emit(w, 1)
		}
		return nil
	}
	tr := &trial{job: jobs.New("wordcount", words, jobs.Sum)}
	if err := Lines("a b c d e f", "g h i j k l a", "m n o p q r s b", "t u v w x y z c")(tr); err != nil {
		t.Fatal(err)
	}
	spills := int64(0)
	least, most := 1000, 0
	for _, w := range append(harder(tr.records()), usual) {
		r, err := tr.one(t.Context(), &w)
		if err != nil {
			t.Fatalf("%s: %v", &w, err)
		}
		if r.run.Reduces != w.partitions || r.run.Slots != w.slots {
			t.Errorf("%s: it ran with %d reduce tasks and %d slots", &w, r.run.Reduces, r.run.Slots)
		}
		if w.name == usual.name && (r.run.Maps < 2 || r.run.Reduces < 2) {
			t.Errorf("usually it ran with %d map and %d reduce tasks, want 2 at least", r.run.Maps, r.run.Reduces)
		}
		least, most = min(least, r.run.Maps), max(most, r.run.Maps)
		if w.hard.Spill == 0 && r.run.Tally.Spills > 0 {
			t.Errorf("%s: it spilled %d times", &w, r.run.Tally.Spills)
		}
		spills += r.run.Tally.Spills
	}
	if spills < 4 {
		t.Errorf("there were %d spills in all, want one for each of 4 lines", spills)
	}
	if least != 1 || most < 30 {
		t.Errorf("there were from %d to %d map tasks, want from 1 to more than 30", least, most)
	}
}
