package s3_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
)

// TestLifecycleRules verifies that the rules of a bucket which delete or archive
// objects below a root are found, and only these. The document is that of the S3 API
// reference.
func TestLifecycleRules(t *testing.T) {
	t.Parallel()
	const rules = `<LifecycleConfiguration>
  <Rule><ID>old</ID><Filter><Prefix>prod/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>30</Days></Expiration></Rule>
  <Rule><ID>cold</ID><Prefix></Prefix><Status>Enabled</Status><Transition><Days>90</Days><StorageClass>GLACIER</StorageClass></Transition></Rule>
  <Rule><ID>below</ID><Filter><And><Prefix>prod/windrow/cluster/</Prefix><ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter><Status>Enabled</Status><Expiration><Date>2027-01-02T00:00:00Z</Date></Expiration></Rule>
  <Rule><ID>off</ID><Filter><Prefix></Prefix></Filter><Status>Disabled</Status><Expiration><Days>1</Days></Expiration></Rule>
  <Rule><ID>elsewhere</ID><Filter><Prefix>test/</Prefix></Filter><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>
  <Rule><ID>uploads</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>
</LifecycleConfiguration>`
	for name, tt := range map[string]struct {
		status int
		body   string
		want   []string
		kind   plan.Kind
	}{
		"rules": {200, rules, []string{
			`rule "old" deletes objects after 30 days below "prod/"`,
			`rule "cold" moves objects to GLACIER below ""`,
			`rule "below" deletes objects from 2027-01-02 below "prod/windrow/cluster/"`,
		}, plan.Unknown},
		"none":   {404, "<Error><Code>NoSuchLifecycleConfiguration</Code></Error>", nil, plan.Unknown},
		"denied": {403, "<Error><Code>AccessDenied</Code></Error>", nil, plan.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := behind(t, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
				if !r.URL.Query().Has("lifecycle") {
					server.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Type", "application/xml")
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			})
			root := open(t, strings.Replace(url, "s3://test", "s3://test/prod/windrow", 1), quick)
			got, known, err := root.Expiry(t.Context())
			if !known || !slices.Equal(got, tt.want) || plan.KindOf(err) != tt.kind {
				t.Errorf("the rules are %q, %v, %v", got, known, err)
			}
		})
	}
}
