package control

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// rules returns the reign, or what a client is told when there is none.
func (m *Master) rules() (*reign, error) {
	r, err := m.leads()
	if other, ok := errors.AsType[*cluster.NotLeader](err); ok {
		e := client.Errorf(client.NotLeader, "%v", other)
		e.Leader = other.URL
		return nil, e
	}
	return r, err
}

// Submit makes a job, or finds the one that was made by the same key. What is
// acknowledged is known to every later master: the order is key, spec, index, and
// only then a look at whether this master still leads.
func (m *Master) Submit(ctx context.Context, s *client.Submission) (client.Submitted, error) {
	r, err := m.rules()
	if err != nil {
		return client.Submitted{}, err
	}
	if err := m.submitting.Acquire(ctx, 1); err != nil {
		return client.Submitted{}, err
	}
	defer m.submitting.Release(1)
	if err := m.allowed(ctx, s); err != nil {
		return client.Submitted{}, err
	}
	key := s.IdempotencyKey
	bare := *s
	bare.IdempotencyKey = ""
	body, err := json.Marshal(&bare)
	if err != nil {
		return client.Submitted{}, err
	}
	digest := sha256.Sum256(body)
	id, err := ulid.New(ulid.Timestamp(m.cfg.Now()), rand.Reader)
	if err != nil {
		return client.Submitted{}, err
	}
	mine := journal.Claim{Job: plan.JobID(id.String()), Digest: hex.EncodeToString(digest[:])}
	claim, err := journal.ClaimKey(ctx, m.cfg.Root, key, mine)
	if err != nil {
		return client.Submitted{}, storeError(err)
	}
	if claim.Digest != mine.Digest {
		return client.Submitted{}, client.Errorf(client.Conflict, "the idempotency key was used for another submission, job %s: use another key, or submit the same", claim.Job)
	}
	known := claim.Job != mine.Job
	spec := s.Spec()
	spec.ID, spec.Submitted = claim.Job, m.cfg.Now().UTC()
	if body, err = json.Marshal(&spec); err != nil {
		return client.Submitted{}, err
	}
	if err := r.begin(ctx, claim.Job, body, known); err != nil {
		return client.Submitted{}, err
	}
	return client.Submitted{ID: claim.Job, Known: known}, nil
}

// begin makes a job of a spec and carries it on. A submission that was begun
// before may have got anywhere; one that has ended is not begun again.
func (r *reign) begin(ctx context.Context, id plan.JobID, spec []byte, known bool) error {
	run := journal.Run{Job: id}
	won, _, err := journal.CreateJob(ctx, r.cfg.Root, id, spec)
	if err != nil {
		return storeError(err)
	}
	if known && !won {
		state, err := journal.Read(ctx, r.cfg.Root, id)
		if err != nil {
			return storeError(err)
		}
		if state.Slots > 0 {
			return nil // it is under way or over
		}
	}
	if err := journal.Activate(ctx, r.cfg.Root, run); err != nil {
		return storeError(err)
	}
	if err := r.stillLeads(ctx); err != nil {
		return err
	}
	r.carry(run)
	return nil
}

// stillLeads finds out, by a read begun now, whether this master leads.
func (r *reign) stillLeads(ctx context.Context) error {
	leads, err := r.lease.Leads(ctx)
	if err != nil {
		return storeError(err)
	}
	if !leads {
		return client.Errorf(client.NotLeader, "this master does not lead any more: ask again")
	}
	return nil
}

// allowed checks what a submission names against what the operator allows.
func (m *Master) allowed(ctx context.Context, s *client.Submission) error {
	if err := m.cfg.Allows(s.Output); err != nil {
		return storeError(err)
	}
	for _, in := range s.Input {
		if name, url, ok := strings.Cut(in, "="); ok && !strings.ContainsAny(name, ":/.?*") {
			in = url
		}
		if err := m.cfg.Allows(in); err != nil {
			return storeError(err)
		}
	}
	b, err := m.lacks(ctx, s.Bundles)
	if b != nil {
		return client.Errorf(client.Usage, "the bundle %s for %s/%s was not uploaded: PUT it to /v1/bundles/%s first", b.Digest, b.OS, b.Arch, b.Digest)
	}
	return err
}

// lacks returns the first program that is not there, nil if all are.
func (m *Master) lacks(ctx context.Context, bundles []plan.Bundle) (*plan.Bundle, error) {
	for i := range bundles {
		there, err := m.HasBundle(ctx, bundles[i].Digest)
		if err != nil {
			return nil, err
		}
		if !there {
			return &bundles[i], nil
		}
	}
	return nil, nil
}

// storeError puts an error of the store into the words of the API.
func storeError(err error) error {
	if _, ok := errors.AsType[*client.Error](err); ok || err == nil {
		return err
	}
	if u, ok := errors.AsType[*unreadable](err); ok { // to ask again would be no use
		return client.Errorf(client.Conflict, "job %s: %v", u.spec.ID, u)
	}
	switch plan.KindOf(err) {
	case plan.Denied:
		return client.Errorf(client.Denied, "%v", err)
	case plan.Invalid:
		return client.Errorf(client.Usage, "%v", err)
	case plan.NotFound:
		return client.Errorf(client.NotFound, "%v", err)
	case plan.Interrupted:
		return err
	default:
		return client.Errorf(client.Unavailable, "%v", err)
	}
}

// patience bounds how long people wait for a job that cannot go on just now.
const patience = 10 * time.Second

// Cancel aborts a job. It returns when the log has it: a master that dies then
// takes nothing back. A job that cannot go on just now is aborted when it can.
func (m *Master) Cancel(ctx context.Context, id plan.JobID) error {
	r, err := m.rules()
	if err != nil {
		return err
	}
	j := r.job(id)
	if j == nil {
		job, err := m.Job(ctx, id)
		switch {
		case err != nil:
			return err
		case job.State == client.Cancelled:
			return nil
		case !job.State.Ended():
			return client.Errorf(client.Unavailable, "job %s is being taken up: ask again", id)
		}
		return client.Errorf(client.Conflict, "job %s has ended: it %s", id, job.State)
	}
	waiting, stop := context.WithTimeout(ctx, patience)
	defer stop()
	for asked := false; ; {
		changed := m.Changed(id)
		s, run, err := j.status(waiting)
		switch {
		case err != nil && waiting.Err() == nil:
			return storeError(err)
		case err != nil:
		case run >= j.run.Number && (s == scheduler.Aborting || s == scheduler.Failed):
			return nil
		case (s == scheduler.Committing || s == scheduler.Succeeded) && !j.unreadable():
			return client.Errorf(client.Conflict, "job %s cannot be cancelled any more: its output is being committed", id)
		case !asked:
			asked = true
			j.cancel()
		}
		select {
		case <-changed:
		case <-j.gone:
			return m.Cancel(ctx, id)
		case <-waiting.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return j.stuck("it is aborted as soon as it can go on, if this master leads by then; ask again")
		}
	}
}

// status returns what the log says of the job, and of which run. It asks the
// shell, or reads the log where there is none.
func (j *job) status(ctx context.Context) (s scheduler.Status, run int, err error) {
	seen := make(chan func(), 1)
	if j.look(ctx, func(job *scheduler.Job) {
		status, n := job.Status, job.Run
		seen <- func() { s, run = status, n }
	}) {
		(<-seen)()
		return s, run, nil
	}
	job, err := journal.Read(ctx, j.cfg.Root, j.id)
	if err != nil {
		return 0, 0, err
	}
	return job.Status, job.Run, nil
}

// stuck says what keeps a job from going on.
func (j *job) stuck(advice string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	why := "its master has not got so far"
	if j.trouble != nil {
		why = j.trouble.Error()
	}
	return client.Errorf(client.Unavailable, "job %s cannot go on just now (%s): %s", j.id, why, advice)
}

// Retry lets a job that failed go on, in a run of its own. That it is wanted is
// kept before anybody acts on it.
func (m *Master) Retry(ctx context.Context, id plan.JobID) error {
	r, err := m.rules()
	if err != nil {
		return err
	}
	if err := m.submitting.Acquire(ctx, 1); err != nil {
		return err
	}
	defer m.submitting.Release(1)
	if under, err := r.underWay(ctx, id); err != nil || under {
		return err
	}
	spec, err := readSpec(ctx, m.cfg.Root, id)
	if err != nil {
		return jobError(id, err)
	}
	if b, err := m.lacks(ctx, spec.Bundles); err != nil || b != nil {
		if err == nil {
			err = client.Errorf(client.Conflict, "the program of job %s was removed since: submit it again", id)
		}
		return err
	}
	state, err := journal.Read(ctx, m.cfg.Root, id)
	if err != nil {
		return storeError(err)
	}
	if state.Status == scheduler.Succeeded {
		return client.Errorf(client.Conflict, "job %s succeeded: there is nothing to retry; rerun makes a new job of it", id)
	}
	run := journal.Run{Job: id, Number: state.Run}
	if state.Status == scheduler.Failed {
		run.Number++
	}
	if err := journal.Activate(ctx, m.cfg.Root, run); err != nil {
		return storeError(err)
	}
	if err := r.stillLeads(ctx); err != nil {
		return err
	}
	r.carry(run)
	return nil
}

// underWay tells whether a job goes on anyway. A run that fails just now is
// waited for, until it is put away.
func (r *reign) underWay(ctx context.Context, id plan.JobID) (bool, error) {
	j := r.job(id)
	if j == nil {
		return false, nil
	}
	waiting, stop := context.WithTimeout(ctx, patience)
	defer stop()
	s, run, err := j.status(waiting)
	if err != nil {
		return false, jobError(id, err)
	}
	if run < j.run.Number || !s.Ended() && s != scheduler.Aborting {
		return true, nil
	}
	select {
	case <-j.gone:
		return false, nil
	case <-waiting.Done():
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		return false, j.stuck("its run before this one has not been put away; ask again")
	}
}

// jobError says that there is no such job, if that is what an error of reading
// its spec means.
func jobError(id plan.JobID, err error) error {
	if plan.KindOf(err) == plan.NotFound {
		return client.Errorf(client.NotFound, "there is no job %s: windrow ls shows those that there are", id)
	}
	return storeError(err)
}
