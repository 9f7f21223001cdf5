package client

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/windrow-mr/windrow/plan"
)

//go:noinline
func jobPath(id plan.JobID, more string) string {
	return "/v1/jobs/" + url.PathEscape(string(id)) + more
}

// Submit submits a job. If there is no idempotency key, it chooses a random
// one, so that repeated requests make one job.
func (c *Client) Submit(ctx context.Context, s Submission) (Submitted, error) {
	if s.IdempotencyKey == "" {
		s.IdempotencyKey = rand.Text()
	}
	var out Submitted
	k, err := post("/v1/jobs", &s)
	if err == nil {
		err = c.fetch(ctx, k, &out)
	}
	return out, err
}

// Jobs lists jobs, the newest first.
func (c *Client) Jobs(ctx context.Context, q JobsQuery) (JobsPage, error) {
	values := url.Values{}
	set(values, "state", string(q.State))
	set(values, "label", q.Label)
	set(values, "before", string(q.Before))
	setNumber(values, "limit", q.Limit)
	var out JobsPage
	return out, c.fetch(ctx, get("/v1/jobs", values), &out)
}

// Job returns a job as it is now.
func (c *Client) Job(ctx context.Context, id plan.JobID) (Job, error) {
	var out Job
	return out, c.fetch(ctx, get(jobPath(id, ""), nil), &out)
}

// Spec returns a job as it was submitted.
func (c *Client) Spec(ctx context.Context, id plan.JobID) (plan.Spec, error) {
	var out plan.Spec
	return out, c.fetch(ctx, get(jobPath(id, "/spec"), nil), &out)
}

// Tasks lists tasks of a job.
func (c *Client) Tasks(ctx context.Context, id plan.JobID, q TasksQuery) (TasksPage, error) {
	values := url.Values{}
	set(values, "state", string(q.State))
	set(values, "phase", q.Phase)
	set(values, "sort", string(q.Sort))
	set(values, "after", q.After)
	setNumber(values, "limit", q.Limit)
	var out TasksPage
	return out, c.fetch(ctx, get(jobPath(id, "/tasks"), values), &out)
}

// Counters returns the counts and statistics of a job's committed tasks.
func (c *Client) Counters(ctx context.Context, id plan.JobID) (Counters, error) {
	var out Counters
	return out, c.fetch(ctx, get(jobPath(id, "/counters"), nil), &out)
}

// Logs lists the logs of a job's attempts.
func (c *Client) Logs(ctx context.Context, id plan.JobID, q LogsQuery) ([]Log, error) {
	values := url.Values{}
	set(values, "task", q.Task)
	set(values, "attempt", q.Attempt)
	if q.Failed {
		values.Set("failed", "true")
	}
	var out LogList
	err := c.fetch(ctx, get(jobPath(id, "/logs"), values), &out)
	return out.Logs, err
}

// Log copies an attempt's log to w; with follow, until the attempt has ended.
// After a connection breaks, it continues at the same byte.
func (c *Client) Log(ctx context.Context, id plan.JobID, task, attempt string, follow bool, w io.Writer) error {
	var from int64
	wait := c.newPatience()
	for {
		values := url.Values{"task": {task}, "attempt": {attempt}, "from": {strconv.FormatInt(from, 10)}}
		if follow {
			values.Set("follow", "true")
		}
		base, err := c.base(ctx)
		if err == nil {
			before := from
			var failed error
			err = c.try(ctx, base, get(jobPath(id, "/log"), values), func(r *http.Response) error {
				n, err := copyTo(w, r.Body, &failed)
				from += n
				return err
			})
			if failed != nil {
				return failed
			}
			if err == nil {
				return nil
			}
			if from > before {
				wait.progress()
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err = wait.again(ctx, base, err); err != nil {
			return err
		}
	}
}

// copyTo copies r to w. It sets failed to an error of w: a repetition does not
// fix that.
func copyTo(w io.Writer, r io.Reader, failed *error) (int64, error) {
	buffer := make([]byte, 32<<10)
	var total int64
	for {
		n, err := r.Read(buffer)
		if n > 0 {
			written, werr := w.Write(buffer[:n])
			total += int64(written)
			if werr != nil {
				*failed = werr
				return total, werr
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// Cancel requests that a job be aborted. It does not wait until it is.
func (c *Client) Cancel(ctx context.Context, id plan.JobID) error {
	return c.fetch(ctx, call{method: http.MethodPost, path: jobPath(id, "/cancel")}, nil)
}

// Retry reopens a job that failed or was cancelled. Committed tasks stay
// committed, the others run again. The request names the run that it makes, so that a
// copy of it that arrives late does not reopen a job that was cancelled since.
func (c *Client) Retry(ctx context.Context, id plan.JobID) error {
	job, err := c.Job(ctx, id)
	if err != nil {
		return err
	}
	run := url.Values{"run": {strconv.Itoa(job.Run + 1)}}
	return c.fetch(ctx, call{method: http.MethodPost, path: jobPath(id, "/retry"), query: run}, nil)
}

// Publish makes what a job has staged, because it did not meet its expectations, the
// contents of its output. The job stays failed.
func (c *Client) Publish(ctx context.Context, id plan.JobID) error {
	return c.fetch(ctx, call{method: http.MethodPost, path: jobPath(id, "/publish")}, nil)
}

// Discard removes what a job has staged. The contents of its output stay as they are.
func (c *Client) Discard(ctx context.Context, id plan.JobID) error {
	return c.fetch(ctx, call{method: http.MethodPost, path: jobPath(id, "/discard")}, nil)
}

// Workers lists the workers.
func (c *Client) Workers(ctx context.Context) ([]Worker, error) {
	var out Workers
	err := c.fetch(ctx, get("/v1/workers", nil), &out)
	return out.Workers, err
}

// Drain makes a worker finish its attempts, and end.
func (c *Client) Drain(ctx context.Context, worker string) error {
	return c.fetch(ctx, call{method: http.MethodPost, path: "/v1/workers/" + url.PathEscape(worker) + "/drain"}, nil)
}

// Cluster describes the cluster.
func (c *Client) Cluster(ctx context.Context) (Cluster, error) {
	var out Cluster
	return out, c.fetch(ctx, get("/v1/cluster", nil), &out)
}

// CollectGarbage removes what is no longer needed. A dry run only lists it.
func (c *Client) CollectGarbage(ctx context.Context, dryRun bool) (Garbage, error) {
	var out Garbage
	k, err := post("/v1/gc", CollectGarbage{DryRun: dryRun})
	if err == nil {
		err = c.fetch(ctx, k, &out)
	}
	return out, err
}

// HasBundle reports whether the cluster has a bundle, by its SHA-256 in
// hexadecimal.
func (c *Client) HasBundle(ctx context.Context, digest string) (bool, error) {
	err := c.fetch(ctx, call{method: http.MethodHead, path: bundlePath(digest)}, nil)
	if e, ok := err.(*Error); ok && e.Status == http.StatusNotFound { //nolint:errorlint // fetch does not wrap it
		return false, nil
	}
	return err == nil, err
}

// UploadBundle stores a bundle. It calls open for each try.
func (c *Client) UploadBundle(ctx context.Context, b plan.Bundle, open func() (io.ReadCloser, error)) error {
	return c.fetch(ctx, call{method: http.MethodPut, path: bundlePath(b.Digest), body: open, size: b.Size,
		header: http.Header{"Content-Type": {"application/octet-stream"}}}, nil)
}

func bundlePath(digest string) string { return "/v1/bundles/" + url.PathEscape(digest) }

//go:noinline
func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

func setNumber(q url.Values, name string, n int) {
	if n != 0 {
		q.Set(name, strconv.Itoa(n))
	}
}
