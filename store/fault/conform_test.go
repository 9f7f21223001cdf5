package fault_test

import (
	"context"
	"flag"
	"os"
	"path"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/fault"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
	_ "github.com/windrow-mr/windrow/store/s3"
	"github.com/windrow-mr/windrow/store/s3/s3test"
	"github.com/windrow-mr/windrow/store/storetest"
)

func TestMain(m *testing.M) {
	s3test.SetCredentials()
	os.Exit(m.Run())
}

// survivable are plans under which a root keeps every promise. A store that
// throttles is slow for long, in real time, so few requests are throttled: the
// tests of pacing have a clock of their own.
var survivable = map[string]string{
	"failing": "500:3% burst=2, corrupt:3%, reset:3%, 409:10%, 409:#1-3 key=race/**, slow:10% for=1ms",
	"lying": "lost:8%, lost:50% put as=412 key=race/*, lost:#1 put as=412 key=body-*, 412:#1 put key=race/*, 412:#1-3 put key=log/*, " +
		"412:#1 put key=_windrow/probe/*, 404:#1 read key=race/*, 404:#1 read key=_windrow/probe/*",
	"broken bodies": "short:10%, full:10%, cut:4%, reset:4% read, stall:2%, flip:#1 key=marker, flip:20% key=hot, flip:#1 key=race/*, " +
		"flip:#1 key=log/*, flip:#1 key=body-*, bandwidth:20% rate=1GiB/s",
	"throttled": "503:#1-2 key=t/**, 503:#1 key=marker, 503:#1 key=log/*, 503:#1 key=jobs/**, 500:2%, reset:2%, lost:2%, cut:2%",
}

// uncounted are the behaviours that hold only if no request is repeated, or
// that expect an error as it is.
var uncounted = map[string]bool{
	"usage_counts_requests_and_bytes":        true,
	"known_objects_open_without_a_request":   true,
	"writer_creates_if_absent":               true, // after a lost answer Exists may mean the writer's own object
	"writer_creates_large_objects_if_absent": true,
}

// seed lets other seeds be tried by hand.
var seed = flag.Uint64("seed", 1, "what the conformance suite meets")

// weather opens roots under a plan, and keeps the faults that they met.
type weather struct {
	plan  string
	seed  uint64
	stall time.Duration
	// beneath, if it is set, is between the faults and the driver.
	beneath func(driver.Driver) driver.Driver

	mu  sync.Mutex
	met map[string]int64
}

// open opens a root. It has no faults if the behaviour under test needs
// requests that are not repeated.
func (w *weather) open(t *testing.T, url string) *store.Root {
	t.Helper()
	faults := fault.New(parse(t, w.plan)...)
	if uncounted[path.Base(t.Name())] {
		faults = fault.New()
	}
	faults.Seed = w.seed
	root, err := store.Open(t.Context(), url, store.Options{
		Wrap: func(d driver.Driver) driver.Driver {
			if w.beneath != nil {
				d = w.beneath(d)
			}
			return faults.Wrap(d)
		},
		Retry:    store.Retry{Attempts: 12, Base: time.Millisecond, Max: 4 * time.Millisecond, Share: 1},
		Transfer: store.Transfer{Stall: w.stall, Range: 1 << 20},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := root.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("met %+v", faults.Report())
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.met == nil {
			w.met = make(map[string]int64)
		}
		for _, c := range faults.Report().Injected {
			w.met[c.Fault] += c.Times
		}
	})
	return root
}

// wantAll checks that every fault of the plan happened.
func (w *weather) wantAll(t *testing.T) {
	t.Helper()
	for rule := range strings.SplitSeq(w.plan, ", ") {
		if name, _, _ := strings.Cut(rule, ":"); w.met[name] == 0 {
			t.Errorf("no %s happened", name)
		}
	}
}

// TestPromisesUnderFaults runs the conformance suite on a store that fails.
func TestPromisesUnderFaults(t *testing.T) {
	t.Parallel()
	for name, plan := range survivable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &weather{plan: plan, seed: *seed, stall: 150 * time.Millisecond,
				beneath: func(d driver.Driver) driver.Driver { return faulttest.Remote(d, 1<<20) }}
			t.Run("suite", func(t *testing.T) {
				storetest.Run(t, func(t *testing.T) *store.Root { return w.open(t, "mem://") },
					storetest.Features{MultipartOnce: true, Flat: true, Uploads: true, Large: 8<<20 + 5})
			})
			w.wantAll(t)
		})
	}
}

// TestServerUnderFaults runs the conformance suite on a real S3 server whose
// answers get lost and broken on the way.
func TestServerUnderFaults(t *testing.T) {
	t.Parallel()
	w := &weather{plan: "500:2%, 409:2%, reset:2%, lost:2%, short:8%, full:8%, cut:4%, slow:2% for=1ms", seed: *seed}
	bucket, query, _ := strings.Cut(s3test.Start(t), "?")
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) *store.Root {
			return w.open(t, bucket+"/"+path.Base(t.Name())+"?"+query)
		}, storetest.Features{MultipartOnce: true, Uploads: true, Large: 17 << 20})
	})
	w.wantAll(t)
}

// TestHopeless verifies that a failure that no client can survive ends as one
// error of its kind, after few requests.
func TestHopeless(t *testing.T) {
	t.Parallel()
	create := func(ctx context.Context, r *store.Root) error {
		_, _, err := r.CreateOnce(ctx, "new", []byte("body"))
		return err
	}
	get := func(ctx context.Context, r *store.Root) error {
		_, err := r.Get(ctx, "old", 1<<20)
		return err
	}
	write := func(ctx context.Context, r *store.Root) error {
		w, err := r.Create(ctx, "large", store.CreateOptions{IfAbsent: true})
		if err != nil {
			return err
		}
		defer w.Abort()
		if _, err := w.Write(make([]byte, 10<<10)); err != nil {
			return err
		}
		return w.Commit()
	}
	for name, c := range map[string]struct {
		plan string
		do   func(context.Context, *store.Root) error
		kind plan.Kind
	}{
		"expired credentials, reading":       {"expired:100%", get, plan.Denied},
		"expired credentials, creating":      {"expired:100%", create, plan.Denied},
		"credentials expire during a commit": {"expired:100% commit", write, plan.Denied},
		"credentials expire between parts":   {"expired:@3- part", write, plan.Denied},
		"absent forever":                     {"404:100%", get, plan.NotFound},
		"exists and does not":                {"412:100%", create, plan.Unavailable},
		"won, answered lost, then not found": {"lost:100% put as=412, 404:100% read", create, plan.Unavailable},
		"throttled forever":                  {"503:100%", get, plan.Throttled},
		"failing forever":                    {"500:100%", write, plan.Unavailable},
		"conflicts forever":                  {"409:100%", create, plan.Contended},
		"resets forever":                     {"reset:100%", get, plan.Unavailable},
		"always cut":                         {"cut:100% after=0B", get, plan.Unavailable},
		"always stalled":                     {"stall:100% for=0s", get, plan.Unavailable},
		"always flipped":                     {"flip:100%", get, plan.Corrupt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				faults := fault.New(parse(t, c.plan)...)
				root, err := store.Open(t.Context(), "mem://", store.Options{Wrap: func(d driver.Driver) driver.Driver {
					if err := d.Put(t.Context(), "old", body, store.CreateOptions{}); err != nil {
						t.Fatal(err)
					}
					return faults.Wrap(faulttest.Remote(d, 1024))
				}})
				if err != nil {
					t.Fatal(err)
				}
				defer root.Close()
				err = c.do(t.Context(), root)
				if err == nil || plan.KindOf(err) != c.kind {
					t.Errorf("%v: kind %v, want %v", err, plan.KindOf(err), c.kind)
				}
				if u := root.Usage(); u.Requests() > 64 {
					t.Errorf("%d requests until then", u.Requests())
				}
			})
		})
	}
}
