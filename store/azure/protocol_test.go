package azure_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/azure/azuretest"
	"github.com/windrow-mr/windrow/store/internal/testserver"
	"github.com/windrow-mr/windrow/store/storetest"
)

func TestFakeConforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *store.Root {
		f := newFake()
		f.pageSize = 1000
		return open(t, f.url(t, nil), store.Options{})
	}, storetest.Features{MultipartOnce: true, Flat: true})
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(b)
	return b
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		want   plan.Kind
	}{
		{404, "BlobNotFound", plan.NotFound},
		{404, "ContainerNotFound", plan.Invalid},
		{409, "ContainerBeingDeleted", plan.Unavailable},
		{403, "AuthenticationFailed", plan.Denied},
		{403, "AuthorizationPermissionMismatch", plan.Denied},
		{401, "NoAuthenticationInformation", plan.Denied},
		{503, "ServerBusy", plan.Throttled},
		{429, "", plan.Throttled},
		{500, "InternalError", plan.Unavailable},
		{500, "OperationTimedOut", plan.Unavailable},
		{502, "", plan.Unavailable},
		{504, "", plan.Unavailable},
		{408, "", plan.Unavailable},
		{409, "", plan.Contended},
		{409, "BlobArchived", plan.Invalid},
		{412, "ConditionNotMet", plan.Changed},
		{412, "LeaseIdMissing", plan.Denied},
		{416, "InvalidRange", plan.Changed},
		{400, "InvalidHeaderValue", plan.Invalid},
		{400, "Md5Mismatch", plan.Corrupt},
		{501, "", plan.Invalid},
	} {
		t.Run(fmt.Sprint(c.status, c.code), func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			root := openFake(t, newFake(), func(w http.ResponseWriter, r *http.Request, server http.Handler) {
				if strings.Contains(r.URL.Path, "log") {
					asked.Add(1)
					refuse(w, c.status, c.code)
					return
				}
				server.ServeHTTP(w, r)
			})
			_, err := root.Get(t.Context(), "log/1", 100)
			testserver.WantKind(t, err, c.want)
			if err != nil && !strings.Contains(err.Error(), "azblob://test/log/1") {
				t.Errorf("%v does not name the object", err)
			}
			if u := root.Usage(); u.Gets != asked.Load() {
				t.Errorf("counted %d requests, the server saw %d: another layer retries", u.Gets, asked.Load())
			}
			if _, statErr := root.Stat(t.Context(), "log/1"); plan.KindOf(statErr) != c.want {
				t.Errorf("stat: %v", statErr)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	url := newFake().url(t, nil)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, c := range []struct {
		url  string
		want plan.Kind
		text string
	}{
		{strings.Replace(url, "//test?", "//other?", 1), plan.Invalid, "no such container"},
		{"azblob://test?protocol=http&storage_account=" + azuretest.Account + "&domain=" + strings.TrimPrefix(gone.URL, "http://"), plan.Unavailable, ""},
		{url + "&colour=red", plan.Invalid, "known are"},
	} {
		_, err := store.Open(t.Context(), c.url, testserver.Quick())
		testserver.WantKind(t, err, c.want)
		if !strings.Contains(fmt.Sprint(err), c.text) {
			t.Errorf("%v does not say %q", err, c.text)
		}
	}
}

// TestOpenTriesAgain verifies that a container opens although its first answer
// is a hiccup, and for accounts that may not ask for it but may read.
func TestOpenTriesAgain(t *testing.T) {
	t.Parallel()
	for _, status := range []int{503, 403} {
		f := newFake()
		f.add("x", []byte("body"), "")
		stumble := testserver.Few(2)
		root := openFake(t, f, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
			if r.URL.Query().Get("restype") == "container" && (stumble() || status == 403) {
				refuse(w, status, "")
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
	root := openFake(t, newFake(), func(w http.ResponseWriter, r *http.Request, server http.Handler) {
		if r.Method == http.MethodPut && lose() {
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
	f := newFake()
	f.add("part", []byte("the winner's"), "")
	root := openFake(t, f, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
		if r.Method == http.MethodPut {
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

// TestFailedUploads verifies that uploads whose condition fails, that are
// canceled, or that are refused halfway, end with an error. gocloud's own
// writer panics on them.
func TestFailedUploads(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1 << 20, 20 << 20} {
		f := newFake()
		f.add("taken", []byte("first"), "")
		var refused atomic.Bool
		root := openFake(t, f, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
			if refused.Load() && r.Method == http.MethodPut {
				refuse(w, http.StatusForbidden, "AuthorizationFailure")
				return
			}
			server.ServeHTTP(w, r)
		})
		body := noise(size)
		testserver.WantKind(t, write(t, root, "taken", body, store.CreateOptions{IfAbsent: true}), plan.Exists)

		ctx, cancel := context.WithCancel(t.Context())
		w, err := root.Create(ctx, "canceled", store.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = w.Write(body); err != nil {
			t.Fatal(err)
		}
		cancel()
		testserver.WantKind(t, w.Commit(), plan.Interrupted)

		refused.Store(true)
		testserver.WantKind(t, write(t, root, "refused", body, store.CreateOptions{}), plan.Denied)
		for _, key := range []string{"canceled", "refused"} {
			_, err = root.Stat(t.Context(), key)
			testserver.WantKind(t, err, plan.NotFound)
		}
		if got, err := root.Get(t.Context(), "taken", 100); err != nil || string(got) != "first" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// TestLostCommit commits the list of blocks, and loses the answer.
func TestLostCommit(t *testing.T) {
	t.Parallel()
	for _, once := range []bool{false, true} {
		f := newFake()
		lose := testserver.Few(1)
		root := openFake(t, f, func(w http.ResponseWriter, r *http.Request, server http.Handler) {
			if r.URL.Query().Get("comp") == "blocklist" && lose() {
				testserver.Lose(w, r, server)
				return
			}
			server.ServeHTTP(w, r)
		})
		body := noise(17 << 20)
		if err := write(t, root, "x", body, store.CreateOptions{IfAbsent: once}); once {
			// The caller finds out who won, as the comment of Commit says.
			testserver.WantKind(t, err, plan.Exists)
		} else if err != nil {
			t.Error(err)
		}
		if got, err := root.Get(t.Context(), "x", 1<<30); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d other bytes, %v", len(got), err)
		}
	}
}

// TestLateCommit has another writer of the key commit first, which drops the
// parts of this one.
func TestLateCommit(t *testing.T) {
	t.Parallel()
	for once, want := range map[bool]plan.Kind{false: plan.Changed, true: plan.Exists} {
		f := newFake()
		root := openFake(t, f, nil)
		w, err := root.Create(t.Context(), "x", store.CreateOptions{IfAbsent: once})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		if _, err = w.Write(noise(30 << 20)); err != nil {
			t.Fatal(err)
		}
		f.add("x", []byte("first"), "")
		testserver.WantKind(t, w.Commit(), want)
		if got, err := root.Get(t.Context(), "x", 100); err != nil || string(got) != "first" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

// TestReadsAreRaw verifies that objects that are stored compressed come as they
// are stored.
func TestReadsAreRaw(t *testing.T) {
	t.Parallel()
	zipped := gzipped(t, bytes.Repeat([]byte("windrow "), 10_000))
	f := newFake()
	f.add("x.txt", zipped, "gzip")
	root := openFake(t, f, nil)
	if got, err := root.Get(t.Context(), "x.txt", 1<<20); err != nil || !bytes.Equal(got, zipped) {
		t.Errorf("get: %d bytes, want %d, %v", len(got), len(zipped), err)
	}
	h, err := root.OpenObject(t.Context(), "x.txt", "")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	stream := h.Stream(t.Context(), 0, -1)
	got, err := io.ReadAll(stream)
	if err = errors.Join(err, stream.Close()); err != nil || !bytes.Equal(got, zipped) {
		t.Errorf("stream: %d bytes, %v", len(got), err)
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	root := open(t, strings.Replace(newFake().url(t, nil), "//test?", "//test/a/b/?", 1), testserver.Quick())
	if err := root.Put(t.Context(), "k", []byte("v"), store.Scratch); err != nil {
		t.Fatal(err)
	}
	if got := root.Name("k"); got != "azblob://test/a/b/k" {
		t.Errorf("name %q", got)
	}
	again := open(t, root.URL(), testserver.Quick())
	if got, err := again.Get(t.Context(), "k", 10); err != nil || string(got) != "v" {
		t.Errorf("opened by %q: %q, %v", root.URL(), got, err)
	}
}
