package file_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/storetest"
)

// racerEnv makes the test binary a process of the create-once race. Its value
// is the root's URL.
const racerEnv = "WINDROW_STORE_TEST_RACE"

func TestMain(m *testing.M) {
	if root := os.Getenv(racerEnv); root != "" {
		os.Exit(race(root))
	}
	os.Exit(m.Run())
}

// open opens a root that is closed at the test's end.
func open(t testing.TB, url string, o store.Options) *store.Root {
	t.Helper()
	r, err := store.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// wantKind checks an error's kind.
func wantKind(t *testing.T, err error, want plan.Kind) {
	t.Helper()
	if got := plan.KindOf(err); err == nil || got != want {
		t.Errorf("error %v: kind %v, want %v", err, got, want)
	}
}

func TestConforms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) *store.Root { return open(t, t.TempDir(), store.Options{}) },
		storetest.Features{MultipartOnce: true})
}

const (
	raceProcesses = 4
	raceKeys      = 150
)

// race is a process of TestCreateOnceAcrossProcesses. It begins when its
// standard input ends, and prints the keys that it won.
func race(root string) int {
	_, _ = io.Copy(io.Discard, os.Stdin)
	ctx := context.Background()
	r, err := store.Open(ctx, root, store.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for i := range raceKeys {
		key := fmt.Sprintf("log/%03d", i)
		won, existing, err := r.CreateOnce(ctx, key, fmt.Appendf(nil, "%d", os.Getpid()))
		switch {
		case err != nil:
			fmt.Fprintln(os.Stderr, err)
			return 1
		case won:
			fmt.Println(key, os.Getpid())
		case len(existing) == 0:
			fmt.Fprintln(os.Stderr, key, "lost without a winner")
			return 1
		}
	}
	return 0
}

func TestCreateOnceAcrossProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var processes []*exec.Cmd
	var outputs []*bytes.Buffer
	begin, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	for range raceProcesses {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), racerEnv+"="+dir)
		out := new(bytes.Buffer)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = begin, out, os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		processes, outputs = append(processes, cmd), append(outputs, out)
	}
	_ = begin.Close()
	_ = hold.Close() // the starting signal
	winners := map[string]string{}
	for i, cmd := range processes {
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d: %v", i, err)
		}
		for lines := bufio.NewScanner(outputs[i]); lines.Scan(); {
			key, pid, _ := strings.Cut(lines.Text(), " ")
			if other := winners[key]; other != "" {
				t.Errorf("%s was won by processes %s and %s", key, other, pid)
			}
			winners[key] = pid
		}
	}
	if len(winners) != raceKeys {
		t.Errorf("%d keys were won, want %d", len(winners), raceKeys)
	}
	r := open(t, dir, store.Options{})
	for key, pid := range winners {
		if body, err := r.ReadOnce(t.Context(), key); err != nil || string(body) != pid {
			t.Errorf("%s holds %q, %v; its winner is %s", key, body, err, pid)
		}
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "x.txt")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := store.Open(t.Context(), file, store.Options{})
	wantKind(t, err, plan.Invalid)
	missing := filepath.Join(dir, "a", "b")
	_, err = store.Open(t.Context(), missing, store.Options{})
	wantKind(t, err, plan.NotFound)
	if !strings.Contains(err.Error(), missing) {
		t.Errorf("%v does not name the directory", err)
	}
	r := open(t, missing, store.Options{CreateDir: true})
	if want := "file://" + missing; r.URL() != want || r.Remote() {
		t.Errorf("URL %q, want %q; remote %v", r.URL(), want, r.Remote())
	}
	if err := r.Put(t.Context(), "k", []byte("v"), store.Durable); err != nil {
		t.Fatal(err)
	}
	again := open(t, r.URL(), store.Options{})
	if got, err := again.Get(t.Context(), "k", 10); err != nil || string(got) != "v" {
		t.Errorf("get after opening the URL: %q, %v", got, err)
	}
}

// TestLeavesNothing verifies that after deletion and Close not even
// directories remain.
func TestLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, err := store.Open(t.Context(), dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{"x/0a/job/m1", "x/0a/job/m2", "x/1f/job/m3", "_windrow/tmp/1/2"}
	for _, k := range keys {
		if err := r.Put(t.Context(), k, []byte(k), store.Scratch); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range keys {
		if err := r.Delete(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestDirectoriesComeAndGo writes and deletes below one directory from many
// goroutines, so that it is often removed while others write there.
func TestDirectoriesComeAndGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := open(t, dir, store.Options{}), open(t, dir, store.Options{})
	var all sync.WaitGroup
	for g := range 6 {
		root := a
		if g%2 == 1 {
			root = b
		}
		all.Go(func() {
			for i := range 150 {
				key := fmt.Sprintf("d/e/f/%d-%d", g, i)
				var err error
				if i%2 == 0 {
					err = root.Put(t.Context(), key, nil, store.Class(i%4/2))
				} else {
					_, _, err = root.CreateOnce(t.Context(), key, nil)
				}
				if err = errors.Join(err, root.Delete(t.Context(), key)); err != nil {
					t.Errorf("%s: %v", key, err)
				}
			}
		})
	}
	all.Wait()
}

// TestStaleTemporaries verifies that the file of a killed writer is never
// listed, and is removed once it is old, unless another process still holds it.
func TestStaleTemporaries(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	reserved := filepath.Join(dir, ".windrow-tmp")
	if err := os.Mkdir(reserved, 0o700); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-48 * time.Hour)
	files := map[string]bool{"dead": false, "young": true, "held": true} // name → stays
	for name := range files {
		f, err := os.Create(filepath.Join(reserved, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if name == "young" {
			continue
		}
		if err := os.Chtimes(f.Name(), old, old); err != nil {
			t.Fatal(err)
		}
		if name == "held" {
			if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := open(t, dir, store.Options{})
	for name, stays := range files {
		if _, err := os.Stat(filepath.Join(reserved, name)); (err == nil) != stays {
			t.Errorf("%s: %v, want it to stay: %v", name, err, stays)
		}
	}
	above := open(t, filepath.Dir(dir), store.Options{})
	for _, root := range []*store.Root{r, above} {
		for o, err := range root.List(t.Context(), "") {
			t.Errorf("listed: %+v, %v", o, err)
		}
	}
	_, err := r.Get(t.Context(), ".windrow-tmp/young", 1)
	wantKind(t, err, plan.Invalid)
}

// TestNoticesWrites verifies that a file that is written to in place is no
// longer the version that the handle was opened for, even if it only grew.
func TestNoticesWrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "access.log")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir, store.Options{})
	h, err := r.OpenObject(t.Context(), "access.log", "")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	p := make([]byte, 5)
	if err := h.ReadAt(t.Context(), p, 0); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("more"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, h.ReadAt(t.Context(), p, 0), plan.Changed)
	if err := os.Truncate(name, 3); err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(h.Stream(t.Context(), 0, -1))
	wantKind(t, err, plan.Changed)
}

func TestSymlinks(t *testing.T) {
	t.Parallel()
	outside, dir := t.TempDir(), t.TempDir()
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "real"), []byte("real"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("real", "inside")
	link(".", "loop")
	r := open(t, dir, store.Options{})
	var keys []string
	for o, err := range r.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, fmt.Sprint(o.Key, o.Size))
	}
	if got := strings.Join(keys, " "); got != "inside4 real4" {
		t.Errorf("list: %s", got)
	}
	link(secret, "leak")
	_, err := r.Get(t.Context(), "leak", 100)
	wantKind(t, err, plan.Invalid)
	err = nil
	for _, e := range r.List(t.Context(), "") {
		err = errors.Join(err, e)
	}
	wantKind(t, err, plan.Invalid)
	link(outside, "dir")
	wantKind(t, r.Put(t.Context(), "dir/new", nil, store.Scratch), plan.Invalid)
	if _, err := os.Stat(filepath.Join(outside, "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key left the root: %v", err)
	}
}

// TestRootRemoved verifies that a missing root is not reported as a missing
// object.
func TestRootRemoved(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "root")
	r := open(t, dir, store.Options{CreateDir: true, Retry: store.Retry{Attempts: 1}})
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	_, err := r.ReadOnce(t.Context(), "log/1")
	wantKind(t, err, plan.Unavailable)
	_, _, err = r.CreateOnce(t.Context(), "log/1", nil)
	wantKind(t, err, plan.Unavailable)
	for _, err = range r.List(t.Context(), "") {
		wantKind(t, err, plan.Unavailable)
	}
}

// TestPipe verifies that opening a pipe does not wait for its writer.
func TestPipe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, dir, store.Options{})
	_, err := r.Get(t.Context(), "pipe", 1)
	wantKind(t, err, plan.Invalid)
	for o := range r.List(t.Context(), "") {
		t.Errorf("listed: %+v", o)
	}
}

// TestReadsDoNotAllocate holds for ReadAt and Stream alike.
func TestReadsDoNotAllocate(t *testing.T) {
	r := open(t, t.TempDir(), store.Options{})
	if err := r.Put(t.Context(), "x", make([]byte, 1<<20), store.Scratch); err != nil {
		t.Fatal(err)
	}
	h, err := r.OpenObject(t.Context(), "x", "")
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	p := make([]byte, 4096)
	ctx := t.Context()
	stream := h.Stream(ctx, 0, -1)
	defer stream.Close()
	var failed atomic.Bool
	n := testing.AllocsPerRun(100, func() {
		_, err := stream.Read(p)
		if h.ReadAt(ctx, p, 1000) != nil || err != nil {
			failed.Store(true)
		}
	})
	if n != 0 || failed.Load() {
		t.Errorf("%v allocations, failed %v", n, failed.Load())
	}
}

// TestNoticesWritesThatKeepSizeAndTime verifies that a file which was written to in
// place, or replaced, and got its former size and time again is no longer the version
// that was pinned: rsync --times and cp --preserve do that.
func TestNoticesWritesThatKeepSizeAndTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := open(t, dir, store.Options{})
	name := filepath.Join(dir, "in")
	if err := os.WriteFile(name, []byte("old bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := root.Stat(t.Context(), "in")
	if err != nil {
		t.Fatal(err)
	}
	reading, err := root.OpenObject(t.Context(), "in", o.ETag)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	// The file system's clock is coarse: the change may have the time of the creation.
	for {
		if err := os.WriteFile(name, []byte("new bytes"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, o.ModTime, o.ModTime); err != nil {
			t.Fatal(err)
		}
		if now, err := root.Stat(t.Context(), "in"); err != nil || now.Size != o.Size || !now.ModTime.Equal(o.ModTime) {
			t.Fatalf("it is %+v, %v", now, err)
		} else if now.ETag != o.ETag {
			break
		}
		if time.Since(o.ModTime) > time.Minute {
			t.Fatal("the change does not show in a minute")
		}
	}
	_, err = root.OpenObject(t.Context(), "in", o.ETag)
	wantKind(t, err, plan.Changed)
	wantKind(t, reading.ReadAt(t.Context(), make([]byte, 3), 0), plan.Changed)
	// Jobs that an earlier version planned have pinned without the last field.
	now, err := root.Stat(t.Context(), "in")
	if err != nil {
		t.Fatal(err)
	}
	h, err := root.OpenObject(t.Context(), "in", now.ETag[:strings.LastIndexByte(now.ETag, '-')])
	if err != nil {
		t.Fatalf("by the ETag of an earlier version: %v", err)
	}
	h.Close()
}
