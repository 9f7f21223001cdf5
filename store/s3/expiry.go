package s3

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/windrow-mr/windrow/store/driver"
)

var _ driver.Expirer = (*bucket)(nil)

// Expiry makes the driver a driver.Expirer. Rules that only abort incomplete uploads,
// or delete versions that are not current, do no harm.
func (d *bucket) Expiry(ctx context.Context, prefix string) ([]string, error) {
	out, err := d.client.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: &d.bucket})
	switch {
	case code(err) == "NoSuchLifecycleConfiguration":
		return nil, nil
	case err != nil:
		return nil, classify(err)
	}
	var rules []string
	for i := range out.Rules {
		r := &out.Rules[i]
		does := effect(r)
		below := scope(r)
		if r.Status != types.ExpirationStatusEnabled || does == "" || !strings.HasPrefix(below, prefix) && !strings.HasPrefix(prefix, below) {
			continue
		}
		rules = append(rules, fmt.Sprintf("rule %q %s below %q", aws.ToString(r.ID), does, below))
	}
	return rules, nil
}

// effect says what a rule does to objects; nothing if it only removes leftovers.
func effect(r *types.LifecycleRule) string {
	var does []string
	if e := r.Expiration; e != nil && (e.Date != nil || aws.ToInt32(e.Days) > 0) {
		when := fmt.Sprintf("after %d days", aws.ToInt32(e.Days))
		if e.Date != nil {
			when = "from " + e.Date.Format("2006-01-02")
		}
		does = append(does, "deletes objects "+when)
	}
	for _, t := range r.Transitions {
		does = append(does, "moves objects to "+string(t.StorageClass))
	}
	return strings.Join(does, ", ")
}

// scope returns the prefix of a rule. Its other conditions are ignored: they may be
// met by any object.
func scope(r *types.LifecycleRule) string {
	switch f := r.Filter; {
	case f == nil:
		return aws.ToString(r.Prefix) //nolint:staticcheck // old rules have it
	case f.And != nil:
		return aws.ToString(f.And.Prefix)
	default:
		return aws.ToString(f.Prefix)
	}
}
