package s3

import (
	"context"
	"errors"
	"net/http"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// classify gives an error of a request its kind.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	kind, advice := kindOfCode(code(err))
	if kind == plan.Unknown {
		kind, advice = kindOfStatus(err)
	}
	cause := brief(err)
	if advice != "" {
		return driver.Fail(kind, "%w: %s", cause, advice)
	}
	return driver.Fail(kind, "%w", cause)
}

// classifyWrite is classify for writes, where a condition that failed says that
// the object exists.
func (d *bucket) classifyWrite(ctx context.Context, key string, err error, o store.CreateOptions) error {
	if code(err) == "ExistingObjectIsDirectory" && !d.isDirectory(ctx, key) {
		return driver.Fail(plan.Contended, "%w", brief(err))
	}
	err = classify(err)
	if o.IfAbsent && plan.KindOf(err) == plan.Changed {
		return driver.Fail(plan.Exists, "another writer was first")
	}
	return err
}

// code returns the service's error code, or nothing.
func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// kindOfCode knows the codes that say more than their HTTP status, or other
// things.
func kindOfCode(code string) (kind plan.Kind, advice string) {
	switch code {
	case "NoSuchKey", "NotFound":
		return plan.NotFound, ""
	case "NoSuchBucket":
		return plan.Invalid, "create the bucket, or check its name and the endpoint"
	case "NoSuchUpload":
		return plan.Invalid, "the upload was aborted, perhaps by a lifecycle rule"
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return plan.Invalid, "set region= to the bucket's region"
	case "ConditionalRequestConflict", "OperationAborted":
		return plan.Contended, ""
	case "PreconditionFailed", "InvalidRange":
		return plan.Changed, ""
	case "SlowDown", "SlowDownRead", "SlowDownWrite", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests":
		return plan.Throttled, ""
	case "RequestTimeout", "InternalError", "ServiceUnavailable":
		return plan.Unavailable, ""
	case "BadDigest", "InvalidDigest", "IncompleteBody", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch":
		return plan.Corrupt, ""
	case "ExpiredToken", "RequestTimeTooSkewed":
		return plan.Denied, "renew the credentials, or set the clock"
	case "EntityTooLarge":
		return plan.TooLarge, ""
	case "InvalidObjectState":
		return plan.Invalid, "the object is in an archive (Glacier or Deep Archive): restore it, or copy it to another storage class, and run again"
	default:
		return plan.Unknown, ""
	}
}

// requesterPays is the advice for buckets whose owner lets requesters pay. S3 refuses
// requests without the header for that as it refuses others, and does not say why.
const requesterPays = "a bucket whose requester pays cannot be read: copy the objects to a bucket of your own"

// kindOfStatus uses the HTTP status. An error without a response is one of the
// way to the service: names, connections, TLS.
func kindOfStatus(err error) (kind plan.Kind, advice string) {
	var response *awshttp.ResponseError
	if !errors.As(err, &response) || response.HTTPStatusCode() == 0 {
		return kindOfTransport(err)
	}
	switch status := response.HTTPStatusCode(); status {
	case http.StatusNotFound:
		return plan.NotFound, ""
	case http.StatusUnauthorized, http.StatusForbidden:
		return plan.Denied, "check the credentials and what they may do in this bucket; " + requesterPays
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect:
		return plan.Invalid, "set region= to the bucket's region"
	case http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
		return plan.Changed, ""
	case http.StatusConflict:
		if code(err) != "" {
			return plan.Invalid, "" // such as a key that is another's directory
		}
		return plan.Contended, ""
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return plan.Throttled, ""
	case http.StatusNotImplemented:
		return plan.Invalid, "the store does not know this kind of request"
	case http.StatusRequestTimeout:
		return plan.Unavailable, ""
	default:
		if status >= 500 {
			return plan.Unavailable, ""
		}
		if status >= 200 && status < 300 {
			return plan.Unavailable, "" // the response broke off
		}
		return plan.Invalid, ""
	}
}

// kindOfTransport distinguishes a client that cannot make a request from a
// request that did not get through.
func kindOfTransport(err error) (kind plan.Kind, advice string) {
	var params smithy.InvalidParamsError
	switch {
	case errors.As(err, &params):
		return plan.Invalid, ""
	case strings.Contains(err.Error(), "get identity: "):
		// The SDK has no type for this one.
		return plan.Denied, "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile"
	default:
		return plan.Unavailable, ""
	}
}

// brief drops the SDK's prefix of operation, request and host ids if the
// service said what is wrong.
func brief(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api
	}
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		return op.Err
	}
	return err
}
