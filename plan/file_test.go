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

// TestSpecsWithFilesAreNewer verifies that only a specification with files has a version
// that earlier builds do not read: they would remove the files.
func TestSpecsWithFilesAreNewer(t *testing.T) {
	t.Parallel()
	if with, without := plan.VersionFor(make([]plan.File, 1), plan.Trial{}), plan.VersionFor(nil, plan.Trial{}); with != 2 || without != 1 || plan.SpecVersion != 3 {
		t.Errorf("with files %d, without %d, and this build reads %d", with, without, plan.SpecVersion)
	}
}
