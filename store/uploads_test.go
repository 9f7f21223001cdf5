package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/fault"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
)

// prefixless is a store that ignores the prefix of a listing of uploads.
type prefixless struct{ driver.Driver }

func (d prefixless) ListUploads(string) driver.UploadPager {
	return d.Driver.(driver.UploadLister).ListUploads("")
}

func (d prefixless) AbortUpload(ctx context.Context, u store.Unfinished) error {
	return d.Driver.(driver.UploadLister).AbortUpload(ctx, u)
}

// orphaned opens a root below mem://b/root. Uploads of these keys of the bucket
// were begun and stay unfinished.
func orphaned(t *testing.T, plan string, wrap func(driver.Driver) driver.Driver, keys ...string) (*store.Root, driver.UploadLister) {
	t.Helper()
	rules, err := fault.Parse(plan)
	if plan != "" && err != nil {
		t.Fatal(err)
	}
	var bucket driver.Driver
	root, err := store.Open(t.Context(), "mem://b/root", store.Options{Wrap: func(d driver.Driver) driver.Driver {
		bucket = faulttest.Remote(d, 1024)
		for _, k := range keys {
			if _, err := bucket.Upload(t.Context(), k, store.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		return fault.New(rules...).Wrap(wrap(bucket))
	}})
	if err != nil {
		t.Fatal(err)
	}
	return root, bucket.(driver.UploadLister)
}

func same(d driver.Driver) driver.Driver { return d }

// uploadKeys returns the keys of all uploads below a prefix of a bucket.
func uploadKeys(t *testing.T, d driver.UploadLister) (keys []string) {
	t.Helper()
	pager := d.ListUploads("")
	for last := false; !last; {
		var page []store.Unfinished
		var err error
		if page, last, err = pager.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, u := range page {
			keys = append(keys, u.Key)
		}
	}
	return keys
}

// TestAbortUploads verifies that only matching uploads are aborted, below the root
// and the prefix alone, whatever else a store lists and whatever fails for a
// while. It counts requests.
func TestAbortUploads(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plan    string
		wrap    func(driver.Driver) driver.Driver
		retries int64
		lists   int64 // pages have 10 uploads
	}{
		"prefixes honoured": {"", same, 0, 3},
		"prefixes ignored":  {"", func(d driver.Driver) driver.Driver { return prefixless{d} }, 0, 3},
		"failing":           {"500:@2 list, 503:#1 abort key=root/a/07, lost:#1 abort key=root/a/08", same, 3, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				others := []string{"a/01", "root2/a/01", "root"}
				if name == "prefixes honoured" {
					others = append(others, "root/b") // does not add a page
				}
				keys := slices.Clone(others)
				for i := range 23 {
					keys = append(keys, fmt.Sprintf("root/a/%02d", i))
				}
				root, bucket := orphaned(t, c.plan, c.wrap, keys...)
				before := time.Now()
				time.Sleep(time.Minute)
				var seen []string
				err := root.AbortUploads(t.Context(), "a/", func(u store.Unfinished) bool {
					seen = append(seen, u.Key)
					if u.ID == "" || !u.Began.Equal(before) {
						t.Errorf("upload %+v", u)
					}
					return u.Key != "a/22"
				})
				if err != nil {
					t.Fatal(err)
				}
				if len(seen) != 23 || seen[0] != "a/00" || seen[22] != "a/22" {
					t.Errorf("asked for %q", seen)
				}
				want := append(slices.Clone(others), "root/a/22")
				slices.Sort(want)
				if got := uploadKeys(t, bucket); !slices.Equal(got, want) {
					t.Errorf("left %q, want %q", got, want)
				}
				if u := root.Usage(); u.Retries != c.retries || u.Lists != c.lists || u.Multipart != 22+max(0, c.retries-1) || u.Requests() != u.Lists+u.Multipart {
					t.Errorf("usage %+v", u)
				}
			})
		})
	}
}

// TestAbortUploadsFails verifies that a refusal says where it happened, and
// that nothing is lost.
func TestAbortUploadsFails(t *testing.T) {
	t.Parallel()
	all := func(store.Unfinished) bool { return true }
	for plan, want := range map[string]string{
		"expired:100% list":  "list uploads mem://b/root/a: permission denied: ",
		"expired:@2 list":    "list uploads mem://b/root/a: permission denied: ",
		"expired:100% abort": "abort upload mem://b/root/a/",
		"400:100% list":      "list uploads mem://b/root/a: invalid: ",
	} {
		keys := make([]string, 15)
		for i := range keys {
			keys[i] = fmt.Sprintf("root/a/%02d", i)
		}
		root, bucket := orphaned(t, plan, same, keys...)
		if err := root.AbortUploads(t.Context(), "a", all); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", plan, err, want)
		}
		if n := len(uploadKeys(t, bucket)); n != len(keys) {
			t.Errorf("%s: %d uploads left of %d", plan, n, len(keys))
		}
	}
	root, _ := orphaned(t, "", same, "root/a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantKind(t, root.AbortUploads(ctx, "", all), plan.Interrupted)
}

// TestAbortUploadsOfNone verifies that a store that cannot list uploads is not
// asked.
func TestAbortUploadsOfNone(t *testing.T) {
	t.Parallel()
	root := open(t, "mem://", store.Options{})
	err := root.AbortUploads(t.Context(), "", func(u store.Unfinished) bool {
		t.Errorf("asked for %+v", u)
		return true
	})
	if u := root.Usage(); err != nil || u.Requests() != 0 {
		t.Errorf("%v, usage %+v", err, u)
	}
}

// TestAbortUploadsOnFiles verifies that the file of a dead process is listed
// without a name, from every root of the directory, and that files that are
// held, or young, are not.
func TestAbortUploadsOnFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, other := open(t, dir, store.Options{}), open(t, dir, store.Options{})
	w, err := other.Create(t.Context(), "x", store.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	reserved := filepath.Join(dir, ".windrow-tmp")
	for _, name := range []string{"dead", "spared", "young"} {
		if err := os.WriteFile(filepath.Join(reserved, name), []byte("some"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(reserved)
	if err != nil {
		t.Fatal(err)
	}
	hourAgo := time.Now().Add(-time.Hour)
	for _, e := range entries {
		if e.Name() != "young" {
			if err := os.Chtimes(filepath.Join(reserved, e.Name()), hourAgo, hourAgo); err != nil {
				t.Fatal(err)
			}
		}
	}
	var seen []string
	if err := root.Sub("sub").AbortUploads(t.Context(), "x", func(u store.Unfinished) bool {
		seen = append(seen, u.ID)
		if u.Key != "" || u.Began.Sub(hourAgo).Abs() > time.Second {
			t.Errorf("listed %+v", u)
		}
		return filepath.Base(u.ID) == "dead"
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(seen)
	if want := []string{filepath.Join(reserved, "dead"), filepath.Join(reserved, "spared")}; !slices.Equal(seen, want) {
		t.Errorf("listed %q, want %q", seen, want)
	}
	for name, there := range map[string]bool{"dead": false, "spared": true, "young": true} {
		if _, err := os.Stat(filepath.Join(reserved, name)); (err == nil) != there {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Error(err)
	}
}
