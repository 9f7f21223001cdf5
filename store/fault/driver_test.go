package fault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
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
	"github.com/windrow-mr/windrow/store/mem"
	"github.com/windrow-mr/windrow/store/meter"
)

// parse reads a valid plan.
func parse(t testing.TB, text string) fault.Plan {
	t.Helper()
	p, err := fault.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// body is the object of all tests of reads.
var body = func() []byte {
	b := make([]byte, 10_000)
	for i := range b {
		b[i] = byte(i * i >> 3)
	}
	return b
}()

// faultyDriver returns a driver with an object "x" beneath faults, as the portable
// layer sees it, and its injector.
func faultyDriver(t *testing.T, plan string) (driver.Driver, *fault.Injector) {
	t.Helper()
	faults := fault.New(parse(t, plan)...)
	var d driver.Driver
	root, err := store.Open(t.Context(), "mem://", store.Options{Wrap: func(inner driver.Driver) driver.Driver {
		if err := inner.Put(t.Context(), "x", body, store.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		d = faults.Wrap(faulttest.Remote(inner, 1024))
		return d
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return d, faults
}

// wantReport checks the report of an injector.
func wantReport(t *testing.T, faults *fault.Injector, want string) {
	t.Helper()
	var got []string
	for _, c := range faults.Report().Injected {
		got = append(got, fmt.Sprint(c.Times, " ", c.Fault))
	}
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("the report says %q, want %q", text, want)
	}
}

// requests does each operation once and returns their errors.
func requests(ctx context.Context, d driver.Driver) map[fault.Op]error {
	errs := make(map[fault.Op]error)
	errs[fault.Put] = d.Put(ctx, "put", []byte("1"), store.CreateOptions{IfAbsent: true})
	u, err := d.Upload(ctx, "upload", store.CreateOptions{IfAbsent: true})
	errs[fault.Begin] = err
	if err == nil {
		errs[fault.Part] = u.Part(ctx, 1, []byte("1"))
		errs[fault.Commit] = u.Commit(ctx)
		errs[fault.Abort] = u.Abort(ctx)
	}
	_, errs[fault.Read] = read(ctx, d, 0, 100)
	_, errs[fault.Stat] = d.Stat(ctx, "x")
	_, _, errs[fault.List] = d.List("").Next(ctx)
	errs[fault.Delete] = d.Delete(ctx, "put")
	return errs
}

// read reads a range of "x" to its end.
func read(ctx context.Context, d driver.Driver, off, n int64) ([]byte, error) {
	r, err := d.Open(ctx, "x", "")
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := r.Range(ctx, off, n)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return io.ReadAll(b)
}

// TestAnswers verifies that faults that are answers are errors of their kind,
// and happen only to their operations.
func TestAnswers(t *testing.T) {
	t.Parallel()
	all := []fault.Op{fault.Put, fault.Begin, fault.Part, fault.Commit, fault.Abort, fault.Read, fault.Stat, fault.List, fault.Delete}
	for name, c := range map[string]struct {
		kind plan.Kind
		ops  []fault.Op
	}{
		"503":     {plan.Throttled, all},
		"500":     {plan.Unavailable, all},
		"400":     {plan.Invalid, all},
		"expired": {plan.Denied, all},
		"corrupt": {plan.Corrupt, all},
		"reset":   {plan.Unavailable, all},
		"404":     {plan.NotFound, []fault.Op{fault.Read, fault.Stat}},
		"409":     {plan.Contended, []fault.Op{fault.Put, fault.Commit}},
		"412":     {plan.Exists, []fault.Op{fault.Put, fault.Commit}},
	} {
		for _, op := range all {
			d, faults := faultyDriver(t, name+":100%")
			if op == fault.Part || op == fault.Commit || op == fault.Abort {
				// An upload that cannot begin has no parts: only they are struck.
				if !slices.Contains(c.ops, op) {
					continue
				}
				d, faults = faultyDriver(t, name+":100% "+string(op))
			}
			err := requests(t.Context(), d)[op]
			if !slices.Contains(c.ops, op) {
				if err != nil {
					t.Errorf("%s befell %s: %v", name, op, err)
				}
				continue
			}
			if err == nil || plan.KindOf(err) != c.kind || !strings.Contains(err.Error(), "injected") {
				t.Errorf("%s of %s: %v", name, op, err)
			}
			if len(faults.Report().Injected) != 1 || faults.Report().Injected[0].Fault != name {
				t.Errorf("%s of %s is reported as %+v", name, op, faults.Report())
			}
		}
	}
}

// TestOnlyOneOperation verifies that a rule for one operation leaves the others
// alone.
func TestOnlyOneOperation(t *testing.T) {
	t.Parallel()
	for _, op := range []fault.Op{fault.Put, fault.Begin, fault.Part, fault.Commit, fault.Abort, fault.Read, fault.Stat, fault.List, fault.Delete} {
		d, faults := faultyDriver(t, "500:100% "+string(op))
		for at, err := range requests(t.Context(), d) {
			if (err != nil) != (at == op) {
				t.Errorf("a rule for %s: %s says %v", op, at, err)
			}
		}
		wantReport(t, faults, "1 500")
	}
}

// TestNothingIsDone verifies that a refused write leaves nothing, and that a
// lost answer leaves the object.
func TestNothingIsDone(t *testing.T) {
	t.Parallel()
	for plan, done := range map[string]bool{
		"503:100% put": false, "409:100% put": false, "412:100% put": false, "reset:100% put": false,
		"lost:100% put": true, "lost:100% put as=412": true, "lost:100% put as=expired": true,
	} {
		d, _ := faultyDriver(t, plan)
		if err := d.Put(t.Context(), "y", []byte("1"), store.CreateOptions{IfAbsent: true}); err == nil {
			t.Errorf("%s: no error", plan)
		}
		_, err := d.Stat(t.Context(), "y")
		if (err == nil) != done {
			t.Errorf("%s: the object is there: %v, want %v", plan, err == nil, done)
		}
	}
	d, _ := faultyDriver(t, "lost:100% put as=412")
	if err := d.Put(t.Context(), "y", nil, store.CreateOptions{IfAbsent: true}); plan.KindOf(err) != plan.Exists {
		t.Errorf("the winner gets %v", err)
	}
}

// TestLyingPreconditions verifies that 412 does not happen to writes without a
// condition.
func TestLyingPreconditions(t *testing.T) {
	t.Parallel()
	d, faults := faultyDriver(t, "412:100%")
	if err := d.Put(t.Context(), "y", nil, store.CreateOptions{}); err != nil {
		t.Error(err)
	}
	wantReport(t, faults, "")
}

// TestBodies verifies what a reader sees of each fault of a body.
func TestBodies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plan     string
		off, n   int64
		length   int64 // announced
		got      []byte
		err      error // io.EOF for a clean end
		reported string
	}{
		"short":                   {"short:#1 after=700B", 100, 5000, 700, body[100:800], io.EOF, "1 short"},
		"short, of nothing":       {"short:#1 after=0B", 100, 5000, 0, nil, io.EOF, "1 short"},
		"short, of a whole":       {"short:#1 after=700B", 0, -1, 10_000, body, io.EOF, ""},
		"short, later than all":   {"short:#1 after=64KiB", 100, 5000, 5000, body[100:5100], io.EOF, ""},
		"full":                    {"full:#1", 100, 5000, 10_000, body, io.EOF, "1 full"},
		"full, of the beginning":  {"full:#1", 0, 5000, 10_000, body, io.EOF, "1 full"},
		"full, of what is all":    {"full:#1", 0, 10_000, 10_000, body, io.EOF, ""},
		"cut":                     {"cut:#1 after=700B", 100, 5000, 5000, body[100:800], io.ErrUnexpectedEOF, "1 cut"},
		"reset":                   {"reset:#1 after=700B", 100, 5000, 5000, body[100:800], driver.Fail(plan.Unavailable, "connection reset"), "1 reset"},
		"reset of a whole":        {"reset:#1 after=0B", 0, -1, 10_000, nil, driver.Fail(plan.Unavailable, "connection reset"), "1 reset"},
		"stall, then reset":       {"stall:#1 after=700B for=1h", 100, 5000, 5000, body[100:800], driver.Fail(plan.Unavailable, "connection reset"), "1 stall"},
		"stall without end":       {"stall:#1 after=700B for=0s", 100, 5000, 5000, body[100:800], context.DeadlineExceeded, "1 stall"},
		"slow":                    {"slow:#1 for=30ms", 100, 5000, 5000, body[100:5100], io.EOF, "1 slow"},
		"bandwidth":               {"bandwidth:#1 rate=1KiB/s", 100, 5000, 5000, body[100:5100], io.EOF, "1 bandwidth"},
		"delays come on top":      {"slow:100%, bandwidth:100%, cut:#1 after=1B", 100, 5000, 5000, body[100:101], io.ErrUnexpectedEOF, "1 cut, 1 slow, 1 bandwidth"},
		"the first rule decides":  {"cut:#1 after=1B, reset:#1 after=0B", 100, 5000, 5000, body[100:101], io.ErrUnexpectedEOF, "1 cut"},
		"the rule for other keys": {"cut:#1 after=1B key=y/*", 100, 5000, 5000, body[100:5100], io.EOF, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d, faults := faultyDriver(t, c.plan)
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
				defer cancel()
				r, err := d.Open(ctx, "x", "")
				if err != nil {
					t.Fatal(err)
				}
				b, err := r.Range(ctx, c.off, c.n)
				if err != nil {
					t.Fatal(err)
				}
				if b.Length != c.length || b.Total != 10_000 {
					t.Errorf("announced %d of %d bytes, want %d", b.Length, b.Total, c.length)
				}
				got, err := io.ReadAll(b)
				if !bytes.Equal(got, c.got) {
					t.Errorf("%d bytes came, want %d", len(got), len(c.got))
				}
				switch {
				case err == nil && errors.Is(c.err, io.EOF), errors.Is(err, c.err):
				case plan.KindOf(c.err) == plan.Unavailable && plan.KindOf(err) == plan.Unavailable:
				default:
					t.Errorf("it ends with %v, want %v", err, c.err)
				}
				wantReport(t, faults, c.reported)
			})
		})
	}
}

// TestTime verifies that delays last as long as their rule says.
func TestTime(t *testing.T) {
	t.Parallel()
	for plan, want := range map[string]time.Duration{
		"slow:#1 for=30ms":                   30 * time.Millisecond,
		"slow:#1 for=30ms, slow:#1 for=12ms": 42 * time.Millisecond,
		"bandwidth:#1 rate=1000B/s":          5 * time.Second,
		"stall:#1 for=1m30s after=0B":        90 * time.Second,
		"503:#2":                             0,
	} {
		t.Run(plan, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d, _ := faultyDriver(t, plan)
				begin := time.Now()
				_, _ = read(t.Context(), d, 0, 5000)
				if took := time.Since(begin); took < want || took > want+want/100 {
					t.Errorf("it took %v, want %v", took, want)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				d, _ = faultyDriver(t, strings.ReplaceAll(plan, "#1", "100%"))
				begin = time.Now()
				if _, err := read(ctx, d, 0, 5000); want > 0 && (err == nil || time.Since(begin) != time.Millisecond) {
					t.Errorf("after %v, the end of the context: %v", time.Since(begin), err)
				}
			})
		})
	}
}

// TestFlip changes one bit of bytes that are checked, and none of bytes that
// are not.
func TestFlip(t *testing.T) {
	t.Parallel()
	differ := func(a, b []byte) (n int) {
		for i := range a {
			n += bits.OnesCount8(a[i] ^ b[i])
		}
		return n
	}
	places := map[int]bool{}
	for seed := range uint64(50) {
		d, faults := faultyDriver(t, "flip:#1")
		faults.Seed = seed
		got, err := read(t.Context(), d, 100, 5000)
		if err != nil || len(got) != 5000 || differ(got, body[100:5100]) != 1 {
			t.Fatalf("seed %d: %d bytes, %v, of which other bits are %d", seed, len(got), err, differ(got, body[100:5100]))
		}
		for i := range got {
			if got[i] != body[100+i] {
				places[i] = true
			}
		}
		if got, err = read(t.Context(), d, 100, 5000); err != nil || differ(got, body[100:5100]) != 0 {
			t.Errorf("seed %d: the second try is damaged too, or the object: %v", seed, err)
		}
		wantReport(t, faults, "1 flip")
	}
	if len(places) < 40 {
		t.Errorf("50 seeds flipped only %d bytes", len(places))
	}
	d, _ := faultyDriver(t, "flip:#1 after=7B")
	if got, err := read(t.Context(), d, 0, 100); err != nil || got[7] == body[7] || differ(got, body[:100]) != 1 {
		t.Errorf("byte 7: %v, %v", got[:10], err)
	}
}

// silent is a store that returns no checksums.
type silent struct{ driver.Driver }

func (u silent) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	r, err := u.Driver.Open(ctx, key, etag)
	return untoldReader{r}, err
}

type untoldReader struct{ driver.Reader }

func (u untoldReader) Object(ctx context.Context) (store.Object, error) {
	o, err := u.Reader.Object(ctx)
	return store.Object{Key: o.Key, Size: o.Size, ETag: o.ETag}, err
}

func (u untoldReader) Range(ctx context.Context, off, n int64) (driver.Body, error) {
	b, err := u.Reader.Range(ctx, off, n)
	return driver.Body{ReadCloser: b.ReadCloser, Length: b.Length, Total: b.Total}, err
}

// TestFlipIsLeftOut verifies that a flip is left out if no check could notice
// it.
func TestFlipIsLeftOut(t *testing.T) {
	t.Parallel()
	for _, checked := range []bool{false, true} {
		inner, _ := faultyDriver(t, "503:#1000")
		faults := fault.New(parse(t, "flip:100%")...)
		if checked {
			faults.Checked = func(name string) bool { return name == "mem:///x" }
		}
		d := faults.Wrap(silent{inner})
		got, err := read(t.Context(), d, 0, -1)
		if err != nil || bytes.Equal(got, body) != !checked {
			t.Errorf("checked by its reader: %v; it is flipped: %v, %v", checked, !bytes.Equal(got, body), err)
		}
		if left := faults.Report().LeftOut; (len(left) == 1) != !checked {
			t.Errorf("checked by its reader: %v; left out %v", checked, left)
		}
	}
	// A store that returns checksums, and a reader of parts that does not
	// check.
	d, faults := faultyDriver(t, "flip:100%")
	faults.Checked = func(string) bool { return false }
	if got, err := read(t.Context(), d, 10, 100); err != nil || !bytes.Equal(got, body[10:110]) {
		t.Errorf("a part that is not checked is flipped, %v", err)
	}
	if got, err := read(t.Context(), d, 0, -1); err != nil || bytes.Equal(got, body) {
		t.Errorf("the whole is not flipped, %v", err)
	}
}

// TestLocal verifies that calls that are no requests on a local store do not
// fail there.
func TestLocal(t *testing.T) {
	t.Parallel()
	faults := fault.New(parse(t, "500:100% begin, 500:100% part, 500:100% abort, 500:@2- stat")...)
	root, err := store.Open(t.Context(), t.TempDir(), store.Options{Wrap: faults.Wrap})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	w, err := root.Create(t.Context(), "x", store.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	h, err := root.OpenObject(t.Context(), "x", "")
	if err != nil {
		t.Fatal(err)
	}
	h.Close()
	wantReport(t, faults, "")
}

// TestWhen verifies which of many requests are struck.
func TestWhen(t *testing.T) {
	t.Parallel()
	for plan, want := range map[string]string{
		"500:#1":          "1-- 1-- 1--", // each key's first try of three
		"500:#2-3":        "-11 -11 -11",
		"500:#2-":         "-11 -11 -11",
		"500:@1":          "1-- --- ---",
		"500:@3-5":        "--1 11- ---",
		"500:@6-":         "--- --1 111",
		"500:100%":        "111 111 111",
		"500:#1 key=b/**": "--- 1-- ---",
		"500:@2 key=b/*":  "--- -1- ---",
	} {
		d, _ := faultyDriver(t, plan)
		var got []string
		for _, key := range []string{"a/x", "b/x", "c/x"} {
			row := ""
			for range 3 {
				if d.Delete(t.Context(), key) != nil {
					row += "1"
				} else {
					row += "-"
				}
			}
			got = append(got, row)
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: struck are %s, want %s", plan, text, want)
		}
	}
}

// TestShareIsDrawn verifies that a percentage holds, within what chance
// explains, and that bursts are as long as their rule says.
func TestShareIsDrawn(t *testing.T) {
	t.Parallel()
	d, _ := faultyDriver(t, "500:10%")
	struck := 0
	for n := range 10_000 {
		if d.Delete(t.Context(), fmt.Sprintf("key/%d", n)) != nil {
			struck++
		}
	}
	if struck < 880 || struck > 1120 { // 4 standard deviations
		t.Errorf("%d of 10,000 requests were struck by 10%%", struck)
	}
	d, _ = faultyDriver(t, "500:1% burst=5")
	run, runs := 0, map[int]int{}
	for range 10_000 {
		if d.Delete(t.Context(), "key") != nil {
			run++
			continue
		}
		if run > 0 {
			runs[run]++
		}
		run = 0
	}
	shorter := runs[1] + runs[2] + runs[3] + runs[4]
	if shorter > 0 || runs[5] < 50 {
		t.Errorf("bursts by length: %v, want none shorter than 5", runs)
	}
}

// TestOrderDoesNotMatter verifies that goroutines in any order meet the faults
// that they meet alone.
func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	const plan = "503:20%, reset:10% burst=2, cut:5% after=10B, 404:5%"
	outcome := func(d driver.Driver, key int64) string {
		var told []string
		for range 4 {
			_, err := read(t.Context(), d, key, 100)
			told = append(told, fmt.Sprint(err))
		}
		return strings.Join(told, "; ")
	}
	alone, faults := faultyDriver(t, plan)
	faults.Seed = 5
	want := make([]string, 500)
	for i := range want {
		want[i] = outcome(alone, int64(i))
	}
	together, other := faultyDriver(t, plan)
	other.Seed = 5
	got := make([]string, len(want))
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() { got[len(got)-1-i] = outcome(together, int64(len(got)-1-i)) })
	}
	all.Wait()
	if !slices.Equal(got, want) {
		t.Error("requests side by side met other faults than the same one after the other")
	}
	if fmt.Sprint(faults.Report()) != fmt.Sprint(other.Report()) {
		t.Errorf("reports are %+v and %+v", faults.Report(), other.Report())
	}
	differently, third := faultyDriver(t, plan)
	third.Seed = 6
	for i := range got {
		got[i] = outcome(differently, int64(i))
	}
	if slices.Equal(got, want) {
		t.Error("another seed met the same faults")
	}
}

// TestNames verifies that a key's name decides what is drawn for it.
func TestNames(t *testing.T) {
	t.Parallel()
	outcome := func(run string) string {
		d, faults := faultyDriver(t, "500:50%")
		faults.Name = func(key string) string { return strings.ReplaceAll(key, run, "run") }
		text := ""
		for n := range 64 {
			text += fmt.Sprint(d.Delete(t.Context(), fmt.Sprintf("%s/%d", run, n)) == nil, " ")
		}
		return text
	}
	if outcome("monday") != outcome("tuesday") {
		t.Error("keys of the same name met other faults")
	}
}

// bare is a driver that can do only what it must. With lists it can list in ranges,
// with uploads it can list uploads.
type (
	bare    struct{ driver.Driver }
	lists   struct{ driver.RangeLister }
	uploads struct{ driver.UploadLister }
)

// TestWrapPassesOn verifies that a driver can do the same beneath faults as without
// them.
func TestWrapPassesOn(t *testing.T) {
	t.Parallel()
	root, err := store.Open(t.Context(), "mem://", store.Options{Wrap: func(d driver.Driver) driver.Driver {
		for _, c := range []struct {
			driver         driver.Driver
			ranges, ofThem bool
		}{
			{bare{d}, false, false},
			{struct {
				bare
				lists
			}{bare{d}, lists{}}, true, false},
			{struct {
				bare
				uploads
			}{bare{d}, uploads{}}, false, true},
			{struct {
				bare
				lists
				uploads
			}{bare{d}, lists{}, uploads{}}, true, true},
		} {
			wrapped := fault.New().Wrap(c.driver)
			_, ranges := driver.As[driver.RangeLister](wrapped)
			_, ofThem := driver.As[driver.UploadLister](wrapped)
			if ranges != c.ranges || ofThem != c.ofThem {
				t.Errorf("%T: lists in ranges %v, uploads %v", c.driver, ranges, ofThem)
			}
		}
		return d
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
}

// TestUploadsMeetFaults verifies that a listing of uploads is a list, and that the
// abort of a listed one is an abort.
func TestUploadsMeetFaults(t *testing.T) {
	t.Parallel()
	d, faults := faultyDriver(t, "503:100% list, 500:100% abort")
	l, ok := driver.As[driver.UploadLister](d)
	if !ok {
		t.Fatal("uploads cannot be listed beneath faults")
	}
	if _, err := d.Upload(t.Context(), "u", store.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.ListUploads("u").Next(t.Context()); plan.KindOf(err) != plan.Throttled {
		t.Errorf("list: %v", err)
	}
	if err := l.AbortUpload(t.Context(), store.Unfinished{Key: "u", ID: "1"}); plan.KindOf(err) != plan.Unavailable {
		t.Errorf("abort: %v", err)
	}
	wantReport(t, faults, "1 503, 1 500")
}

// knowing is a driver that counts how often it gets the size of an object.
type knowing struct {
	driver.Driver
	known *int
}

func (d knowing) OpenKnown(ctx context.Context, o driver.Object) (driver.Reader, error) {
	*d.known++
	return d.Open(ctx, o.Key, o.ETag)
}

// TestOpenKnownMeetsFaults verifies that decorators do not hide that a driver can
// use the size of an object, and that faults happen to what it opens.
func TestOpenKnownMeetsFaults(t *testing.T) {
	t.Parallel()
	rules, err := fault.Parse("500:100% read")
	if err != nil {
		t.Fatal(err)
	}
	known, faults := 0, fault.New(rules...)
	d := meter.Wrap(faults.Wrap(knowing{new(mem.Space).Open(""), &known}))
	root, err := store.New(d, store.Options{Retry: store.Retry{Attempts: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	if err := root.Put(t.Context(), "x", body, store.Scratch); err != nil {
		t.Fatal(err)
	}
	h, err := root.OpenKnown(t.Context(), store.Object{Key: "x", Size: int64(len(body))})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.ReadAt(t.Context(), make([]byte, 1), 0); plan.KindOf(err) != plan.Unavailable {
		t.Errorf("read: %v", err)
	}
	if known != 1 {
		t.Errorf("the driver got the size %d times", known)
	}
	wantReport(t, faults, "1 500")
}
