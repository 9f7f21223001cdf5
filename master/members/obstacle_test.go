package members_test

import (
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/master/members"
	"github.com/windrow-mr/windrow/master/scheduler"
)

// TestWhyNoWorkerTakesAJob verifies that a user learns why nothing happens: each reason
// that a worker can have is named, with the worker, and none is named while a worker can
// take the job's tasks.
func TestWhyNoWorkerTakesAJob(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	table.Open(hay)
	table.Attach(hay, new(job))
	table.Open(straw)
	table.Attach(straw, new(job))
	says := func(what string, now time.Duration, wants ...string) {
		t.Helper()
		got := table.Obstacle(now, hay)
		for _, want := range wants {
			if want == "" && got != "" || !strings.Contains(got, want) {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
	}
	says("without workers", 0, "the cluster has no workers", "windrow worker")
	a := join(t, table, "w-a", 2)
	says("before slots are divided", 0, "w-a has all its slots (2) taken by other jobs")
	demand := func() {
		table.Divide([]scheduler.Demand{{Job: hay, Weight: 1, Want: 2}, {Job: straw, Weight: 1, Want: 2}})
	}
	demand()
	says("with a free worker", 0, "")
	table.Exclude(hay, []scheduler.Exclusion{{Worker: "w-a", Until: scheduler.Time(time.Minute)}})
	says("excluded", time.Second, "w-a gets none for a minute", "failed there in a row")
	table.Exclude(hay, []scheduler.Exclusion{{Worker: "w-a", Until: scheduler.Time(time.Hour), Unfit: true}})
	says("unfit", time.Second, "w-a cannot run the job")
	table.Exclude(hay, []scheduler.Exclusion{{Worker: "w-a", Until: scheduler.Time(time.Minute)}})
	says("excluded, for the other job", time.Second, "no worker takes its tasks: w-a")
	b := join(t, table, "w-b", 2)
	demand()
	says("one excluded, one free", time.Second, "")
	b.sync.Draining = true
	b.send()
	says("one excluded, one that drains", time.Second, "w-a gets none", "w-b drains")
	table.Exclude(hay, nil)
	a.now = time.Second
	a.send()
	says("one that drains", time.Second, "")
	says("one that is silent", time.Minute, "w-a does not answer")
	for _, id := range []string{"w-c", "w-d", "w-e", "w-f", "w-g"} {
		join(t, table, id, 0)
	}
	says("many", time.Minute, "w-e", "2 more are listed by 'windrow workers ls'")
	if text := table.Obstacle(time.Minute, hay); strings.Contains(text, "w-f") {
		t.Errorf("the text is as long as the list of workers: %s", text)
	}
}
