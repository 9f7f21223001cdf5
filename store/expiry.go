package store

import (
	"context"

	"github.com/windrow-mr/windrow/store/driver"
)

// Expiry returns a text for each rule by which the store deletes or archives objects
// below the root by itself. known is false for a store that cannot be asked.
func (r *Root) Expiry(ctx context.Context) (rules []string, known bool, err error) {
	d, known := driver.As[driver.Expirer](r.core.driver)
	if !known {
		return nil, false, nil
	}
	err = r.core.control(ctx, statRequest, r.prefix, func(ctx context.Context) (err error) {
		rules, err = d.Expiry(ctx, r.prefix)
		return err
	})
	return rules, true, r.fail("read the rules of expiry", "", err)
}
