package runner

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/windrow-mr/windrow/plan"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/worker/executor"
	"github.com/windrow-mr/windrow/worker/jobproc"
	"github.com/windrow-mr/windrow/worker/planner"
	"github.com/windrow-mr/windrow/worker/sandbox"
)

// fault returns the outcome of an attempt that ended with an error here.
func (r *Runner) fault(ctx context.Context, err error) cluster.Outcome {
	if ctx.Err() != nil {
		return cluster.Outcome{Result: cluster.Lost, Failure: plan.Failure{Text: context.Cause(ctx).Error()}}
	}
	if _, ok := errors.AsType[*hostError](err); ok {
		return cluster.Outcome{Result: cluster.Lost, Failure: plan.Failure{Text: err.Error()}}
	}
	o := cluster.Outcome{Result: cluster.Failed}
	exit, exited := errors.AsType[*sandbox.Exit](err)
	_, last := errors.AsType[*finalError](err)
	_, o.Unfit = errors.AsType[*unfitError](err)
	_, refused := errors.AsType[*jobproc.Refusal](err)
	switch {
	case o.Unfit:
		o.Text = err.Error()
	case exited:
		o.Text, o.Fingerprint = err.Error(), fingerprint(exit)
	case refused:
		o.Text = err.Error()
		o.Fingerprint = o.Text // the process refuses again
	default:
		o.Failure = executor.Judge(err).Failure
		o.Final = o.Final || last || planner.Final(err)
	}
	if asked, ok := errors.AsType[*planner.Error](err); ok {
		o.Kind = asked.Kind
	}
	if o.Fingerprint == "" && !o.Final {
		o.Text += r.on()
	}
	o.Text, o.Fingerprint = shorten(o.Text), shorten(o.Fingerprint)
	return o
}

// hostError is a failure of the worker, not of the attempt.
type hostError struct{ err error }

func (e *hostError) Error() string { return e.err.Error() }
func (e *hostError) Unwrap() error { return e.err }

// fingerprint returns the text by which the next end of a job process counts as
// the same failure: only that it made no progress, which the same record causes
// again. Any other end has the same text whatever caused it, such as a service that
// did not answer, and proves nothing.
func fingerprint(e *sandbox.Exit) string {
	if e.Cause == sandbox.NoProgress {
		return "no progress"
	}
	return ""
}

// maxText bounds the text of a failure, in bytes: the log has the rest.
const maxText = 8 << 10

func shorten(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "…"
	}
	return strings.ToValidUTF8(s, "")
}

// logger returns a logger that writes to the log.
func (l *attemptLog) logger() *slog.Logger { return slog.New(slog.NewTextHandler(lineWriter{l}, nil)) }

// lineWriter takes whole lines.
type lineWriter struct{ log *attemptLog }

func (w lineWriter) Write(p []byte) (int, error) {
	w.log.line([]byte(strings.TrimSuffix(string(p), "\n")), false)
	return len(p), nil
}
