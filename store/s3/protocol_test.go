package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/internal/testserver"
	"github.com/windrow-mr/windrow/store/s3/s3test"
)

// quick are options under which retries do not slow tests down.
var quick = testserver.Quick()

// behind starts an S3 server in this process behind a handler that may answer
// in its place, and returns its URL.
func behind(t testing.TB, front testserver.Front) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("test"); err != nil {
		t.Fatal(err)
	}
	s3 := gofakes3.New(backend).Server()
	return "s3://test?region=us-east-1&use_path_style=true&endpoint=" + testserver.Behind(t, s3, front)
}

// refuse answers as S3 does.
func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if code != "" {
		_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>scripted</Message></Error>", code)
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		want   plan.Kind
	}{
		{404, "NoSuchKey", plan.NotFound},
		{404, "NoSuchBucket", plan.Invalid},
		{403, "AccessDenied", plan.Denied},
		{403, "SignatureDoesNotMatch", plan.Denied},
		{400, "ExpiredToken", plan.Denied},
		{401, "", plan.Denied},
		{301, "PermanentRedirect", plan.Invalid},
		{503, "SlowDown", plan.Throttled},
		{429, "", plan.Throttled},
		{500, "InternalError", plan.Unavailable},
		{502, "", plan.Unavailable},
		{504, "", plan.Unavailable},
		{400, "RequestTimeout", plan.Unavailable},
		{409, "OperationAborted", plan.Contended},
		{412, "PreconditionFailed", plan.Changed},
		{416, "InvalidRange", plan.Changed},
		{501, "NotImplemented", plan.Invalid},
		{400, "InvalidArgument", plan.Invalid},
	} {
		t.Run(fmt.Sprint(c.status, c.code), func(t *testing.T) {
			t.Parallel()
			root := open(t, behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
				if r.Method == http.MethodGet {
					refuse(w, c.status, c.code)
					return
				}
				s3.ServeHTTP(w, r)
			}), quick)
			_, err := root.Get(t.Context(), "log/1", 100)
			testserver.WantKind(t, err, c.want)
			if err != nil && !strings.Contains(err.Error(), "s3://test/log/1") {
				t.Errorf("%v does not name the object", err)
			}
			var retried bool
			switch c.want {
			case plan.Throttled, plan.Unavailable, plan.Contended:
				retried = true
			}
			if u := root.Usage(); (u.Retries > 0) != retried {
				t.Errorf("%d retries, want some: %v", u.Retries, retried)
			}
		})
	}
}

func TestOpenRefusesBuckets(t *testing.T) {
	t.Parallel()
	url := fake(t)
	_, err := store.Open(t.Context(), strings.Replace(url, "//test?", "//other?", 1), quick)
	testserver.WantKind(t, err, plan.Invalid)
	if !strings.Contains(fmt.Sprint(err), "no such bucket") {
		t.Error(err)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = store.Open(ctx, "s3://test?region=us-east-1&use_path_style=true&endpoint="+gone.URL, quick)
	testserver.WantKind(t, err, plan.Unavailable)
}

// TestLostPut applies a put, and then breaks the connection.
func TestLostPut(t *testing.T) {
	t.Parallel()
	lose := testserver.Few(3)
	var stats atomic.Int64
	root := open(t, behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
		if r.Method == http.MethodHead && strings.Contains(r.URL.Path, "log") {
			stats.Add(1)
		}
		if r.Method == http.MethodPut && lose() {
			testserver.Lose(w, r, s3)
			return
		}
		s3.ServeHTTP(w, r)
	}), quick)
	won, existing, err := root.CreateOnce(t.Context(), "log/1", []byte("mine"))
	if !won || err != nil {
		t.Fatalf("won %v, %q, %v: the object is this call's own", won, existing, err)
	}
	won, existing, err = root.CreateOnce(t.Context(), "log/1", []byte("mine"))
	if won || err != nil || string(existing) != "mine" {
		t.Errorf("won %v, %q, %v", won, existing, err)
	}
	if u := root.Usage(); u.Stats != stats.Load() {
		t.Errorf("counted %d stats, the server saw %d", u.Stats, stats.Load())
	}
}

// TestConnectionsAreReused verifies that a range that was read to its end
// leaves its connection to the next request.
func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	backend := s3mem.New()
	if err := backend.CreateBucket("test"); err != nil {
		t.Fatal(err)
	}
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(gofakes3.New(backend).Server())
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	root := open(t, "s3://test?region=us-east-1&use_path_style=true&endpoint="+server.URL, quick)
	if err := root.Put(t.Context(), "x", make([]byte, 1<<20), store.Scratch); err != nil {
		t.Fatal(err)
	}
	h, err := root.OpenKnown(t.Context(), store.Object{Key: "x", Size: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 100_000)
	for i := range int64(50) {
		if err := h.ReadAt(t.Context(), p, i*1000); err != nil {
			t.Fatal(err)
		}
		if _, err := root.Get(t.Context(), "x", 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	if n := connections.Load(); n > 3 {
		t.Errorf("%d connections for 102 requests, one after another", n)
	}
}

func TestConflictStorm(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"ConditionalRequestConflict", "ExistingObjectIsDirectory"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			conflict := testserver.Few(5)
			root := open(t, behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
				if r.Method == http.MethodPut && conflict() {
					refuse(w, http.StatusConflict, code)
					return
				}
				s3.ServeHTTP(w, r)
			}), quick)
			if won, _, err := root.CreateOnce(t.Context(), "x", nil); !won || err != nil {
				t.Errorf("won %v, %v", won, err)
			}
		})
	}
}

// TestLostComplete completes a multipart upload, and loses the answer.
func TestLostComplete(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ifAbsent bool
		want     plan.Kind
	}{{false, plan.Unknown}, {true, plan.Exists}} {
		t.Run(fmt.Sprint(c.ifAbsent), func(t *testing.T) {
			t.Parallel()
			lose := testserver.Few(1)
			root := open(t, behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
				if r.Method == http.MethodPost && r.URL.Query().Has("uploadId") && lose() {
					testserver.Lose(w, r, s3)
					return
				}
				s3.ServeHTTP(w, r)
			}), quick)
			w, err := root.Create(t.Context(), "x", store.CreateOptions{IfAbsent: c.ifAbsent})
			if err != nil {
				t.Fatal(err)
			}
			defer w.Abort()
			if _, err = w.Write(make([]byte, 9<<20)); err != nil {
				t.Fatal(err)
			}
			if err = w.Commit(); c.ifAbsent {
				testserver.WantKind(t, err, c.want)
			} else if err != nil {
				t.Error(err)
			}
			if o, err := root.Stat(t.Context(), "x"); err != nil || o.Size != 9<<20 {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
}

// TestRanges answers with other ranges than the request asks for.
func TestRanges(t *testing.T) {
	t.Parallel()
	body := make([]byte, 100_000)
	for i := range body {
		body[i] = byte(i * i >> 5)
	}
	short := func(w http.ResponseWriter, from, to, n int) {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, from+n-1, len(body)))
		w.Header().Set("Content-Length", strconv.Itoa(n))
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(body[from : from+n])
	}
	for name, c := range map[string]struct {
		times  int32
		want   plan.Kind // Unknown: the right bytes
		answer func(w http.ResponseWriter, from, to int)
	}{
		"short":         {3, plan.Unknown, func(w http.ResponseWriter, from, to int) { short(w, from, to, 10) }},
		"short forever": {1000, plan.Corrupt, func(w http.ResponseWriter, from, to int) { short(w, from, to, 0) }},
		"cut": {3, plan.Unknown, func(w http.ResponseWriter, from, to int) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(body)))
			w.Header().Set("Content-Length", strconv.Itoa(to+1-from))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(body[from : from+100])
			_ = http.NewResponseController(w).Flush()
			testserver.Cut(w)
		}},
		"whole object": {1000, plan.Corrupt, func(w http.ResponseWriter, from, to int) { _, _ = w.Write(body) }},
		"other range": {1000, plan.Corrupt, func(w http.ResponseWriter, from, to int) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", to-from, len(body)))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(body[:to+1-from])
		}},
		"other size": {1000, plan.Changed, func(w http.ResponseWriter, from, to int) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(body)+1))
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(body[from : to+1])
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hurt := testserver.Few(c.times)
			root := open(t, behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
				var from, to int
				n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to)
				if n == 2 && hurt() {
					c.answer(w, from, to)
					return
				}
				s3.ServeHTTP(w, r)
			}), quick)
			if err := root.Put(t.Context(), "x", body, store.Scratch); err != nil {
				t.Fatal(err)
			}
			h, err := root.OpenObject(t.Context(), "x", "")
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			p := make([]byte, 5000)
			err = h.ReadAt(t.Context(), p, 1234)
			if c.want != plan.Unknown {
				testserver.WantKind(t, err, c.want)
			} else if err != nil || !bytes.Equal(p, body[1234:6234]) {
				t.Errorf("other bytes, or %v", err)
			}
			stream := h.Stream(t.Context(), 7, -1)
			got, err := io.ReadAll(stream)
			err = errors.Join(err, stream.Close())
			if c.want != plan.Unknown {
				testserver.WantKind(t, err, c.want)
			} else if err != nil || !bytes.Equal(got, body[7:]) {
				t.Errorf("stream of %d bytes, %v", len(got), err)
			}
		})
	}
}

// TestVersionWithoutIfMatch verifies that a store that ignores If-Match cannot
// pass other bytes off as the version.
func TestVersionWithoutIfMatch(t *testing.T) {
	t.Parallel()
	root := open(t, behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
		r.Header.Del("If-Match")
		s3.ServeHTTP(w, r)
	}), quick)
	put := func(body string) {
		t.Helper()
		if err := root.Put(t.Context(), "x", []byte(body), store.Scratch); err != nil {
			t.Fatal(err)
		}
	}
	put("old bytes")
	pinned, err := root.OpenObject(t.Context(), "x", "")
	if err != nil {
		t.Fatal(err)
	}
	known, err := root.OpenKnown(t.Context(), store.Object{Key: "x", Size: 9})
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 3)
	if err := known.ReadAt(t.Context(), p, 0); err != nil {
		t.Fatal(err)
	}
	put("new bytes")
	testserver.WantKind(t, pinned.ReadAt(t.Context(), p, 0), plan.Changed)
	testserver.WantKind(t, known.ReadAt(t.Context(), p, 0), plan.Changed)
}

func TestProbeRefusesHeedlessStore(t *testing.T) {
	t.Parallel()
	root := open(t, behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
		r.Header.Del("If-None-Match")
		s3.ServeHTTP(w, r)
	}), quick)
	_, err := root.Probe(t.Context())
	testserver.WantKind(t, err, plan.Invalid)
	if text := fmt.Sprint(err); !strings.Contains(text, "does not honour create-once") || !strings.Contains(text, "s3://test") {
		t.Error(text)
	}
}

// TestRequestsAreCounted compares the count with the requests that the server
// saw.
func TestRequestsAreCounted(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen plan.Usage
	stumble := testserver.Few(2)
	root := open(t, behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
		mu.Lock()
		q := r.URL.Query()
		switch {
		case q.Has("uploads"), q.Has("uploadId"):
			seen.Multipart++
		case q.Has("list-type"):
			seen.Lists++
		case r.Method == http.MethodPut:
			seen.Puts++
		case r.Method == http.MethodGet:
			seen.Gets++
		case r.Method == http.MethodHead && strings.Trim(r.URL.Path, "/") != "test":
			seen.Stats++
		case r.Method == http.MethodDelete:
			seen.Deletes++
		}
		mu.Unlock()
		if r.Method == http.MethodGet && stumble() {
			refuse(w, http.StatusServiceUnavailable, "SlowDown")
			return
		}
		s3.ServeHTTP(w, r)
	}), quick)
	ctx := t.Context()
	if _, err := root.Probe(ctx, store.Multipart); err != nil {
		t.Fatal(err)
	}
	w, err := root.Create(ctx, "large", store.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 25<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	h, err := root.OpenObject(ctx, "large", "")
	if err != nil {
		t.Fatal(err)
	}
	before := root.Usage()
	stream := h.Stream(ctx, 0, -1)
	n, err := io.Copy(io.Discard, stream)
	if err = errors.Join(err, stream.Close()); err != nil || n != 25<<20 {
		t.Fatal(n, err)
	}
	if u := root.Usage().Minus(before); u.Gets != 4 || u.BytesDown != 25<<20 {
		t.Errorf("a stream of 25 MiB cost %+v, want 4 gets", u)
	}
	if err := root.Delete(ctx, "large"); err != nil {
		t.Fatal(err)
	}
	for _, err := range root.List(ctx, "") {
		t.Error("listed", err)
	}
	mu.Lock()
	defer mu.Unlock()
	got := root.Usage()
	if got.Retries != 2 || got.Throttles != 2 {
		t.Errorf("%d retries, %d throttles, want 2 of each", got.Retries, got.Throttles)
	}
	got.BytesUp, got.BytesDown, got.Retries, got.Throttles = 0, 0, 0, 0
	if got != seen {
		t.Errorf("counted %+v\n  server %+v", got, seen)
	}
}

// TestAbortReachesServer verifies that no parts stay, whether the writer was
// aborted or its context ended, and also when the server has begun the upload
// and its answer is still in flight.
func TestAbortReachesServer(t *testing.T) {
	t.Parallel()
	var begun chan struct{}   // closed when the server has begun an upload
	var release chan struct{} // closed when its answer may be sent
	url := behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
		if r.Method != http.MethodPost || !r.URL.Query().Has("uploads") {
			s3.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		s3.ServeHTTP(answer, r)
		close(begun)
		<-release
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
	root := open(t, url, quick)
	uploads := func() int {
		t.Helper()
		_, endpoint, _ := strings.Cut(url, "endpoint=")
		response, err := http.Get(endpoint + "/test?uploads")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatal(response.Status, err)
		}
		return bytes.Count(text, []byte("<Upload>"))
	}
	for name, end := range map[string]func(w *store.Writer, cancel, answer func()){
		"aborted":   func(w *store.Writer, _, answer func()) { answer(); w.Abort() },
		"cancelled": func(w *store.Writer, cancel, answer func()) { answer(); cancel(); w.Abort() },
		"cancelled and written": func(w *store.Writer, cancel, answer func()) {
			answer()
			cancel()
			testserver.WantKind(t, w.Commit(), plan.Interrupted)
		},
		// Abort waits for the answer, so it comes by itself.
		"not answered yet": func(w *store.Writer, cancel, answer func()) {
			cancel()
			time.AfterFunc(20*time.Millisecond, answer)
			w.Abort()
		},
	} {
		begun, release = make(chan struct{}), make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		w, err := root.Create(ctx, "x", store.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, 17<<20)); err != nil {
			t.Fatal(err)
		}
		<-begun
		if n := uploads(); n != 1 {
			t.Fatalf("%s: %d uploads while one is under way", name, n)
		}
		answer := release
		end(w, cancel, func() { close(answer) })
		cancel()
		if n := uploads(); n != 0 {
			t.Fatalf("%s: %d uploads left", name, n)
		}
	}
}

// TestLargeLoser verifies that a large conditional write fails as one, without
// sending it again, if the server refuses it early and closes the connection on
// the body.
func TestLargeLoser(t *testing.T) {
	t.Parallel()
	root := open(t, s3test.Start(t), quick)
	for i := range 12 {
		w, err := root.Create(t.Context(), "part", store.CreateOptions{IfAbsent: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, 7<<20)); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); i == 0 && err != nil {
			t.Fatal(err)
		} else if i > 0 {
			testserver.WantKind(t, err, plan.Exists)
		}
	}
	if u := root.Usage(); u.Puts != 12 || u.Retries != 0 {
		t.Errorf("usage %+v, want 12 puts and no retry", u)
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	url := fake(t)
	root := open(t, strings.Replace(url, "//test?", "//test/a/b/?", 1), quick)
	if err := root.Put(t.Context(), "k", []byte("v"), store.Scratch); err != nil {
		t.Fatal(err)
	}
	if got := root.Name("k"); got != "s3://test/a/b/k" {
		t.Errorf("name %q", got)
	}
	again := open(t, root.URL(), quick)
	if got, err := again.Get(t.Context(), "k", 10); err != nil || string(got) != "v" {
		t.Errorf("opened by %q: %q, %v", root.URL(), got, err)
	}
	if !root.Remote() {
		t.Error("not remote")
	}
}

// TestKeysThatXMLCannotHold: keys with control characters are listed, because the driver
// asks for the encoding of URLs, as S3 documents it: spaces are plus signs. The rest of the
// prefix was unreadable. A store that does not know the encoding is believed, too.
func TestKeysThatXMLCannotHold(t *testing.T) {
	t.Parallel()
	const body = `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>test</Name><IsTruncated>false</IsTruncated>%s` +
		`<Contents><Key>%s</Key><Size>1</Size><ETag>"1"</ETag></Contents><CommonPrefixes><Prefix>%[2]s/</Prefix></CommonPrefixes></ListBucketResult>`
	for encoding, keys := range map[string]struct{ sent, want string }{
		"<EncodingType>url</EncodingType>": {"logs/a+%01%0A%2B%25%C3%A9", "logs/a \x01\n+%\u00e9"},
		"":                                 {"logs/a+%25", "logs/a+%25"},
	} {
		asked := ""
		root := open(t, behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
			if r.URL.Query().Get("list-type") == "" {
				s3.ServeHTTP(w, r)
				return
			}
			asked = r.URL.Query().Get("encoding-type")
			_, _ = fmt.Fprintf(w, body, encoding, keys.sent)
		}), quick)
		for o, err := range root.List(t.Context(), "logs/") {
			if err != nil || o.Key != keys.want {
				t.Errorf("listed %q, %v, want %q", o.Key, err, keys.want)
			}
		}
		var entered []string
		found, err := root.Walk(t.Context(), store.Walk{Prefix: "logs/", Enter: func(dir, _ string) (string, bool) {
			entered = append(entered, dir)
			return "", false
		}, Match: func(string) bool { return true }})
		if err != nil || len(found) != 1 || found[0].Key != keys.want || len(entered) != 1 || entered[0] != keys.want+"/" {
			t.Errorf("found %+v and %q, %v; want %q", found, entered, err, keys.want)
		}
		if asked != "url" {
			t.Errorf("asked for the encoding %q", asked)
		}
	}
}

// TestObjectsOutOfReach: an object in an archive, and a bucket whose requester pays, are
// named as such, and are not asked for again and again.
func TestObjectsOutOfReach(t *testing.T) {
	t.Parallel()
	for code, says := range map[string]string{"InvalidObjectState": "Glacier", "AccessDenied": "requester pays"} {
		root := open(t, behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
			if r.Method == http.MethodGet {
				refuse(w, http.StatusForbidden, code)
				return
			}
			s3.ServeHTTP(w, r)
		}), quick)
		_, err := root.Get(t.Context(), "archived", 100)
		if err == nil || !strings.Contains(err.Error(), says) || plan.KindOf(err).Retryable() || root.Usage().Retries > 0 {
			t.Errorf("%s: %v after %d repetitions", code, err, root.Usage().Retries)
		}
	}
}
