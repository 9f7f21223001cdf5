package relay

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// lending serves a file root over a connection that carries descriptors.
func lending(t *testing.T) (dir string, ours *store.Root, theirs driver.Driver) {
	t.Helper()
	dir = t.TempDir()
	ours, err := store.Open(t.Context(), dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, file, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	b, err := Inherited(file)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Token: bytes.Repeat([]byte("t"), TokenSize), Roots: map[string]*store.Root{"r": ours},
		Policy: NewPolicy(map[string]Grant{"r": {Scratch: []string{"**"}}})}
	ended := make(chan error, 1)
	go func() { ended <- Serve(t.Context(), a, cfg) }()
	client, err := Connect(t.Context(), b, cfg.Token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		<-ended
		_ = ours.Close()
	})
	if theirs, err = client.Driver(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	return dir, ours, theirs
}

// lent begins an object that is written through a descriptor.
func lent(t *testing.T, d driver.Driver, key string) *sending {
	t.Helper()
	u, err := d.Upload(t.Context(), key, store.CreateOptions{IfAbsent: true})
	if err != nil {
		t.Fatal(err)
	}
	s, ok := u.(*sending)
	if !ok || s.file == nil {
		t.Fatalf("no descriptor came: %T", u)
	}
	return s
}

// TestWrittenThroughDescriptor verifies that what a job process writes into a
// file is the object once it is committed, and not before.
func TestWrittenThroughDescriptor(t *testing.T) {
	t.Parallel()
	_, root, d := lending(t)
	u := lent(t, d, "a/b")
	if err := u.Part(t.Context(), 1, []byte("no byte of this ")); err != nil {
		t.Fatal(err)
	}
	if err := u.Part(t.Context(), 2, []byte("is in a frame")); err != nil {
		t.Fatal(err)
	}
	if _, err := root.Stat(t.Context(), "a/b"); plan.KindOf(err) != plan.NotFound {
		t.Errorf("it is there before it is committed: %v", err)
	}
	if err := u.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := root.Get(t.Context(), "a/b", 100); string(got) != "no byte of this is in a frame" {
		t.Errorf("%q, %v", got, err)
	}
	if n := root.Usage(); n.Puts != 1 || n.BytesUp != 29 {
		t.Errorf("counted %+v", n)
	}
}

// TestKeptDescriptor verifies that an object is not committed while a process
// can still change it, through a descriptor or through mapped memory.
func TestKeptDescriptor(t *testing.T) {
	t.Parallel()
	for name, keep := range map[string]func(t *testing.T, f *os.File){
		"descriptor": func(t *testing.T, f *os.File) {
			t.Helper()
			fd, err := syscall.Dup(int(f.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = syscall.Close(fd) })
		},
		"opened again": func(t *testing.T, f *os.File) {
			t.Helper()
			again, err := os.OpenFile(filepath.Join("/proc/self/fd", strconv.Itoa(int(f.Fd()))), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = again.Close() })
		},
		"mapped": func(t *testing.T, f *os.File) {
			t.Helper()
			again, err := os.OpenFile(filepath.Join("/proc/self/fd", strconv.Itoa(int(f.Fd()))), os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			mapped, err := syscall.Mmap(int(again.Fd()), 0, 4, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = syscall.Munmap(mapped) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, root, d := lending(t)
			u := lent(t, d, "a")
			if err := u.Part(t.Context(), 1, []byte("true")); err != nil {
				t.Fatal(err)
			}
			keep(t, u.file)
			if err := u.Commit(t.Context()); plan.KindOf(err) != plan.Invalid {
				t.Errorf("commit: %v", err)
			}
			if _, err := root.Stat(t.Context(), "a"); plan.KindOf(err) != plan.NotFound {
				t.Errorf("it is there: %v", err)
			}
			if err := u.Abort(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLentAndFramed verifies that the bytes of an object arrive in one way
// only.
func TestLentAndFramed(t *testing.T) {
	t.Parallel()
	_, root, d := lending(t)
	u := lent(t, d, "a")
	u.client.send(kindData, u.id, []byte("in a frame"))
	u.size = 10
	if err := u.Commit(t.Context()); plan.KindOf(err) != plan.Invalid {
		t.Errorf("commit: %v", err)
	}
	if _, err := root.Stat(t.Context(), "a"); plan.KindOf(err) != plan.NotFound {
		t.Errorf("it is there: %v", err)
	}
}

// TestLentIsGone verifies that a lent file that is not committed leaves nothing,
// and that of two for one name one wins.
func TestLentIsGone(t *testing.T) {
	t.Parallel()
	dir, root, d := lending(t)
	first, second, third := lent(t, d, "a"), lent(t, d, "a"), lent(t, d, "b")
	for i, u := range []*sending{first, second, third} {
		if err := u.Part(t.Context(), 1, []byte{'0' + byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := third.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	if err := second.Commit(t.Context()); err != nil {
		t.Error(err)
	}
	if err := first.Commit(t.Context()); plan.KindOf(err) != plan.Exists {
		t.Errorf("the second commit of one name: %v", err)
	}
	if err := first.Abort(t.Context()); err != nil {
		t.Error(err)
	}
	if got, err := root.Get(t.Context(), "a", 100); string(got) != "1" {
		t.Errorf("%q, %v", got, err)
	}
	var files []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) != 1 {
		t.Errorf("left are %q, %v", files, err)
	}
}
