package api

import (
	"context"
	"crypto/rand"
	"math"
	"net/http"
	"strings"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
)

func (s *server) submit(w http.ResponseWriter, r *http.Request) error {
	if err := queryOf(r).err; err != nil {
		return err
	}
	var sub client.Submission
	if err := read(w, r, maxSpec, &sub); err != nil {
		return err
	}
	if err := checkSubmission(&sub); err != nil {
		return err
	}
	if sub.IdempotencyKey == "" {
		sub.IdempotencyKey = rand.Text()
	}
	made, err := s.backend.Submit(r.Context(), &sub)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if made.Known {
		status = http.StatusOK
	}
	w.Header().Set("Location", "/v1/jobs/"+string(made.ID))
	write(w, status, made)
	return nil
}

func (s *server) listJobs(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r, "state", "label", "before", "limit")
	state := choice(q, "state", client.States())
	label := q.values.Get("label")
	before := plan.JobID(q.values.Get("before"))
	limit := q.number("limit", jobsDefault, jobsMost)
	if before != "" && !before.Valid() {
		q.fail("before=%s is not the id of a job", clipped(string(before)))
	}
	if q.err != nil {
		return q.err
	}
	page := client.JobsPage{Jobs: []client.Job{}}
	looked := 0
	var last plan.JobID
	for job, err := range s.backend.Jobs(r.Context(), before) {
		if err != nil {
			return err
		}
		if len(page.Jobs) == limit || looked == jobsLooked {
			page.Next = last
			break
		}
		looked++
		last = job.ID
		if (state == "" || job.State == state) && hasLabel(&job, label) {
			page.Jobs = append(page.Jobs, job)
		}
	}
	write(w, http.StatusOK, page)
	return nil
}

// hasLabel reports whether a job has a label "name=value", or "name" with any
// value.
func hasLabel(job *client.Job, label string) bool {
	if label == "" {
		return true
	}
	name, want, exact := strings.Cut(label, "=")
	value, ok := job.Labels[name]
	return ok && (!exact || value == want)
}

func (s *server) job(w http.ResponseWriter, r *http.Request) error {
	id, err := plainJob(r)
	if err != nil {
		return err
	}
	job, err := s.backend.Job(r.Context(), id)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, job)
	return nil
}

// plainJob returns the job of a request that has no parameters.
func plainJob(r *http.Request) (plan.JobID, error) {
	if err := queryOf(r).err; err != nil {
		return "", err
	}
	return jobID(r)
}

func (s *server) spec(w http.ResponseWriter, r *http.Request) error {
	id, err := plainJob(r)
	if err != nil {
		return err
	}
	spec, err := s.backend.Spec(r.Context(), id)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, spec)
	return nil
}

// decide returns the handler of a decision about staged output.
func decide(of func(b Backend, ctx context.Context, id plan.JobID) error) func(s *server, w http.ResponseWriter, r *http.Request) error {
	return func(s *server, w http.ResponseWriter, r *http.Request) error {
		if err := queryOf(r).err; err != nil {
			return err
		}
		return s.order(w, r, func(id plan.JobID) error { return of(s.backend, r.Context(), id) })
	}
}

func (s *server) cancel(w http.ResponseWriter, r *http.Request) error {
	if err := queryOf(r).err; err != nil {
		return err
	}
	return s.order(w, r, func(id plan.JobID) error { return s.backend.Cancel(r.Context(), id) })
}

func (s *server) retry(w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r, "run")
	run := q.number("run", 0, math.MaxInt32)
	if q.err != nil {
		return q.err
	}
	return s.order(w, r, func(id plan.JobID) error { return s.backend.Retry(r.Context(), id, run) })
}

// order runs an operation on a job, and answers with the job.
func (s *server) order(w http.ResponseWriter, r *http.Request, do func(plan.JobID) error) error {
	id, err := jobID(r)
	if err != nil {
		return err
	}
	if err := do(id); err != nil {
		return err
	}
	job, err := s.backend.Job(r.Context(), id)
	if err != nil {
		return err
	}
	write(w, http.StatusAccepted, job)
	return nil
}
