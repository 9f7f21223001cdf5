package members_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/members"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

const (
	epoch = 7
	beat  = 3 * time.Second
	lost  = 15 * time.Second
	hay   = plan.JobID("01JHAY")
	straw = plan.JobID("01JSTRAW")
)

// job records what a job receives, as lines.
type job struct{ got []string }

func (j *job) Post(e scheduler.Event) {
	j.got = append(j.got, strings.TrimPrefix(fmt.Sprintf("%T%+v", e, e), "scheduler."))
}

func (j *job) Ended(worker string, o *cluster.Outcome) {
	j.got = append(j.got, fmt.Sprintf("ended %v on %s", o.Attempt.N, worker))
}

func (j *job) Missing(ref cluster.Ref) {
	j.got = append(j.got, fmt.Sprintf("missing %v", ref.Attempt.N))
}

func (j *job) Spent(a scheduler.Account, u plan.Usage) {
	j.got = append(j.got, fmt.Sprintf("spent %s %s %d", a.Name, a.Scheme, u.Puts))
}

// received returns the lines that contain a word since it was last called.
func (j *job) received(word string) (lines []string) {
	for _, l := range j.got {
		if strings.Contains(l, word) {
			lines = append(lines, l)
		}
	}
	j.got = nil
	return lines
}

// worker is a worker that sends messages to a table. It receives all orders unless
// mute is set.
type worker struct {
	t     *testing.T
	table *members.Table
	now   time.Duration
	mute  bool
	sync  cluster.Sync
}

func join(t *testing.T, table *members.Table, id string, slots int) *worker {
	t.Helper()
	w := &worker{t: t, table: table, sync: cluster.Sync{Worker: id, Epoch: epoch, Info: cluster.Info{Host: "host-" + id, PID: 17, Slots: slots, Memory: 1 << 30}}}
	if known, uneven := w.send(); known || !uneven {
		t.Fatalf("worker %s joins: known %v, uneven %v", id, known, uneven)
	}
	return w
}

// send sends the next message.
func (w *worker) send() (known, uneven bool) {
	w.t.Helper()
	w.sync.Seq++
	return w.table.Take(w.now, &w.sync)
}

// orders returns the answer to the newest message.
func (w *worker) orders() *cluster.Orders {
	w.t.Helper()
	o, _ := w.table.Orders(&w.sync)
	if o == nil {
		w.t.Fatalf("there is no answer to message %d of worker %s", w.sync.Seq, w.sync.Worker)
	}
	if !w.mute {
		w.sync.Heard = w.sync.Seq
	}
	return o
}

// beat sends a message and returns the answer.
func (w *worker) beat() *cluster.Orders {
	w.t.Helper()
	w.send()
	return w.orders()
}

func ref(id plan.JobID, n uint32) cluster.Ref {
	return cluster.Ref{Job: id, Task: plan.TaskID{Phase: plan.Map, Index: int(n)}, Attempt: plan.AttemptID{Epoch: epoch, N: n}}
}

func attach(table *members.Table, id plan.JobID) *job {
	j := new(job)
	table.Open(id)
	table.Attach(id, j)
	return j
}

// runs lets a worker run attempts, as it reports.
func (w *worker) runs(refs ...cluster.Ref) {
	w.sync.Running = nil
	for _, r := range refs {
		w.sync.Running = append(w.sync.Running, cluster.Running{Ref: r})
	}
}

// TestOrdersAreRepeatedUntilTheyArrive verifies that launches, stops and grants
// are sent again while the worker's messages show that it has not received them,
// and not after.
func TestOrdersAreRepeatedUntilTheyArrive(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	attach(table, hay)
	w := join(t, table, "w", 2)
	w.orders()
	a := ref(hay, 1)
	table.Launch(0, "w", cluster.Launch{Ref: a, Run: 3})
	w.mute = true
	for range 3 {
		if o := w.beat(); len(o.Launches) != 1 || o.Launches[0].Ref != a || o.Launches[0].Run != 3 {
			t.Fatalf("the launch is not sent again: %+v", o)
		}
	}
	w.mute = false
	w.orders()
	w.runs(a)
	if o := w.beat(); !members.Empty(o) {
		t.Errorf("the worker runs the attempt and is sent %+v", o)
	}
	all := []plan.AttemptID{a.Attempt}
	table.Grant(a, all)
	w.sync.Running[0].Asking = true
	w.mute = true
	w.send()
	for range 2 {
		if o := w.orders(); len(o.Grants) != 1 || !slices.Equal(o.Grants[0].All, all) {
			t.Fatalf("the grant is not sent: %+v", o)
		}
		w.send()
	}
	table.Stop("w", a)
	for range 2 {
		if o := w.beat(); len(o.Stops) != 1 || o.Stops[0] != a || len(o.Grants) != 0 {
			t.Fatalf("the stop is not sent: %+v", o)
		}
	}
	w.mute = false
	w.beat()
	if o := w.beat(); len(o.Stops) != 0 {
		t.Errorf("the stop has arrived and is sent again: %+v", o)
	}
}

// TestStopBeforeTheLaunchIsSent verifies that the worker receives neither.
func TestStopBeforeTheLaunchIsSent(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	attach(table, hay)
	w := join(t, table, "w", 1)
	table.Launch(0, "w", cluster.Launch{Ref: ref(hay, 1)})
	table.Stop("w", ref(hay, 1))
	if o := w.orders(); !members.Empty(o) || len(table.Placed(hay)) != 0 {
		t.Errorf("the worker is sent %+v; placed are %+v", o, table.Placed(hay))
	}
}

// TestAnswersWake verifies that new orders wake a call that waits for them, and
// that it returns nothing once a newer message was taken.
func TestAnswersWake(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	attach(table, hay)
	w := join(t, table, "w", 1)
	old := w.sync
	o, changed := table.Orders(&old)
	if !members.Empty(o) {
		t.Fatalf("there are orders: %+v", o)
	}
	table.Launch(0, "w", cluster.Launch{Ref: ref(hay, 1)})
	select {
	case <-changed:
	default:
		t.Error("a launch wakes no call")
	}
	w.send()
	if o, _ := table.Orders(&old); o != nil {
		t.Errorf("a message that was overtaken is answered with %+v", o)
	}
}

// TestLateMessages verifies that a repeated or late message changes nothing, and
// does not bring a worker back that has left, until messages can no longer be late.
func TestLateMessages(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	w := join(t, table, "w", 1)
	w.send()
	late := w.sync
	late.Seq, late.Info.Slots = 1, 64
	if known, uneven := table.Take(0, &late); !known || uneven || table.Slots() != 1 {
		t.Errorf("a late message is taken: known %v, uneven %v, %d slots", known, uneven, table.Slots())
	}
	w.sync.Leaving = true
	if _, uneven := w.send(); !uneven || len(table.List(0, time.Time{})) != 0 {
		t.Errorf("the worker has left, and is listed: %v", table.List(0, time.Time{}))
	}
	w.sync.Leaving = false
	repeated := w.sync
	if table.Take(time.Minute, &repeated); table.Slots() != 0 {
		t.Error("a late message brings a worker back")
	}
	table.Expire(time.Hour, lost)
	if known, _ := table.Take(time.Hour, &repeated); known || table.Slots() != 1 {
		t.Error("an hour later the same worker cannot join")
	}
	stranger := cluster.Sync{Worker: "x", Seq: 9, Leaving: true}
	if known, uneven := table.Take(0, &stranger); !known || uneven || table.Slots() != 1 {
		t.Error("a worker that was never there leaves, and something changes")
	}
}

// TestExpire verifies that a worker is lost when it was silent for longer than
// allowed, and that its jobs receive that. After RefreshLeases the time starts
// again.
func TestExpire(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	j := attach(table, hay)
	a, b := join(t, table, "a", 1), join(t, table, "b", 1)
	b.now = 10 * time.Second
	b.send()
	if ids := table.Expire(lost, lost); ids != nil {
		t.Errorf("after %v %v are lost", lost, ids)
	}
	table.RefreshLeases(12 * time.Second)
	if ids := table.Expire(20*time.Second, lost); ids != nil {
		t.Errorf("after the leases were refreshed %v are lost", ids)
	}
	b.now = 25 * time.Second
	b.send()
	j.received("")
	if ids := table.Expire(30*time.Second, lost); !slices.Equal(ids, []string{"a"}) {
		t.Errorf("%v are lost, want a", ids)
	}
	if got := j.received("Left"); len(got) != 1 || !strings.Contains(got[0], "Worker:a") {
		t.Errorf("the job receives %q", got)
	}
	if o, _ := table.Orders(&a.sync); o != nil {
		t.Errorf("a lost worker is answered with %+v", o)
	}
}

// TestOutcomesAreTakenOnce verifies that the end of an attempt reaches its job once,
// however often it is reported, and that it is acknowledged until the worker reports
// it no longer.
func TestOutcomesAreTakenOnce(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	j := attach(table, hay)
	w := join(t, table, "w", 1)
	a := ref(hay, 1)
	w.sync.Outcomes = []cluster.Outcome{{Ref: a, Result: cluster.Failed}}
	w.mute = true
	for range 3 {
		if o := w.beat(); !slices.Equal(o.Acks, []cluster.Ref{a}) {
			t.Errorf("the outcome is not acknowledged: %+v", o)
		}
	}
	if got := j.received("ended"); !slices.Equal(got, []string{"ended 1 on w"}) {
		t.Errorf("the job receives %q", got)
	}
	if list := table.List(0, time.Time{}); list[0].Failures != 1 {
		t.Errorf("%d failures are counted", list[0].Failures)
	}
	w.sync.Outcomes = nil
	if o := w.beat(); len(o.Acks) != 0 {
		t.Errorf("the worker reports nothing, and is sent %+v", o)
	}
	w.sync.Outcomes = []cluster.Outcome{{Ref: ref(hay, 2), Result: cluster.Done}}
	if w.send(); table.List(0, time.Time{})[0].Failures != 0 {
		t.Error("a success does not reset the failures")
	}
}

// TestReportsWaitWhileAJobIsMuted verifies that reports reach a muted job when
// it is attached.
func TestReportsWaitWhileAJobIsMuted(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	table.Open(hay)
	w := join(t, table, "w", 1)
	w.sync.Outcomes = []cluster.Outcome{{Ref: ref(hay, 1), Result: cluster.Done}}
	if o := w.beat(); len(o.Acks) != 0 {
		t.Errorf("an outcome of a muted job is acknowledged: %+v", o)
	}
	j := new(job)
	table.Attach(hay, j)
	if o := w.beat(); len(o.Acks) != 1 || !slices.Equal(j.received("ended"), []string{"ended 1 on w"}) {
		t.Errorf("the outcome does not arrive: %+v", o)
	}
	table.Mute(hay)
	w.sync.Outcomes = []cluster.Outcome{{Ref: ref(hay, 2), Result: cluster.Done}}
	if o := w.beat(); len(o.Acks) != 0 || len(j.got) != 0 {
		t.Errorf("a job that was muted again receives %q, %+v", j.got, o)
	}
}

// TestAttemptsOfOthers verifies that an attempt that an earlier leader launched is
// passed to its job, and that one of a job that has ended is stopped.
func TestAttemptsOfOthers(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	j := attach(table, hay)
	w := join(t, table, "w", 2)
	j.received("")
	w.runs(ref(hay, 1), ref(straw, 2))
	o := w.beat()
	if !slices.Equal(o.Stops, []cluster.Ref{ref(straw, 2)}) {
		t.Errorf("stopped are %v", o.Stops)
	}
	if got := j.received("Found"); len(got) != 1 || !strings.Contains(got[0], "map/1") {
		t.Errorf("the job receives %q", got)
	}
	if p := table.Placed(hay); len(p) != 1 || p[0].Ref != ref(hay, 1) || p[0].Worker != "w" {
		t.Errorf("placed are %+v", p)
	}
}

// TestAsking verifies that an attempt that asks for its grant is first passed to its
// job as found, in case it was taken for lost.
func TestAsking(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	j := attach(table, hay)
	w := join(t, table, "w", 1)
	table.Launch(0, "w", cluster.Launch{Ref: ref(hay, 1)})
	w.orders()
	w.runs(ref(hay, 1))
	w.sync.Running[0].Asking = true
	w.send()
	got := j.received("map/1")
	if len(got) != 2 || !strings.HasPrefix(got[0], "Found") || !strings.HasPrefix(got[1], "Asked") {
		t.Errorf("the job receives %q", got)
	}
}

// TestMissing verifies that a worker that no longer knows an attempt lets its job
// look for the work. While the launch may be on its way, that says nothing.
func TestMissing(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	j := attach(table, hay)
	w := join(t, table, "w", 1)
	table.Launch(0, "w", cluster.Launch{Ref: ref(hay, 1)})
	w.send()
	w.mute = true
	w.orders()
	if w.send(); len(j.received("missing")) != 0 {
		t.Error("an attempt whose launch has not arrived is missing")
	}
	w.mute = false
	w.orders()
	if w.send(); !slices.Equal(j.received("missing"), []string{"missing 1"}) {
		t.Error("an attempt that the worker does not know is not missing")
	}
	if p := table.Placed(hay); len(p) != 0 {
		t.Errorf("it is still placed: %+v", p)
	}
}

// TestDivide verifies that jobs share the slots of the workers that take work, by
// their weights, and wait for slots that others still use.
func TestDivide(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	first, second := attach(table, hay), attach(table, straw)
	w := join(t, table, "w", 4)
	join(t, table, "draining", 8)
	join(t, table, "suspect", 8)
	table.Drain("draining")
	table.Doubt("suspect")
	want := func(h, s int) []scheduler.Demand {
		return []scheduler.Demand{{Job: hay, Weight: 100, Want: h}, {Job: straw, Weight: 300, Want: s}}
	}
	if table.Divide(want(9, 0)) {
		t.Error("the only job waits")
	}
	if got := first.received("Slots:4"); len(got) != 1 || !strings.Contains(got[0], "Worker:w ") {
		t.Errorf("the only job receives %q", got)
	}
	var refs []cluster.Ref
	for n := range uint32(4) {
		refs = append(refs, ref(hay, n))
		table.Launch(0, "w", cluster.Launch{Ref: refs[n]})
	}
	if !table.Divide(want(9, 9)) {
		t.Error("the second job does not wait for slots that the first uses")
	}
	if got := first.received("Joined"); len(got) != 1 || !strings.Contains(got[0], "Slots:1") {
		t.Errorf("the first job receives %q", got)
	}
	w.orders()
	w.runs(refs[:1]...)
	w.send()
	if table.Divide(want(9, 9)) {
		t.Error("the slots are free, and the second job waits")
	}
	if got := second.received("Slots:3"); len(got) != 1 {
		t.Errorf("the second job receives %q", got)
	}
}

// TestDoubtAfterAConnectionEnds verifies that a worker whose connection ended gets no
// attempts, unless it has sent its next message meanwhile.
func TestDoubtAfterAConnectionEnds(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	j := attach(table, hay)
	w := join(t, table, "w", 1)
	table.Launch(0, "w", cluster.Launch{Ref: ref(hay, 1)})
	old := w.sync.Seq
	w.send()
	if table.DoubtAfter("w", old) || table.DoubtAfter("nowhere", old) || len(j.received("Doubted")) != 0 {
		t.Error("a worker that has sent its next message is in doubt")
	}
	if !table.DoubtAfter("w", w.sync.Seq) {
		t.Error("a worker that sends nothing is not in doubt")
	}
	if got := j.received("Doubted"); len(got) != 1 || !strings.Contains(got[0], "Doubt:true") {
		t.Errorf("the job receives %q", got)
	}
	w.send()
	if got := j.received("Doubted"); len(got) != 1 || !strings.Contains(got[0], "Doubt:false") {
		t.Errorf("the job receives %q", got)
	}
}

// TestDoubt verifies that the jobs of a worker that others cannot reach receive that,
// and that its next message ends it.
func TestDoubt(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	j, other := attach(table, hay), attach(table, straw)
	w := join(t, table, "w", 1)
	table.Launch(0, "w", cluster.Launch{Ref: ref(hay, 1)})
	table.Doubt("w")
	table.Doubt("w")
	table.Doubt("nowhere")
	if got := j.received("Doubted"); len(got) != 1 || !strings.Contains(got[0], "Doubt:true") {
		t.Errorf("the job receives %q", got)
	}
	if got := other.received("Doubted"); len(got) != 0 {
		t.Errorf("a job without attempts there receives %q", got)
	}
	if s := table.List(0, time.Time{})[0].State; s != client.WorkerSuspect {
		t.Errorf("the worker is %s", s)
	}
	if _, uneven := w.send(); !uneven {
		t.Error("the slots of a worker that is back are not divided")
	}
	if got := j.received("Doubted"); len(got) != 1 || !strings.Contains(got[0], "Doubt:false") {
		t.Errorf("the job receives %q", got)
	}
}

// TestDrainByName verifies that a worker is named by its id or the end of it, in any
// case. A name of several workers drains none.
func TestDrainByName(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	a := join(t, table, "01AAXY", 1)
	join(t, table, "01BBXY", 1)
	for name, want := range map[string]bool{"": false, "xy": false, "01": false, "01CC": false, "aaxy": true} {
		if got := table.Drain(name); got != want {
			t.Errorf("drain %q: %v", name, got)
		}
	}
	if o := a.orders(); !o.Drain {
		t.Errorf("the worker is sent %+v", o)
	}
	list := table.List(0, time.Time{})
	if list[0].State != client.WorkerDraining || list[0].Reason == "" || list[1].State != client.WorkerReady {
		t.Errorf("listed are %+v", list)
	}
}

// TestAttach verifies that a job receives the attempts that run before it receives
// slots, so that it starts no second one. An attempt whose launch has not arrived is
// stopped.
func TestAttach(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	first := attach(table, hay)
	w := join(t, table, "w", 2)
	table.Divide([]scheduler.Demand{{Job: hay, Weight: 1, Want: 2}})
	first.received("")
	w.runs(ref(hay, 1))
	w.sync.Spent = []cluster.Spent{{Job: hay, Account: 4, Requests: plan.Requests{"s3": {Puts: 5}}}}
	w.send()
	table.Launch(0, "w", cluster.Launch{Ref: ref(hay, 2)})
	table.Mute(hay)
	j := new(job)
	table.Attach(hay, j)
	want := []string{"Joined{Worker:w Slots:0}", "spent w.4 s3 5", "Found{Worker:w Task:map/1 Attempt:7.1.00000000}", "Joined{Worker:w Slots:2}"}
	if !reflect.DeepEqual(j.got, want) {
		t.Errorf("the job receives\n%q\nwant\n%q", j.got, want)
	}
	if p := table.Placed(hay); len(p) != 1 || p[0].Attempt.N != 1 {
		t.Errorf("placed are %+v", p)
	}
}

// TestClose verifies that the attempts of a job that has ended are stopped, and that
// workers get the order to forget it until they have received that. A new run of it
// is not forgotten.
func TestClose(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	attach(table, hay)
	w := join(t, table, "w", 1)
	table.Launch(0, "w", cluster.Launch{Ref: ref(hay, 1)})
	w.orders()
	w.runs(ref(hay, 1))
	w.send()
	table.Close(hay)
	w.mute = true
	for range 2 {
		if o := w.beat(); !slices.Equal(o.Ended, []plan.JobID{hay}) || len(o.Stops) != 1 {
			t.Errorf("the worker is sent %+v", o)
		}
	}
	w.mute = false
	w.beat()
	if o := w.beat(); len(o.Ended) != 0 {
		t.Errorf("the worker has received it, and is sent %+v", o)
	}
	table.Close(hay)
	table.Open(hay)
	if o := w.beat(); len(o.Ended) != 0 {
		t.Errorf("the job runs again, and the worker is sent %+v", o)
	}
}

// TestExcludedWorkersAreListed verifies that a worker is listed with the job that
// excludes it, until the time is over or the job has ended.
func TestExcludedWorkersAreListed(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	attach(table, hay)
	w := join(t, table, "w", 1)
	table.Exclude(hay, []scheduler.Exclusion{{Worker: "w", Until: scheduler.Time(time.Minute)}, {Worker: "gone", Until: 1}})
	at := func(now time.Duration) client.Worker {
		w.now = now
		w.send()
		return table.List(now, time.Time{})[0]
	}
	if got := at(18 * time.Second); got.State != client.WorkerExcluded || !strings.Contains(got.Reason, string(hay)) || !strings.Contains(got.Reason, "42s") {
		t.Errorf("listed is %+v", got)
	}
	if got := at(time.Minute); got.State != client.WorkerReady || got.Reason != "" {
		t.Errorf("when the time is over, listed is %+v", got)
	}
	table.Exclude(hay, []scheduler.Exclusion{{Worker: "w", Until: scheduler.Time(time.Hour), Unfit: true}})
	if got := table.List(0, time.Time{})[0]; got.State != client.WorkerExcluded || !strings.Contains(got.Reason, "it cannot run attempts of job "+string(hay)) || !strings.HasSuffix(got.Reason, "1h0m0s") {
		t.Errorf("a worker that cannot run a job is %s: %s", got.State, got.Reason)
	}
	table.Exclude(hay, []scheduler.Exclusion{{Worker: "w", Until: scheduler.Time(time.Hour)}})
	table.Close(hay)
	if got := at(2 * time.Minute); got.State != client.WorkerReady {
		t.Errorf("when the job has ended, listed is %+v", got)
	}
}

// TestList verifies that a worker is shown as it described itself, with times
// as dates.
func TestList(t *testing.T) {
	t.Parallel()
	table := members.New(epoch, beat)
	attach(table, hay)
	day := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	w := join(t, table, "w", 2)
	w.now = 10 * time.Second
	w.send()
	table.Launch(w.now, "w", cluster.Launch{Ref: ref(hay, 1)})
	got := table.List(12*time.Second, day)
	want := client.Worker{ID: "w", Host: "host-w", PID: 17, State: client.WorkerReady, Slots: 2, Running: 1, Memory: 1 << 30, Joined: day.Add(-12 * time.Second), Heard: 2}
	if len(got) != 1 || got[0] != want {
		t.Errorf("listed are %+v, want %+v", got, want)
	}
	if s := table.List(w.now+2*beat+1, day)[0].State; s != client.WorkerSuspect {
		t.Errorf("after two beats of silence it is %s", s)
	}
}
