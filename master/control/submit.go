package control

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/plan"
)

// Submit makes a job, or finds the one that was made with the same key. A job that
// is acknowledged is known to every later leader: the order is key, specification,
// index, and then a check that this master still leads.
func (m *Master) Submit(ctx context.Context, s *client.Submission) (client.Submitted, error) {
	l, err := m.leader()
	if err != nil {
		return client.Submitted{}, answer(err)
	}
	if err := m.submitting.Acquire(ctx, 1); err != nil {
		return client.Submitted{}, err
	}
	defer m.submitting.Release(1)
	made := s.Spec()
	made.Copies = l.copies(made.Objects())
	if err := l.allowed(ctx, &made); err != nil {
		return client.Submitted{}, err
	}
	digest, earlier, err := digestsOf(s)
	if err != nil {
		return client.Submitted{}, err
	}
	id, err := ulid.New(ulid.Timestamp(m.cfg.Now()), rand.Reader)
	if err != nil {
		return client.Submitted{}, err
	}
	mine := journal.Claim{Job: plan.JobID(id.String()), Digest: digest}
	if err := storable(made, mine.Job, m.cfg.Now()); err != nil {
		return client.Submitted{}, err
	}
	claim, err := journal.ClaimKey(ctx, m.cfg.Root, s.IdempotencyKey, mine)
	if err != nil {
		return client.Submitted{}, answer(err)
	}
	if claim.Digest != digest && claim.Digest != earlier {
		return client.Submitted{}, client.Errorf(plan.Conflict, "the idempotency key was used for another submission, job %s: use another key, or submit the same", claim.Job)
	}
	known := claim.Job != mine.Job
	body, err := specOf(made, claim.Job, m.cfg.Now())
	if err != nil {
		return client.Submitted{}, err
	}
	if err := l.begin(ctx, claim.Job, body, known); err != nil {
		return client.Submitted{}, err
	}
	return client.Submitted{ID: claim.Job, Known: known}, nil
}

// digestsOf returns the digest of a submission, by which a second one with the same
// key is compared with it, and the digest that earlier versions stored. Values of Once
// are decided by the first submission of a job: one that is made again, by a program
// that was started again, has others, and is the same submission.
func digestsOf(s *client.Submission) (digest, earlier string, err error) {
	bare := *s
	bare.IdempotencyKey = ""
	body, err := json.Marshal(&bare)
	if err != nil {
		return "", "", err
	}
	sum := sha256.Sum256(body)
	earlier = hex.EncodeToString(sum[:])
	bare.Once, bare.Plan = nil, withoutOnce(s)
	if body, err = json.Marshal(&bare); err != nil {
		return "", "", err
	}
	sum = sha256.Sum256(body)
	return hex.EncodeToString(sum[:]), earlier, nil
}

// withoutOnce returns the text of the pipeline without the lines that describe values
// of Once: "once NAME: 20 bytes, sha256 …".
func withoutOnce(s *client.Submission) string {
	var kept strings.Builder
	for line := range strings.Lines(s.Plan) {
		rest, describes := strings.CutPrefix(line, "once ")
		name, _, _ := strings.Cut(rest, ": ")
		if _, known := s.Once[name]; !describes || !known {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// specOf returns the specification of a job as it is stored.
func specOf(spec plan.Spec, id plan.JobID, now time.Time) ([]byte, error) {
	spec.ID, spec.Submitted = id, now.UTC()
	return json.Marshal(&spec)
}

// storable refuses a submission that no request can store. Its document may be
// longer than the one that was received, since JSON has several forms of a text.
func storable(spec plan.Spec, id plan.JobID, now time.Time) error {
	body, err := specOf(spec, id, now)
	if err == nil && len(body) > journal.MaxSpec {
		err = &client.Error{Status: http.StatusRequestEntityTooLarge, Kind: plan.Invalid,
			Text: fmt.Sprintf("the submission has %d bytes as it is stored, but %d at most: make inputs of large parameters and Once values", len(body), journal.MaxSpec)}
	}
	return err
}

// begin makes a job of a specification and drives it. An earlier request with the
// same key may have come some way. A job that has ended does not begin again.
func (l *leadership) begin(ctx context.Context, id plan.JobID, spec []byte, known bool) error {
	run := journal.Run{Job: id}
	won, _, err := journal.CreateJob(ctx, l.cfg.Root, id, spec)
	if err != nil {
		return answer(err)
	}
	if known && !won {
		state, err := journal.Read(ctx, l.cfg.Root, id)
		if journal.Damaged(err) {
			return nil // it is there, and its state says what is wrong
		}
		if err != nil {
			return answer(err)
		}
		if state.Slots > 0 {
			return nil // it runs, or has ended
		}
	}
	if err := journal.Activate(ctx, l.cfg.Root, run); err != nil {
		return answer(err)
	}
	if err := l.confirm(ctx); err != nil {
		return answer(err)
	}
	l.drive(run)
	return nil
}

// allowed checks the URLs of a submission against the operator's list, and that
// its programs were uploaded.
func (l *leadership) allowed(ctx context.Context, s *plan.Spec) error {
	if err := l.cfg.Allows(s.Output); err != nil {
		return answer(err)
	}
	for _, in := range s.Input {
		_, url := plan.ParseInput(in)
		if err := l.cfg.Allows(url); err != nil {
			return answer(err)
		}
	}
	b, err := l.lacks(ctx, s)
	if b != nil && b.OS == "" {
		return client.Errorf(plan.Invalid, "the file with the SHA-256 %s was not uploaded: PUT it to /v1/bundles/%[1]s first", b.Digest)
	}
	if b != nil {
		return client.Errorf(plan.Invalid, "the bundle %s for %s/%s was not uploaded: PUT it to /v1/bundles/%s first", b.Digest, b.OS, b.Arch, b.Digest)
	}
	return err
}
