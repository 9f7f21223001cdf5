package gcs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/api/googleapi"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/checksum"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/internal/drive"
)

// quantum divides the length of every request of an upload except the last.
const quantum = 256 << 10

// statusClosed is the service's answer when an upload is given up.
const statusClosed = 499

// upload is a resumable upload, as the service documents it: a session that
// takes bytes in order and reports how many it has, so that a lost answer costs
// a question. The condition of create-once is that of the session. The service
// checks it when the session begins and when it ends.
//
// The last part need not be a multiple of quantum; the bytes beyond one wait
// for Commit.
type upload struct {
	driver  *bucket
	key     string
	opts    store.CreateOptions
	session string

	sent   int64            // bytes that the service has for certain
	digest *checksum.Digest // of all parts
	tail   []byte           // the end of the last part
	unsure bool             // an answer was lost: ask before sending more
}

func (d *bucket) Upload(ctx context.Context, key string, o store.CreateOptions) (driver.Upload, error) {
	query := url.Values{"uploadType": {"resumable"}, "name": {key}}
	if o.IfAbsent {
		query.Set("ifGenerationMatch", "0")
	}
	about, err := json.Marshal(map[string]string{"name": key, "contentType": contentType})
	if err != nil {
		return nil, driver.Fail(plan.Invalid, "%w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost,
		d.base+"/upload/storage/v1/b/"+url.PathEscape(d.bucket)+"/o?"+query.Encode(), bytes.NewReader(about))
	if err != nil {
		return nil, driver.Fail(plan.Invalid, "%w", err)
	}
	request.Header.Set("Content-Type", "application/json; charset=UTF-8")
	request.Header.Set("X-Upload-Content-Type", contentType)
	response, err := d.http.Do(request)
	if err != nil {
		return nil, classify(err)
	}
	defer drain(response)
	if err = googleapi.CheckResponse(response); err != nil {
		return nil, notAnObject(classifyWrite(err, o))
	}
	session := response.Header.Get("Location")
	if session == "" {
		return nil, driver.Fail(plan.Invalid, "the store began an upload and did not say where to send it: it is no Google Cloud Storage")
	}
	return &upload{driver: d, key: key, opts: o, session: session, digest: checksum.New(checksum.CRC32C)}, nil
}

// drain reads an answer to its end, so that its connection is used again.
func drain(response *http.Response) {
	const most = 64 << 10
	_, _ = io.CopyN(io.Discard, response.Body, most)
	_ = response.Body.Close()
}

// state is the service's report of a session.
type state struct {
	done   bool
	size   int64        // of the object, when it is done
	sum    checksum.Sum // of the object, when it is done
	stored int64        // bytes that it has, when it is not done
}

// put sends bytes of a session. contentRange says which, or asks.
func (u *upload) put(ctx context.Context, contentRange string, body []byte, final bool) (state, error) {
	content := drive.NewBytes(body)
	defer content.Release()
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, u.session, content)
	if err != nil {
		return state{}, driver.Fail(plan.Invalid, "%w", err)
	}
	if request.ContentLength = int64(len(body)); len(body) == 0 {
		request.Body = http.NoBody
	}
	request.Header.Set("Content-Range", contentRange)
	// "Resume incomplete" has the status of a redirection, 308, unless the
	// client asks for another spelling.
	request.Header.Set("X-Guploader-No-308", "yes")
	if final {
		request.Header.Set("X-Goog-Hash", "crc32c="+u.digest.Sum().Base64())
	}
	u.unsure = true
	response, err := u.driver.http.Do(request)
	if err != nil {
		return state{}, classify(err)
	}
	defer drain(response)
	if response.StatusCode == http.StatusPermanentRedirect || response.Header.Get("X-Http-Status-Code-Override") == "308" {
		u.unsure = false
		stored, err := storedBytes(response.Header.Get("Range"))
		return state{stored: stored}, err
	}
	if err = googleapi.CheckResponse(response); err != nil {
		if err = classifyWrite(err, u.opts); plan.KindOf(err) == plan.NotFound {
			err = driver.Fail(plan.Invalid, "the upload was given up or has expired: %w", err)
		}
		return state{}, err
	}
	var about struct {
		Size   string `json:"size"`
		CRC32C string `json:"crc32c"`
	}
	if err = json.NewDecoder(response.Body).Decode(&about); err != nil {
		return state{}, driver.Fail(plan.Unavailable, "the answer to an upload broke off: %w", err)
	}
	u.unsure = false
	size, err := strconv.ParseInt(about.Size, 10, 64)
	if err != nil {
		return state{}, driver.Fail(plan.Corrupt, "the store says that the object has %q bytes", about.Size)
	}
	return state{done: true, size: size, sum: checksum.Parse(checksum.CRC32C, about.CRC32C)}, nil
}

// storedBytes reads the Range of an answer. Without one the service has no
// bytes.
func storedBytes(header string) (int64, error) {
	if header == "" {
		return 0, nil
	}
	_, last, ok := strings.Cut(strings.TrimPrefix(header, "bytes="), "-")
	n, err := strconv.ParseInt(last, 10, 64)
	if !ok || err != nil {
		return 0, driver.Fail(plan.Corrupt, "the store says that it has the bytes %q", header)
	}
	return n + 1, nil
}

func (u *upload) Part(ctx context.Context, n int, body []byte) error {
	begin := int64(n-1) * partSize
	whole := len(body) - len(body)%quantum
	if err := u.send(ctx, begin, body[:whole], false); err != nil {
		return err
	}
	u.tail = append(u.tail[:0], body[whole:]...)
	_, err := u.digest.Write(body)
	return err
}

// errDone is the answer of a session that is an object already.
var errDone = errors.New("the upload is complete")

// send continues a session until it has all bytes up to the end of body, which
// begins at begin.
func (u *upload) send(ctx context.Context, begin int64, body []byte, final bool) error {
	end := begin + int64(len(body))
	for tries := 0; u.unsure || u.sent < end || final; tries++ {
		if u.sent < begin || u.sent > end {
			return driver.Fail(plan.Unknown, "the store has %d bytes of the upload, which is at %d to %d", u.sent, begin, end)
		}
		var s state
		var err error
		before := u.sent
		switch {
		case u.unsure && final:
			s, err = u.put(ctx, fmt.Sprintf("bytes */%d", end), nil, true)
		case u.unsure:
			s, err = u.put(ctx, "bytes */*", nil, false)
			before = -1
		case u.sent == end: // all bytes are there, only the end is missing
			s, err = u.put(ctx, fmt.Sprintf("bytes */%d", end), nil, true)
		case final:
			s, err = u.put(ctx, fmt.Sprintf("bytes %d-%d/%d", u.sent, end-1, end), body[u.sent-begin:], true)
		default:
			s, err = u.put(ctx, fmt.Sprintf("bytes %d-%d/*", u.sent, end-1), body[u.sent-begin:], false)
		}
		if err != nil {
			return err
		}
		if s.done {
			if final {
				return u.check(s)
			}
			return driver.Fail(plan.Unknown, "%w, before its end was sent", errDone)
		}
		if s.stored <= before && tries > 1 {
			return driver.Fail(plan.Unavailable, "the store takes no more of the upload than %d bytes", s.stored)
		}
		u.sent = s.stored
	}
	return nil
}

// check compares the object that the service made with the bytes that were
// sent.
func (u *upload) check(s state) error {
	want := u.digest.Sum()
	if s.size != u.digest.Size() || s.sum.Known() && s.sum != want {
		return driver.Fail(plan.Unknown, "the store made an object of %d bytes with checksum %v, and %d bytes with checksum %v were sent",
			s.size, s.sum, u.digest.Size(), want)
	}
	return nil
}

func (u *upload) Commit(ctx context.Context) error {
	asked := u.unsure
	err := u.send(ctx, u.digest.Size()-int64(len(u.tail)), u.tail, true)
	if asked && plan.KindOf(err) == plan.Invalid {
		return u.resolve(ctx)
	}
	return err
}

// resolve finds out what happened to a session that is gone after a Commit
// whose answer was lost. A conditional one leaves the question to the caller,
// which knows what it wrote.
func (u *upload) resolve(ctx context.Context) error {
	o, err := u.driver.describe(ctx, u.key, "")
	switch {
	case plan.KindOf(err) == plan.NotFound:
		return driver.Fail(plan.Unknown, "the upload is gone, and there is no object: another client deleted it")
	case err != nil:
		return err
	case u.opts.IfAbsent:
		return driver.Fail(plan.Exists, "the upload is gone: the object may be its own")
	case o.Size != u.digest.Size() || o.Sum.Known() && o.Sum != u.digest.Sum():
		return driver.Fail(plan.Changed, "the upload is gone, and the object has other bytes: another client wrote it meanwhile")
	}
	return nil
}

func (u *upload) Abort(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodDelete, u.session, http.NoBody)
	if err != nil {
		return driver.Fail(plan.Invalid, "%w", err)
	}
	response, err := u.driver.http.Do(request)
	if err != nil {
		return classify(err)
	}
	defer drain(response)
	switch response.StatusCode {
	case statusClosed, http.StatusNotFound, http.StatusGone:
		return nil
	}
	return classify(googleapi.CheckResponse(response))
}
