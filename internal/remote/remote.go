// Package remote submits jobs to a cluster: it finds the cluster that a user means,
// sends the program that has the job, and gives an end without output its error.
// The command line and package windrow are thin layers over it.
//
// A User holds what belongs to the user: environment, saved contexts, stores. All
// other functions depend on their arguments, files and the cluster alone. Errors
// that a caller can act on are *client.Error or have a kind by plan.KindOf.
package remote

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
)

// Absolute returns the URL for a path that a user gives relative to this process:
// workers have another working directory.
func Absolute(url string) (string, error) {
	if strings.Contains(url, "://") {
		return url, nil
	}
	abs, err := filepath.Abs(url)
	if err != nil {
		return "", err
	}
	abs = filepath.ToSlash(abs)
	if strings.HasSuffix(url, "/") && !strings.HasSuffix(abs, "/") {
		abs += "/"
	}
	return "file://" + abs, nil
}

// AbsoluteInput is Absolute for an input, which can be NAME=URL. A file whose name
// is the whole text takes precedence.
func AbsoluteInput(text string) (string, error) {
	if name, url := plan.ParseInput(text); name != "" {
		if _, err := os.Stat(text); err != nil {
			url, err := Absolute(url)
			return name + "=" + url, err
		}
	}
	return Absolute(text)
}

// JobError is a job that ended without output.
type JobError struct {
	ID    plan.JobID
	State client.State
	Cause client.Cause
}

// Error returns why.
func (e *JobError) Error() string {
	if e.State == client.Cancelled {
		return fmt.Sprintf("job %s was cancelled: %s", e.ID, orElse(CauseText(&e.Cause), "a user asked"))
	}
	return fmt.Sprintf("job %s failed: %s", e.ID, orElse(CauseText(&e.Cause), "the cluster does not say why"))
}

// FailureKind returns the kind of the job's cause.
func (e *JobError) FailureKind() plan.Kind {
	if e.Cause.Kind == plan.Unknown {
		return plan.Failed
	}
	return e.Cause.Kind
}

// EndOf returns the error for a job's end, nil when the job succeeded.
func EndOf(j *client.Job) error {
	if j.State == client.Succeeded {
		return nil
	}
	e := &JobError{ID: j.ID, State: j.State}
	if j.Cause != nil {
		e.Cause = *j.Cause
	}
	return e
}

// CauseText returns a cause in words, with the task that caused it.
func CauseText(cause *client.Cause) string {
	if cause.Task != "" && !strings.Contains(cause.Text, cause.Task) {
		return "task " + cause.Task + ": " + cause.Text
	}
	return cause.Text
}

// orElse returns the first text that is not empty.
func orElse(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
