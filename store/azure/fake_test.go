package azure_test

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/azure/azuretest"
	"github.com/windrow-mr/windrow/store/internal/testserver"
)

// fake is a server of the Blob service as its documentation describes it, as
// far as the driver uses it. It does not check signatures.
type fake struct {
	pageSize int

	mu      sync.Mutex
	version int64
	blobs   map[string]*fakeBlob
	blocks  map[string]map[string][]byte // not committed, by blob and name
}

type fakeBlob struct {
	body     []byte
	blocks   map[string][]byte
	etag     string
	encoding string
}

func newFake() *fake {
	return &fake{pageSize: 5000, blobs: map[string]*fakeBlob{}, blocks: map[string]map[string][]byte{}}
}

// url starts the server behind a front, and returns the URL of its container.
func (f *fake) url(t testing.TB, front testserver.Front) string {
	t.Helper()
	if front == nil {
		front = func(w http.ResponseWriter, r *http.Request, server http.Handler) { server.ServeHTTP(w, r) }
	}
	host := strings.TrimPrefix(testserver.Behind(t, f, front), "http://")
	return "azblob://test?localemu=true&protocol=http&storage_account=" + azuretest.Account + "&domain=" + host
}

func openFake(t testing.TB, f *fake, front testserver.Front) *store.Root {
	t.Helper()
	return open(t, f.url(t, front), testserver.Quick())
}

// refuse answers as the service does.
func refuse(w http.ResponseWriter, status int, code string) {
	if code != "" {
		w.Header().Set("X-Ms-Error-Code", code)
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>scripted</Message></Error>", code)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.ContentLength >= 0 && int64(len(body)) != r.ContentLength {
		return // the client went away
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	rest, ok := strings.CutPrefix(r.URL.Path, "/"+azuretest.Account+"/test")
	q := r.URL.Query()
	switch {
	case !ok:
		refuse(w, http.StatusNotFound, "ContainerNotFound")
	case q.Get("comp") == "list":
		f.list(w, q.Get("prefix"), q.Get("marker"), q.Get("delimiter"))
	case rest == "" || rest == "/":
		w.WriteHeader(http.StatusOK)
	case r.Method == http.MethodPut:
		f.put(w, r, rest[1:], body)
	default:
		f.object(w, r, rest[1:])
	}
}

// put takes a blob, a block, or a list of blocks.
func (f *fake) put(w http.ResponseWriter, r *http.Request, name string, body []byte) {
	q := r.URL.Query()
	switch q.Get("comp") {
	case "block":
		if f.blocks[name] == nil {
			f.blocks[name] = map[string][]byte{}
		}
		for other := range f.blocks[name] {
			if len(other) != len(q.Get("blockid")) {
				refuse(w, http.StatusBadRequest, "InvalidBlobOrBlock")
				return
			}
		}
		f.blocks[name][q.Get("blockid")] = body
		w.WriteHeader(http.StatusCreated)
	case "blocklist":
		f.commit(w, r, name, body)
	default:
		f.create(w, r, name, &fakeBlob{body: body})
	}
}

// commit makes a blob of blocks. It looks for each among those that are not
// committed, and then among those that are.
func (f *fake) commit(w http.ResponseWriter, r *http.Request, name string, body []byte) {
	var list struct {
		Latest []string `xml:"Latest"`
	}
	if err := xml.Unmarshal(body, &list); err != nil {
		refuse(w, http.StatusBadRequest, "InvalidXmlDocument")
		return
	}
	made := &fakeBlob{blocks: map[string][]byte{}}
	for _, id := range list.Latest {
		content, ok := f.blocks[name][id]
		if !ok && f.blobs[name] != nil {
			content, ok = f.blobs[name].blocks[id]
		}
		if !ok {
			refuse(w, http.StatusBadRequest, "InvalidBlockList")
			return
		}
		made.blocks[id] = content
		made.body = append(made.body, content...)
	}
	f.create(w, r, name, made)
}

// create makes a blob, if the condition holds; all blocks that are not
// committed are dropped.
func (f *fake) create(w http.ResponseWriter, r *http.Request, name string, b *fakeBlob) {
	if r.Header.Get("If-None-Match") == "*" && f.blobs[name] != nil {
		refuse(w, http.StatusConflict, "BlobAlreadyExists")
		return
	}
	f.version++
	b.etag = fmt.Sprintf("\"0x%X\"", f.version)
	f.blobs[name] = b
	delete(f.blocks, name)
	w.Header().Set("ETag", b.etag)
	w.WriteHeader(http.StatusCreated)
}

// object reads or deletes a blob.
func (f *fake) object(w http.ResponseWriter, r *http.Request, name string) {
	b := f.blobs[name]
	if b == nil {
		refuse(w, http.StatusNotFound, "BlobNotFound")
		return
	}
	if r.Method == http.MethodDelete {
		delete(f.blobs, name)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if want := r.Header.Get("If-Match"); want != "" && want != b.etag {
		refuse(w, http.StatusPreconditionFailed, "ConditionNotMet")
		return
	}
	w.Header().Set("ETag", b.etag)
	w.Header().Set("Last-Modified", time.Unix(1_767_322_800, 0).UTC().Format(http.TimeFormat))
	if b.encoding != "" {
		w.Header().Set("Content-Encoding", b.encoding)
	}
	body := b.body
	wanted := r.Header.Get("X-Ms-Range")
	if wanted == "" {
		wanted = r.Header.Get("Range")
	}
	status := http.StatusOK
	var first, last int
	if n, _ := fmt.Sscanf(wanted, "bytes=%d-%d", &first, &last); n == 2 {
		if first >= len(body) {
			refuse(w, http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
			return
		}
		last = min(last, len(body)-1)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(body)))
		body, status = body[first:last+1], http.StatusPartialContent
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method == http.MethodGet {
		_, _ = w.Write(body)
	}
}

func (f *fake) list(w http.ResponseWriter, prefix, marker, delimiter string) {
	var names []string
	for name := range f.blobs {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			if dir, _, below := strings.Cut(rest, "/"); below && delimiter == "/" {
				name = prefix + dir + "/"
			}
			if name > marker {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	next := ""
	if len(names) > f.pageSize {
		names = names[:f.pageSize]
		next = names[len(names)-1]
	}
	w.Header().Set("Content-Type", "application/xml")
	var out bytes.Buffer
	text := func(s string) string {
		var b bytes.Buffer
		_ = xml.EscapeText(&b, []byte(s))
		return b.String()
	}
	out.WriteString("<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>")
	for _, name := range names {
		b, is := f.blobs[name]
		if !is {
			fmt.Fprintf(&out, "<BlobPrefix><Name>%s</Name></BlobPrefix>", text(name))
			continue
		}
		fmt.Fprintf(&out, "<Blob><Name>%s</Name><Properties><Last-Modified>Fri, 02 Jan 2026 03:00:00 GMT</Last-Modified>"+
			"<Etag>%s</Etag><Content-Length>%d</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>",
			text(name), strings.Trim(b.etag, `"`), len(b.body))
	}
	fmt.Fprintf(&out, "</Blobs><NextMarker>%s</NextMarker></EnumerationResults>", text(next))
	_, _ = w.Write(out.Bytes())
}

// add makes a blob without the driver.
func (f *fake) add(name string, body []byte, encoding string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.version++
	f.blobs[name] = &fakeBlob{body: body, etag: fmt.Sprintf("\"0x%X\"", f.version), encoding: encoding}
	delete(f.blocks, name)
}

// gzipped compresses.
func gzipped(t testing.TB, p []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
