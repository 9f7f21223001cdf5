//go:build linux

package runner_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/windrow-mr/windrow/cluster"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker/runner"
)

// upload puts a program where a client would.
func (w *world) upload(t *testing.T, program []byte) []plan.Bundle {
	t.Helper()
	sum := sha256.Sum256(program)
	b := plan.Bundle{OS: runtime.GOOS, Arch: runtime.GOARCH, Digest: hex.EncodeToString(sum[:]), Size: int64(len(program))}
	w.replace(t, b, program)
	return []plan.Bundle{{OS: "plan9", Arch: "mips", Digest: b.Digest, Size: 1}, b}
}

// replace puts other bytes in a program's place.
func (w *world) replace(t *testing.T, b plan.Bundle, program []byte) {
	t.Helper()
	to, err := w.root.Create(t.Context(), plan.BundleKey(b.Digest, 0), store.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := to.Write(program); err != nil {
		t.Fatal(err)
	}
	if err := to.Commit(); err != nil {
		t.Fatal(err)
	}
}

// TestBundle runs a submitted program: it is fetched once for all attempts,
// workers and jobs.
func TestBundle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mem", nil)
	input := texts(2, 3000)
	w.write(t, input...)
	bundles := w.upload(t, self(t))
	fetched := w.counting.count("bundles")
	use := func(s *plan.Spec) { s.Bundles, s.Build = bundles, "" }

	id := w.submit(t, "words", nil, use)
	_, planned := w.prepare(t, id)
	w.tasks(t, id, plan.Map, 2, facts{planned: planned}, nil)
	got, _ := w.run(t, w.submit(t, "words", nil, use))
	wantLines(t, got, wordLines(input))
	if n := w.counting.count("bundles") - fetched; n != 1 {
		t.Errorf("fetched %d times", n)
	}
	// Another worker on this machine, or this one the next day.
	again, err := runner.New(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	done(t, again.Run(t.Context(), w.launch(w.submit(t, "words", nil, use), plan.Prepare, 0), &host{}))
	if n := w.counting.count("bundles") - fetched; n != 1 {
		t.Errorf("fetched %d times with a second worker", n)
	}
}

// TestSharedFetch verifies that attempts that need a program on its way wait
// for it.
func TestSharedFetch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mem", func(c *runner.Config) { c.Slots = 4; c.Memory = leastMemory(4) })
	w.write(t, "hay\n")
	bundles := w.upload(t, self(t))
	before := w.counting.count("bundles")
	var all sync.WaitGroup
	for range 4 {
		l := w.launch(w.submit(t, "words", nil, func(s *plan.Spec) { s.Bundles = bundles }), plan.Prepare, 0)
		all.Go(func() {
			if o := w.Run(t.Context(), l, &host{}); o.Result != cluster.Done {
				t.Errorf("%+v", o)
			}
		})
	}
	all.Wait()
	if n := w.counting.count("bundles") - before; n != 1 {
		t.Errorf("fetched %d times", n)
	}
}

// TestDamagedBundle verifies that a program is executed only if it is the
// submitted one, whether the store or the cache has another.
func TestDamagedBundle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mem", nil)
	w.write(t, "hay\n")
	program := self(t)
	bundles := w.upload(t, program)
	own := bundles[1]
	id := w.submit(t, "words", nil, func(s *plan.Spec) { s.Bundles = bundles })

	flipped := append([]byte(nil), program...)
	flipped[len(flipped)/2] ^= 1
	w.replace(t, own, flipped)
	o := w.failed(t, w.launch(id, plan.Prepare, 0), &host{}, "damaged, or was replaced", own.Digest, "submit the job again")
	if o.Final {
		t.Error("another worker may read it undamaged, and the error is final")
	}
	w.replace(t, own, program[:len(program)-1])
	w.failed(t, w.launch(id, plan.Prepare, 0), &host{}, "damaged, or was replaced", "bytes, not")
	entries, err := os.ReadDir(filepath.Join(w.cfg.CacheDir, "bundles"))
	if err != nil || len(entries) != 0 {
		t.Errorf("it left %v, %v", entries, err)
	}

	w.replace(t, own, program)
	w.prepare(t, id)
	w.Forget(id)
	// The next worker does not trust the file that it finds.
	path := filepath.Join(w.cfg.CacheDir, "bundles", own.Digest)
	if err := os.WriteFile(path+".new", []byte("#!/bin/sh\nexit 5\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	again, err := runner.New(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	done(t, again.Run(t.Context(), w.launch(id, plan.Prepare, 0), &host{}))

	if err := w.root.Delete(t.Context(), plan.BundleKey(own.Digest, 0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	third := w.submit(t, "words", nil, func(s *plan.Spec) { s.Bundles = bundles })
	if o := w.failed(t, w.launch(third, plan.Prepare, 0), &host{}, "is gone"); !o.Final {
		t.Errorf("%+v", o)
	}
}

// TestNoProgram verifies the error for a submitted file that is no program, or
// one without jobs.
func TestNoProgram(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mem", nil)
	w.write(t, "hay\n")
	for _, c := range []struct{ program, words string }{
		{"just a text", "exec format error"},
		{"#!/bin/sh\necho no job here >&2\nexit 4\n", "status 4: no job here"},
	} {
		id := w.submit(t, "words", nil, func(s *plan.Spec) { s.Bundles = w.upload(t, []byte(c.program)) })
		w.failed(t, w.launch(id, plan.Prepare, 0), &host{}, c.words, "windrow.Main")
	}
	for _, digest := range []string{"", "../../etc/passwd", "ABCD"} {
		id := w.submit(t, "words", nil, func(s *plan.Spec) {
			s.Bundles = []plan.Bundle{{OS: runtime.GOOS, Arch: runtime.GOARCH, Digest: digest, Size: 10}}
		})
		if o := w.failed(t, w.launch(id, plan.Prepare, 0), &host{}, "not a SHA-256"); !o.Final {
			t.Errorf("%+v", o)
		}
	}
}

// TestNoExec verifies that the error on a file system without execution says
// what to do.
func TestNoExec(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mem", nil)
	w.write(t, "hay\n")
	uses := func(s *plan.Spec) { s.Bundles = w.upload(t, self(t)) }
	first := w.submit(t, "words", nil, uses)
	w.prepare(t, first)
	w.Forget(first)
	programs, err := filepath.Glob(filepath.Join(w.cfg.CacheDir, "bundles", "*"))
	if err != nil || len(programs) != 1 {
		t.Fatal(programs, err)
	}
	if err := os.Chmod(programs[0], 0o600); err != nil { // as good as a mount option
		t.Fatal(err)
	}
	w.failed(t, w.launch(w.submit(t, "words", nil, uses), plan.Prepare, 0), &host{}, programs[0], "permission denied", "noexec", "--cache")
}

// TestCacheLimit verifies that unused programs make room for others, and that
// used ones stay.
func TestCacheLimit(t *testing.T) {
	t.Parallel()
	program := self(t)
	w := newWorld(t, "mem", func(c *runner.Config) { c.CacheBytes = int64(len(program)) * 5 / 2 })
	w.write(t, "hay\n")
	cached := func() int {
		entries, err := os.ReadDir(filepath.Join(w.cfg.CacheDir, "bundles"))
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	for i := range 4 {
		id := w.submit(t, "words", nil, func(s *plan.Spec) { s.Bundles = w.upload(t, append(slices.Clip(program), byte(i))) })
		w.prepare(t, id)
		w.Forget(id)
		if want := min(i+1, 2); cached() > want {
			t.Errorf("%d programs are kept after the %dth", cached(), i+1)
		}
	}
	if n := cached(); n < 2 {
		t.Errorf("%d programs are kept where two have room", n)
	}
}
