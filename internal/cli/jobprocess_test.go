package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/library/grep"
	"github.com/windrow-mr/windrow/jobs/library/sort"
	"github.com/windrow-mr/windrow/store"
)

// TestJobProcessByHand verifies that a user who types the command of workers learns
// that it is for workers.
func TestJobProcessByHand(t *testing.T) {
	t.Parallel()
	p, stdout, stderr := program(store.Options{}, "job-process")
	if code := serially(t, p); code != exitFailed || stdout.Len() > 0 || !strings.Contains(stderr.String(), "started by workers") {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
}

// TestDescribe verifies that a program describes the pipelines of its jobs, as
// workers must build them.
func TestDescribe(t *testing.T) {
	t.Parallel()
	describe := func(list []*jobs.Job, args ...string) (code int, d description, stderr string) {
		p, stdout, errs := program(store.Options{}, append([]string{"describe"}, args...)...)
		p.Jobs = list
		if code = serially(t, p); code == exitOK {
			if err := json.Unmarshal(stdout.Bytes(), &d); err != nil {
				t.Error(err)
			}
		}
		return code, d, errs.String()
	}
	both := []*jobs.Job{grep.Job(), sort.Job()}
	want, err := both[0].Build(map[string]string{"pattern": "a=b"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if code, d, stderr := describe(both, "--param", "pattern=a=b", "grep"); code != exitOK || d.Job != "grep" || d.Plan != want.Text || d.Build == "" {
		t.Errorf("exit %d, %+v, %s", code, d, stderr)
	}
	if code, d, stderr := describe(both[1:]); code != exitOK || d.Job != "sort" {
		t.Errorf("the only job: exit %d, %+v, %s", code, d, stderr)
	}
	for words, args := range map[string][]string{
		"2 jobs":               nil,
		`did you mean "sort"`:  {"srot"},
		"pattern":              {"grep"},
		"unexpected argument":  {"grep", "sort"},
		"not of the form NAME": {"--param", "x", "grep"},
	} {
		if code, _, stderr := describe(both, args...); code != exitInvalid || !strings.Contains(stderr, words) {
			t.Errorf("%q: exit %d, %s", args, code, stderr)
		}
	}
}
