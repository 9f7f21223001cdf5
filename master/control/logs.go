package control

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// Logs returns the logs of a task's attempts, or of all tasks.
func (m *Master) Logs(ctx context.Context, id plan.JobID, task plan.TaskID) ([]client.Log, error) {
	if _, err := m.Spec(ctx, id); err != nil {
		return nil, err
	}
	type entry struct {
		client.Log
		task    plan.TaskID
		attempt plan.AttemptID
	}
	var found []entry
	prefix := plan.LogsPrefix(id)
	for o, err := range m.cfg.Root.List(ctx, prefix) {
		if err != nil {
			return nil, storeError(err)
		}
		t, a, err := parseLogName(o.Key[len(prefix):])
		if err != nil || task != (plan.TaskID{}) && t != task {
			continue
		}
		found = append(found, entry{client.Log{Task: t.String(), Attempt: a.String(), State: "ended", Bytes: o.Size}, t, a})
	}
	slices.SortFunc(found, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.task.Phase, b.task.Phase), cmp.Compare(a.task.Index, b.task.Index),
			cmp.Compare(a.attempt.Epoch, b.attempt.Epoch), cmp.Compare(a.attempt.N, b.attempt.N))
	})
	tasks, err := m.Tasks(ctx, id)
	if err != nil {
		return nil, err
	}
	known := make(map[string]client.Task, len(tasks))
	for _, t := range tasks {
		known[t.Task] = t
	}
	logs := make([]client.Log, len(found))
	for i, f := range found {
		logs[i] = f.Log
		t := known[f.Task]
		switch {
		case t.Attempt == f.Attempt && t.State == client.TaskCommitted:
			logs[i].State, logs[i].Worker = "committed", t.Worker
		case t.Attempt == f.Attempt && t.State == client.TaskRunning:
			logs[i].State, logs[i].Worker = "running", t.Worker
		case t.Failures > 0 || t.State == client.TaskFailed:
			logs[i].State, logs[i].Error = "failed", t.Error
		case t.Lost > 0:
			logs[i].State, logs[i].Error = "lost", t.Error
		}
	}
	return logs, nil
}

// maxLog bounds what is read of a log; workers keep less.
const maxLog = 16 << 20

// OpenLog returns what an attempt's log holds from a byte on.
func (m *Master) OpenLog(ctx context.Context, id plan.JobID, task plan.TaskID, attempt plan.AttemptID, from int64) (io.ReadCloser, bool, error) {
	tasks, err := m.Tasks(ctx, id)
	if err != nil {
		return nil, false, err
	}
	running := slices.ContainsFunc(tasks, func(t client.Task) bool {
		return t.Task == task.String() && t.State == client.TaskRunning && t.Attempt == attempt.String()
	})
	body, err := m.cfg.Root.Get(ctx, plan.LogKey(id, task, attempt), maxLog)
	switch {
	case plan.KindOf(err) == plan.NotFound && running:
		body = nil
	case plan.KindOf(err) == plan.NotFound:
		return nil, false, client.Errorf(client.NotFound, "job %s has no log of attempt %v at task %v: windrow logs %s lists those that there are", id, attempt, task, id)
	case err != nil:
		return nil, false, storeError(err)
	}
	return io.NopCloser(bytes.NewReader(body[min(from, int64(len(body))):])), !running, nil
}

// HasBundle tells whether a program is there.
func (m *Master) HasBundle(ctx context.Context, digest string) (bool, error) {
	_, err := m.cfg.Root.Stat(ctx, plan.BundleKey(digest))
	if plan.KindOf(err) == plan.NotFound {
		return false, nil
	}
	return err == nil, storeError(err)
}

// PutBundle stores a program, if it has the digest that it is to have.
func (m *Master) PutBundle(ctx context.Context, digest string, size int64, body io.Reader) error {
	there, err := m.HasBundle(ctx, digest)
	if err != nil || there {
		return err
	}
	w, err := m.cfg.Root.Create(ctx, plan.BundleKey(digest), store.CreateOptions{})
	if err != nil {
		return storeError(err)
	}
	defer w.Abort()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), body)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != digest || n != size {
		return client.Errorf(client.Usage, "the bundle's %d bytes have the SHA-256 %s, not %s of %d bytes: nothing was stored", n, got, digest, size)
	}
	return storeError(w.Commit())
}
