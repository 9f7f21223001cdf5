package relay_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	mrand "math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	"github.com/windrow-mr/windrow/store/relay"
	"github.com/windrow-mr/windrow/store/storetest"
)

// everything allows all calls of the protocol.
func everything() relay.Grant { return relay.Grant{Scratch: []string{"**"}} }

// lister lists by another driver: the protocol has no listing.
type lister struct {
	driver.Driver
	list driver.Driver
}

func (l lister) List(prefix string) driver.Pager { return l.list.List(prefix) }

// frames hides from a client that its connection could carry descriptors.
type frames struct{ net.Conn }

// served is one connection with both of its ends in this process.
type served struct {
	client *relay.Client
	conn   net.Conn // the client's end
	ended  chan error
	stop   context.CancelFunc
}

func (s *served) wait(t testing.TB) error {
	t.Helper()
	select {
	case err := <-s.ended:
		s.ended <- err
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("Serve does not return")
		return nil
	}
}

func token() []byte {
	b := make([]byte, relay.TokenSize)
	rand.Read(b)
	return b
}

// start serves cfg for the rest of the test, without a client.
func start(t testing.TB, cfg relay.Config) *served {
	t.Helper()
	ours, file, err := relay.Pair()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := relay.Inherited(file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &served{conn: theirs, ended: make(chan error, 1), stop: stop}
	go func() { s.ended <- relay.Serve(ctx, ours, cfg) }()
	t.Cleanup(func() {
		stop()
		_ = s.wait(t)
	})
	return s
}

// serve serves cfg and connects a client.
func serve(t testing.TB, cfg relay.Config, files bool) *served {
	t.Helper()
	cfg.Token = token()
	s := start(t, cfg)
	conn := s.conn
	if !files {
		conn = frames{conn}
	}
	var err error
	if s.client, err = relay.Connect(t.Context(), conn, cfg.Token); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.client.Close() })
	return s
}

// remote makes a root believe that its store is far away.
type remote struct{ driver.Driver }

func (r remote) Traits() driver.Traits {
	t := r.Driver.Traits()
	t.Remote, t.PartSize = true, 8<<20
	return t
}

func (r remote) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	inner, err := r.Driver.Open(ctx, key, etag)
	return struct{ driver.Reader }{inner}, err
}

// ordered is an Upload whose parts may come side by side.
func (r remote) Upload(ctx context.Context, key string, o store.CreateOptions) (driver.Upload, error) {
	u, err := r.Driver.Upload(ctx, key, o)
	return &gather{Upload: u, parts: map[int][]byte{}}, err
}

type gather struct {
	driver.Upload
	mu    sync.Mutex
	parts map[int][]byte
}

func (g *gather) Part(_ context.Context, n int, body []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.parts[n] = bytes.Clone(body)
	return nil
}

func (g *gather) Commit(ctx context.Context) error {
	for n := 1; n <= len(g.parts); n++ {
		if err := g.Upload.Part(ctx, n, g.parts[n]); err != nil {
			return err
		}
	}
	return g.Upload.Commit(ctx)
}

// TestConforms runs the suite of all drivers on both ends of a connection.
func TestConforms(t *testing.T) {
	t.Parallel()
	far := func(d driver.Driver) driver.Driver { return remote{d} }
	for _, c := range []struct {
		name     string
		url      func(t *testing.T) string
		wrap     func(driver.Driver) driver.Driver
		files    bool
		features storetest.Features
	}{
		{"mem", func(*testing.T) string { return "mem://" }, nil, true, storetest.Features{MultipartOnce: true, Flat: true, Sums: true, SumsOfParts: true, Large: 9 << 20}},
		{"remote", func(*testing.T) string { return "mem://" }, far, true, storetest.Features{MultipartOnce: true, Flat: true, Sums: true, SumsOfParts: true, Large: 20 << 20}},
		{"file by descriptors", func(t *testing.T) string { return t.TempDir() }, nil, true, storetest.Features{MultipartOnce: true, Large: 9 << 20}},
		{"file by frames", func(t *testing.T) string { return t.TempDir() }, nil, false, storetest.Features{MultipartOnce: true, Large: 9 << 20}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T) *store.Root {
				var raw driver.Driver
				root, err := store.Open(t.Context(), c.url(t), store.Options{Wrap: func(d driver.Driver) driver.Driver {
					if c.wrap != nil {
						d = c.wrap(d)
					}
					raw = d
					return d
				}})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = root.Close() })
				s := serve(t, relay.Config{Roots: map[string]*store.Root{"r": root}, Policy: relay.NewPolicy(map[string]relay.Grant{"r": everything()})}, c.files)
				child, err := s.client.Open(t.Context(), "r", store.Options{Wrap: func(d driver.Driver) driver.Driver { return lister{d, raw} }})
				if err != nil {
					t.Fatal(err)
				}
				return child
			}, c.features)
		})
	}
}

// mem returns a memory root.
func mem(t testing.TB, wrap func(driver.Driver) driver.Driver) *store.Root {
	t.Helper()
	r, err := store.Open(t.Context(), "mem://here/below", store.Options{Wrap: wrap, Mem: new(store.MemSpace)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func open(t testing.TB, s *served, name string) *store.Root {
	t.Helper()
	r, err := s.client.Open(t.Context(), name, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func put(t testing.TB, r *store.Root, key string, body []byte) store.Object {
	t.Helper()
	if err := r.Put(t.Context(), key, body, store.Scratch); err != nil {
		t.Fatal(err)
	}
	o, err := r.Stat(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = mrand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func wantKind(t testing.TB, what string, err error, want plan.Kind, words ...string) {
	t.Helper()
	if err == nil || plan.KindOf(err) != want {
		t.Errorf("%s: error %v, want kind %v", what, err, want)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: error %q does not say %q", what, err, w)
		}
	}
}

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func write(ctx context.Context, r *store.Root, key string, body []byte, o store.CreateOptions) error {
	w, err := r.Create(ctx, key, o)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(body); err != nil {
		return err
	}
	return w.Commit()
}

// TestPolicy makes the calls that an attempt may make, and then all that it may
// not.
func TestPolicy(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	in, scratch, out := mem(t, nil), mem(t, nil), mem(t, nil)
	input := put(t, in, "in/a", []byte("input"))
	put(t, in, "in/b", []byte("secret"))
	put(t, scratch, "x/03/m00001.1.1.aa.0", []byte("run"))
	put(t, scratch, "other/x/03/m00001.1.1.aa.0", []byte("secret"))
	var log lockedBuffer
	policy := relay.NewPolicy(map[string]relay.Grant{
		"in":      {Inputs: []store.Object{input}},
		"scratch": {Read: []string{"x/*/m*"}, Scratch: []string{"x/*/r00002.1.7.bb.*", "att/r00002/1.7.bb"}},
		"out":     {Parts: []string{"part-r-00002.txt"}},
	})
	s := serve(t, relay.Config{
		Roots:  map[string]*store.Root{"in": in, "scratch": scratch, "out": out, "unmentioned": mem(t, nil)},
		Policy: policy, Log: slog.New(slog.NewTextHandler(&log, nil)),
	}, true)
	cin, cscratch, cout := open(t, s, "in"), open(t, s, "scratch"), open(t, s, "out")
	if got := cin.Name("in/a"); got != "mem://here/below/in/a" {
		t.Errorf("the client names an object %q", got)
	}
	for _, c := range []struct {
		root      *store.Root
		key, want string
	}{{cin, "in/a", "input"}, {cscratch, "x/03/m00001.1.1.aa.0", "run"}} {
		if got, err := c.root.Get(ctx, c.key, 100); err != nil || string(got) != c.want {
			t.Errorf("get %s: %q, %v", c.key, got, err)
		}
	}
	own := "x/3f/r00002.1.7.bb.0"
	if err := write(ctx, cscratch, own, []byte("spill"), store.CreateOptions{Class: store.Scratch}); err != nil {
		t.Error(err)
	}
	if got, err := cscratch.Get(ctx, own, 100); err != nil || string(got) != "spill" {
		t.Errorf("own spill: %q, %v", got, err)
	}
	if err := cscratch.Delete(ctx, own); err != nil {
		t.Error(err)
	}

	denied := func(what string, err error, words ...string) {
		t.Helper()
		wantKind(t, what, err, plan.Denied, words...)
	}
	get := func(r *store.Root, key string) error { _, err := r.Get(ctx, key, 100); return err }
	once := store.CreateOptions{IfAbsent: true}
	denied("other input", get(cin, "in/b"), "in/b", "declared inputs")
	denied("dots", get(cin, "in/../in/b"), "declared input")
	denied("absolute", get(cin, "/etc/passwd"))
	denied("other job", get(cscratch, "other/x/03/m00001.1.1.aa.0"))
	denied("dots to other job", get(cscratch, "x/../other/x/03/m00001.1.1.aa.0"))
	denied("overwritten input", write(ctx, cin, "in/a", nil, store.CreateOptions{}), "in/a")
	denied("other attempt's name", write(ctx, cscratch, "x/3f/r00002.1.8.cc.0", nil, store.CreateOptions{}), "the attempt's own")
	denied("map run", cscratch.Put(ctx, "x/03/m00001.1.1.aa.0", []byte("false"), store.Scratch))
	denied("deletion of a run", cscratch.Delete(ctx, "x/03/m00001.1.1.aa.0"), "m00001")
	denied("deletion of an input", cin.Delete(ctx, "in/a"))
	denied("stat", func() error { _, err := cin.Stat(ctx, "in/b"); return err }())
	denied("overwriting part", write(ctx, cout, "part-r-00002.txt", nil, store.CreateOptions{}), "where there is none")
	denied("part without grant", write(ctx, cout, "part-r-00002.txt", []byte("x"), once), "not granted")
	denied("small part without grant", func() error { _, _, err := cout.CreateOnce(ctx, "part-r-00002.txt", nil); return err }())
	for _, err := range cin.List(ctx, "") {
		denied("list", err)
	}
	_, err := s.client.Open(ctx, "elsewhere", store.Options{})
	denied("root", err, "elsewhere")
	denied("root without grant", get(open(t, s, "unmentioned"), "k"))
	if _, err := out.Stat(ctx, "part-r-00002.txt"); plan.KindOf(err) != plan.NotFound {
		t.Errorf("a part without grant: %v", err)
	}

	// The grant may come between begin and commit; and be revoked again.
	w, err := cout.Create(ctx, "part-r-00002.txt", once)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("part")); err != nil {
		t.Fatal(err)
	}
	late, err := cout.Create(ctx, "part-r-00002.txt", once)
	if err != nil {
		t.Fatal(err)
	}
	policy.Set("out", relay.Grant{Parts: []string{"part-r-00002.txt"}, Granted: []string{"part-r-00002.txt"}})
	if err := w.Commit(); err != nil {
		t.Error(err)
	}
	policy.Set("out", relay.Grant{})
	denied("commit after the grant", late.Commit(), "part-r-00002.txt")
	for _, want := range []string{"in/b", "other/x/03", "not granted", "r00002.1.8.cc.0", "elsewhere"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not have %q:\n%s", want, log.String())
		}
	}
}

// TestPinned verifies that a declared input that has changed is not read.
func TestPinned(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]bool{"descriptors": true, "frames": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, err := store.Open(t.Context(), t.TempDir(), store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			o := put(t, root, "a", []byte("as planned"))
			s := serve(t, relay.Config{Roots: map[string]*store.Root{"in": root}, Policy: relay.NewPolicy(map[string]relay.Grant{"in": {Inputs: []store.Object{o}}})}, files)
			child := open(t, s, "in")
			if got, err := child.Get(t.Context(), "a", 100); err != nil || string(got) != "as planned" {
				t.Errorf("%q, %v", got, err)
			}
			put(t, root, "a", []byte("afterwards"))
			_, err = child.OpenObject(t.Context(), "a", "")
			wantKind(t, "open", err, plan.Changed)
			_, err = child.Stat(t.Context(), "a")
			wantKind(t, "stat", err, plan.Changed)
		})
	}
}

// TestWrittenInPlace verifies that bytes of a file that is written to while it
// is read are not returned as those of the version that was opened.
func TestWrittenInPlace(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]bool{"descriptors": true, "frames": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			root, err := store.Open(t.Context(), dir, store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			put(t, root, "a", []byte("as it was"))
			s := serve(t, relay.Config{Roots: map[string]*store.Root{"in": root}, Policy: relay.NewPolicy(map[string]relay.Grant{"in": everything()})}, files)
			h, err := open(t, s, "in").OpenObject(t.Context(), "a", "")
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			p := make([]byte, 5)
			if err := h.ReadAt(t.Context(), p, 0); err != nil || string(p) != "as it" {
				t.Errorf("%q, %v", p, err)
			}
			if err := os.WriteFile(dir+"/a", []byte("not so nw"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(dir+"/a", time.Time{}, time.Now().Add(time.Second)); err != nil { // a coarse clock
				t.Fatal(err)
			}
			wantKind(t, "read", h.ReadAt(t.Context(), p, 0), plan.Changed)
		})
	}
}

// gate is a driver that reports which uploads were aborted.
type gate struct {
	driver.Driver
	aborted chan string
}

func (g gate) Upload(ctx context.Context, key string, o store.CreateOptions) (driver.Upload, error) {
	u, err := g.Driver.Upload(ctx, key, o)
	return &gatedUpload{u, g, key}, err
}

type gatedUpload struct {
	driver.Upload
	gate gate
	key  string
}

func (u *gatedUpload) Abort(ctx context.Context) error {
	err := u.Upload.Abort(ctx)
	u.gate.aborted <- u.key
	return err
}

// TestClientDies verifies that nothing of an unfinished upload is left or
// visible.
func TestClientDies(t *testing.T) {
	t.Parallel()
	aborted := make(chan string, 10)
	root := mem(t, func(d driver.Driver) driver.Driver { return gate{d, aborted} })
	s := serve(t, relay.Config{Roots: map[string]*store.Root{"r": root}, Policy: relay.NewPolicy(map[string]relay.Grant{"r": everything()})}, true)
	child := open(t, s, "r")
	w, err := child.Create(t.Context(), "half", store.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(noise(1, 3<<20)); err != nil {
		t.Fatal(err)
	}
	_ = s.conn.Close()
	if err := s.wait(t); err != nil {
		t.Errorf("Serve: %v", err)
	}
	select {
	case key := <-aborted: // before Serve returned
		if key != "below/half" {
			t.Errorf("aborted %q", key)
		}
	default:
		t.Error("the upload was not aborted")
	}
	for o := range root.List(t.Context(), "") {
		t.Errorf("left behind: %v", o.Key)
	}
	wantKind(t, "commit", w.Commit(), plan.Unavailable, "half", "connection")
}

// slow is a driver whose bodies stop after some bytes until their context ends.
type slow struct {
	driver.Driver
	stopped chan struct{}
}

func (d slow) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	r, err := d.Driver.Open(ctx, key, etag)
	if err != nil || !strings.HasSuffix(key, "slow") {
		return r, err
	}
	return slowReader{r, d}, nil
}

type slowReader struct {
	driver.Reader
	driver slow
}

func (r slowReader) Range(ctx context.Context, off, n int64) (driver.Body, error) {
	b, err := r.Reader.Range(ctx, off, n)
	b.ReadCloser = slowBody{b.ReadCloser, ctx, r.driver}
	return b, err
}

type slowBody struct {
	io.ReadCloser
	ctx    context.Context
	driver slow
}

func (b slowBody) Read([]byte) (int, error) {
	b.driver.stopped <- struct{}{}
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

// TestServerDies verifies that a read in progress ends at once, with the
// reason. So does the server's own read.
func TestServerDies(t *testing.T) {
	t.Parallel()
	stopped := make(chan struct{}, 100)
	root := mem(t, func(d driver.Driver) driver.Driver { return slow{d, stopped} })
	put(t, root, "slow", noise(2, 1<<20))
	s := serve(t, relay.Config{Roots: map[string]*store.Root{"r": root}, Policy: relay.NewPolicy(map[string]relay.Grant{"r": everything()})}, true)
	child := open(t, s, "r")
	result := make(chan error)
	go func() {
		_, err := child.Get(context.Background(), "slow", 1<<20)
		result <- err
	}()
	<-stopped
	s.stop()
	wantKind(t, "get", <-result, plan.Unavailable, "slow", "connection to the worker")
	if err := s.wait(t); !errors.Is(err, context.Canceled) {
		t.Errorf("Serve: %v", err)
	}
	<-s.client.Done()
	_, err := child.Stat(t.Context(), "slow")
	wantKind(t, "stat afterwards", err, plan.Unavailable)
}

// TestCancel verifies that a read that its caller gives up ends in the server
// too, and that the connection continues.
func TestCancel(t *testing.T) {
	t.Parallel()
	stopped := make(chan struct{}, 100)
	root := mem(t, func(d driver.Driver) driver.Driver { return slow{d, stopped} })
	put(t, root, "slow", noise(2, 1<<20))
	put(t, root, "other", []byte("fine"))
	s := serve(t, relay.Config{
		Roots: map[string]*store.Root{"r": root}, Policy: relay.NewPolicy(map[string]relay.Grant{"r": everything()}),
		Limits: relay.Limits{Calls: 1}, // so that the next call waits for the end of this one
	}, true)
	child := open(t, s, "r")
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error)
		go func() {
			_, err := child.Get(ctx, "slow", 1<<20)
			result <- err
		}()
		<-stopped
		cancel()
		wantKind(t, "get", <-result, plan.Interrupted)
		if got, err := child.Get(t.Context(), "other", 10); err != nil || string(got) != "fine" {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

// TestSlowStream verifies that streams that are not read do not delay others.
func TestSlowStream(t *testing.T) {
	t.Parallel()
	root := mem(t, nil)
	body := noise(3, 8<<20)
	put(t, root, "big", body)
	s := serve(t, relay.Config{
		Roots: map[string]*store.Root{"r": root}, Policy: relay.NewPolicy(map[string]relay.Grant{"r": everything()}),
		Limits: relay.Limits{Memory: 1 << 20},
	}, true)
	d, err := s.client.Driver(t.Context(), "r")
	if err != nil {
		t.Fatal(err)
	}
	var left []driver.Body
	for range 20 {
		r, err := d.Open(t.Context(), "big", "")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		b, err := r.Range(t.Context(), 1, 7<<20)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		left = append(left, b)
	}
	child := open(t, s, "r")
	if got, err := child.Get(t.Context(), "big", 8<<20); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	for i, b := range left {
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, body[1:1+7<<20]) {
			t.Errorf("stream %d: %d bytes, %v", i, len(got), err)
		}
	}
}

// TestKnownRuns verifies that a bucket is not asked for a size that the reader
// knows.
func TestKnownRuns(t *testing.T) {
	t.Parallel()
	root := mem(t, func(d driver.Driver) driver.Driver { return remote{d} })
	put(t, root, "x/run", noise(4, 1000))
	s := serve(t, relay.Config{Roots: map[string]*store.Root{"r": root}, Policy: relay.NewPolicy(map[string]relay.Grant{"r": {Read: []string{"x/*"}}})}, true)
	child := open(t, s, "r")
	before := root.Usage()
	for i := range 5 {
		h, err := child.OpenKnown(t.Context(), store.Object{Key: "x/run", Size: 1000})
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 100)
		if err := h.ReadAt(t.Context(), p, int64(i)*100); err != nil || !bytes.Equal(p, noise(4, 1000)[i*100:i*100+100]) {
			t.Errorf("range %d: %v", i, err)
		}
		h.Close()
	}
	if u := root.Usage().Minus(before); u.Stats != 0 || u.Gets != 5 {
		t.Errorf("%d stats and %d gets, want none and 5", u.Stats, u.Gets)
	}
	// The known size is checked against the object.
	for _, size := range []int64{999, 1001, 1 << 40} {
		h, err := child.OpenKnown(t.Context(), store.Object{Key: "x/run", Size: size})
		if err != nil {
			t.Fatal(err)
		}
		wantKind(t, "the size "+strconv.FormatInt(size, 10), h.ReadAt(t.Context(), make([]byte, 10), min(size, 1005)-10), plan.Changed)
		h.Close()
	}
	// A whole object is one request.
	before = root.Usage()
	if _, err := child.Get(t.Context(), "x/run", 1000); err != nil {
		t.Error(err)
	}
	if u := root.Usage().Minus(before); u.Requests() != 1 {
		t.Errorf("a whole object: %+v", u)
	}
}
