package s3_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/internal/testserver"
	"github.com/windrow-mr/windrow/store/s3/s3test"
)

// below opens the root at a prefix of a bucket, and begins uploads in the bucket
// that stay unfinished.
func below(t *testing.T, bucketURL, prefix string, keys ...string) *store.Root {
	t.Helper()
	bucket, query, _ := strings.Cut(bucketURL, "?")
	o := quick
	var d driver.Driver
	o.Wrap = func(inner driver.Driver) driver.Driver { d = inner; return inner }
	root := open(t, bucket+"/"+prefix+"?"+query, o)
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for _, k := range keys {
		group.Go(func() error {
			u, err := d.Upload(ctx, k, store.CreateOptions{})
			if err != nil {
				return err
			}
			return u.Part(ctx, 1, []byte(k))
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return root
}

// aborted aborts all uploads below a root that match, and returns those that were
// listed.
func aborted(t *testing.T, root *store.Root, match func(u store.Unfinished) bool) map[string]int {
	t.Helper()
	listed := make(map[string]int)
	if err := root.AbortUploads(t.Context(), "", func(u store.Unfinished) bool {
		listed[u.Key]++
		return match(u)
	}); err != nil {
		t.Fatal(err)
	}
	return listed
}

func none(store.Unfinished) bool { return false }
func all(store.Unfinished) bool  { return true }

// TestUploadsOfManyPages has 1,100 uploads, some of the same key, between those
// of roots whose names begin alike.
func TestUploadsOfManyPages(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) string{
		"fake":   func(t *testing.T) string { return fake(t) },
		"server": func(t *testing.T) string { return s3test.Start(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			const n = 1100
			keys := []string{"root2/a", "roo/b", "root.x"}
			for i := range n {
				keys = append(keys, fmt.Sprintf("root/%02d/%04d", i%7, i))
			}
			root := below(t, url, "root", keys...)
			if listed := aborted(t, root, func(u store.Unfinished) bool { return !strings.HasPrefix(u.Key, "03/") }); len(listed) != n {
				t.Errorf("%d of %d uploads were listed", len(listed), n)
			}
			left := aborted(t, root, none)
			for k := range left {
				if !strings.HasPrefix(k, "03/") {
					t.Errorf("%s is left", k)
				}
			}
			if len(left) != n/7 && len(left) != n/7+1 {
				t.Errorf("%d uploads are left", len(left))
			}
			if u := root.Usage(); u.Lists < 3 || u.Lists > 4 {
				t.Errorf("usage %+v", u)
			}
			if others := aborted(t, below(t, url, ""), none); len(others) != len(left)+3 || others["root2/a"]+others["roo/b"]+others["root.x"] != 3 {
				t.Errorf("in the bucket there are %d uploads of %d", len(others), len(left)+3)
			}
			if aborted(t, root, all); len(aborted(t, root, none)) != 0 {
				t.Error("uploads are left")
			}
		})
	}
}

// TestUploadsOfOneKey has many uploads whose writers died at the same object.
func TestUploadsOfOneKey(t *testing.T) {
	t.Parallel()
	keys := make([]string, 12)
	for i := range keys {
		keys[i] = "root/part-r-00001-x.0"
	}
	for name, url := range map[string]string{"fake": fake(t), "server": s3test.Start(t)} {
		root := below(t, url, "root", keys...)
		if listed := aborted(t, root, all); listed["part-r-00001-x.0"] != len(keys) {
			t.Errorf("%s: listed %v", name, listed)
		}
		if left := aborted(t, root, none); len(left) != 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

// TestUploadsOfNone verifies that the answer of some servers, that there is no
// such upload, is an empty listing.
func TestUploadsOfNone(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"fake": fake(t), "server": s3test.Start(t)} {
		if listed := aborted(t, below(t, url, "root"), all); len(listed) != 0 {
			t.Errorf("%s: %v", name, listed)
		}
	}
}

// TestUploadsContinue verifies that the next page is requested as the service
// documents it, after one of several uploads of a key.
func TestUploadsContinue(t *testing.T) {
	t.Parallel()
	root := listing(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("prefix") != "a" {
			t.Errorf("asked for %v", q)
		}
		w.Header().Set("Content-Type", "application/xml")
		more, id := "", "2"
		if !q.Has("key-marker") {
			more, id = "<IsTruncated>true</IsTruncated><NextKeyMarker>a/b</NextKeyMarker><NextUploadIdMarker>1</NextUploadIdMarker>", "1"
		} else if q.Get("key-marker") != "a/b" || q.Get("upload-id-marker") != "1" {
			t.Errorf("asked for %v", q)
		}
		_, _ = fmt.Fprintf(w, `<ListMultipartUploadsResult>%s<Upload><Key>a/b</Key><UploadId>%s</UploadId><Initiated>2026-01-02T03:04:05.000Z</Initiated></Upload></ListMultipartUploadsResult>`, more, id)
	})
	var ids []string
	if err := root.AbortUploads(t.Context(), "a", func(u store.Unfinished) bool {
		ids = append(ids, u.ID)
		if u.Key != "a/b" || !u.Began.Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) {
			t.Errorf("listed %+v", u)
		}
		return false
	}); err != nil || !slices.Equal(ids, []string{"1", "2"}) {
		t.Errorf("listed %q, %v", ids, err)
	}
}

// listing answers requests for a listing of uploads.
func listing(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *store.Root {
	t.Helper()
	return open(t, behind(t, func(w http.ResponseWriter, r *http.Request, s3 http.Handler) {
		if r.Method == http.MethodGet && r.URL.Query().Has("uploads") {
			answer(w, r)
			return
		}
		s3.ServeHTTP(w, r)
	}), quick)
}

// TestUploadsRefused verifies that the error names the request and the place.
func TestUploadsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		code   string
		want   plan.Kind
		text   string
	}{
		{403, "AccessDenied", plan.Denied, "check the credentials and what they may do in this bucket"},
		{501, "NotImplemented", plan.Invalid, "the store does not know this kind of request"},
		{503, "SlowDown", plan.Throttled, "throttled"},
		{404, "NoSuchBucket", plan.Invalid, "create the bucket"},
		{400, "InvalidArgument", plan.Invalid, "scripted"},
	} {
		root := listing(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, c.status, c.code) })
		err := root.AbortUploads(t.Context(), "j/", all)
		testserver.WantKind(t, err, c.want)
		if text := fmt.Sprint(err); !strings.HasPrefix(text, "list uploads s3://test/j/") && !strings.HasPrefix(text, "list uploads s3://test/j:") || !strings.Contains(text, c.text) {
			t.Errorf("%s: %s", c.code, text)
		}
	}
}

// TestUploadsCutShort verifies that the listing ends with an error on a store that
// cuts it and does not continue, or repeats its pages, and that nothing is aborted by
// such a listing.
func TestUploadsCutShort(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ next, text string }{
		"no place":       {"", "did not say how to continue"},
		"the same place": {"<NextKeyMarker>a</NextKeyMarker><NextUploadIdMarker>1</NextUploadIdMarker>", "again and again"},
	} {
		asked := 0
		root := listing(t, func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.Header().Set("Content-Type", "application/xml")
			_, _ = fmt.Fprintf(w, `<ListMultipartUploadsResult><IsTruncated>true</IsTruncated>%s<Upload><Key>a</Key><UploadId>1</UploadId></Upload></ListMultipartUploadsResult>`, c.next)
		})
		err := root.AbortUploads(t.Context(), "", all)
		testserver.WantKind(t, err, plan.Invalid)
		if !strings.Contains(fmt.Sprint(err), c.text) || asked > 2 {
			t.Errorf("%s: %v after %d requests", name, err, asked)
		}
		if u := root.Usage(); u.Multipart != 0 {
			t.Errorf("%s: usage %+v", name, u)
		}
	}
}

// TestAbortedMeanwhile verifies that an upload that ends between the listing and
// the abort is not aborted.
func TestAbortedMeanwhile(t *testing.T) {
	t.Parallel()
	url := fake(t)
	root := below(t, url, "", "a", "b")
	if err := root.AbortUploads(t.Context(), "", func(u store.Unfinished) bool {
		if u.Key == "a" {
			aborted(t, root, func(u store.Unfinished) bool { return u.Key == "b" })
		}
		return true
	}); err != nil {
		t.Error(err)
	}
	if left := aborted(t, root, none); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}
