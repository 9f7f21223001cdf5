package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/fault"
)

// remote makes a local driver look like one across a network, with parts of 1
// KiB, and counts what happens to uploads.
type remote struct {
	driver.Driver
	begun, aborted, inFlight, peak atomic.Int32
}

func (r *remote) Traits() driver.Traits {
	t := r.Driver.Traits()
	t.Remote, t.PartSize, t.MaxParts = true, 1024, 100
	return t
}

func (r *remote) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	inner, err := r.Driver.Open(ctx, key, etag)
	if err != nil {
		return nil, err
	}
	return struct{ driver.Reader }{inner}, nil
}

func (r *remote) Upload(ctx context.Context, key string, o store.CreateOptions) (driver.Upload, error) {
	r.begun.Add(1)
	if err := travels(ctx); err != nil {
		return nil, err
	}
	return &remoteUpload{driver: r, key: key, opts: o, parts: map[int][]byte{}}, nil
}

// travels is how long an answer takes, unless its request is cancelled.
func travels(ctx context.Context) error {
	select {
	case <-time.After(time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// remoteUpload takes parts in any order, as a bucket does.
type remoteUpload struct {
	driver *remote
	key    string
	opts   store.CreateOptions

	mu    sync.Mutex
	parts map[int][]byte
}

func (u *remoteUpload) Part(ctx context.Context, n int, body []byte) error {
	now := u.driver.inFlight.Add(1)
	defer u.driver.inFlight.Add(-1)
	for peak := u.driver.peak.Load(); now > peak && !u.driver.peak.CompareAndSwap(peak, now); {
		peak = u.driver.peak.Load()
	}
	copied := bytes.Clone(body)
	if err := travels(ctx); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts[n] = copied
	return nil
}

func (u *remoteUpload) Commit(ctx context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	var body []byte
	for n := 1; n <= len(u.parts); n++ {
		body = append(body, u.parts[n]...)
	}
	return u.driver.Put(ctx, u.key, body, u.opts)
}

func (u *remoteUpload) Abort(ctx context.Context) error {
	u.driver.aborted.Add(1)
	return ctx.Err()
}

// openFaulty opens a remote root with faults, within a synctest bubble, where
// waiting takes no time.
func openFaulty(t *testing.T, o store.Options, rules ...fault.Rule) (*store.Root, *remote, *fault.Injector) {
	t.Helper()
	faults := fault.New(rules...)
	r := new(remote)
	o.Wrap = func(d driver.Driver) driver.Driver {
		r.Driver = d
		return faults.Wrap(r)
	}
	root, err := store.Open(t.Context(), "mem://faulty", o)
	if err != nil {
		t.Fatal(err)
	}
	return root, r, faults
}

func TestCreateOnceLostResponses(t *testing.T) {
	t.Parallel()
	for _, kind := range []plan.Kind{plan.Unavailable, plan.Unknown, plan.Throttled, plan.Contended} {
		for times := range 4 {
			t.Run(fmt.Sprint(kind, times), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					root, _, _ := openFaulty(t, store.Options{}, fault.Rule{Op: fault.Put, Times: max(1, times), Do: fault.LoseResponse, Kind: kind})
					won, existing, err := root.CreateOnce(t.Context(), "log/1", []byte("mine"))
					if err != nil || !won {
						t.Fatalf("won %v, existing %q, %v: the object is this call's own", won, existing, err)
					}
					won, existing, err = root.CreateOnce(t.Context(), "log/1", []byte("mine"))
					if err != nil || won || string(existing) != "mine" {
						t.Errorf("an equal body won %v, %q, %v", won, existing, err)
					}
				})
			})
		}
	}
}

func TestRetriesHealFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		rule  fault.Rule
		kinds []plan.Kind
	}{
		{"put", fault.Rule{Op: fault.Put}, []plan.Kind{plan.Unavailable, plan.Throttled, plan.Contended}},
		{"stat", fault.Rule{Op: fault.Stat}, []plan.Kind{plan.Unavailable, plan.Throttled}},
		{"list", fault.Rule{Op: fault.List}, []plan.Kind{plan.Unavailable, plan.Throttled}},
		{"read", fault.Rule{Op: fault.Read}, []plan.Kind{plan.Unavailable, plan.Throttled, plan.Corrupt}},
		{"delete", fault.Rule{Op: fault.Delete, Do: fault.LoseResponse}, []plan.Kind{plan.Unavailable}},
		{"begin", fault.Rule{Op: fault.Begin}, []plan.Kind{plan.Unavailable}},
		{"part", fault.Rule{Op: fault.Part}, []plan.Kind{plan.Unavailable}},
		{"part answered late", fault.Rule{Op: fault.Part, Do: fault.LoseResponse}, []plan.Kind{plan.Unavailable}},
		{"commit", fault.Rule{Op: fault.Commit, Do: fault.LoseResponse}, []plan.Kind{plan.Unavailable}},
	} {
		for _, kind := range c.kinds {
			t.Run(c.name+" "+kind.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					rule := c.rule
					rule.Kind, rule.Times = kind, 5
					root, _, _ := openFaulty(t, store.Options{}, rule)
					everything(t, root)
					u := root.Usage()
					if u.Retries != 5 {
						t.Errorf("%d retries, want 5", u.Retries)
					}
					if (kind == plan.Throttled) != (u.Throttles == 5) {
						t.Errorf("%d throttles", u.Throttles)
					}
				})
			})
		}
	}
}

// everything uses all operations once and checks their results.
func everything(t *testing.T, root *store.Root) {
	t.Helper()
	body := bytes.Repeat([]byte("windrow "), 1000)
	if err := root.Put(t.Context(), "small", body[:100], store.Durable); err != nil {
		t.Fatal(err)
	}
	w, err := root.Create(t.Context(), "large", store.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err = w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err = w.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, err := root.Get(t.Context(), "large", 1<<20); err != nil || !bytes.Equal(got, body) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if o, err := root.Stat(t.Context(), "small"); err != nil || o.Size != 100 {
		t.Fatalf("%+v, %v", o, err)
	}
	n := 0
	for _, err := range root.List(t.Context(), "") {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	if n != 2 {
		t.Fatalf("%d objects listed", n)
	}
	if err := root.Delete(t.Context(), "small"); err != nil {
		t.Fatal(err)
	}
}

// TestFinalErrors verifies that errors which no repetition
// repairs are returned at once, with their own kind.
func TestFinalErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, kind := range []plan.Kind{plan.Denied, plan.NotFound, plan.Invalid} {
			root, _, _ := openFaulty(t, store.Options{}, fault.Rule{Op: fault.Read, Times: -1, Kind: kind})
			if err := root.Put(t.Context(), "x", nil, store.Durable); err != nil {
				t.Fatal(err)
			}
			_, err := root.Get(t.Context(), "x", 1)
			wantKind(t, err, kind)
			if u := root.Usage(); u.Retries != 0 {
				t.Errorf("%v: %d retries", kind, u.Retries)
			}
		}
	})
}

// TestCreateOnceDoubtsNotFound verifies that a store that says that the object
// exists, and then that it does not, leaves neither a winner nor a loser.
func TestCreateOnceDoubtsNotFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, _, _ := openFaulty(t, store.Options{}, fault.Rule{Op: fault.Read, Times: -1, Kind: plan.NotFound})
		if won, _, err := root.CreateOnce(t.Context(), "x", []byte("1")); !won || err != nil {
			t.Fatal(won, err)
		}
		won, existing, err := root.CreateOnce(t.Context(), "x", []byte("2"))
		if won || existing != nil {
			t.Errorf("won %v, existing %q", won, existing)
		}
		wantKind(t, err, plan.Unavailable)
	})
}

func TestOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, _, _ := openFaulty(t, store.Options{Retry: store.Retry{Attempts: 5}}, fault.Rule{Op: fault.Put, Times: -1})
		begin := time.Now()
		wantKind(t, root.Put(t.Context(), "x", nil, store.Durable), plan.Unavailable)
		if u := root.Usage(); u.Puts != 5 || u.Retries != 4 {
			t.Errorf("usage %+v, want 5 tries", u)
		}
		if d := time.Since(begin); d <= 0 || d > 2*time.Second {
			t.Errorf("waited %v between 5 tries", d)
		}
		// Many clients together do not multiply the load: the budget is shared. 20
		// repetitions are free, 30 may wait for their turn, and one is added per
		// second.
		begin = time.Now()
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() { wantKind(t, root.Put(t.Context(), "x", nil, store.Durable), plan.Unavailable) })
		}
		all.Wait()
		if u, most := root.Usage(), int64(50+time.Since(begin).Seconds()); u.Retries > most || most > 200 {
			t.Errorf("%d retries for 201 requests in %v", u.Retries, time.Since(begin))
		}
	})
}

func TestOutageEndsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, _, _ := openFaulty(t, store.Options{Retry: store.Retry{Attempts: 1000}}, fault.Rule{Op: fault.Put, Times: -1})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		wantKind(t, root.Put(ctx, "x", nil, store.Durable), plan.Interrupted)
	})
}

func TestPacing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, _, _ := openFaulty(t, store.Options{}, fault.Rule{Op: fault.Stat, Nth: 101, Kind: plan.Throttled})
		if err := root.Put(t.Context(), "x", nil, store.Durable); err != nil {
			t.Fatal(err)
		}
		burst := func(n int) time.Duration {
			begin := time.Now()
			for range n {
				if _, err := root.Stat(t.Context(), "x"); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(begin)
		}
		if d := burst(100); d != 0 {
			t.Errorf("100 requests were slowed down by %v before the store asked for it", d)
		}
		// 100 requests in that second were too many: 50 are allowed, and more
		// every second.
		slow := burst(200)
		if slow < 2*time.Second || slow > 5*time.Second {
			t.Errorf("200 requests took %v after the store asked to slow down", slow)
		}
		<-time.After(time.Minute)
		if later := burst(200); later >= slow {
			t.Errorf("200 requests took %v, %v before: the rate does not recover", later, slow)
		}
	})
}

func TestBrokenResponses(t *testing.T) {
	t.Parallel()
	body := make([]byte, 10_000)
	for i := range body {
		body[i] = byte(i * i >> 3)
	}
	for name, do := range map[string]fault.Action{"short": fault.Short, "truncated": fault.Truncate, "stalled": fault.Stall} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := store.Options{Transfer: store.Transfer{Range: 3000, Stall: 20 * time.Second}}
				root, _, _ := openFaulty(t, o, fault.Rule{Op: fault.Read, Times: 9, Do: do, After: 700})
				if err := root.Put(t.Context(), "x", body, store.Scratch); err != nil {
					t.Fatal(err)
				}
				h, err := root.OpenObject(t.Context(), "x", "")
				if err != nil {
					t.Fatal(err)
				}
				p := make([]byte, 5000)
				if err := h.ReadAt(t.Context(), p, 1234); err != nil || !bytes.Equal(p, body[1234:6234]) {
					t.Errorf("range: %v", err)
				}
				stream := h.Stream(t.Context(), 99, -1)
				got, err := io.ReadAll(stream)
				if err = errors.Join(err, stream.Close()); err != nil || !bytes.Equal(got, body[99:]) {
					t.Errorf("stream: %d bytes, %v", len(got), err)
				}
				// Every broken response gave 700 bytes, and none was requested again.
				// One of the nine needed only 100, and was not harmed.
				if u := root.Usage(); u.BytesDown != 5000+10_000-99 || u.Retries != 8 {
					t.Errorf("usage %+v", u)
				}
			})
		})
	}
}

func TestBrokenForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, _, _ := openFaulty(t, store.Options{}, fault.Rule{Op: fault.Read, Times: -1, Do: fault.Short})
		if err := root.Put(t.Context(), "x", make([]byte, 1000), store.Scratch); err != nil {
			t.Fatal(err)
		}
		h, err := root.OpenObject(t.Context(), "x", "")
		if err != nil {
			t.Fatal(err)
		}
		wantKind(t, h.ReadAt(t.Context(), make([]byte, 10), 0), plan.Corrupt)
		stream := h.Stream(t.Context(), 0, -1)
		_, err = io.ReadAll(stream)
		wantKind(t, err, plan.Corrupt)
		if err := stream.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestWriterPartFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, r, _ := openFaulty(t, store.Options{}, fault.Rule{Op: fault.Part, Nth: 3, Times: -1, Kind: plan.Denied})
		w, err := root.Create(t.Context(), "x", store.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		for range 1000 {
			if _, err = w.Write(make([]byte, 500)); err != nil {
				break
			}
		}
		wantKind(t, err, plan.Denied)
		wantKind(t, w.Commit(), plan.Denied)
		if n := r.aborted.Load(); n != 1 {
			t.Errorf("aborted %d times", n)
		}
		_, err = root.Stat(t.Context(), "x")
		wantKind(t, err, plan.NotFound)
	})
}

// TestWriterAbortsOnServer verifies that the abort reaches the server although
// the context ended, at any time: also while the upload's beginning is in flight,
// to a store that has begun it and not yet answered.
func TestWriterAbortsOnServer(t *testing.T) {
	t.Parallel()
	for name, when := range map[string]time.Duration{"before the beginning is answered": 500 * time.Microsecond, "while parts are sent": 1500 * time.Microsecond} {
		for _, abort := range []bool{true, false} { // or the context ends first
			t.Run(fmt.Sprintf("%s/%v", name, abort), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					root, r, _ := openFaulty(t, store.Options{})
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					w, err := root.Create(ctx, "x", store.CreateOptions{})
					if err != nil {
						t.Fatal(err)
					}
					if _, err := w.Write(make([]byte, 2500)); err != nil {
						t.Fatal(err)
					}
					time.Sleep(when) // of the bubble's clock
					if !abort {
						cancel()
						synctest.Wait()
					}
					w.Abort()
					w.Abort()
					if begun, aborted := r.begun.Load(), r.aborted.Load(); begun != 1 || aborted != 1 {
						t.Errorf("begun %d times, aborted %d times", begun, aborted)
					}
					if n := r.inFlight.Load(); n != 0 {
						t.Errorf("%d parts in flight after the abort", n)
					}
				})
			})
		}
	}
}

// TestWriterAbortEnds verifies that a store that never answers the beginning of an
// upload delays an abort by half a minute, not forever.
func TestWriterAbortEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, r, _ := openFaulty(t, store.Options{}, fault.Rule{Op: fault.Begin, Times: -1, Do: fault.Slow, For: time.Hour})
		w, err := root.Create(t.Context(), "x", store.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, 2500)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		start := time.Now()
		w.Abort()
		if took := time.Since(start); took > time.Minute {
			t.Errorf("the abort took %v", took)
		}
		if n := r.aborted.Load(); n != 0 {
			t.Errorf("aborted %d uploads of none", n)
		}
	})
}

func TestWriterBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, r, _ := openFaulty(t, store.Options{Transfer: store.Transfer{Parts: 3}})
		w, err := root.Create(t.Context(), "x", store.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		if _, err = w.Write(make([]byte, 100*1024)); err != nil {
			t.Fatal(err)
		}
		if _, err = w.Write(make([]byte, 1024)); err == nil {
			err = w.Commit()
		}
		wantKind(t, err, plan.TooLarge)
		if peak := r.peak.Load(); peak != 3 {
			t.Errorf("%d parts at a time, want 3", peak)
		}
	})
}

// TestProbeRefuses knows the ways in which stores fail at create-once.
func TestProbeRefuses(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(driver.Driver) driver.Driver{
		"ignores the condition": func(d driver.Driver) driver.Driver { return &careless{d, func(bool) bool { return false }} },
		"inverts the condition": func(d driver.Driver) driver.Driver { return &careless{d, func(o bool) bool { return !o }} },
		"refuses conditions": func(d driver.Driver) driver.Driver {
			return fault.New(fault.Rule{Op: fault.Put, Times: -1, Kind: plan.Invalid}).Wrap(d)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := open(t, "mem://", store.Options{Wrap: wrap})
			_, err := root.Probe(t.Context())
			wantKind(t, err, plan.Invalid)
		})
	}
}

// careless changes the condition of writes.
type careless struct {
	driver.Driver
	change func(ifAbsent bool) bool
}

func (h *careless) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	o.IfAbsent = h.change(o.IfAbsent)
	return h.Driver.Put(ctx, key, body, o)
}

// TestBeforeAndAfterWrite verifies the order of the hooks that failpoints use.
func TestBeforeAndAfterWrite(t *testing.T) {
	t.Parallel()
	faults := fault.New(fault.Rule{Op: fault.Put, Key: "**/fails", Times: -1, Kind: plan.Denied})
	var asked, seen []string
	faults.BeforeWrite = func(w fault.Write) { asked = append(asked, fmt.Sprint(w.Op, " ", w.Key, " ", w.Absent)) }
	faults.AfterWrite = func(n int, w fault.Write) { seen = append(seen, fmt.Sprint(n, string(w.Op), " ", w.Key)) }
	root := open(t, "mem://", store.Options{Wrap: faults.Wrap})
	everything(t, root)
	wantKind(t, root.Put(t.Context(), "a/fails", nil, store.Durable), plan.Denied)
	if _, _, err := root.CreateOnce(t.Context(), "once", nil); err != nil {
		t.Fatal(err)
	}
	want := "[1put small 2commit large 3delete small 4put once]"
	if got := fmt.Sprint(seen); got != want {
		t.Errorf("seen %s, want %s", got, want)
	}
	want = "[put small false commit large false delete small false put once true]"
	if got := fmt.Sprint(asked); got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
}

// A store that fails every seventh request, more than the budget's share, slows
// its clients down and stops none of them.
func TestAStoreThatFailsMoreThanTheBudgetIsSurvived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		root, _, _ := openFaulty(t, store.Options{}, fault.Rule{Op: fault.Put, Percent: 15, Kind: plan.Throttled})
		var all sync.WaitGroup
		for c := range 8 {
			all.Go(func() {
				for n := range 200 {
					if err := root.Put(t.Context(), fmt.Sprintf("%d-%d", c, n), nil, store.Scratch); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		u := root.Usage()
		if u.Retries < 200 || float64(u.Retries) > 0.1*float64(u.Requests())+50+300 {
			t.Errorf("%d retries of %d requests", u.Retries, u.Requests())
		}
	})
}
