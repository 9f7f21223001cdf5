package client

import (
	"fmt"
	"net/http"

	"github.com/windrow-mr/windrow/plan"
)

// Error is an answer that reports a failure, or says that there was no answer.
type Error struct {
	Status int       `json:"-"` // of HTTP; 0 without an answer
	Kind   plan.Kind `json:"kind"`
	Text   string    `json:"text"`             // for people: what happened, and what to do
	Leader string    `json:"leader,omitempty"` // URL of the master that leads, where Kind is NotLeader and it is known
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

// Errorf makes an error of a kind. Inlined, it would add 9 kB to every program.
//
//go:noinline
func Errorf(kind plan.Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

// FailureKind returns Kind.
func (e *Error) FailureKind() plan.Kind { return e.Kind }

// statuses are the HTTP statuses of answers, by kind.
var statuses = [...]int{
	plan.Unknown:      http.StatusInternalServerError,
	plan.NotFound:     http.StatusNotFound,
	plan.Exists:       http.StatusConflict,
	plan.Changed:      http.StatusConflict,
	plan.Denied:       http.StatusForbidden,
	plan.Throttled:    http.StatusServiceUnavailable,
	plan.Unavailable:  http.StatusServiceUnavailable,
	plan.Contended:    http.StatusServiceUnavailable,
	plan.Corrupt:      http.StatusInternalServerError,
	plan.TooLarge:     http.StatusRequestEntityTooLarge,
	plan.Invalid:      http.StatusBadRequest,
	plan.Interrupted:  http.StatusServiceUnavailable,
	plan.Conflict:     http.StatusConflict,
	plan.Cancelled:    http.StatusConflict,
	plan.NotLeader:    http.StatusMisdirectedRequest,
	plan.Failed:       http.StatusInternalServerError,
	plan.Inconsistent: http.StatusInternalServerError,
	plan.Unmet:        http.StatusConflict,
}

// HTTPStatus returns the HTTP status of answers with an error of a kind.
func HTTPStatus(k plan.Kind) int {
	if int(k) < len(statuses) {
		return statuses[k]
	}
	return http.StatusInternalServerError
}

// kindOf returns the kind of a status, for answers whose body has no kind that
// this build knows.
func kindOf(status int) plan.Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return plan.Denied
	case http.StatusNotFound:
		return plan.NotFound
	case http.StatusConflict:
		return plan.Conflict
	case http.StatusMisdirectedRequest:
		return plan.NotLeader
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusTooManyRequests:
		return plan.Unavailable
	}
	if status >= 400 && status < 500 {
		return plan.Invalid
	}
	return plan.Failed
}

// Problem is the body of every answer that reports a failure.
type Problem struct {
	Error *Error `json:"error"`
}
