package control

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
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
			return nil, answer(err)
		}
		t, a, err := parseLogName(o.Key[len(prefix):])
		if err != nil || task != (plan.TaskID{}) && t != task {
			continue
		}
		found = append(found, entry{client.Log{Task: t.String(), Attempt: a.String(), State: "ended", Bytes: o.Size}, t, a})
	}
	slices.SortFunc(found, func(a, b entry) int {
		return cmp.Or(a.task.Compare(b.task),
			cmp.Compare(a.attempt.Epoch, b.attempt.Epoch), cmp.Compare(a.attempt.N, b.attempt.N))
	})
	tasks, err := m.Tasks(ctx, id)
	if err != nil {
		return nil, err
	}
	if task != (plan.TaskID{}) && len(found) == 0 && !slices.ContainsFunc(tasks, func(t client.Task) bool { return t.Task == task.String() }) {
		return nil, client.Errorf(plan.NotFound, "job %s has no task %v: windrow tasks %[1]s lists its tasks", id, task)
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

// maxLog bounds how much of a log is read; workers keep less.
const maxLog = 16 << 20

// OpenLog returns the log of an attempt from a byte on, and whether it is complete.
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
		return nil, false, client.Errorf(plan.NotFound, "job %s has no log of attempt %v at task %v: windrow logs %s lists the logs that exist", id, attempt, task, id)
	case err != nil:
		return nil, false, answer(err)
	}
	return io.NopCloser(bytes.NewReader(body[min(from, int64(len(body))):])), !running, nil
}

// parseLogName reads the task and the attempt in the name of a log.
func parseLogName(name string) (plan.TaskID, plan.AttemptID, error) {
	const fields = 3 // of an attempt's id
	parts := strings.Split(name, ".")
	at := len(parts) - fields
	if at < 1 {
		return plan.TaskID{}, plan.AttemptID{}, fmt.Errorf("%q is not the name of an attempt's log", name)
	}
	task, err := plan.ParseTaskKey(strings.Join(parts[:at], "."))
	if err != nil {
		return task, plan.AttemptID{}, fmt.Errorf("%q is not the name of an attempt's log", name)
	}
	attempt, err := plan.ParseAttemptID(strings.Join(parts[at:], "."))
	return task, attempt, err
}
