package executor_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/attempts"

	"github.com/windrow-mr/windrow/jobs/library/wordcount"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/worker/executor"
)

// TestFinishedAttemptsAreFound verifies that a process without an executor finds
// and reads the manifests of attempts, and skips other objects.
func TestFinishedAttemptsAreFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, wordcount.Job(), "a b a\n")
	scratch := w.root.Sub("tmp")
	first := executor.Attempt{Task: plan.TaskID{Phase: plan.Map, Index: 0}, ID: plan.AttemptID{Epoch: 2, N: 10, Rand: 0xa}, Progress: new(pipeline.Progress)}
	second := first
	second.Task.Index, second.ID.N = 123_456, 11
	reduce := first
	reduce.Task = plan.TaskID{Phase: plan.Reduce, Index: 1}
	for _, a := range []executor.Attempt{first, second} {
		if _, err := w.Map(t.Context(), a, w.split, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Reduce(t.Context(), reduce, []plan.AttemptID{first.ID}, w); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"att/", "att/x00000/1.2.0000000a", "att/m00000", "att/m00000/", "att/m0/1.2.0000000a", "att/m00000/1.2.a", "att/m00000/1.2.0000000a.tmp",
		"att/m00000/1.2.0000000A", "att/m-0001/1.2.0000000a", "att/m00000/99999999999999999999.1.0000000a", "att2/m00000/1.2.0000000a", "att/m00000/ 1.2.0000000a"} {
		if err := scratch.Put(t.Context(), strings.TrimSuffix(key, "/"), nil, store.Scratch); err != nil {
			t.Fatal(err)
		}
	}
	var found []attempts.Finished
	for f, err := range attempts.Manifests(t.Context(), scratch) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, f)
		m, err := attempts.ReadManifest(t.Context(), scratch, job, f.Task, f.Attempt)
		if err != nil || m.Task != f.Task || m.Attempt != f.Attempt {
			t.Errorf("%v: %+v, %v", f, m, err)
		}
	}
	want := []attempts.Finished{{Task: first.Task, Attempt: first.ID}, {Task: second.Task, Attempt: second.ID}, {Task: reduce.Task, Attempt: reduce.ID}}
	if !slices.Equal(found, want) {
		t.Errorf("found %v, want %v", found, want)
	}
	for what, read := range map[string]func() (*plan.Manifest, error){
		"of another job": func() (*plan.Manifest, error) {
			return attempts.ReadManifest(t.Context(), scratch, "01BX5ZZKBKACTAV9WEVGEMMVRZ", first.Task, first.ID)
		},
		"that is not there": func() (*plan.Manifest, error) {
			return attempts.ReadManifest(t.Context(), scratch, job, first.Task, plan.AttemptID{})
		},
	} {
		if m, err := read(); err == nil {
			t.Errorf("a manifest %s is read: %+v", what, m)
		}
	}
	for range attempts.Manifests(t.Context(), scratch) {
		break // the caller may stop early
	}
}
