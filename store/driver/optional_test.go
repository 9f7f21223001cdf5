package driver_test

import (
	"testing"

	"github.com/windrow-mr/windrow/store/driver"
)

// Drivers that can do no more than they must, and that can list in ranges too.
type (
	plain   struct{ driver.Driver }
	ranging struct {
		driver.Driver
		driver.RangeLister
	}
)

// through is a decorator that changes nothing.
type through struct{ driver.Driver }

func (d through) Unwrap() driver.Driver { return d.Driver }

// changing is a decorator that changes listings in ranges.
type changing struct {
	through
	driver.RangeLister
}

// closed is a driver around another that does not say so: it hides what the
// other can do.
type closed struct{ driver.Driver }

// TestAs verifies that a decorator neither hides nor invents what the driver
// beneath can do, and that the outermost that changes it is the one that is
// called.
func TestAs(t *testing.T) {
	t.Parallel()
	outer := changing{through: through{through{ranging{}}}}
	for name, c := range map[string]struct {
		d    driver.Driver
		want any // nil: it can not
	}{
		"plain":                       {plain{}, nil},
		"ranging":                     {ranging{}, ranging{}},
		"through to plain":            {through{plain{}}, nil},
		"through twice to ranging":    {through{through{ranging{}}}, ranging{}},
		"changing what is not there":  {changing{through: through{plain{}}}, nil},
		"changing ranging":            {outer, outer},
		"through to changing ranging": {through{outer}, outer},
		"closed":                      {through{closed{ranging{}}}, nil},
	} {
		got, ok := driver.As[driver.RangeLister](c.d)
		if ok != (c.want != nil) || ok && any(got) != c.want {
			t.Errorf("%s: %T, %v; want %T", name, got, ok, c.want)
		}
	}
}
