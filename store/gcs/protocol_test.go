package gcs_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/internal/testserver"
	"github.com/windrow-mr/windrow/store/storetest"
)

func TestFakeConforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *store.Root { return open(t, newFake(t).url(t, nil), store.Options{}) },
		storetest.Features{MultipartOnce: true, Flat: true, Sums: true, SumsOfParts: true})
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(b)
	return b
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status          int
		reason, message string
		want            plan.Kind
	}{
		{404, "notFound", "No such object: test/log/1", plan.NotFound},
		{404, "notFound", "The specified bucket does not exist.", plan.Invalid},
		{403, "forbidden", "does not have storage.objects.get access", plan.Denied},
		{403, "rateLimitExceeded", "slow down", plan.Throttled},
		{401, "required", "Login Required", plan.Denied},
		{429, "rateLimitExceeded", "slow down", plan.Throttled},
		{503, "backendError", "try again", plan.Throttled},
		{500, "backendError", "try again", plan.Unavailable},
		{502, "", "", plan.Unavailable},
		{504, "", "", plan.Unavailable},
		{408, "", "", plan.Unavailable},
		{409, "conflict", "", plan.Contended},
		{412, "conditionNotMet", "", plan.Changed},
		{416, "requestedRangeNotSatisfiable", "", plan.Changed},
		{400, "invalid", "Provided CRC32C doesn't match", plan.Corrupt},
		{400, "invalid", "Bad request", plan.Invalid},
		{501, "", "", plan.Invalid},
	} {
		t.Run(fmt.Sprint(c.status, c.reason, c.message), func(t *testing.T) {
			t.Parallel()
			root := openFake(t, newFake(t), func(w http.ResponseWriter, r *http.Request, server http.Handler) {
				switch {
				case !strings.Contains(r.URL.Path, "log"):
					server.ServeHTTP(w, r)
				case c.reason == "":
					w.WriteHeader(c.status)
				default:
					refuse(w, c.status, c.reason, c.message)
				}
			})
			_, err := root.Get(t.Context(), "log/1", 100)
			testserver.WantKind(t, err, c.want)
			if err != nil && !strings.Contains(err.Error(), "gs://test/log/1") {
				t.Errorf("%v does not name the object", err)
			}
			if _, statErr := root.Stat(t.Context(), "log/1"); plan.KindOf(statErr) != c.want {
				t.Errorf("stat: %v", statErr)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	url := newFake(t).url(t, nil)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, c := range []struct {
		url  string
		want plan.Kind
		text string
	}{
		{strings.Replace(url, "//test?", "//other?", 1), plan.Invalid, "no such bucket"},
		{"gs://test?anonymous=true&endpoint=" + gone.URL, plan.Unavailable, ""},
		{url + "&colour=red", plan.Invalid, "known are"},
		{url + "&grpc=true", plan.Invalid, "grpc=true is not supported"},
		{url + "&anonymous=perhaps", plan.Invalid, ""},
	} {
		_, err := store.Open(t.Context(), c.url, testserver.Quick())
		if c.text == "" && err == nil {
			continue // the first of two values counts
		}
		testserver.WantKind(t, err, c.want)
		if !strings.Contains(fmt.Sprint(err), c.text) {
			t.Errorf("%v does not say %q", err, c.text)
		}
	}
}

// TestOpenTriesAgain verifies that a bucket opens although its first answer is
// a hiccup, and for accounts that may not list but may read.
func TestOpenTriesAgain(t *testing.T) {
	t.Parallel()
	for _, status := range []int{503, 403} {
		f := newFake(t)
		f.put("x", []byte("body"), "")
		stumble := testserver.Few(2)
		root := openFake(t, f, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
			if strings.HasSuffix(r.URL.Path, "/o") && (stumble() || status == 403) {
				refuse(w, status, "no", "no")
				return
			}
			server.ServeHTTP(w, r)
		})
		if got, err := root.Get(t.Context(), "x", 10); err != nil || string(got) != "body" {
			t.Errorf("status %d: %q, %v", status, got, err)
		}
	}
}

// TestLostPut applies a put, and then breaks the connection.
func TestLostPut(t *testing.T) {
	t.Parallel()
	lose := testserver.Few(3)
	root := openFake(t, newFake(t), func(w http.ResponseWriter, r *http.Request, server http.Handler) {
		if r.Method == http.MethodPost && lose() {
			testserver.Lose(w, r, server)
			return
		}
		server.ServeHTTP(w, r)
	})
	for i, want := range []bool{true, false} {
		won, existing, err := root.CreateOnce(t.Context(), "log/1", []byte("mine"))
		if won != want || err != nil || !won && string(existing) != "mine" {
			t.Fatalf("call %d: won %v, %q, %v", i, won, existing, err)
		}
	}
}

// TestEarlyRefusal fails a condition before the body was read, so that the
// client sees only a reset connection.
func TestEarlyRefusal(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.put("part", []byte("the winner's"), "")
	root := openFake(t, f, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
		if r.Method == http.MethodPost {
			testserver.Reset(w)
			return
		}
		server.ServeHTTP(w, r)
	})
	testserver.WantKind(t, write(t, root, "part", noise(7<<20), store.CreateOptions{IfAbsent: true}), plan.Exists)
	if u := root.Usage(); u.Puts != 1 || u.Retries != 0 {
		t.Errorf("usage %+v, want one put and no retry", u)
	}
}

func write(t testing.TB, root *store.Root, key string, body []byte, o store.CreateOptions) error {
	t.Helper()
	w, err := root.Create(t.Context(), key, o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err = w.Write(body); err != nil {
		return err
	}
	return w.Commit()
}

// TestUploadIsResumed loses answers to parts and to the end of an upload, and
// keeps parts in pieces. The object is right in every case, and a winner knows
// that it won.
func TestUploadIsResumed(t *testing.T) {
	t.Parallel()
	for _, size := range []int{16 << 20, 8<<20 + 612345} {
		for name, c := range map[string]struct {
			takes int
			hurt  func(w http.ResponseWriter, r *http.Request, server http.Handler)
		}{
			"lost answers": {0, testserver.Lose},
			"refusals": {0, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				refuse(w, http.StatusServiceUnavailable, "backendError", "no")
			}},
			"cut before": {0, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { testserver.Cut(w) }},
			"pieces":     {3 << 20, testserver.Lose},
		} {
			t.Run(fmt.Sprint(name, size), func(t *testing.T) {
				t.Parallel()
				f := newFake(t)
				f.takes = c.takes
				r := rand.New(rand.NewPCG(1, uint64(size)))
				var calls atomic.Int32
				bad := make([]bool, 1000)
				for i := range bad {
					bad[i] = r.IntN(4) == 0
				}
				root := openFake(t, f, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
					if r.Method == http.MethodPut && bad[calls.Add(1)] {
						c.hurt(w, r, server)
						return
					}
					server.ServeHTTP(w, r)
				})
				body := noise(size)
				if err := write(t, root, "x", body, store.CreateOptions{IfAbsent: true}); err != nil {
					t.Fatal(err)
				}
				if got, err := root.Get(t.Context(), "x", int64(size)); err != nil || !bytes.Equal(got, body) {
					t.Errorf("%d other bytes, %v", len(got), err)
				}
				if f.twice != 0 {
					t.Errorf("%d bytes were sent twice", f.twice)
				}
				if f.openSessions() != 0 {
					t.Error("a session was left open")
				}
			})
		}
	}
}

// TestUploadConflicts verifies that an object that appears while another is
// being written wins, and that the loser leaves nothing.
func TestUploadConflicts(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	root := openFake(t, f, nil)
	w, err := root.Create(t.Context(), "x", store.CreateOptions{IfAbsent: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err = w.Write(noise(17 << 20)); err != nil {
		t.Fatal(err)
	}
	f.put("x", []byte("first"), "")
	testserver.WantKind(t, w.Commit(), plan.Exists)
	if got, err := root.Get(t.Context(), "x", 100); err != nil || string(got) != "first" {
		t.Errorf("%q, %v", got, err)
	}
	if n := f.openSessions(); n != 0 {
		t.Errorf("%d sessions left", n)
	}
}

// TestAbortReachesServer verifies the abort also when the writer's context has
// ended.
func TestAbortReachesServer(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	root := openFake(t, f, nil)
	for _, end := range []func(w *store.Writer, cancel func()){
		func(w *store.Writer, _ func()) { w.Abort() },
		func(w *store.Writer, cancel func()) { cancel(); w.Abort() },
		func(w *store.Writer, cancel func()) {
			cancel()
			testserver.WantKind(t, w.Commit(), plan.Interrupted)
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w, err := root.Create(ctx, "x", store.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(noise(17 << 20)); err != nil {
			t.Fatal(err)
		}
		if n := f.openSessions(); n != 1 {
			t.Fatalf("%d sessions while an upload is under way", n)
		}
		end(w, cancel)
		if n := f.openSessions(); n != 0 {
			t.Errorf("%d sessions left", n)
		}
	}
	_, err := root.Stat(t.Context(), "x")
	testserver.WantKind(t, err, plan.NotFound)
}

// TestReadsAreRaw verifies that objects that are stored compressed come as they
// are stored.
func TestReadsAreRaw(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(bytes.Repeat([]byte("windrow "), 10_000)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f := newFake(t)
	f.put("x.txt", zipped.Bytes(), "gzip")
	root := openFake(t, f, nil)
	if got, err := root.Get(t.Context(), "x.txt", 1<<20); err != nil || !bytes.Equal(got, zipped.Bytes()) {
		t.Errorf("get: %d bytes, want %d, %v", len(got), zipped.Len(), err)
	}
	h, err := root.OpenObject(t.Context(), "x.txt", "")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	p := make([]byte, 20)
	if err = h.ReadAt(t.Context(), p, 30); err != nil || !bytes.Equal(p, zipped.Bytes()[30:50]) {
		t.Errorf("range: %q, %v", p, err)
	}
}

// TestFlippedBits verifies that bytes are checked against the checksum that the
// service returns, and requested again.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	body := noise(100_000)
	ranges := testserver.Quick() // so that a stream takes several
	ranges.Transfer.Range = 1 << 20
	for _, c := range []struct {
		times int32
		want  plan.Kind // Unknown: the right bytes
	}{{2, plan.Unknown}, {1000, plan.Corrupt}} {
		for _, size := range []int{len(body), 3_000_000} {
			f := newFake(t)
			whole := bytes.Repeat(body, size/len(body))
			f.put("x", whole, "")
			flip := testserver.Few(c.times)
			root := open(t, f.url(t, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
				if r.URL.Query().Get("alt") == "media" && flip() {
					w = &flipper{ResponseWriter: w}
				}
				server.ServeHTTP(w, r)
			}), ranges)
			check := func(how string, got []byte, err error) {
				t.Helper()
				if c.want != plan.Unknown {
					testserver.WantKind(t, err, c.want)
				} else if err != nil || !bytes.Equal(got, whole) {
					t.Errorf("%s of %d bytes: other bytes, or %v", how, size, err)
				}
			}
			h, err := root.OpenObject(t.Context(), "x", "")
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			p := make([]byte, size)
			check("range", p, h.ReadAt(t.Context(), p, 0))
			got, err := root.Get(t.Context(), "x", int64(size))
			check("get", got, err)
			stream := h.Stream(t.Context(), 0, -1)
			got, err = io.ReadAll(stream)
			check("stream", got, errors.Join(err, stream.Close()))
		}
	}
}

// flipper flips a bit of each answer.
type flipper struct{ http.ResponseWriter }

func (f *flipper) Write(p []byte) (int, error) {
	p = bytes.Clone(p)
	p[len(p)/2] ^= 4
	return f.ResponseWriter.Write(p)
}

// TestListIsParallel verifies that long listings begin in several places.
func TestListIsParallel(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.pageSize = 50
	var want []string
	for i := range 3000 {
		name := fmt.Sprintf("in/%04d", i)
		want = append(want, name)
		f.put(name, nil, "")
	}
	var offsets atomic.Int32
	root := openFake(t, f, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
		if r.URL.Query().Get("startOffset") != "" && r.URL.Query().Get("pageToken") == "" {
			offsets.Add(1)
		}
		server.ServeHTTP(w, r)
	})
	var got []string
	for o, err := range root.List(t.Context(), "in/") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, o.Key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d objects, want %d", len(got), len(want))
	}
	if n := offsets.Load(); n < 10 {
		t.Errorf("the listing began in %d places", n)
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	url := newFake(t).url(t, nil)
	root := open(t, strings.Replace(url, "//test?", "//test/a/b/?", 1), testserver.Quick())
	if err := root.Put(t.Context(), "k", []byte("v"), store.Scratch); err != nil {
		t.Fatal(err)
	}
	if got := root.Name("k"); got != "gs://test/a/b/k" {
		t.Errorf("name %q", got)
	}
	again := open(t, root.URL(), testserver.Quick())
	if got, err := again.Get(t.Context(), "k", 10); err != nil || string(got) != "v" {
		t.Errorf("opened by %q: %q, %v", root.URL(), got, err)
	}
	if secret := open(t, url+"&private_key_path=/hunter2&access_id=hunter2", testserver.Quick()); strings.Contains(secret.URL(), "hunter2") {
		t.Errorf("%q shows a secret", secret.URL())
	}
}
