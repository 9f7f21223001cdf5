package meter_test

import (
	"context"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/fault"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
	"github.com/windrow-mr/windrow/store/meter"
	_ "github.com/windrow-mr/windrow/store/s3"
	"github.com/windrow-mr/windrow/store/s3/s3test"
	"github.com/windrow-mr/windrow/store/storetest"
)

func TestMain(m *testing.M) {
	s3test.SetCredentials()
	os.Exit(m.Run())
}

// everything counts all requests of a root, with any context.
type everything struct {
	driver.Driver
	tally *meter.Tally
}

func (e everything) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	return e.Driver.Put(meter.With(ctx, e.tally), key, body, o)
}

func (e everything) Upload(ctx context.Context, key string, o store.CreateOptions) (driver.Upload, error) {
	return e.Driver.Upload(meter.With(ctx, e.tally), key, o)
}

func (e everything) Stat(ctx context.Context, key string) (store.Object, error) {
	return e.Driver.Stat(meter.With(ctx, e.tally), key)
}

func (e everything) Delete(ctx context.Context, key string) error {
	return e.Driver.Delete(meter.With(ctx, e.tally), key)
}

func (e everything) List(prefix string) driver.Pager { return pager{e.Driver.List(prefix), e.tally} }

func (e everything) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	r, err := e.Driver.Open(meter.With(ctx, e.tally), key, etag)
	if err != nil || !e.Traits().Remote {
		return r, err
	}
	return reader{r, e.tally}, nil
}

type pager struct {
	driver.Pager
	tally *meter.Tally
}

func (p pager) Next(ctx context.Context) ([]store.Object, bool, error) {
	return p.Pager.Next(meter.With(ctx, p.tally))
}

type reader struct {
	driver.Reader
	tally *meter.Tally
}

func (r reader) Object(ctx context.Context) (store.Object, error) {
	return r.Reader.Object(meter.With(ctx, r.tally))
}

func (r reader) Range(ctx context.Context, off, n int64) (driver.Body, error) {
	return r.Reader.Range(meter.With(ctx, r.tally), off, n)
}

// open opens a root whose requests are all counted twice, and compares at the
// end.
func open(t *testing.T, url string, beneath func(driver.Driver) driver.Driver) *store.Root {
	t.Helper()
	var tally meter.Tally
	root, err := store.Open(t.Context(), url, store.Options{
		Wrap: func(d driver.Driver) driver.Driver {
			return everything{meter.Wrap(beneath(d)), &tally}
		},
		Retry: store.Retry{Attempts: 20, Base: time.Millisecond, Max: 2 * time.Millisecond, Share: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		u := root.Usage()
		want := u // without what only the root knows
		want.Retries, want.Hedges = 0, 0
		scheme := meter.Scheme(root)
		got := tally.Requests()
		if !root.Remote() { // where the meter does not count opening
			want.Stats = got[scheme].Stats
		}
		if got[scheme] != want || len(got) > 1 {
			t.Errorf("the root counted %+v\n the meter %+v", want, got)
		}
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	})
	return root
}

// TestAsRootsCount runs the conformance suite of stores on a server. A meter and
// its root must count the same, with and without faults.
func TestAsRootsCount(t *testing.T) {
	t.Parallel()
	rules, err := fault.Parse("503:4%, 500:2%, lost:2%, short:5%")
	if err != nil {
		t.Fatal(err)
	}
	bucket, query, _ := strings.Cut(s3test.Start(t), "?")
	for name, beneath := range map[string]func(driver.Driver) driver.Driver{
		"calm":    func(d driver.Driver) driver.Driver { return d },
		"failing": func(d driver.Driver) driver.Driver { return fault.New(rules...).Wrap(d) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) *store.Root {
				return open(t, bucket+"/"+name+path.Base(t.Name())+"?"+query, beneath)
			}, storetest.Features{MultipartOnce: true, Large: 17 << 20})
		})
	}
}

// TestEachUserSeparately verifies that each user of a shared root gets only its own
// count, and that requests without a tally are counted for none.
func TestEachUserSeparately(t *testing.T) {
	t.Parallel()
	root, err := store.Open(t.Context(), "file://"+t.TempDir(), store.Options{Wrap: meter.Wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var a, b meter.Tally
	put := func(ctx context.Context, key string, size int) {
		if err := root.Put(ctx, key, make([]byte, size), store.Scratch); err != nil {
			t.Fatal(err)
		}
	}
	put(meter.With(t.Context(), &a), "a", 100)
	put(meter.With(t.Context(), &b), "b", 10)
	put(t.Context(), "c", 1)
	if _, err := root.Get(meter.With(t.Context(), &b), "a", 1<<10); err != nil {
		t.Fatal(err)
	}
	if err := root.Delete(meter.With(t.Context(), &a), "b"); err != nil {
		t.Fatal(err)
	}
	if got, want := a.Requests()["file"], (plan.Usage{Puts: 1, Deletes: 1, BytesUp: 100}); got != want {
		t.Errorf("a made %+v, want %+v", got, want)
	}
	if got, want := b.Requests()["file"], (plan.Usage{Puts: 1, Gets: 1, BytesUp: 10, BytesDown: 100}); got != want {
		t.Errorf("b made %+v, want %+v", got, want)
	}
}

// TestFilesThatAreLent verifies that bytes that another process writes to a lent
// file are counted, that its reads count as it reports them, and that nothing is
// counted twice.
func TestFilesThatAreLent(t *testing.T) {
	t.Parallel()
	root, err := store.Open(t.Context(), "file://"+t.TempDir(), store.Options{Wrap: meter.Wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var tally meter.Tally
	ctx := meter.WithLent(t.Context(), &tally)
	w, err := root.Create(ctx, "k", store.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	f, err := w.Lend()
	if err != nil {
		t.Fatal(err)
	}
	const size = 1000
	if f == nil { // this system has none to lend
		_, err = w.Write(make([]byte, size))
	} else {
		if _, err = f.Write(make([]byte, size)); err == nil {
			err = f.Close()
		}
		if err == nil {
			_, err = w.TakeBack()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	h, err := root.OpenObject(ctx, "k", "")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.ReadAt(ctx, make([]byte, size), 0); err != nil {
		t.Fatal(err)
	}
	tally.Read("file", 3, 77)
	if got, want := tally.Requests()["file"], (plan.Usage{Puts: 1, Gets: 3, BytesUp: size, BytesDown: 77}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

// TestReadingOn verifies that a read that begins where the last one ended is no
// request of its own.
func TestReadingOn(t *testing.T) {
	t.Parallel()
	root, err := store.Open(t.Context(), "file://"+t.TempDir(), store.Options{Wrap: meter.Wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := root.Put(t.Context(), "k", make([]byte, 100), store.Scratch); err != nil {
		t.Fatal(err)
	}
	var tally meter.Tally
	ctx := meter.With(t.Context(), &tally)
	h, err := root.OpenObject(ctx, "k", "")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, off := range []int64{0, 10, 20, 50, 60, 0} {
		if err := h.ReadAt(ctx, make([]byte, 10), off); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := tally.Requests()["file"], (plan.Usage{Gets: 3, BytesDown: 60}); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

// ranger can begin listings anywhere.
type ranger struct{}

func (ranger) ListAfter(string, string) driver.Pager { return nil }

// TestWhatDriversCanDo verifies that a wrapped driver can do what it could
// before: walk long listings side by side, and list uploads.
func TestWhatDriversCanDo(t *testing.T) {
	t.Parallel()
	can := func(d driver.Driver) (ranges, uploads bool) {
		_, ranges = driver.As[driver.RangeLister](d)
		_, uploads = driver.As[driver.UploadLister](d)
		return ranges, uploads
	}
	var drivers []driver.Driver
	root, err := store.Open(t.Context(), "mem://", store.Options{Wrap: func(d driver.Driver) driver.Driver {
		bare := struct{ driver.Driver }{d}
		ranging := struct {
			driver.Driver
			ranger
		}{d, ranger{}}
		drivers = append(drivers, bare, ranging, faulttest.Remote(bare, 1), faulttest.Remote(ranging, 1))
		return d
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	kinds := make(map[[2]bool]bool)
	for _, d := range drivers {
		ranges, uploads := can(d)
		kinds[[2]bool{ranges, uploads}] = true
		if r, u := can(meter.Wrap(d)); r != ranges || u != uploads {
			t.Errorf("%T lists ranges: %v, uploads: %v; wrapped: %v, %v", d, ranges, uploads, r, u)
		}
	}
	if len(kinds) != 4 {
		t.Errorf("only drivers of the kinds %v were tried", kinds)
	}
}
