package embedded

import (
	"testing"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
)

// TestLastingNames verifies that the names that two runs of one job use for the
// same thing become equal, and those of different things do not.
func TestLastingNames(t *testing.T) {
	t.Parallel()
	one, two := &run{id: "01KAB5QW3ZSNEJH7H2BEQ9K4M8"}, &run{id: "01KAB5R1VCE4Y3RZCB1M2TT7WA"}
	names := func(id plan.JobID, attempt, random string) []string {
		task := plan.TaskID{Phase: plan.Map, Index: 17}
		return []string{
			output.TmpKey(id) + "x/0f/m00017." + attempt + ".2",
			"below/" + output.TmpKey(id) + "att/m00017/" + attempt,
			output.PartName(task, id, 0, ".txt"),
			"out/" + output.PartName(task, id, 0, "."+attempt[2:len(attempt)-9]+".txt.gz"),
			"_windrow/manifests/00000000000000000001." + string(id) + "." + random[:8] + ".json",
			"_windrow/probe/0123456789abcdef0123" + attempt[len(attempt)-4:],
		}
	}
	a, b := names(one.id, "1.20.0a1b2c3d", "abcdefgh"), names(two.id, "1.7.99887766", "zyxwvu23")
	seen := make(map[string]bool)
	for i := range a {
		x, y := one.lastingName(a[i]), two.lastingName(b[i])
		if x != y {
			t.Errorf("%s becomes %s, but %s of another run becomes %s", a[i], x, b[i], y)
		}
		seen[x] = true
	}
	for _, key := range []string{"logs/2026-11-20/part-m-00017-aaaaaaaa.0.txt", "logs/1.2.3", "in/0123.json"} {
		if got := one.lastingName(key); got != "/"+key {
			t.Errorf("%s becomes %s", key, got)
		}
	}
	if len(seen) != len(a) {
		t.Errorf("different things share names: %v", seen)
	}
}

// TestChecks verifies that the engine checks what it wrote with a checksum, and
// input whose checksum the plan knows.
func TestChecks(t *testing.T) {
	t.Parallel()
	r := new(run)
	r.summed.Store(&map[string]bool{"s3://b/in/known": true})
	for name, want := range map[string]bool{
		"s3://b/in/known":                                  true,
		"s3://b/in/others":                                 false,
		"s3://b/out/part-r-00000-aaaaaaaa.0.txt":           false,
		"s3://b/out/_windrow/00000000000000000000":         true,
		"file:///data/_windrow/tmp/job/x/00/run":           true,
		"file:///data/_windrow/manifests/1.json":           true,
		"file:///data/_windrow/beats/00000000000000000000": false,
		"file:///my_windrow/x":                             false,
	} {
		if r.checks(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
