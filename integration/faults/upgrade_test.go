package faults

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// TestFault41OldRootContinues: this version ends a job that the first version
// has begun. testdata/open-v1 holds the objects of a bucket when a master and a
// worker with two slots were killed, the master first: of six maps three are
// committed, two have ended unreported, and one was not begun. The submitted
// program is not there, since it is large: the present one, which builds
// the same pipeline, takes its place.
func TestFault41OldRootContinues(t *testing.T) {
	t.Parallel()
	c := onS3(t)
	const id = plan.JobID("01M7ZP5G72Y8W8FYF8F15P4RDP")
	in := c.restore("testdata/open-v1")
	c.reprogram(id)
	before := c.finished(id)
	if len(before) != 3 {
		t.Fatalf("committed are %v", before)
	}
	m := c.leader()
	m.says("adopting attempts whose end was not reported")
	c.worker(1)
	c.tallied(id, "out", in)
	if got, want := c.marks(), map[string]int{"map/5": 1, "reduce/0": 1, "reduce/1": 1}; !maps.Equal(got, want) {
		t.Errorf("%v ran, want %v", got, want)
	}
	if e := c.epoch(); e != 2 {
		t.Errorf("epoch %d leads, after 1", e)
	}
}

// restore puts the files of a directory into the cluster's root and data, and
// returns the input.
func (c *cluster) restore(dir string) *text {
	c.t.Helper()
	in := &text{words: make(map[string]int64)}
	for name, root := range map[string]*store.Root{"root": c.root, "data": c.data} {
		files := os.DirFS(filepath.Join(dir, name))
		err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			body, err := fs.ReadFile(files, path)
			if err != nil {
				return err
			}
			if strings.HasPrefix(path, "in/") {
				for line := range strings.Lines(string(body)) {
					in.add(strings.TrimSuffix(line, "\n"))
				}
			}
			return root.Put(c.t.Context(), path, body, store.Durable)
		})
		if err != nil {
			c.t.Fatal(err)
		}
	}
	return in
}

// reprogram replaces the program of a job of package testjobs by the present
// one, which leaves marks.
func (c *cluster) reprogram(id plan.JobID) {
	c.t.Helper()
	ctx := c.t.Context()
	program, err := os.ReadFile(testjobs)
	if err != nil {
		c.t.Fatal(err)
	}
	sum := sha256.Sum256(program)
	b := plan.Bundle{OS: runtime.GOOS, Arch: runtime.GOARCH, Digest: hex.EncodeToString(sum[:]), Size: int64(len(program))}
	w, err := c.root.Create(ctx, plan.BundleKey(b.Digest, 0), store.CreateOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(program); err != nil {
		c.t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		c.t.Fatal(err)
	}
	old, err := c.root.ReadOnce(ctx, plan.SpecKey(id))
	if err != nil {
		c.t.Fatal(err)
	}
	var spec plan.Spec
	if err := json.Unmarshal(old, &spec); err != nil {
		c.t.Fatal(err)
	}
	marks, err := json.Marshal(c.marksFile())
	if err != nil {
		c.t.Fatal(err)
	}
	spec.Bundles = []plan.Bundle{b}
	spec.Params["marks"] = c.marksFile()
	spec.Plan = strings.Replace(spec.Plan, `"marks":""`, `"marks":`+string(marks), 1)
	c.replace(ctx, plan.SpecKey(id), old, spec)
}

// replace changes an object that was written once.
func (c *cluster) replace(ctx context.Context, key string, old []byte, by any) {
	c.t.Helper()
	body, err := json.Marshal(by)
	if err != nil {
		c.t.Fatal(err)
	}
	if bytes.Equal(body, old) {
		c.t.Fatalf("%s stays as it is", key)
	}
	if err := c.root.Delete(ctx, key); err != nil {
		c.t.Fatal(err)
	}
	if won, _, err := c.root.CreateOnce(ctx, key, body); err != nil || !won {
		c.t.Fatalf("%s: %v, %v", key, won, err)
	}
}
