package cli

import (
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/api/apitest"
	"github.com/windrow-mr/windrow/plan"
)

// TestJobThatWaitsForUser verifies that ls and get show why a job waits, and what
// to do, even if nothing else is known of the job. ls has no room for the causes of
// jobs that ended.
func TestJobThatWaitsForUser(t *testing.T) {
	t.Parallel()
	b, url := master(t)
	u := newUser(t, "WINDROW_MASTER", url)
	why := "its specification cannot be read: restore the object, or cancel the job"
	id := apitest.ID(1)
	b.Set(&apitest.Job{Job: client.Job{ID: id, State: client.Planning, Cause: &client.Cause{Kind: plan.Inconsistent, Text: why}}})
	b.Set(&apitest.Job{Job: client.Job{ID: apitest.ID(2), State: client.FailedJob, Cause: &client.Cause{Kind: plan.Failed, Text: "it divided by zero"}}})
	code, stdout, stderr := u.do(t, "ls")
	if code != 0 || !strings.Contains(stdout, string(id)) || stderr != "job "+string(id)+": "+why+"\n" {
		t.Errorf("ls: exit %d:\n%s%s", code, stdout, stderr)
	}
	code, stdout, _ = u.do(t, "get", string(id))
	if code != 0 || !strings.HasPrefix(stdout, string(id)+": planning\n") || !strings.Contains(stdout, why) || strings.Contains(stdout, "output") {
		t.Errorf("get: exit %d:\n%s", code, stdout)
	}
}
