package gcs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/oauth2"
	"google.golang.org/api/googleapi"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/internal/drive"
)

// classify gives an error of a request its kind.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if api, ok := errors.AsType[*googleapi.Error](err); ok {
		return classifyAnswer(api)
	}
	if token, ok := errors.AsType[*oauth2.RetrieveError](err); ok && token.Response != nil && token.Response.StatusCode < 500 {
		return driver.Fail(plan.Denied, "the credentials were refused: run gcloud auth application-default login, or renew them: %w", err)
	}
	// There is no answer: names, connections, TLS. An unknown host is no
	// missing object.
	return driver.Fail(plan.Unavailable, "%w", err)
}

// classifyWrite is classify for writes, where a condition that failed says that
// the object exists.
func classifyWrite(err error, o store.CreateOptions) error {
	err = classify(err)
	if o.IfAbsent && plan.KindOf(err) == plan.Changed {
		return driver.Fail(plan.Exists, "another writer was first")
	}
	return err
}

// classifyAnswer uses status and reason of an answer, and its words if neither
// is specific.
func classifyAnswer(api *googleapi.Error) error {
	cause := &answer{api}
	text := strings.ToLower(cause.Error())
	kind := drive.KindOfStatus(api.Code)
	switch api.Code {
	case http.StatusNotFound:
		if strings.Contains(text, "bucket does not exist") {
			return noBucket()
		}
	case http.StatusForbidden:
		if hasReason(api, "rateLimitExceeded", "userRateLimitExceeded") {
			return driver.Fail(plan.Throttled, "%w", cause)
		}
		return driver.Fail(kind, "%w: check the credentials and what they may do in this bucket", cause)
	case http.StatusUnauthorized:
		return driver.Fail(kind, "%w: check the credentials", cause)
	case http.StatusBadRequest:
		if strings.Contains(text, "crc32c") {
			return driver.Fail(plan.Corrupt, "%w", cause)
		}
	case http.StatusGone:
		return driver.Fail(plan.Invalid, "the upload has expired: %w", cause)
	}
	return driver.Fail(kind, "%w", cause)
}

// hasReason reports whether an answer gives one of the reasons.
func hasReason(api *googleapi.Error, reasons ...string) bool {
	for _, item := range api.Errors {
		if slices.Contains(reasons, item.Reason) {
			return true
		}
	}
	return false
}

// answer is an error of the service, in one line.
type answer struct{ api *googleapi.Error }

func (a *answer) Error() string {
	const longest = 200
	text := a.api.Message
	if text == "" {
		text, _, _ = strings.Cut(strings.TrimSpace(a.api.Body), "\n")
		text = text[:min(len(text), longest)]
	}
	if text == "" {
		text = http.StatusText(a.api.Code)
	}
	return fmt.Sprintf("%s (HTTP status %d)", text, a.api.Code)
}

// Unwrap returns the error as the client made it.
func (a *answer) Unwrap() error { return a.api }
