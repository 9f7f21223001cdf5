package client

import (
	"fmt"
	"net/http"
)

// A Kind says what went wrong, as far as a caller can act on it.
type Kind string

// The kinds.
const (
	Usage       Kind = "usage"       // the request is wrong
	Denied      Kind = "denied"      // the token or certificate is missing or wrong, or a store refused access
	NotFound    Kind = "notFound"    // there is no such job, task, worker or path
	Conflict    Kind = "conflict"    // the key or the output is another job's, or the job's state does not allow it
	NotLeader   Kind = "notLeader"   // another master leads: ask Leader
	Unavailable Kind = "unavailable" // no master answers or leads at the moment; a later request may succeed
	Failed      Kind = "failed"      // the cluster could not do it
)

// Error is an answer that reports a failure, or says that there was no answer.
type Error struct {
	Status int    `json:"-"` // of HTTP; 0 without an answer
	Kind   Kind   `json:"kind"`
	Text   string `json:"text"`             // for people: what happened, and what to do
	Leader string `json:"leader,omitempty"` // URL of the master that leads, where Kind is NotLeader and it is known
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }

// Errorf makes an error of a kind.
func Errorf(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...)}
}

// HTTPStatus returns the HTTP status of answers with an error of the kind.
func (k Kind) HTTPStatus() int {
	switch k {
	case Usage:
		return http.StatusBadRequest
	case Denied:
		return http.StatusForbidden
	case NotFound:
		return http.StatusNotFound
	case Conflict:
		return http.StatusConflict
	case NotLeader:
		return http.StatusMisdirectedRequest
	case Unavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// kindOf returns the kind of a status, for answers whose body has no kind.
func kindOf(status int) Kind {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return Denied
	case http.StatusNotFound:
		return NotFound
	case http.StatusConflict:
		return Conflict
	case http.StatusMisdirectedRequest:
		return NotLeader
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusTooManyRequests:
		return Unavailable
	}
	if status >= 400 && status < 500 {
		return Usage
	}
	return Failed
}

// Problem is the body of every answer that reports a failure.
type Problem struct {
	Error *Error `json:"error"`
}
