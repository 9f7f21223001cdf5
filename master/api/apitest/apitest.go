// Package apitest has a backend of the API for tests of its users: handlers, the Go
// client, the command line. It keeps jobs in memory, and changes them only when a
// test says so.
//
// A Backend is safe for concurrent use.
package apitest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
)

// Job is the state of a job in a Backend.
type Job struct {
	client.Job
	Spec     plan.Spec
	Tasks    []client.Task
	Counters client.Counters
	Logs     []Log
}

// Log is an attempt's log.
type Log struct {
	client.Log
	Text  string
	Ended bool
}

// Backend is a cluster in memory. New returns one.
type Backend struct {
	mu      sync.Mutex
	jobs    map[plan.JobID]*Job
	changed map[plan.JobID]chan struct{}
	keys    map[string]plan.JobID
	bundles map[string][]byte
	workers []client.Worker
	garbage client.Garbage
	fail    error
	calls   map[string]int
	next    int
}

// New returns an empty cluster.
func New() *Backend {
	return &Backend{jobs: map[plan.JobID]*Job{}, changed: map[plan.JobID]chan struct{}{}, keys: map[string]plan.JobID{},
		bundles: map[string][]byte{}, calls: map[string]int{}}
}

// ID returns the id of the n-th job that is submitted, from 1 on.
func ID(n int) plan.JobID { return plan.JobID(fmt.Sprintf("01JD00000000000000000%05d", n)) }

// Set replaces a job, or adds a new one.
func (b *Backend) Set(j *Job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(j)
}

// Change changes a job.
func (b *Backend) Change(id plan.JobID, change func(*Job)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j := *b.jobs[id]
	change(&j)
	b.set(&j)
}

func (b *Backend) set(j *Job) {
	b.jobs[j.ID] = j
	if c := b.changed[j.ID]; c != nil {
		close(c)
	}
	b.changed[j.ID] = make(chan struct{})
}

// Fail makes all calls fail with an error; nil ends that.
func (b *Backend) Fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
	for id, c := range b.changed {
		close(c)
		b.changed[id] = make(chan struct{})
	}
}

// SetWorkers sets the cluster's workers.
func (b *Backend) SetWorkers(all ...client.Worker) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.workers = all
}

// SetGarbage sets the garbage to collect.
func (b *Backend) SetGarbage(g client.Garbage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.garbage = g
}

// Calls returns how often a method was called. Some names include an argument:
// "Cancel 01JD…".
func (b *Backend) Calls(what string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.calls[what]
}

// Bundle returns the bytes of a bundle, or nil.
func (b *Backend) Bundle(digest string) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bundles[digest]
}

// call counts a call of a method. It returns the job, if the call is for one.
func (b *Backend) call(what string, id plan.JobID) (*Job, error) {
	b.calls[strings.TrimSpace(what+" "+string(id))]++
	if b.fail != nil {
		return nil, b.fail
	}
	if id == "" {
		return nil, nil
	}
	j := b.jobs[id]
	if j == nil {
		return nil, client.Errorf(plan.NotFound, "there is no job %s", id)
	}
	return j, nil
}

// Submit creates a job that stays in planning until a test changes it.
func (b *Backend) Submit(_ context.Context, s *client.Submission) (client.Submitted, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.call("Submit", ""); err != nil {
		return client.Submitted{}, err
	}
	if id, ok := b.keys[s.IdempotencyKey]; ok {
		if b.jobs[id].Spec.Output != s.Output {
			return client.Submitted{}, client.Errorf(plan.Conflict, "the key %s belongs to job %s, which is another one", s.IdempotencyKey, id)
		}
		return client.Submitted{ID: id, Known: true}, nil
	}
	for _, bundle := range s.Bundles {
		if b.bundles[bundle.Digest] == nil {
			return client.Submitted{}, client.Errorf(plan.Invalid, "there is no bundle %s: upload it first", bundle.Digest)
		}
	}
	b.next++
	spec := s.Spec()
	spec.ID, spec.Submitted = ID(b.next), time.Now().UTC()
	b.keys[s.IdempotencyKey] = spec.ID
	b.set(&Job{Spec: spec, Job: client.Job{ID: spec.ID, Job: s.Job, Input: s.Input, Output: s.Output, OnExists: s.OnExists, BadRecords: s.BadRecords, Expect: s.Expect, Replay: s.Replay, Params: s.Params,
		Priority: spec.Share(), Labels: s.Labels, State: client.Planning, Phase: "plan", Submitted: spec.Submitted, Phases: []client.Phase{}}})
	return client.Submitted{ID: spec.ID}, nil
}

// Jobs returns jobs by their ids, the highest first.
func (b *Backend) Jobs(_ context.Context, before plan.JobID) iter.Seq2[client.Job, error] {
	return func(yield func(client.Job, error) bool) {
		b.mu.Lock()
		_, err := b.call("Jobs", "")
		all := slices.SortedFunc(maps.Values(b.jobs), func(a, o *Job) int { return cmp.Compare(o.ID, a.ID) })
		b.mu.Unlock()
		if err != nil {
			yield(client.Job{}, err)
			return
		}
		for _, j := range all {
			if (before == "" || j.ID < before) && !yield(j.Job, nil) {
				return
			}
		}
	}
}

// Job returns a job.
func (b *Backend) Job(_ context.Context, id plan.JobID) (client.Job, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j, err := b.call("Job", id)
	if err != nil {
		return client.Job{}, err
	}
	return j.Job, nil
}

// Spec returns a job's spec.
func (b *Backend) Spec(_ context.Context, id plan.JobID) (plan.Spec, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j, err := b.call("Spec", id)
	if err != nil {
		return plan.Spec{}, err
	}
	return j.Spec, nil
}

// Cancel cancels a job at once.
func (b *Backend) Cancel(_ context.Context, id plan.JobID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	j, err := b.call("Cancel", id)
	switch {
	case err != nil:
		return err
	case j.State.Ended() && j.State != client.Cancelled:
		return client.Errorf(plan.Conflict, "job %s has %s", id, j.State)
	}
	ended := *j
	ended.State, ended.Phase, ended.Cause = client.Cancelled, "", &client.Cause{Kind: plan.Cancelled, Text: "a user asked"}
	ended.Ended = time.Now().UTC()
	b.set(&ended)
	return nil
}

// Retry makes a job run.
func (b *Backend) Retry(_ context.Context, id plan.JobID, run int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	j, err := b.call("Retry", id)
	switch {
	case err != nil:
		return err
	case run > 0 && j.Run >= run:
		return nil
	case j.State == client.Succeeded:
		return client.Errorf(plan.Conflict, "job %s has succeeded: rerun makes a new one", id)
	}
	again := *j
	again.State, again.Phase, again.Cause, again.Ended = client.Running, "map", nil, time.Time{}
	again.Run++
	b.set(&again)
	return nil
}

// Publish notes the call.
func (b *Backend) Publish(_ context.Context, id plan.JobID) error { return b.decide("Publish", id) }

// Discard notes the call.
func (b *Backend) Discard(_ context.Context, id plan.JobID) error { return b.decide("Discard", id) }

// decide fails for jobs that have staged nothing.
func (b *Backend) decide(name string, id plan.JobID) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	j, err := b.call(name, id)
	if err == nil && (j.Cause == nil || j.Cause.Kind != plan.Unmet) {
		err = client.Errorf(plan.NotFound, "output %s: nothing is staged there", j.Output)
	}
	return err
}

// Changed returns a channel that is closed when the job is set again.
func (b *Backend) Changed(id plan.JobID) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls["Changed "+string(id)]++
	return b.changed[id]
}

// Tasks returns a job's tasks.
func (b *Backend) Tasks(_ context.Context, id plan.JobID) ([]client.Task, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j, err := b.call("Tasks", id)
	if err != nil {
		return nil, err
	}
	return slices.Clone(j.Tasks), nil
}

// Counters returns a job's counters.
func (b *Backend) Counters(_ context.Context, id plan.JobID) (client.Counters, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j, err := b.call("Counters", id)
	if err != nil {
		return client.Counters{}, err
	}
	return j.Counters, nil
}

// Logs returns a job's logs.
func (b *Backend) Logs(_ context.Context, id plan.JobID, task plan.TaskID) ([]client.Log, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j, err := b.call("Logs", id)
	if err != nil {
		return nil, err
	}
	var all []client.Log
	for i := range j.Logs {
		if task == (plan.TaskID{}) || j.Logs[i].Task == task.String() {
			l := j.Logs[i].Log
			l.Bytes = int64(len(j.Logs[i].Text))
			all = append(all, l)
		}
	}
	return all, nil
}

// OpenLog returns a log from a byte on.
func (b *Backend) OpenLog(_ context.Context, id plan.JobID, task plan.TaskID, attempt plan.AttemptID, from int64) (io.ReadCloser, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	j, err := b.call("OpenLog", id)
	if err != nil {
		return nil, false, err
	}
	for i := range j.Logs {
		if l := &j.Logs[i]; l.Task == task.String() && l.Attempt == attempt.String() {
			return io.NopCloser(strings.NewReader(l.Text[min(int(from), len(l.Text)):])), l.Ended, nil
		}
	}
	return nil, false, client.Errorf(plan.NotFound, "job %s has no attempt %v of task %v", id, attempt, task)
}

// Workers returns the workers.
func (b *Backend) Workers(context.Context) ([]client.Worker, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.call("Workers", "")
	return slices.Clone(b.workers), err
}

// Drain makes a worker drain.
func (b *Backend) Drain(_ context.Context, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.call("Drain "+id, ""); err != nil {
		return err
	}
	for i := range b.workers {
		if b.workers[i].ID == id {
			b.workers[i].State, b.workers[i].Reason = client.WorkerDraining, "a user asked"
			return nil
		}
	}
	return client.Errorf(plan.NotFound, "there is no worker %s", id)
}

// Cluster describes the cluster.
func (b *Backend) Cluster(context.Context) (client.Cluster, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.call("Cluster", "")
	return client.Cluster{Master: "m1", Leader: "http://127.0.0.1:7411", Epoch: 3, Since: time.Unix(0, 0).UTC(), Build: "v1", Root: "s3://root",
		Workers: len(b.workers), Jobs: len(b.jobs)}, err
}

// Collect returns the garbage, and removes it unless dryRun.
func (b *Backend) Collect(_ context.Context, dryRun bool) (client.Garbage, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.call("Collect", "")
	g := b.garbage
	g.DryRun = dryRun
	if !dryRun {
		b.garbage = client.Garbage{}
	}
	return g, err
}

// Ready returns the error that Fail set.
func (b *Backend) Ready(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.call("Ready", "")
	return err
}

// HasBundle reports whether a bundle exists.
func (b *Backend) HasBundle(_ context.Context, digest string) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.call("HasBundle", "")
	return b.bundles[digest] != nil, err
}

// PutBundle keeps a bundle.
func (b *Backend) PutBundle(_ context.Context, digest string, size int64, body io.Reader) error {
	var whole bytes.Buffer
	n, err := io.Copy(&whole, body)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.call("PutBundle", ""); err != nil {
		return err
	}
	sum := sha256.Sum256(whole.Bytes())
	if got := hex.EncodeToString(sum[:]); got != digest || n != size {
		return client.Errorf(plan.Invalid, "the bundle has %d bytes with the digest %s, and not %d with %s", n, got, size, digest)
	}
	b.bundles[digest] = whole.Bytes()
	return nil
}
