package drive_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/internal/drive"
)

// secret is what a user may put anywhere in a URL, and must not be shown.
const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY"

// TestMistakesInAQuery: a mistake is refused, with the name of the parameter and
// never with a value.
func TestMistakesInAQuery(t *testing.T) {
	t.Parallel()
	known := []drive.Parameter{{Name: "region"}, {Name: "endpoint", Form: drive.Endpoint}, {Name: "anonymous", Form: drive.Switch},
		{Name: "capacity", Form: drive.Number}, {Name: "protocol", OneOf: []string{"http", "https"}}, {Name: "role", Begin: "arn:"}}
	q := url.QueryEscape
	for text, want := range map[string]string{
		"": "", "region=" + q(secret): "", "endpoint=http://127.0.0.1:9000": "", "endpoint=https://h/path&anonymous=true&capacity=3&protocol=HTTP&role=arn:x": "",
		"regoin=" + q(secret):                              `did you mean "region"`,
		q(secret) + "=1":                                   "known are anonymous, capacity, endpoint, protocol, region, role",
		"region=a&region=" + q(secret):                     "region 2 times",
		"anonymous=" + q(secret):                           "anonymous of the URL must be true or false",
		"capacity=-" + q(secret):                           "capacity of the URL must be a whole number",
		"protocol=" + q(secret):                            "protocol of the URL must be one of http, https",
		"role=" + q(secret):                                "role of the URL must begin with arn:",
		"endpoint=" + q(secret):                            "endpoint of the URL must be a URL such as",
		"endpoint=" + q("ftp://"+secret):                   "endpoint of the URL must be a URL such as",
		"endpoint=" + q("http://u:"+q(secret)+"@h"):        "must not hold credentials",
		"endpoint=" + q("http://h/?sig="+q(secret)):        "must not hold credentials",
		"endpoint=" + q("http://h/#"+q(secret)):            "must not hold credentials",
		"endpoint=" + q("http://%zz"+secret) + "&region=x": "endpoint of the URL must be a URL such as",
	} {
		query, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		err = drive.CheckQuery(query, known...)
		switch {
		case want == "" && err != nil:
			t.Errorf("%q is refused: %v", text, err)
		case want != "" && (err == nil || plan.KindOf(err) != plan.Invalid || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", text, err, want)
		case err != nil && (strings.Contains(err.Error(), secret[:8]) || strings.Contains(err.Error(), q(secret))):
			t.Errorf("%q: the secret is shown: %v", text, err)
		}
	}
}

// TestHide: a value that a library quotes is not shown, escaped or not.
func TestHide(t *testing.T) {
	t.Parallel()
	query := url.Values{"role": {secret}, "use_path_style": {"true"}}
	got := drive.Hide(errors.New("open s3://b?"+query.Encode()+": bad role "+secret), query).Error()
	if strings.Contains(got, secret) || strings.Contains(got, url.QueryEscape(secret)) || !strings.Contains(got, "bad role …") || !strings.Contains(got, "use_path_style=true") {
		t.Errorf("shown is %q", got)
	}
}
