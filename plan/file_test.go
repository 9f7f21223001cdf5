package plan_test

import (
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// TestCheckFiles verifies which files a job can have.
func TestCheckFiles(t *testing.T) {
	t.Parallel()
	digest := strings.Repeat("a0", 32)
	many := make([]plan.File, 101)
	for says, files := range map[string][]plan.File{
		"":                       {{Name: "a/b ü", Digest: digest, Size: 64 << 20}, {Name: "empty", Digest: digest}},
		"there are 101":          many,
		`the name "" must be`:    {{Digest: digest}},
		`the name "a=b" must be`: {{Name: "a=b", Digest: digest}},
		`two called "a"`:         {{Name: "a", Digest: digest}, {Name: "a", Digest: digest}},
		`SHA-256 of "a"`:         {{Name: "a", Digest: strings.ToUpper(digest)}},
		`with "b" they have more than the 67108864 bytes`: {{Name: "a", Digest: digest, Size: 64 << 20}, {Name: "b", Digest: digest, Size: 1}},
		`with "c" they`: {{Name: "c", Digest: digest, Size: -1}},
	} {
		err := plan.CheckFiles(files)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}

// TestSpecsWithFilesAreNewer verifies that a specification has a version that earlier
// builds do not read only if it has what they do not know, and would leave out: files,
// which they would remove, a trial, a policy on bad records, and a replay.
func TestSpecsWithFilesAreNewer(t *testing.T) {
	t.Parallel()
	files, trial := make([]plan.File, 1), plan.Trial{Objects: 1}
	for want, specs := range map[int][]plan.Spec{
		1: {{}},
		2: {{Files: files}},
		3: {{Trial: trial}, {Files: files, Trial: trial}},
		4: {{BadRecords: "skip:1"}, {Files: files, Trial: trial, BadRecords: "quarantine"}},
		5: {{Replay: "01ARZ3NDEKTSV4RRFFQ69G5FAV"}, {Files: files, BadRecords: "quarantine", Replay: "01ARZ3NDEKTSV4RRFFQ69G5FAV"}},
	} {
		for i := range specs {
			if specs[i].Lowest(); specs[i].Version != want || want > plan.SpecVersion {
				t.Errorf("%+v has version %d, want %d; this build reads %d", specs[i], specs[i].Version, want, plan.SpecVersion)
			}
		}
	}
}
