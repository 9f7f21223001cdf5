package doctor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/doctor"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
)

// odd is a store with a fault.
type odd struct {
	driver.Driver
	put func(ctx context.Context, d driver.Driver, key string, body []byte, o store.CreateOptions) error
}

func (d *odd) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	return d.put(ctx, d.Driver, key, body, o)
}

// examine examines a memory root whose puts are done by put, if it is set.
func examine(t *testing.T, o doctor.Options, put func(context.Context, driver.Driver, string, []byte, store.CreateOptions) error) (*doctor.Report, []store.Object) {
	t.Helper()
	o.Stores.Mem, o.Bytes = new(store.MemSpace), 1<<20
	if put != nil {
		o.Stores.Wrap = func(d driver.Driver) driver.Driver { return &odd{d, put} }
	}
	report, err := doctor.Examine(t.Context(), "mem://bucket/place", o)
	if err != nil {
		t.Fatal(err)
	}
	root, err := store.Open(t.Context(), "mem://bucket", store.Options{Mem: o.Stores.Mem})
	if err != nil {
		t.Fatal(err)
	}
	var left []store.Object
	for object, err := range root.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, object)
	}
	return report, left
}

// status returns the status of a check.
func status(r *doctor.Report, check string) doctor.Finding {
	for _, f := range r.Findings {
		if f.Check == check {
			return f
		}
	}
	return doctor.Finding{}
}

func TestASoundRootPassesAndIsLeftAsItWas(t *testing.T) {
	t.Parallel()
	report, left := examine(t, doctor.Options{}, nil)
	for _, f := range report.Findings {
		if f.Status != doctor.OK {
			t.Errorf("%+v", f)
		}
	}
	if report.Err() != nil || len(report.Findings) < 9 || report.UpBytesPerS == 0 || report.DownBytesPerS == 0 || report.PutMillis == 0 {
		t.Errorf("error %v, %+v", report.Err(), report)
	}
	if len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestARootThatMayNotBeWrittenIsSaidSo(t *testing.T) {
	t.Parallel()
	report, _ := examine(t, doctor.Options{}, func(context.Context, driver.Driver, string, []byte, store.CreateOptions) error {
		return driver.Fail(plan.Denied, "no such right")
	})
	if f := status(report, "write"); f.Status != doctor.Fail || !strings.Contains(f.Detail, "no such right") {
		t.Errorf("write: %+v", f)
	}
	if f := status(report, "list"); f.Status != doctor.OK {
		t.Errorf("list: %+v", f)
	}
	if plan.KindOf(report.Err()) != plan.Denied {
		t.Errorf("error %v", report.Err())
	}
}

func TestAStoreThatIgnoresCreateOnceFails(t *testing.T) {
	t.Parallel()
	report, left := examine(t, doctor.Options{}, func(ctx context.Context, d driver.Driver, key string, body []byte, o store.CreateOptions) error {
		o.IfAbsent = false
		return d.Put(ctx, key, body, o)
	})
	if f := status(report, "create-once"); f.Status != doctor.Fail || !strings.Contains(f.Detail, "create-once") || report.Err() == nil {
		t.Errorf("%+v", f)
	}
	if len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func TestAClockThatIsOffIsAWarning(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		report, _ := examine(t, doctor.Options{Now: func() time.Time { return time.Now().Add(off) }}, nil)
		f := status(report, "clock")
		if f.Status != doctor.Warn || report.Err() != nil || report.SkewSeconds*off.Seconds() > 0 {
			t.Errorf("%v: %+v, %v s", off, f, report.SkewSeconds)
		}
	}
}

func TestAnInterruptedExaminationCleansUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	space := new(store.MemSpace)
	puts := 0
	stores := store.Options{Mem: space, Wrap: func(d driver.Driver) driver.Driver {
		return &odd{d, func(ctx context.Context, d driver.Driver, key string, body []byte, o store.CreateOptions) error {
			if puts++; puts == 3 {
				cancel()
			}
			return d.Put(ctx, key, body, o)
		}}
	}}
	if _, err := doctor.Examine(ctx, "mem://bucket", doctor.Options{Stores: stores}); err == nil {
		t.Error("no error")
	}
	root, err := store.Open(t.Context(), "mem://bucket", store.Options{Mem: space})
	if err != nil {
		t.Fatal(err)
	}
	for o := range root.List(t.Context(), "") {
		t.Errorf("left %s", o.Key)
	}
}

func TestAMissingRootIsTheOnlyFinding(t *testing.T) {
	t.Parallel()
	report, err := doctor.Examine(t.Context(), t.TempDir()+"/nothing", doctor.Options{})
	if err != nil || len(report.Findings) != 1 || plan.KindOf(report.Err()) != plan.NotFound {
		t.Errorf("%v, %+v", err, report)
	}
}

// expiring is a store that deletes objects by itself.
type expiring struct {
	driver.Driver
	rules []string
	err   error
}

func (e expiring) Expiry(context.Context, string) ([]string, error) { return e.rules, e.err }

// TestLifecycleRulesAreWarnedOf verifies that a bucket which deletes objects by their
// age is no place for a cluster, and that doctor says so, also where the rules cannot
// be read.
func TestLifecycleRulesAreWarnedOf(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rules []string
		err   error
		want  doctor.Status
		text  string
	}{
		"a rule":     {[]string{`rule "old" deletes objects after 30 days`}, nil, doctor.Warn, "after 30 days"},
		"none":       {nil, nil, doctor.OK, "no rule"},
		"unreadable": {nil, driver.Fail(plan.Denied, "not yours"), doctor.Warn, "not yours"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := doctor.Options{Bytes: 1 << 20}
			o.Stores = store.Options{Mem: new(store.MemSpace), Wrap: func(d driver.Driver) driver.Driver { return expiring{faulttest.Remote(d, 8<<20), tt.rules, tt.err} }}
			report, err := doctor.Examine(t.Context(), "mem://bucket/place", o)
			if err != nil {
				t.Fatal(err)
			}
			if f := status(report, "lifecycle"); f.Status != tt.want || !strings.Contains(f.Detail, tt.text) || report.Err() != nil {
				t.Errorf("the finding is %+v, the report %v", f, report.Err())
			}
		})
	}
}
