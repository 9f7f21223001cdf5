package view_test

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/members"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/master/view"
	"github.com/windrow-mr/windrow/plan"
)

var (
	spec = &plan.Spec{ID: "01J", Job: "sort", Input: []string{"mem://in"}, Output: "mem://out", OnExists: "replace", Priority: 50, Labels: map[string]string{"team": "hay"},
		Params: map[string]string{"n": "3"}, Submitted: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)}
	planner = plan.AttemptID{Epoch: 1, N: 1}
)

func mapTask(i int) plan.TaskID    { return plan.TaskID{Phase: plan.Map, Index: i} }
func reduceTask(i int) plan.TaskID { return plan.TaskID{Phase: plan.Reduce, Index: i} }
func try(n uint32) plan.AttemptID  { return plan.AttemptID{Epoch: 1, N: n} }

// logOf folds entries of one leader, each in a slot of its own.
func logOf(entries ...scheduler.Entry) *scheduler.Job {
	s := new(scheduler.Job)
	for _, e := range append([]scheduler.Entry{scheduler.Fence{}}, entries...) {
		s.Fold(scheduler.Record{Epoch: 1, Entries: []scheduler.Entry{e}})
	}
	return s
}

func planned(maps, reduces int) scheduler.Entry {
	return scheduler.Planned{Attempt: planner, Counts: plan.Counts{Maps: maps, Reduces: reduces}}
}

func committed(task plan.TaskID, n uint32, d plan.Digest) scheduler.Entry {
	return scheduler.Committed{Task: task, Attempt: try(n), Digest: d}
}

// tableOf returns a table of maps that read so many bytes each.
func tableOf(sizes ...int64) *attempts.Table {
	t := &attempts.Table{Partitions: 1}
	for _, n := range sizes {
		t.Input += n
		t.Splits = append(t.Splits, plan.Split{Sections: []plan.Section{{Length: n}}})
	}
	return t
}

func placed(task plan.TaskID, n uint32, worker string, bytes, records int64) members.Placement {
	return members.Placement{Running: cluster.Running{Ref: cluster.Ref{Job: "01J", Task: task, Attempt: try(n)}, Bytes: bytes, Records: records}, Worker: worker, Since: 10 * time.Second}
}

// TestProgress verifies that maps are half of the job and count by bytes of input,
// and that reduces are the other half and count by pairs. Progress never goes back,
// also when an attempt that has run for long is made again.
func TestProgress(t *testing.T) {
	t.Parallel()
	j, table := view.NewJob(), tableOf(100, 300)
	first := committed(mapTask(0), 2, plan.Digest{Out: 40, Bytes: 7})
	second := committed(mapTask(1), 3, plan.Digest{Out: 60, Bytes: 8})
	for _, c := range []struct {
		name     string
		log      []scheduler.Entry
		table    *attempts.Table
		placed   []members.Placement
		fraction float64
		bytes    int64
		shuffled int64
	}{
		{"before the plan", nil, nil, nil, 0, 0, 0},
		{"planned", []scheduler.Entry{planned(2, 1)}, table, nil, 0, 0, 0},
		{"a map runs", []scheduler.Entry{planned(2, 1)}, table, []members.Placement{placed(mapTask(0), 2, "w", 50, 9)}, 50. / 400 / 2, 50, 0},
		{"it is lost", []scheduler.Entry{planned(2, 1)}, table, nil, 50. / 400 / 2, 50, 0},
		{"it is committed", []scheduler.Entry{planned(2, 1), first}, table, nil, 100. / 400 / 2, 100, 7},
		{"maps are committed", []scheduler.Entry{planned(2, 1), first, second}, table, nil, 0.5, 400, 15},
		{"a reduce runs", []scheduler.Entry{planned(2, 1), first, second}, table, []members.Placement{placed(reduceTask(0), 4, "w", 0, 25)}, 0.625, 400, 15},
		{"all are committed", []scheduler.Entry{planned(2, 1), first, second, committed(reduceTask(0), 4, plan.Digest{In: 100}), scheduler.Intent{}}, table, nil, 1, 400, 15},
	} {
		r := view.Run{Spec: spec, Table: c.table, Placed: c.placed}
		if c.table != nil {
			r.Made = planner
		}
		d := j.Describe(logOf(c.log...), r)
		p := d.Progress
		if math.Abs(p.Fraction-c.fraction) > 1e-9 || p.Bytes != c.bytes || p.Shuffled != c.shuffled || c.table != nil && p.Input != 400 {
			t.Errorf("%s: %+v, want %v of the job, %d bytes read and %d shuffled", c.name, p, c.fraction, c.bytes, c.shuffled)
		}
	}
}

// TestProgressWithoutReduces verifies that maps are the whole of such a job.
func TestProgressWithoutReduces(t *testing.T) {
	t.Parallel()
	s := logOf(planned(2, 0), committed(mapTask(0), 2, plan.Digest{}))
	d := view.NewJob().Describe(s, view.Run{Spec: spec, Table: tableOf(100, 300), Made: planner})
	if d.Progress.Fraction != 0.25 || d.Progress.Shuffled != 0 {
		t.Errorf("%+v", d.Progress)
	}
}

// TestDescribe verifies that a job is described by its specification, its log
// and its running attempts.
func TestDescribe(t *testing.T) {
	t.Parallel()
	j := view.NewJob()
	j.Spend(scheduler.Account{Name: "w.1", Scheme: "s3"}, plan.Usage{Puts: 1_000_000})
	s := logOf(planned(3, 1), committed(mapTask(0), 2, plan.Digest{}))
	d := j.Describe(s, view.Run{Spec: spec, Number: 0, Table: tableOf(1, 1, 1), Made: planner,
		Placed: []members.Placement{placed(mapTask(1), 3, "a", 0, 0), placed(mapTask(1), 4, "b", 0, 0), placed(mapTask(2), 5, "b", 0, 0)}})
	if d.ID != "01J" || d.Job != "sort" || d.Output != "mem://out" || d.OnExists != "replace" || d.Priority != 50 || d.Labels["team"] != "hay" || d.Params["n"] != "3" || d.Submitted != spec.Submitted {
		t.Errorf("of the specification: %+v", d)
	}
	want := []client.Phase{{Phase: "plan", Tasks: 1, Committed: 1}, {Phase: "map", Tasks: 3, Committed: 1, Running: 2}, {Phase: "reduce", Tasks: 1}}
	if d.State != client.Running || d.Phase != "map" || d.Workers != 2 || !slices.Equal(d.Phases, want) {
		t.Errorf("%s in %s on %d workers: %+v", d.State, d.Phase, d.Workers, d.Phases)
	}
	if d.Requests == nil || d.Requests.Puts != 1_000_000 || d.Dollars != 5 {
		t.Errorf("requests %+v for $%v", d.Requests, d.Dollars)
	}
}

// TestEnds verifies that the state and the cause are the log's. A job that a user
// cancelled is not one that failed, and a job whose new run is not in the log yet is
// being planned.
func TestEnds(t *testing.T) {
	t.Parallel()
	aborted := func(c scheduler.Cause, more ...scheduler.Entry) []scheduler.Entry {
		return append([]scheduler.Entry{planned(1, 1), scheduler.Aborted{Cause: c}}, more...)
	}
	failed := scheduler.Cause{Kind: plan.Failed, Task: mapTask(0), Text: "it broke"}
	for _, c := range []struct {
		name   string
		log    []scheduler.Entry
		number int
		state  client.State
		kind   plan.Kind
		task   string
	}{
		{"aborting", aborted(failed), 0, client.Aborting, plan.Failed, "map/0"},
		{"failed", aborted(failed, scheduler.Done{}), 0, client.FailedJob, plan.Failed, "map/0"},
		{"cancelled", aborted(scheduler.Cause{Kind: plan.Cancelled, Text: "stop"}, scheduler.Done{}), 0, client.Cancelled, plan.Cancelled, ""},
		{"denied", aborted(scheduler.Cause{Kind: plan.Denied, Text: "no"}, scheduler.Done{}), 0, client.FailedJob, plan.Denied, ""},
		{"retried", aborted(failed, scheduler.Done{}), 1, client.Planning, plan.Unknown, ""},
	} {
		d := view.NewJob().Describe(logOf(c.log...), view.Run{Spec: spec, Number: c.number})
		kind, task := plan.Unknown, ""
		if d.Cause != nil {
			kind, task = d.Cause.Kind, d.Cause.Task
		}
		if d.State != c.state || kind != c.kind || task != c.task || d.Run != c.number {
			t.Errorf("%s: %s in run %d, because %+v", c.name, d.State, d.Run, d.Cause)
		}
	}
}

// TestAtRest: a job without a shell is described by its log. It is not shown as ended
// before it has a summary, and as planning when a newer run will begin.
func TestAtRest(t *testing.T) {
	t.Parallel()
	done := logOf(planned(0, 0), scheduler.Intent{}, scheduler.Done{})
	if d := view.AtRest(spec, done, new(view.Ledger), false); d.State != client.Committing || d.ID != "01J" || len(d.Phases) != 1 {
		t.Errorf("a job that succeeded: %+v", d)
	}
	failed := logOf(planned(1, 0), scheduler.Aborted{Cause: scheduler.Cause{Kind: plan.Failed}}, scheduler.Done{})
	for reopened, want := range map[bool]client.State{false: client.Aborting, true: client.Planning} {
		if d := view.AtRest(spec, failed, new(view.Ledger), reopened); d.State != want {
			t.Errorf("a job that failed, and is reopened: %v: %s", reopened, d.State)
		}
	}
	ledger := new(view.Ledger)
	ledger.Add(scheduler.Account{Name: "a", Scheme: "file"}, plan.Usage{Gets: 3})
	if d := view.AtRest(spec, failed, ledger, false); d.Requests == nil || d.Requests.Gets != 3 || d.Dollars != 0 {
		t.Errorf("requests %+v", d.Requests)
	}
	if d := view.Broken(view.Outline(spec), "it is damaged"); d.State != client.Planning || d.Cause == nil || d.Cause.Text != "it is damaged" || d.Cause.Kind != plan.Inconsistent {
		t.Errorf("a broken job: %+v", d)
	}
}

// TestChanges verifies that a client that waits is woken by every change, by nothing
// else, and when the job is no longer driven.
func TestChanges(t *testing.T) {
	t.Parallel()
	j := view.NewJob()
	woken := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	state := view.State{Status: scheduler.Running, Phase: plan.Group{Phase: plan.Map}, Left: 2}
	c := j.Changed()
	j.Follow(state)
	if !woken(c) {
		t.Error("a change of the state wakes no client")
	}
	c = j.Changed()
	if j.Follow(state); woken(c) {
		t.Error("the same state again wakes clients")
	}
	if j.Close(); !woken(c) {
		t.Error("the end of the job wakes no client")
	}
}

// TestTrouble verifies that the reason why a job does not proceed is kept until
// it does.
func TestTrouble(t *testing.T) {
	t.Parallel()
	j, broken := view.NewJob(), errors.New("the store is down")
	if j.Proceed(broken); !errors.Is(j.Trouble(), broken) {
		t.Errorf("the trouble is %v", j.Trouble())
	}
	if j.Proceed(nil); j.Trouble() != nil {
		t.Errorf("the trouble is %v", j.Trouble())
	}
}

// TestTasks verifies that tasks are shown by the log, with the leader's own record
// of them, and with the attempts that run.
func TestTasks(t *testing.T) {
	t.Parallel()
	j, now := view.NewJob(), time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	end := func(task plan.TaskID, n uint32, r cluster.Result, text string) *cluster.Outcome {
		return &cluster.Outcome{Ref: cluster.Ref{Task: task, Attempt: try(n)}, Result: r, Took: 3 * time.Second, Failure: plan.Failure{Text: text}}
	}
	j.Launched(mapTask(0), try(2), "a", now)
	j.Ended("a", end(mapTask(0), 2, cluster.Failed, "boom"))
	j.Launched(mapTask(0), try(3), "b", now)
	j.Ended("b", end(mapTask(0), 3, cluster.Done, ""))
	j.Launched(mapTask(1), try(4), "a", now)
	j.Ended("a", end(mapTask(1), 4, cluster.Lost, "gone"))
	s := logOf(planned(3, 1), committed(mapTask(0), 3, plan.Digest{In: 5, Out: 6, Bytes: 7}))
	got := j.Tasks(view.Rows(s), []members.Placement{placed(mapTask(1), 5, "c", 11, 12)}, 14*time.Second, now)
	want := []client.Task{
		{Task: "plan/0", State: client.TaskCommitted, Attempt: "1.1.00000000", Attempts: 1},
		{Task: "map/0", State: client.TaskCommitted, Attempt: "1.3.00000000", Attempts: 2, Failures: 1, Error: "boom", Worker: "b", Started: now, Seconds: 3,
			Read: client.Amount{Records: 5}, Written: client.Amount{Records: 6, Bytes: 7}},
		{Task: "map/1", State: client.TaskRunning, Attempt: "1.5.00000000", Attempts: 1, Lost: 1, Error: "gone", Worker: "c", Started: now.Add(-4 * time.Second), Seconds: 4,
			Read: client.Amount{Records: 12, Bytes: 11}},
		{Task: "map/2", State: client.TaskWaiting},
		{Task: "reduce/0", State: client.TaskWaiting},
	}
	if len(got) != len(want) {
		t.Fatalf("%d tasks", len(got))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("task %s:\n%+v\nwant\n%+v", want[i].Task, got[i], want[i])
		}
	}
	if n := j.Retried(); n != 2 {
		t.Errorf("%d attempts were made again", n)
	}
	if j.Misread(); j.Retried() != 3 {
		t.Error("misread input does not count")
	}
}

// TestTasksOfAJobThatFailed verifies that the task that ended the job has the
// cause.
func TestTasksOfAJobThatFailed(t *testing.T) {
	t.Parallel()
	s := logOf(planned(2, 1), scheduler.Aborted{Cause: scheduler.Cause{Kind: plan.Failed, Task: mapTask(1), Text: "it broke"}}, scheduler.Done{})
	for _, task := range view.Tasks(view.Rows(s), s.Cause.Text, nil) {
		failed := task.Task == "map/1"
		if failed != (task.State == client.TaskFailed) || failed != (task.Error == "it broke") {
			t.Errorf("%+v", task)
		}
	}
}

// TestCounters verifies that all counters are shown, under their names.
func TestCounters(t *testing.T) {
	t.Parallel()
	c := view.Counters(&plan.Tally{BytesIn: 1, RecordsIn: 2, PairsOut: 3, RecordsOut: 4, BytesOut: 5, Spills: 6, SpillBytes: 7, RunBytes: 8,
		Counts: map[string]int64{"bad": 9}, Stats: map[string]plan.Stat{"len": {Count: 1, Sum: 2, Min: 3, Max: 4}}})
	if c.Read != (client.Amount{Records: 2, Bytes: 1}) || c.Shuffled != (client.Amount{Records: 3, Bytes: 8}) || c.Written != (client.Amount{Records: 4, Bytes: 5}) ||
		c.Spills != (client.Amount{Records: 6, Bytes: 7}) || c.Counts["bad"] != 9 || c.Stats["len"] != (client.Stat{Count: 1, Sum: 2, Min: 3, Max: 4}) {
		t.Errorf("%+v", c)
	}
	if r := view.Result(&plan.Tally{RecordsOut: 4, BytesOut: 5}, 3); r.Parts != 3 || r.Records != 4 || r.Bytes != 5 {
		t.Errorf("%+v", r)
	}
}
