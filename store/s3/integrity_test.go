package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/checksum"
	"github.com/windrow-mr/windrow/store/internal/testserver"
)

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(b)
	return b
}

// TestEarlyRefusal fails a condition before the body was read, so that the
// client sees only a reset connection.
func TestEarlyRefusal(t *testing.T) {
	t.Parallel()
	root := open(t, behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
		if r.Method == http.MethodPut && r.Header.Get("If-None-Match") != "" {
			testserver.Reset(w)
			return
		}
		s3.ServeHTTP(w, r)
	}), quick)
	if err := root.Put(t.Context(), "part", []byte("the winner's"), store.Scratch); err != nil {
		t.Fatal(err)
	}
	w, err := root.Create(t.Context(), "part", store.CreateOptions{IfAbsent: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.Write(noise(7 << 20)); err != nil {
		t.Fatal(err)
	}
	testserver.WantKind(t, w.Commit(), plan.Exists)
	if u := root.Usage(); u.Puts != 2 || u.Retries != 0 {
		t.Errorf("usage %+v, want two puts and no retry", u)
	}
}

// flipper flips a bit of each answer.
type flipper struct{ http.ResponseWriter }

func (f *flipper) Write(p []byte) (int, error) {
	p = bytes.Clone(p)
	p[len(p)/2] ^= 4
	return f.ResponseWriter.Write(p)
}

// TestFlippedBits verifies that bytes are checked against the checksum that the
// store returns, of each algorithm, and requested again.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	body := noise(3_000_000)
	ranges := quick // so that a stream takes several
	ranges.Transfer.Range = 1 << 20
	for _, algorithm := range []checksum.Algorithm{checksum.CRC32, checksum.CRC32C, checksum.CRC64NVME} {
		for _, c := range []struct {
			times int32
			kind  string
			want  plan.Kind // Unknown: the right bytes
		}{{2, "FULL_OBJECT", plan.Unknown}, {1000, "FULL_OBJECT", plan.Corrupt}, {0, "COMPOSITE", plan.Unknown}} {
			t.Run(fmt.Sprint(algorithm, c.times, c.kind), func(t *testing.T) {
				t.Parallel()
				told := checksum.Of(algorithm, body).Base64()
				if c.kind == "COMPOSITE" {
					told = checksum.Of(algorithm, body[1:]).Base64() + "-2" // of something else
				}
				flip := testserver.Few(c.times)
				root := open(t, behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
					if r.Method != http.MethodPut && r.Header.Get("X-Amz-Checksum-Mode") == "ENABLED" {
						w.Header().Set("X-Amz-Checksum-Type", c.kind)
						w.Header().Set("X-Amz-Checksum-"+algorithm.String(), told)
						if r.Method == http.MethodGet && flip() {
							w = &flipper{w}
						}
					}
					s3.ServeHTTP(w, r)
				}), ranges)
				w, err := root.Create(t.Context(), "x", store.CreateOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if _, err = w.Write(body); err == nil {
					err = w.Commit()
				}
				if err != nil {
					t.Fatal(err)
				}
				check := func(how string, got []byte, err error) {
					t.Helper()
					if c.want != plan.Unknown {
						testserver.WantKind(t, err, c.want)
					} else if err != nil || !bytes.Equal(got, body) {
						t.Errorf("%s: other bytes, or %v", how, err)
					}
				}
				h, err := root.OpenObject(t.Context(), "x", "")
				if err != nil {
					t.Fatal(err)
				}
				defer h.Close()
				if known := h.Sum().Known(); known != (c.kind == "FULL_OBJECT") {
					t.Errorf("%s checksum known: %v", c.kind, known)
				}
				p := make([]byte, len(body))
				check("range", p, h.ReadAt(t.Context(), p, 0))
				got, err := root.Get(t.Context(), "x", 1<<30)
				check("get", got, err)
				stream := h.Stream(t.Context(), 0, -1)
				got, err = io.ReadAll(stream)
				check("stream", got, errors.Join(err, stream.Close()))
			})
		}
	}
}

// TestWholeChecksum verifies that a store that keeps a checksum of objects in
// parts gets that of all parts.
func TestWholeChecksum(t *testing.T) {
	t.Parallel()
	body := noise(20<<20 + 3)
	var told atomic.Pointer[string]
	root := open(t, behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
		q := r.URL.Query()
		switch {
		case q.Has("uploads") && r.Header.Get("X-Amz-Checksum-Type") == "FULL_OBJECT":
			w.Header().Set("X-Amz-Checksum-Type", "FULL_OBJECT")
		case r.Method == http.MethodPost && q.Has("uploadId"):
			sum := r.Header.Get("X-Amz-Checksum-Crc32c")
			told.Store(&sum)
		}
		s3.ServeHTTP(w, r)
	}), quick)
	w, err := root.Create(t.Context(), "x", store.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.Write(body); err == nil {
		err = w.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	if sum := told.Load(); sum == nil || *sum != checksum.Of(checksum.CRC32C, body).Base64() {
		t.Errorf("the store got %v", sum)
	}
}

// TestListInRanges verifies that long listings begin in several places, also on
// stores that ignore where.
func TestListInRanges(t *testing.T) {
	t.Parallel()
	for _, careless := range []bool{false, true} {
		var places atomic.Int32
		root := open(t, behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
			if q := r.URL.Query(); q.Has("list-type") {
				if q.Has("start-after") {
					places.Add(1)
				}
				q.Set("max-keys", "40")
				if careless {
					q.Del("start-after")
				}
				r.URL.RawQuery = q.Encode()
			}
			s3.ServeHTTP(w, r)
		}), quick)
		var want []string
		for i := range 1500 {
			want = append(want, fmt.Sprintf("in/%04d", i))
			if err := root.Put(t.Context(), want[i], nil, store.Scratch); err != nil {
				t.Fatal(err)
			}
		}
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
		if n := places.Load(); (n < 10) != careless {
			t.Errorf("ignoring %v: the listing began in %d places", careless, n)
		}
	}
}

// TestProbeLeavesNothing includes a store that ignores the condition.
func TestProbeLeavesNothing(t *testing.T) {
	t.Parallel()
	root := open(t, behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
		r.Header.Del("If-None-Match")
		s3.ServeHTTP(w, r)
	}), quick)
	_, err := root.Probe(t.Context())
	testserver.WantKind(t, err, plan.Invalid)
	if text := fmt.Sprint(err); !strings.Contains(text, "Write to another store") {
		t.Errorf("%q does not say what to do", text)
	}
	for o := range root.List(t.Context(), "") {
		t.Errorf("left behind: %+v", o)
	}
	refusing := open(t, behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
		if r.Header.Get("If-None-Match") != "" {
			refuse(w, http.StatusNotImplemented, "NotImplemented")
			return
		}
		s3.ServeHTTP(w, r)
	}), quick)
	_, err = refusing.Probe(t.Context())
	testserver.WantKind(t, err, plan.Invalid)
	if text := fmt.Sprint(err); !strings.Contains(text, "refuses to create an object on condition") {
		t.Error(text)
	}
}
