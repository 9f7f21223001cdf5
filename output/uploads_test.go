package output_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
	_ "github.com/windrow-mr/windrow/store/s3"
	"github.com/windrow-mr/windrow/store/s3/s3test"
)

// onBucket opens an output in a bucket.
func onBucket(t *testing.T, url string) *store.Root {
	t.Helper()
	bucket, query, _ := strings.Cut(url, "?")
	root, err := store.Open(t.Context(), bucket+"/out?"+query, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// TestTakeoverEndsUploads verifies that the uploads of a killed writer, of
// parts and of temporary data, are aborted, so that they are not billed
// forever. Uploads of other jobs stay.
func TestTakeoverEndsUploads(t *testing.T) {
	t.Parallel()
	root := onBucket(t, s3test.Start(t))
	if _, err := output.Reserve(t.Context(), root, request(1, output.Fail)); err != nil {
		t.Fatal(err)
	}
	part := func(n int) string {
		return output.PartName(plan.TaskID{Phase: plan.Reduce}, job(n), 0, ".txt")
	}
	stay := []string{"_windrow/tmp2/x", "else/" + part(3), "other", part(3), output.TmpKey(job(3)) + "run"}
	all := append(slices.Clone(stay), part(1), "else/"+part(1), output.TmpKey(job(1))+"run")
	for _, key := range all {
		w, err := root.Create(t.Context(), key, store.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Abort)
		if _, err := w.Write(make([]byte, 9<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if got := uploads(t, root, len(all)); len(got) != len(all) {
		t.Fatalf("under way are %q", got)
	}
	if _, err := output.Reserve(t.Context(), root, request(2, output.Replace)); err != nil {
		t.Fatal(err)
	}
	slices.Sort(stay)
	if got := uploads(t, root, 0); !slices.Equal(got, stay) {
		t.Errorf("under way are %q, want %q", got, stay)
	}
}

// uploads returns the keys of the uploads under way, when there are at least
// least. They begin in parallel with the writing.
func uploads(t *testing.T, root *store.Root, least int) (keys []string) {
	t.Helper()
	for len(keys) < least || keys == nil {
		keys = []string{}
		if err := root.AbortUploads(t.Context(), "", func(u store.Unfinished) bool {
			keys = append(keys, u.Key)
			return false
		}); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(keys)
	return keys
}

// closed is a remote store that refuses to list uploads.
type closed struct{ driver.Driver }

func (closed) ListUploads(string) driver.UploadPager { return closed{} }

func (closed) AbortUpload(context.Context, store.Unfinished) error { return nil }

func (closed) Next(context.Context) (page []store.Unfinished, last bool, err error) {
	return nil, false, driver.Fail(plan.Denied, "not you")
}

// TestTakeoverWithoutListing verifies that a job that may not list uploads can
// still take over.
func TestTakeoverWithoutListing(t *testing.T) {
	t.Parallel()
	root, err := store.Open(t.Context(), "mem://out", store.Options{Wrap: func(d driver.Driver) driver.Driver {
		return closed{faulttest.Remote(d, 5<<20)}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	for n, mode := range []output.Mode{output.Fail, output.Replace} {
		if _, err := output.Reserve(t.Context(), root, request(n+1, mode)); err != nil {
			t.Fatal(err)
		}
	}
}
