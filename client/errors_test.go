package client_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
)

// TestEveryKindHasAnHTTPStatus: every kind of failure is answered with a status of
// failure, also one of a newer build.
func TestEveryKindHasAnHTTPStatus(t *testing.T) {
	t.Parallel()
	for _, k := range append(plan.Kinds(), plan.Kind(200)) {
		if s := client.HTTPStatus(k); s < 400 || http.StatusText(s) == "" {
			t.Errorf("kind %v is answered with status %d", k, s)
		}
	}
	for k, want := range map[plan.Kind]int{plan.Invalid: 400, plan.Denied: 403, plan.NotFound: 404, plan.Conflict: 409, plan.NotLeader: 421, plan.Unavailable: 503, plan.Failed: 500} {
		if got := client.HTTPStatus(k); got != want {
			t.Errorf("kind %v is answered with status %d, want %d", k, got, want)
		}
	}
}

// TestKindsInJSON: the API names kinds as openapi.json documents them.
func TestKindsInJSON(t *testing.T) {
	t.Parallel()
	for name, k := range map[string]plan.Kind{"usage": plan.Invalid, "denied": plan.Denied, "notFound": plan.NotFound, "conflict": plan.Conflict,
		"notLeader": plan.NotLeader, "unavailable": plan.Unavailable, "failed": plan.Failed, "cancelled": plan.Cancelled, "inconsistent": plan.Inconsistent} {
		b, err := json.Marshal(client.Errorf(k, "text"))
		if want := `{"kind":"` + name + `","text":"text"}`; err != nil || string(b) != want {
			t.Errorf("kind %v is %s, %v; want %s", k, b, err, want)
		}
	}
}
