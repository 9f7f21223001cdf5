package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
	"github.com/windrow-mr/windrow/store/mem"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url     string
		o       store.Options
		mention string // text that the error must have
	}{
		{"", store.Options{}, "empty"},
		{"ftp://host/x", store.Options{}, "azblob, file, gs, mem, s3"},
		{"s3://bucket/x", store.Options{}, `import _ "github.com/windrow-mr/windrow/store/s3"`},
		{"file://relative/path", store.Options{}, "three slashes"},
		{"s3://user:hunter2@bucket/x", store.Options{}, "credentials"},
		{"s3:///x", store.Options{}, "no bucket"},
		{"s3://bucket?key=%zzhunter2", store.Options{}, "malformed"},
		{"mem://x", store.Options{Retry: store.Retry{Attempts: -1}}, "Retry.Attempts"},
		{"mem://x", store.Options{Transfer: store.Transfer{Stall: -time.Second}}, "Transfer.Stall"},
	} {
		_, err := store.Open(t.Context(), c.url, c.o)
		wantKind(t, err, plan.Invalid)
		if err != nil && (!strings.Contains(err.Error(), c.mention) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%q: %v, want it to mention %q and no secret", c.url, err, c.mention)
		}
	}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	var host string
	var query url.Values
	store.Register("test-scheme", func(ctx context.Context, h string, q url.Values, o store.Options) (driver.Driver, error) {
		host, query = h, q
		return nil, driver.Fail(plan.Denied, "no entry")
	})
	_, err := store.Open(t.Context(), "test-scheme://host/a/b?x=1&token=hunter2", store.Options{})
	wantKind(t, err, plan.Denied)
	if host != "host" || query.Get("x") != "1" {
		t.Errorf("host %q, query %v", host, query)
	}
	if got, want := fmt.Sprint(err), "open test-scheme://host/a/b: permission denied: no entry"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}

// TestNew verifies that a root on a driver has its traits, as Options.Wrap changes
// them, and refuses bad options.
func TestNew(t *testing.T) {
	t.Parallel()
	d := new(mem.Space).Open("x")
	root, err := store.New(d, store.Options{Wrap: func(d driver.Driver) driver.Driver { return faulttest.Remote(d, 1000) }})
	if err != nil {
		t.Fatal(err)
	}
	if got := root.Traits(); got.URL != "mem://x" || !got.Remote || got.PartSize != 1000 || got.Remote != root.Remote() {
		t.Errorf("traits %+v", got)
	}
	if err := root.Close(); err != nil {
		t.Error(err)
	}
	_, err = store.New(d, store.Options{Retry: store.Retry{Attempts: -1}})
	wantKind(t, err, plan.Invalid)
}

func TestURLOfTheFileSystem(t *testing.T) {
	t.Parallel()
	r := open(t, "/", store.Options{})
	if r.URL() != "file:///" || r.Name("etc/x") != "file:///etc/x" {
		t.Errorf("URL %q, name %q", r.URL(), r.Name("etc/x"))
	}
	open(t, r.URL(), store.Options{})
}

func TestErrors(t *testing.T) {
	t.Parallel()
	r := open(t, "mem://m", store.Options{})
	_, err := r.Get(t.Context(), "a/b", 1)
	var e *store.Error
	if !errors.As(fmt.Errorf("task 3: %w", err), &e) || e.Op != "get" || e.URL != "mem://m/a/b" || e.Kind != plan.NotFound {
		t.Errorf("error: %#v", err)
	}
	if k := plan.KindOf(errors.New("other")); k != plan.Unknown {
		t.Errorf("kind of another error: %v", k)
	}
	if k := plan.KindOf(context.DeadlineExceeded); k != plan.Interrupted {
		t.Errorf("kind of a deadline: %v", k)
	}
}
