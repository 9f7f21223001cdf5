package allow_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/allow"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
)

func list(t *testing.T, o store.Options, urls ...string) *allow.List {
	t.Helper()
	l, err := allow.New(urls, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

const secret = "hunter2"

// TestRefused gives names that must not open anything for a job.
func TestRefused(t *testing.T) {
	t.Parallel()
	const denied, invalid = plan.Denied, plan.Invalid
	l := list(t, store.Options{}, "mem://a/logs?token="+secret, "mem://whole", "/srv/data", "mem://a/logs/deep")
	for _, c := range []struct {
		url  string
		kind plan.Kind
	}{
		// Names beside and above what is allowed.
		{"mem://a", denied},
		{"mem://a/", denied},
		{"mem://a/log", denied},
		{"mem://a/logs2", denied},
		{"mem://a/logs2/x", denied},
		{"mem://a/Logs", denied},
		{"mem://a/other/logs", denied},
		{"mem://b/logs", denied},
		{"mem://a.b/logs", denied},
		{"mem://a:80/logs", denied},
		{"mem://A/logs", denied},
		{"mem://wholesale", denied},
		{"mem://", denied},
		{"mem:///logs", denied},
		{"s3://a/logs", denied},
		{"file:///srv", denied},
		{"file:///srv/data2", denied},
		{"file:///srv/data2/x", denied},
		{"file:///SRV/data", denied},
		{"/", denied},
		{"file:///", denied},
		{"/etc/passwd", denied},
		// Letters that some layer might decode, or confuse with others.
		{"mem://a/log%73", denied},
		{"mem://a/%6cogs/x", denied},
		{"mem://a/logs%2f..%2fother", denied},
		{"mem://a%2flogs", denied},
		{"mem://a/ｌｏｇｓ", denied},
		{"mem://a/logs\\..", denied},
		{"file:///srv/data%2f..", denied},
		{"mem://whole#/x", denied},
		// Detours.
		{"mem://a/logs/../secret", invalid},
		{"mem://a/logs/..", invalid},
		{"mem://a/./logs", invalid},
		{"mem://a//logs", invalid},
		{"mem://a/logs//x", invalid},
		{"mem://a/logs/x//", invalid},
		{"file:///srv/data/../../etc", invalid},
		{"/srv/data/..", invalid},
		{"//srv/data", invalid},
		{"file:////srv/data", invalid},
		{"/srv/data/./x", invalid},
		// Text that is no name at all.
		{"", invalid},
		{"srv/data", invalid},
		{"./srv/data", invalid},
		{"../srv/data", invalid},
		{"file://srv/data", invalid},
		{"file://localhost/srv/data", invalid},
		{"FILE:///srv/data", invalid},
		{"MEM://a/logs", invalid},
		{"://a/logs", invalid},
		{" mem://a/logs", invalid},
		{"mem://a/logs\x00", invalid},
		{"mem://a/logs\nmem://b", invalid},
		{"s3:///a", invalid},
		{"mem://" + secret + "@a/logs", invalid},
		{"mem://u:" + secret + "@a/logs", invalid},
		// Parameters.
		{"mem://a/logs?endpoint=http://169.254.169.254&key=" + secret, denied},
		{"mem://a?x=/logs&key=" + secret, denied},
		{"mem://a/logs/x?", denied},
		{"s3://elsewhere/x?key=" + secret, denied},
	} {
		_, err := l.Get(t.Context(), c.url, false)
		_, openedErr := l.Opened(c.url)
		_, _, locateErr := l.Locate(c.url)
		if strings.Contains(strings.TrimPrefix(c.url, "mem://"), "//") && c.kind == invalid && strings.HasPrefix(c.url, "mem://a/") {
			// Inputs can have such keys, and no root has such a name.
			if root, key, err := l.Locate(c.url); err == nil && (!strings.HasPrefix(root, "mem://a/logs") || !strings.HasPrefix(key, "/")) {
				t.Errorf("Locate(%q): %q and %q", c.url, root, key)
			}
			locateErr = err
		}
		for what, err := range map[string]error{"Get": err, "Opened": openedErr, "Locate": locateErr, "Allows": l.Allows(c.url)} {
			switch {
			case err == nil:
				t.Errorf("%s lets %q through", what, c.url)
			case plan.KindOf(err) != c.kind:
				t.Errorf("%s(%q): %v, which is of kind %v", what, c.url, err, plan.KindOf(err))
			case strings.Contains(err.Error(), secret) || strings.ContainsAny(err.Error(), "\x00\n"):
				t.Errorf("%s(%q) shows what it must not: %q", what, c.url, err)
			case c.kind == denied && !strings.Contains(err.Error(), "--allow"):
				t.Errorf("%s(%q): %v does not say what to do", what, c.url, err)
			}
		}
	}
}

// A refusal says what is allowed, and fits on a screen.
func TestRefusalSaysWhatIsAllowed(t *testing.T) {
	t.Parallel()
	err := list(t, store.Options{}, "mem://a/logs?token="+secret, "/srv/data").Allows("mem://a/other")
	if want := "file:///srv/data, mem://a/logs;"; !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("%v, want it to name %s", err, want)
	}
	if err := list(t, store.Options{}).Allows("mem://a"); !strings.Contains(fmt.Sprint(err), "no root at all") {
		t.Errorf("of an empty list: %v", err)
	}
	if err := list(t, store.Options{}, "mem://a").Allows("mem://" + strings.Repeat("x", 1<<20)); err == nil || len(err.Error()) > 2000 {
		t.Errorf("a name of a megabyte is refused by %d bytes", len(fmt.Sprint(err)))
	}
}

// TestLocate splits the names of inputs, so that the root can be opened.
func TestLocate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"data/sub/x.txt", "data/odd[1].txt"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := "file://" + dir
	l := list(t, store.Options{}, "mem://a/logs", "mem://whole", dir+"/data", "mem://a/x.txt", dir+"/new")
	for _, c := range []struct{ url, root, key string }{
		{"mem://a/logs", "mem://a/logs", ""},
		{"mem://a/logs/", "mem://a/logs", ""},
		{"mem://a/logs/x", "mem://a/logs", "x"},
		{"mem://a/logs/2026/x*.gz", "mem://a/logs/2026", "x*.gz"},
		{"mem://a/logs/**", "mem://a/logs", "**"},
		{"mem://a/x.txt", "mem://a/x.txt", ""},
		{"mem://a/logs//x", "mem://a/logs", "/x"},
		{"mem://a/logs/y//", "mem://a/logs/y", "/"},
		{"mem://a/logs//deep//x*", "mem://a/logs", "/deep//x*"},
		{"mem://whole", "mem://whole", ""},
		{"mem://whole/*", "mem://whole", "*"},
		{"mem://whole/x", "mem://whole", "x"},
		{dir + "/data", file + "/data", ""},
		{file + "/data/sub", file + "/data/sub", ""},
		{file + "/data/sub/x.txt", file + "/data/sub", "x.txt"},
		{file + "/data/s?b/*", file + "/data", "s?b/*"},
		{file + "/data/odd[1].txt", file + "/data", `odd\[1].txt`},
		{file + "/data/none", file + "/data", "none"},
		{file + "/new", file + "/new", ""},
		{file + "/new/x", file + "/new", "x"},
	} {
		root, key, err := l.Locate(c.url)
		if err != nil || root != c.root || key != c.key {
			t.Errorf("%s: %q and %q, %v; want %q and %q", c.url, root, key, err, c.root, c.key)
			continue
		}
		if err := l.Allows(root); err != nil {
			t.Errorf("%s: its root is refused: %v", c.url, err)
		}
	}
	for _, url := range []string{"mem://a//logs", "mem://a//logs/x", "mem://a/log*", "mem://a/**", "mem://a/logs*/x", "mem://a/{logs}", "mem://*/logs", file + "/dat?", file + "/*", file + "/**/x.txt"} {
		if root, key, err := l.Locate(url); plan.KindOf(err) != plan.Denied {
			t.Errorf("%s: %q and %q, %v; want it to be refused", url, root, key, err)
		}
	}
}

// TestAllowedRootIsOpenedOnce uses one entry by several names, from several
// goroutines.
func TestAllowedRootIsOpenedOnce(t *testing.T) {
	t.Parallel()
	space := new(store.MemSpace)
	whole, err := store.Open(t.Context(), "mem://a", store.Options{Mem: space})
	if err != nil {
		t.Fatal(err)
	}
	if err := whole.Put(t.Context(), "logs/deep/x", []byte("1"), store.Scratch); err != nil {
		t.Fatal(err)
	}
	var opened atomic.Int64
	l := list(t, store.Options{Mem: space, Wrap: func(d driver.Driver) driver.Driver {
		opened.Add(1)
		return d
	}}, "mem://a/logs", "mem://other")
	if _, err := l.Opened("mem://a/logs"); plan.KindOf(err) != plan.Unavailable {
		t.Errorf("before it is opened: %v", err)
	}
	var users sync.WaitGroup
	for range 8 {
		users.Go(func() {
			for url, key := range map[string]string{"mem://a/logs": "deep/x", "mem://a/logs/deep": "x", "mem://a/logs/deep/": "x"} {
				root, err := l.Get(t.Context(), url, true)
				if err != nil {
					t.Error(err)
					continue
				}
				if b, err := root.Get(t.Context(), key, 10); err != nil || string(b) != "1" {
					t.Errorf("%s: %q, %v", url, b, err)
				}
				if want := strings.TrimSuffix(url, "/"); root.URL() != want {
					t.Errorf("%s is called %s", url, root.URL())
				}
			}
		})
	}
	users.Wait()
	if root, err := l.Opened("mem://a/logs/deep"); err != nil || root.URL() != "mem://a/logs/deep" {
		t.Errorf("Opened: %v", err)
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("it was opened %d times", n)
	}
	if got := l.Usage().BytesDown; got == 0 {
		t.Error("no bytes were counted")
	}
}

// TestParametersAreTheOperators verifies that a store is opened as the nearest
// allowed URL says, and that a waiting caller may give up.
func TestParametersAreTheOperators(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 8)
	answer := make(chan struct{})
	store.Register("test-allow", func(_ context.Context, host string, q url.Values, _ store.Options) (driver.Driver, error) {
		asked <- host + " " + q.Encode()
		<-answer
		return nil, driver.Fail(plan.Denied, "no entry")
	})
	l := list(t, store.Options{}, "test-allow://b/x?endpoint=one&secret="+secret, "test-allow://b/x/y?endpoint=two", "test-allow://c")
	var first sync.WaitGroup
	first.Go(func() {
		if _, err := l.Get(t.Context(), "test-allow://b/x/z", false); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("error is %v", err)
		}
	})
	if got := <-asked; got != "b endpoint=one&secret="+secret {
		t.Errorf("asked for %q", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Get(ctx, "test-allow://b/x", false); plan.KindOf(err) != plan.Interrupted {
		t.Errorf("who waits and gives up gets %v", err)
	}
	close(answer)
	first.Wait()
	for url, want := range map[string]string{"test-allow://b/x/y/z": "b endpoint=two", "test-allow://c/d": "c "} {
		if _, err := l.Get(t.Context(), url, false); err == nil {
			t.Errorf("%s is open", url)
		}
		if got := <-asked; got != want {
			t.Errorf("%s: asked for %q", url, got)
		}
	}
}

// TestLinks verifies that links within an allowed directory lead nowhere else.
func TestLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, d := range []string{"in/real", "out/dir"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, d, "x"), []byte(d), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"in/away": "../out/dir", "in/far": filepath.Join(dir, "out/dir"), "in/near": "real", "in/file": "../out/dir/x", "door": "in"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	l := list(t, store.Options{}, dir+"/in")
	for _, link := range []string{"away", "far", "file"} {
		root, key, err := l.Locate(dir + "/in/" + link)
		if link == "file" { // it stands for a file that is not allowed
			if plan.KindOf(err) != plan.Denied {
				t.Errorf("%s: %s in %s, %v", link, key, root, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		r, err := l.Get(t.Context(), root, false)
		if err != nil {
			t.Fatal(err)
		}
		if key == "" {
			key = "x"
			if err := r.Put(t.Context(), "new", []byte("x"), store.Scratch); err == nil {
				t.Errorf("%s: a write gets through", link)
			}
			for o, err := range r.List(t.Context(), "") {
				if err == nil {
					t.Errorf("%s: %s is listed", link, o.Key)
				}
			}
		}
		if b, err := r.Get(t.Context(), key, 100); err == nil {
			t.Errorf("%s: %q is read", link, b)
		}
	}
	if root, err := l.Get(t.Context(), dir+"/in", false); err != nil {
		t.Error(err)
	} else if b, err := root.Get(t.Context(), "away/x", 100); err == nil {
		t.Errorf("%q is read by a longer key", b)
	}
	if found, err := filepath.Glob(filepath.Join(dir, "out", "*", "*")); err != nil || len(found) != 1 {
		t.Errorf("outside there are %v, %v", found, err)
	}
	r, err := l.Get(t.Context(), "file://"+dir+"/in/near", false)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := r.Get(t.Context(), "x", 100); err != nil || string(b) != "in/real" {
		t.Errorf("by a link that stays inside: %q, %v", b, err)
	}
	// The operator's own path may contain links.
	r, err = list(t, store.Options{}, dir+"/door").Get(t.Context(), dir+"/door/real", false)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := r.Get(t.Context(), "x", 100); err != nil || string(b) != "in/real" {
		t.Errorf("by the operator's link: %q, %v", b, err)
	}
}

// TestMissingDirectories verifies that directories are made only for writers.
func TestMissingDirectories(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := list(t, store.Options{}, dir+"/new")
	if _, err := l.Get(t.Context(), dir+"/new/x", false); plan.KindOf(err) != plan.NotFound {
		t.Errorf("to read: %v", err)
	}
	root, err := l.Get(t.Context(), dir+"/new/x", true)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Put(t.Context(), "y", []byte("1"), store.Scratch); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(dir + "/new/x/y"); err != nil || string(b) != "1" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestNewRefuses lists URLs that an operator cannot mean.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		urls    []string
		o       store.Options
		mention string
	}{
		{[]string{""}, store.Options{}, "empty"},
		{[]string{"s3://b/logs/*"}, store.Options{}, "pattern"},
		{[]string{"/data/*.txt"}, store.Options{}, "pattern"},
		{[]string{"s3://b/x/../y"}, store.Options{}, "detours"},
		{[]string{"s3://" + secret + "@b"}, store.Options{}, "credentials"},
		{[]string{"s3://b?endpoint=%zz" + secret}, store.Options{}, "malformed"},
		{[]string{"S3://b"}, store.Options{}, "lower case"},
		{[]string{"s3://"}, store.Options{}, "no bucket"},
		{[]string{"s3://b?key=" + secret, "s3://b/?key=other"}, store.Options{}, "twice"},
		{[]string{"s3://b"}, store.Options{Retry: store.Retry{Attempts: -1}}, "Retry.Attempts"},
	} {
		_, err := allow.New(c.urls, c.o)
		if err == nil || !strings.Contains(err.Error(), c.mention) || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v, want it to mention %q and no secret", c.urls, err, c.mention)
		}
	}
	if _, err := allow.New([]string{"s3://b?region=r", "s3://b/?region=r", "data", "file:///data/"}, store.Options{}); err != nil {
		t.Error(err)
	}
}

// TestUploadsBelow verifies that a root that was opened by a name lists and aborts
// uploads there and below, and none of its neighbours, which share the store.
func TestUploadsBelow(t *testing.T) {
	t.Parallel()
	var far driver.Driver
	l := list(t, store.Options{Wrap: func(d driver.Driver) driver.Driver {
		far = faulttest.Remote(d, 1024)
		return far
	}}, "mem://a/logs")
	root, err := l.Get(t.Context(), "mem://a/logs/out", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"logs/out/x", "logs/out/y/z", "logs/out2/x", "logs/o", "other/out/x"} {
		if _, err := far.Upload(t.Context(), key, store.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	if err := root.AbortUploads(t.Context(), "", func(u store.Unfinished) bool {
		seen = append(seen, u.Key)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"x", "y/z"}; !slices.Equal(seen, want) {
		t.Errorf("listed %q, want %q", seen, want)
	}
	left, last, err := far.(driver.UploadLister).ListUploads("").Next(t.Context())
	if err != nil || !last || len(left) != 3 {
		t.Errorf("left %+v, %v", left, err)
	}
}
