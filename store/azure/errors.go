package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

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
	if response, ok := errors.AsType[*azcore.ResponseError](err); ok {
		kind, advice := kindOf(response)
		if advice != "" {
			return driver.Fail(kind, "%w: %s", &answer{response}, advice)
		}
		return driver.Fail(kind, "%w", &answer{response})
	}
	// The SDK marks errors so that no second try would repair: credentials.
	type final interface {
		error
		NonRetriable()
	}
	if _, ok := errors.AsType[final](err); ok {
		return driver.Fail(plan.Denied, "no credentials were accepted: set AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY, or AZURE_STORAGE_SAS_TOKEN, or log in with az login: %w", err)
	}
	// There is no answer: names, connections, TLS. An unknown host is no
	// missing object.
	return driver.Fail(plan.Unavailable, "%w", err)
}

// classifyWrite is classify for writes, where a condition that failed says that
// the object exists, and where only the container can be missing.
func classifyWrite(err error, o store.CreateOptions) error {
	err = classify(err)
	switch kind := plan.KindOf(err); {
	case kind == plan.NotFound:
		return noContainer()
	case kind == plan.Changed && o.IfAbsent:
		return driver.Fail(plan.Exists, "another writer was first")
	}
	return err
}

// kindOf knows the codes that say more than their HTTP status, or other things.
func kindOf(response *azcore.ResponseError) (kind plan.Kind, advice string) {
	switch bloberror.Code(response.ErrorCode) {
	case bloberror.ContainerNotFound, bloberror.ContainerDisabled:
		return plan.Invalid, "there is no such container: create it, or check its name and the storage account"
	case bloberror.ContainerBeingDeleted:
		return plan.Unavailable, ""
	case bloberror.BlobNotFound, bloberror.ResourceNotFound:
		return plan.NotFound, ""
	case bloberror.BlobAlreadyExists, bloberror.ConditionNotMet, bloberror.TargetConditionNotMet, bloberror.InvalidRange:
		return plan.Changed, ""
	case bloberror.LeaseIDMissing, bloberror.LeaseLost, bloberror.LeaseIDMismatchWithBlobOperation:
		return plan.Denied, "another client holds a lease on it"
	case bloberror.BlobImmutableDueToPolicy:
		return plan.Denied, "a policy keeps it from being changed"
	case bloberror.BlobArchived, bloberror.BlobBeingRehydrated:
		return plan.Invalid, "it is archived: rehydrate it first"
	case bloberror.ServerBusy:
		return plan.Throttled, ""
	case bloberror.InternalError, bloberror.OperationTimedOut:
		return plan.Unavailable, ""
	case bloberror.PendingCopyOperation:
		return plan.Contended, ""
	case bloberror.CRC64Mismatch, bloberror.MD5Mismatch:
		return plan.Corrupt, ""
	case bloberror.RequestBodyTooLarge:
		return plan.TooLarge, ""
	}
	switch response.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return plan.Denied, "check the credentials and what they may do in this container"
	case http.StatusConflict:
		if response.ErrorCode != "" {
			return plan.Invalid, "" // the state of the object is permanent
		}
	}
	return drive.KindOfStatus(response.StatusCode), ""
}

// answered reports whether the service itself gave an error.
func answered(err error) bool {
	_, ok := errors.AsType[*azcore.ResponseError](err)
	return ok
}

// answer is an error of the service, in one line; the SDK's text has the whole
// response.
type answer struct{ response *azcore.ResponseError }

func (a *answer) Error() string {
	text := a.response.ErrorCode
	if text == "" {
		text = http.StatusText(a.response.StatusCode)
	}
	return fmt.Sprintf("%s (HTTP status %d)", text, a.response.StatusCode)
}

// Unwrap returns the error as the SDK made it.
func (a *answer) Unwrap() error { return a.response }
