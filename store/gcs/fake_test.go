package gcs_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/checksum"
	"github.com/windrow-mr/windrow/store/internal/testserver"
)

// fake is a server of the JSON interface as its documentation describes it, as
// far as the driver uses it. It refuses what the service would refuse.
type fake struct {
	t        testing.TB
	pageSize int
	// takes is how many bytes of a part are kept; 0: all.
	takes int

	mu         sync.Mutex
	generation int64
	objects    map[string]*fakeObject
	sessions   map[string]*fakeSession
	twice      int // bytes of sessions that came again
}

type fakeObject struct {
	name       string
	body       []byte
	generation int64
	encoding   string
}

type fakeSession struct {
	name   string
	once   bool
	body   []byte
	object *fakeObject // when it is done
}

func newFake(t testing.TB) *fake {
	t.Helper()
	return &fake{t: t, pageSize: 1000, objects: map[string]*fakeObject{}, sessions: map[string]*fakeSession{}}
}

// url starts the server behind a front, and returns the URL of its bucket.
func (f *fake) url(t testing.TB, front testserver.Front) string {
	t.Helper()
	if front == nil {
		front = func(w http.ResponseWriter, r *http.Request, server http.Handler) { server.ServeHTTP(w, r) }
	}
	return "gs://test?anonymous=true&endpoint=" + testserver.Behind(t, f, front)
}

// refuse answers as the service does.
func refuse(w http.ResponseWriter, status int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"error": {"code": %d, "message": %[2]q, "errors": [{"reason": %[3]q, "message": %[2]q}]}}`, status, message, reason)
}

func (o *fakeObject) sum() string { return checksum.Of(checksum.CRC32C, o.body).Base64() }

// description is the service's description of an object.
type description struct {
	Name       string `json:"name"`
	Size       string `json:"size"`
	Generation string `json:"generation"`
	Updated    string `json:"updated"`
	CRC32C     string `json:"crc32c"`
}

func (o *fakeObject) about() description {
	return description{
		o.name, strconv.Itoa(len(o.body)), strconv.FormatInt(o.generation, 10), "2026-01-02T03:04:05.678Z", o.sum(),
	}
}

func answer[T any](t testing.TB, w http.ResponseWriter, v T) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		t.Log(err) // the client went away
	}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	path := r.URL.EscapedPath()
	if id, ok := strings.CutPrefix(path, "/session/"); ok {
		f.session(w, r, id, body)
		return
	}
	upload := strings.HasPrefix(path, "/upload/")
	rest, ok := strings.CutPrefix(strings.TrimPrefix(path, "/upload"), "/storage/v1/b/test/o")
	switch {
	case !ok:
		refuse(w, http.StatusNotFound, "notFound", "The specified bucket does not exist.")
	case upload:
		f.upload(w, r, body)
	case rest == "":
		f.list(w, r)
	default:
		f.object(w, r, rest[1:])
	}
}

// object reads or deletes one.
func (f *fake) object(w http.ResponseWriter, r *http.Request, escaped string) {
	name := r.URL.Path[strings.LastIndex(r.URL.Path, "/o/")+3:]
	if i := strings.Index(r.URL.Path, "/o/"); i >= 0 {
		name = r.URL.Path[i+3:]
	}
	if strings.Contains(escaped, "/") {
		refuse(w, http.StatusNotFound, "notFound", "Not Found") // slashes in names must be escaped
		return
	}
	o := f.objects[name]
	if o == nil {
		refuse(w, http.StatusNotFound, "notFound", "No such object: test/"+name)
		return
	}
	if want := r.URL.Query().Get("ifGenerationMatch"); want != "" && want != strconv.FormatInt(o.generation, 10) {
		refuse(w, http.StatusPreconditionFailed, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
		return
	}
	switch {
	case r.Method == http.MethodDelete:
		delete(f.objects, name)
		w.WriteHeader(http.StatusNoContent)
	case r.URL.Query().Get("alt") == "media":
		f.media(w, r, o)
	default:
		answer(f.t, w, o.about())
	}
}

// media sends bytes. To clients that do not announce gzip it sends objects with
// that encoding decompressed and whole.
func (f *fake) media(w http.ResponseWriter, r *http.Request, o *fakeObject) {
	w.Header().Set("X-Goog-Generation", strconv.FormatInt(o.generation, 10))
	w.Header().Set("X-Goog-Hash", "crc32c="+o.sum()+",md5=AAAA")
	body := o.body
	if o.encoding == "gzip" {
		if r.Header.Get("Accept-Encoding") != "gzip" {
			unzip, err := gzip.NewReader(bytes.NewReader(body))
			if err == nil {
				_, _ = io.Copy(w, unzip)
			}
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
	}
	var first, last int
	if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &first, &last); n == 2 {
		if first >= len(body) {
			refuse(w, http.StatusRequestedRangeNotSatisfiable, "requestedRangeNotSatisfiable", "Request range not satisfiable")
			return
		}
		last = min(last, len(body)-1)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(body)))
		w.Header().Set("Content-Length", strconv.Itoa(last-first+1))
		w.WriteHeader(http.StatusPartialContent)
		body = body[first : last+1]
	} else {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	_, _ = w.Write(body)
}

func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var names []string
	for name := range f.objects {
		if rest, ok := strings.CutPrefix(name, q.Get("prefix")); ok && name >= q.Get("startOffset") {
			if dir, _, below := strings.Cut(rest, "/"); below && q.Get("delimiter") == "/" {
				name = q.Get("prefix") + dir + "/"
			}
			if name > q.Get("pageToken") {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	var reply struct {
		Next     string        `json:"nextPageToken,omitempty"`
		Items    []description `json:"items"`
		Prefixes []string      `json:"prefixes,omitempty"`
	}
	if len(names) > f.pageSize {
		names = names[:f.pageSize]
		reply.Next = names[len(names)-1]
	}
	for _, name := range names {
		if o := f.objects[name]; o != nil {
			reply.Items = append(reply.Items, o.about())
		} else {
			reply.Prefixes = append(reply.Prefixes, name)
		}
	}
	answer(f.t, w, reply)
}

// upload takes an object with one request, or begins a session.
func (f *fake) upload(w http.ResponseWriter, r *http.Request, body []byte) {
	q := r.URL.Query()
	once := q.Get("ifGenerationMatch") == "0"
	if q.Get("uploadType") == "resumable" {
		if once && f.objects[q.Get("name")] != nil {
			refuse(w, http.StatusPreconditionFailed, "conditionNotMet", "exists")
			return
		}
		id := strconv.Itoa(len(f.sessions) + 1)
		f.sessions[id] = &fakeSession{name: q.Get("name"), once: once}
		w.Header().Set("Location", "http://"+r.Host+"/session/"+id)
		return
	}
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid", err.Error())
		return
	}
	var about struct{ Name, Crc32c string }
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	first, err := parts.NextPart()
	if err == nil {
		err = json.NewDecoder(first).Decode(&about)
	}
	var content []byte
	if second, partErr := parts.NextPart(); err == nil && partErr == nil {
		content, err = io.ReadAll(second)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalid", err.Error())
		return
	}
	f.create(w, about.Name, content, once, about.Crc32c)
}

// create makes an object, if its conditions hold.
func (f *fake) create(w http.ResponseWriter, name string, body []byte, once bool, sum string) *fakeObject {
	o := &fakeObject{name: name, body: body}
	switch {
	case sum != o.sum():
		refuse(w, http.StatusBadRequest, "invalid", "Provided CRC32C \""+sum+"\" doesn't match calculated CRC32C.")
		return nil
	case once && f.objects[name] != nil:
		refuse(w, http.StatusPreconditionFailed, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
		return nil
	}
	f.generation++
	o.generation = f.generation
	f.objects[name] = o
	answer(f.t, w, o.about())
	return o
}

// session takes bytes of a resumable upload.
func (f *fake) session(w http.ResponseWriter, r *http.Request, id string, body []byte) {
	s := f.sessions[id]
	switch {
	case s == nil:
		refuse(w, http.StatusNotFound, "notFound", "Not Found")
		return
	case r.Method == http.MethodDelete:
		delete(f.sessions, id)
		w.WriteHeader(499)
		return
	case s.object != nil:
		answer(f.t, w, s.object.about())
		return
	}
	begin, total := len(s.body), -1
	var last int
	contentRange := r.Header.Get("Content-Range")
	switch {
	case contentRange == "bytes */*":
	case scan(contentRange, "bytes */%d", &total):
	case scan(contentRange, "bytes %d-%d/%d", &begin, &last, &total):
	case scan(contentRange, "bytes %d-%d/*", &begin, &last) && len(body)%(256<<10) == 0:
	default:
		refuse(w, http.StatusBadRequest, "invalid", "Content-Range "+contentRange)
		return
	}
	if begin > len(s.body) {
		refuse(w, http.StatusServiceUnavailable, "backendError", "a gap")
		return
	}
	known := min(len(body), len(s.body)-begin)
	f.twice += known
	kept := body[known:]
	if f.takes > 0 {
		kept = kept[:min(len(kept), f.takes)]
	}
	s.body = append(s.body, kept...)
	if total == len(s.body) {
		sum, _ := strings.CutPrefix(r.Header.Get("X-Goog-Hash"), "crc32c=")
		s.object = f.create(w, s.name, s.body, s.once, sum)
		return
	}
	if len(s.body) > 0 {
		w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(s.body)-1))
	}
	if r.Header.Get("X-Guploader-No-308") == "yes" {
		w.Header().Set("X-Http-Status-Code-Override", "308")
	} else {
		w.WriteHeader(http.StatusPermanentRedirect)
	}
}

func scan(text, format string, into ...any) bool {
	n, err := fmt.Sscanf(text, format, into...)
	return err == nil && n == len(into)
}

// put makes an object without the driver.
func (f *fake) put(name string, body []byte, encoding string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.generation++
	f.objects[name] = &fakeObject{name: name, body: body, generation: f.generation, encoding: encoding}
}

// openSessions returns the number of sessions that have not ended.
func (f *fake) openSessions() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sessions {
		if s.object == nil {
			n++
		}
	}
	return n
}

var _ http.Handler = (*fake)(nil)

func openFake(t testing.TB, f *fake, front testserver.Front) *store.Root {
	t.Helper()
	return open(t, f.url(t, front), testserver.Quick())
}
