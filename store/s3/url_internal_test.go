package s3

import (
	"net/url"
	"strings"
	"testing"
)

// TestPublicQuery verifies that secret and unknown parameters are not shown.
func TestPublicQuery(t *testing.T) {
	t.Parallel()
	q, err := url.ParseQuery("endpoint=https://user:hunter2@host:1/base/?sig=hunter2&region=r&role=arn:hunter2&kmskeyid=hunter2&token=hunter2&use_path_style=true")
	if err != nil {
		t.Fatal(err)
	}
	got := publicQuery(q)
	if strings.Contains(got, "hunter2") {
		t.Errorf("%q holds a secret", got)
	}
	shown, err := url.ParseQuery(strings.TrimPrefix(got, "?"))
	if err != nil || shown.Get("endpoint") != "https://host:1/base" || shown.Get("region") != "r" || shown.Get("use_path_style") != "true" || len(shown) != 3 {
		t.Errorf("%q, %v", got, err)
	}
	if got := publicQuery(url.Values{}); got != "" {
		t.Errorf("%q for no query", got)
	}
}
