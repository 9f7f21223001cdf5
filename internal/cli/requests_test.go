package cli

import (
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/plan"
)

// TestCardComparesWithThePlan verifies that the card shows a planned number only
// where it differs from the counted one, and never for requests that cannot be
// planned.
func TestCardComparesWithThePlan(t *testing.T) {
	t.Parallel()
	planned := plan.Requests{"s3": {Puts: 10, Gets: 2000, Lists: 3, Deletes: 4}}
	for name, c := range map[string]struct {
		counted plan.Usage
		part    bool // the gets of the shuffle are not in the plan
		want    string
		price   string
	}{
		"as planned": {plan.Usage{Puts: 10, Gets: 2000, Lists: 3, Deletes: 4}, false,
			"2,017: 10 puts, 2,000 gets, 3 lists, 4 deletes", "about $0.0009 at S3 list prices"},
		"by time": {plan.Usage{Puts: 10, Gets: 2001, Hedges: 1, Lists: 3, Deletes: 4, Heartbeats: 2}, false,
			"2,020: 10 puts, 2,000 gets, 3 lists, 4 deletes, 1 hedged get, 2 heartbeats", "about $0.0009 at S3 list prices"},
		"more": {plan.Usage{Puts: 1010, Gets: 2001, Stats: 1, Lists: 3, Deletes: 4}, false,
			"3,019: 1,010 puts (planned 10), 2,001 gets (planned 2,000), 3 lists, 1 stat (planned 0), 4 deletes", "about $0.0059 at S3 list prices (planned $0.0009)"},
		"none": {plan.Usage{Puts: 10, Gets: 2000, Lists: 3}, false,
			"2,013: 10 puts, 2,000 gets, 3 lists, 0 deletes (planned 4)", "about $0.0009 at S3 list prices"},
		"gets that are not planned": {plan.Usage{Puts: 10, Gets: 9, Lists: 3, Deletes: 4}, true,
			"26: 10 puts, 9 gets, 3 lists, 4 deletes", "about $0.0001 at S3 list prices (planned $0.0009)"},
	} {
		r := &embedded.Receipt{Planned: &embedded.Plan{Requests: planned, Whole: !c.part}, Counted: plan.Requests{"s3": c.counted}}
		if got := comparedRequests(r); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		dollars, _ := r.Counted.Dollars()
		if got := comparedPrice(dollars, r); got != c.price {
			t.Errorf("%s: %q, want %q", name, got, c.price)
		}
	}
}

// TestJobsShowTheirRequests verifies that a job shows its requests in the words of
// a run, with their bytes, and with a price if there is one, while it runs and at
// its end.
func TestJobsShowTheirRequests(t *testing.T) {
	t.Parallel()
	some := &client.Requests{Puts: 1010, Multipart: 12, Gets: 2001, Stats: 1, Lists: 3, Deletes: 4, Heartbeats: 2, BytesUp: 3 << 20, BytesDown: 5 << 30}
	for name, c := range map[string]struct {
		job  client.Job
		want []string
		not  string
	}{
		"of a bucket": {client.Job{Requests: some, Dollars: 0.0059},
			[]string{"  requests   3,033: 1,010 puts, 2,001 gets, 3 lists, 1 stat, 4 deletes, 12 upload requests, 2 heartbeats; 3 MiB up, 5 GiB down\n",
				"  price      about $0.0059 at S3 list prices\n"}, ""},
		"of files":            {client.Job{Requests: &client.Requests{Puts: 1, BytesUp: 7}}, []string{"  requests   1: 1 put; 7 B up, 0 B down\n"}, "price"},
		"of an older cluster": {client.Job{}, nil, "requests"},
	} {
		var shown, ended strings.Builder
		writeJob(&shown, &c.job)
		writeEnd(&ended, &c.job)
		for _, text := range []string{shown.String(), ended.String()} {
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%s: %q is not in\n%s", name, want, text)
				}
			}
			if c.not != "" && strings.Contains(text, c.not) {
				t.Errorf("%s: %q is in\n%s", name, c.not, text)
			}
		}
	}
}

// TestRequestsAreShownWhereTheyCostMoney verifies that a run on a laptop does not begin
// with requests, which cost nothing there, unless the user asks for all.
func TestRequestsAreShownWhereTheyCostMoney(t *testing.T) {
	t.Parallel()
	for scheme, want := range map[string]bool{"file": false, "mem": false, "s3": true, "gs": true, "azblob": true} {
		if got := cost(plan.Requests{scheme: {Puts: 1}, "file": {Gets: 3}}); got != want {
			t.Errorf("requests to %s cost money: %v", scheme, got)
		}
	}
	u, _ := runner(t, "a b\n")
	for _, c := range []struct {
		more []string
		want bool
	}{{nil, false}, {[]string{"-v"}, true}} {
		args := append([]string{"run", "wordcount", "--input", "mem://in", "--out", "mem://out", "--on-exists", "replace"}, c.more...)
		code, _, stderr := u.do(t, args...)
		shows := strings.Contains(stderr, "plan: ") && strings.Contains(stderr, "  requests   ")
		if code != exitOK || shows != c.want || !c.want && strings.Contains(stderr, "put") {
			t.Errorf("%q: exit %d, shows requests %v, want %v: %s", args, code, shows, c.want, stderr)
		}
	}
}
