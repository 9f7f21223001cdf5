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
	"github.com/windrow-mr/windrow/store"
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
	m.submitting.RLock()
	defer m.submitting.RUnlock()
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
	for _, b := range s.Bundles {
		there, err := m.HasBundle(ctx, b.Digest)
		if err != nil {
			return err
		}
		if !there {
			return client.Errorf(client.Usage, "the bundle %s for %s/%s was not uploaded: PUT it to /v1/bundles/%s first", b.Digest, b.OS, b.Arch, b.Digest)
		}
	}
	return nil
}

// storeError puts an error of the store into the words of the API.
func storeError(err error) error {
	if _, ok := errors.AsType[*client.Error](err); ok || err == nil {
		return err
	}
	switch store.KindOf(err) {
	case store.Denied:
		return client.Errorf(client.Denied, "%v", err)
	case store.Invalid:
		return client.Errorf(client.Usage, "%v", err)
	case store.NotFound:
		return client.Errorf(client.NotFound, "%v", err)
	case store.Canceled:
		return err
	default:
		return client.Errorf(client.Unavailable, "%v", err)
	}
}

// Cancel aborts a job. It returns when the log has it: a master that dies then
// takes nothing back.
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
	asked := false
	for {
		changed := m.Changed(id)
		var s scheduler.Status
		var cause scheduler.CauseKind
		if !j.look(ctx, func(job *scheduler.Job) { s, cause = job.Status, job.Cause.Kind }) {
			select {
			case <-j.gone:
				return m.Cancel(ctx, id)
			default:
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := pause(ctx, lookTime/10); err != nil {
				return err
			}
			continue
		}
		switch {
		case s == scheduler.Aborting || s == scheduler.Failed:
			return nil
		case s == scheduler.Committing || s == scheduler.Succeeded:
			return client.Errorf(client.Conflict, "job %s cannot be cancelled any more: its output is being committed (%v)", id, cause)
		case !asked:
			asked = true
			j.post(scheduler.Cancel{Cause: scheduler.Cause{Kind: scheduler.Cancelled, Text: "it was cancelled"}})
		}
		select {
		case <-changed:
		case <-time.After(lookTime): // a shell that began anew was not asked
			asked = false
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Retry lets a job that failed go on, in a run of its own. That it is wanted is
// kept before anybody acts on it.
func (m *Master) Retry(ctx context.Context, id plan.JobID) error {
	r, err := m.rules()
	if err != nil {
		return err
	}
	if j := r.job(id); j != nil {
		ended := false
		if !j.look(ctx, func(s *scheduler.Job) { ended = s.Status == scheduler.Failed || s.Status == scheduler.Aborting }) || ended {
			select {
			case <-j.gone:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		} else {
			return nil
		}
	}
	if _, err := readSpec(ctx, m.cfg.Root, id); err != nil {
		return jobError(id, err)
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

// jobError says that there is no such job, if that is what an error of reading
// its spec means.
func jobError(id plan.JobID, err error) error {
	if store.KindOf(err) == store.NotFound {
		return client.Errorf(client.NotFound, "there is no job %s: windrow ls shows those that there are", id)
	}
	return storeError(err)
}
