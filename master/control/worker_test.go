package control_test

import (
	"fmt"
	"slices"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// The work of the job that workers do here: two maps read half of the input each,
// and one reduce writes all.
const (
	mapTasks  = 2
	half      = 100 // bytes of input of a map
	records   = 10  // that a map reads
	shuffled  = 70  // bytes that a map leaves
	sorted    = "all records, sorted\n"
	partition = 1 // partitions
)

// worker is a worker whose messages a test sends by hand.
type worker struct {
	*bed
	master *master
	next   cluster.Sync
	got    map[cluster.Ref]bool // attempts that were launched here
	fresh  []cluster.Launch     // those that the test has not seen
	grants map[cluster.Ref][]plan.AttemptID
	last   *cluster.Orders
}

func (b *bed) worker(m *master, id string, slots int) *worker {
	return &worker{bed: b, master: m, got: make(map[cluster.Ref]bool), grants: make(map[cluster.Ref][]plan.AttemptID),
		next: cluster.Sync{Version: cluster.Version, Worker: id, Info: cluster.Info{Host: "host of " + id, Slots: slots}}}
}

// say sends the next message, and follows the orders of the answer.
func (w *worker) say() *cluster.Orders {
	w.t.Helper()
	w.next.Seq++
	s := w.next
	s.Running, s.Outcomes = slices.Clone(s.Running), slices.Clone(s.Outcomes)
	o, err := w.master.Sync(w.t.Context(), &s)
	w.must(err)
	w.next.Epoch, w.next.Heard, w.last = o.Epoch, s.Seq, o
	for _, l := range o.Launches {
		if !w.got[l.Ref] {
			w.got[l.Ref] = true
			w.fresh = append(w.fresh, l)
			w.next.Running = append(w.next.Running, cluster.Running{Ref: l.Ref})
		}
	}
	for _, ref := range o.Stops {
		w.forget(ref)
	}
	for _, g := range o.Grants {
		w.grants[g.Ref] = g.All
	}
	w.next.Outcomes = slices.DeleteFunc(w.next.Outcomes, func(e cluster.Outcome) bool { return slices.Contains(o.Acks, e.Ref) })
	return o
}

// forget lets an attempt no longer run.
func (w *worker) forget(ref cluster.Ref) {
	w.next.Running = slices.DeleteFunc(w.next.Running, func(r cluster.Running) bool { return r.Ref == ref })
	w.fresh = slices.DeleteFunc(w.fresh, func(l cluster.Launch) bool { return l.Ref == ref })
}

// launched sends messages until an attempt is launched that the test has not seen.
func (w *worker) launched() cluster.Launch {
	w.t.Helper()
	for range 30 {
		if len(w.fresh) > 0 {
			l := w.fresh[0]
			w.fresh = w.fresh[1:]
			return l
		}
		w.say()
	}
	w.t.Fatalf("no attempt is launched on %s", w.next.Worker)
	return cluster.Launch{}
}

// launchedAt is launched for an attempt of a phase.
func (w *worker) launchedAt(p plan.Phase) cluster.Launch {
	w.t.Helper()
	l := w.launched()
	if l.Task.Phase != p {
		w.t.Fatalf("an attempt at %v is launched, want one of the phase %v", l.Task, p)
	}
	return l
}

// ends reports the end of an attempt with the next message.
func (w *worker) ends(o cluster.Outcome) {
	w.forget(o.Ref)
	w.next.Outcomes = append(w.next.Outcomes, o)
}

// table is the task table of the job.
func table(id plan.JobID) *attempts.Table {
	t := &attempts.Table{Job: id, Partitions: partition, PartOnce: true, Input: mapTasks * half}
	for i := range int64(mapTasks) {
		o := plan.Object{Root: "mem://data", Key: fmt.Sprintf("in/%d", i), Size: half}
		t.Splits = append(t.Splits, plan.Split{Sections: []plan.Section{{Object: o, Length: half}}})
	}
	return t
}

// plans makes the task table, and returns the outcome.
func (w *worker) plans(l cluster.Launch, t *attempts.Table) cluster.Outcome {
	w.t.Helper()
	w.must(t.Write(w.t.Context(), w.root, l.Attempt))
	return cluster.Outcome{Ref: l.Ref, Result: cluster.Done, Winner: l.Attempt, Counts: t.Counts()}
}

// manifest leaves the manifest of an attempt, and returns the outcome.
func (w *worker) manifest(m *plan.Manifest) cluster.Outcome {
	w.t.Helper()
	for _, r := range m.Runs {
		w.must(w.root.Sub(plan.ScratchPrefix(m.Job)).Put(w.t.Context(), r.Key, make([]byte, r.Size), store.Scratch))
	}
	w.must(attempts.WriteManifest(w.t.Context(), w.root.Sub(plan.ScratchPrefix(m.Job)), m, store.Scratch))
	return cluster.Outcome{Ref: cluster.Ref{Job: m.Job, Task: m.Task, Attempt: m.Attempt}, Result: cluster.Done,
		Winner: m.Attempt, Digest: m.Digest(), Sums: m.Sums}
}

// mapped is the manifest of a map.
func mapped(l cluster.Launch) *plan.Manifest {
	return &plan.Manifest{Job: l.Job, Task: l.Task, Attempt: l.Attempt, Rows: []int64{records},
		Runs: []plan.Run{{Key: "run" + l.Attempt.String(), Size: shuffled, CRC32C: 1, Partitions: []plan.Extent{{Length: shuffled, Rows: records}}}},
		Tally: plan.Tally{BytesIn: half, RecordsIn: records, PairsOut: records, RunBytes: shuffled,
			Counts: map[string]int64{"seen": records}, Stats: map[string]plan.Stat{"width": {Count: 1, Sum: 3, Min: 3, Max: 3}}}}
}

// granted asks for the grant of an attempt until it has it.
func (w *worker) granted(ref cluster.Ref) {
	w.t.Helper()
	for i := range w.next.Running {
		if w.next.Running[i].Ref == ref {
			w.next.Running[i].Asking = true
		}
	}
	for range 30 {
		if slices.Contains(w.grants[ref], ref.Attempt) {
			return
		}
		w.say()
	}
	w.t.Fatalf("attempt %v at %v is not granted", ref.Attempt, ref.Task)
}

// reduces writes the part of a reduce that is granted, and returns the outcome.
func (w *worker) reduces(l cluster.Launch) cluster.Outcome {
	w.t.Helper()
	name := table(l.Job).PartName(l.Task, l.Attempt, 0, l.Run)
	dir := w.data.Sub("out/")
	w.must(dir.Put(w.t.Context(), name, []byte(sorted), store.Durable))
	p, err := attempts.SumPart(w.t.Context(), dir, name)
	w.must(err)
	p.Records = mapTasks * records
	return w.manifest(&plan.Manifest{Job: l.Job, Task: l.Task, Attempt: l.Attempt, Part: &p,
		Tally: plan.Tally{RecordsIn: mapTasks * records, RecordsOut: mapTasks * records, BytesOut: int64(len(sorted))}})
}

// works does what an attempt must do, and reports that.
func (w *worker) works(l cluster.Launch) {
	w.t.Helper()
	switch l.Task.Phase {
	case plan.Prepare:
		w.ends(w.plans(l, table(l.Job)))
	case plan.Map:
		w.ends(w.manifest(mapped(l)))
	default:
		w.granted(l.Ref)
		w.ends(w.reduces(l))
	}
}

// until works until a job is as wanted.
func (w *worker) until(id plan.JobID, want func(client.Job) bool) client.Job {
	w.t.Helper()
	for range 60 {
		w.say()
		if d := w.job(w.master, id); want(d) {
			return d
		}
		for len(w.fresh) > 0 {
			w.works(w.launched())
		}
	}
	d := w.job(w.master, id)
	w.t.Fatalf("the job is %s, %+v, cause %+v", d.State, d.Phases, d.Cause)
	return d
}

// done works until a job has ended in a state.
func (w *worker) done(id plan.JobID, want client.State) client.Job {
	w.t.Helper()
	d := w.until(id, func(d client.Job) bool { return d.State.Ended() })
	if d.State != want {
		w.t.Fatalf("the job is %s, want %s: %+v", d.State, want, d.Cause)
	}
	return d
}

// fails reports that an attempt failed.
func (w *worker) fails(l cluster.Launch, f plan.Failure) {
	w.ends(cluster.Outcome{Ref: l.Ref, Result: cluster.Failed, Failure: f})
}
