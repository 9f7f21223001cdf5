package output_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// unmet is a judgement that no job passes.
func unmet(int64) error { return &plan.UnmetError{Unmet: []string{"records >= 5: there are 1"}} }

// stage runs a whole job whose part is staged.
func stage(t *testing.T, root *store.Root, n int, mode output.Mode, text string) {
	t.Helper()
	h, err := output.Reserve(t.Context(), root, request(n, mode))
	if err != nil {
		t.Fatal(err)
	}
	must(t, h.Begin(t.Context()))
	m, err := h.CommitIf(t.Context(), []plan.Part{write(t, root, n, 0, text)}, unmet)
	if m != nil || plan.KindOf(err) != plan.Unmet {
		t.Fatalf("it was committed: %v, %v", m, err)
	}
	must(t, h.Release(t.Context()))
}

// marked reports whether _SUCCESS is there.
func marked(t *testing.T, root *store.Root) bool {
	t.Helper()
	return slices.Contains(visible(t, root), output.SuccessName)
}

// TestStagedParts publishes and discards the parts of a job that did not meet its
// expectations, in every mode. Until then the contents are as before, and tools that wait
// for _SUCCESS wait.
func TestStagedParts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		mode      output.Mode
		before    string // contents before; "" for none
		published string
	}{
		"a new output": {output.Fail, "", "new"},
		"replace":      {output.Replace, "old", "new"},
		"append":       {output.Append, "old", "old new"},
	} {
		for _, publish := range []bool{true, false} {
			root := open(t)
			if tt.before != "" {
				commit(t, root, 1, output.Fail, tt.before)
			}
			stage(t, root, 2, tt.mode, "new")
			if marked(t, root) {
				t.Errorf("%s: _SUCCESS is there while parts are staged", name)
			}
			m, err := output.ReadStaged(t.Context(), root)
			if err != nil || m.Job != job(2) {
				t.Fatalf("%s: staged are %v, %v", name, m, err)
			}
			if _, err := output.Read(t.Context(), root); tt.before == "" {
				if !errors.Is(err, output.ErrNotCommitted) || !strings.Contains(err.Error(), "publish or discard") {
					t.Errorf("%s: reading gives %v", name, err)
				}
			} else if got := contents(t, root); got != tt.before {
				t.Errorf("%s: contents are %q while parts are staged", name, got)
			}
			end, want := output.Discard, tt.before
			if publish {
				end, want = output.Publish, tt.published
			}
			_, err = end(t.Context(), root, job(3))
			wantConflict(t, err, string(job(2)))
			if _, err := end(t.Context(), root, job(2)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if want == "" {
				if names := visible(t, root); len(names) > 0 {
					t.Errorf("%s: %v are left", name, names)
				}
				continue
			}
			if got := contents(t, root); got != want || !marked(t, root) {
				t.Errorf("%s, published: %v: contents are %q, want %q; _SUCCESS is there: %v", name, publish, got, want, marked(t, root))
			}
			if n := len(visible(t, root)); n != 1+len(strings.Fields(want)) {
				t.Errorf("%s, published: %v: the directory has %v", name, publish, visible(t, root))
			}
			if _, err := output.ReadStaged(t.Context(), root); plan.KindOf(err) != plan.NotFound {
				t.Errorf("%s: parts are still staged: %v", name, err)
			}
			if _, err := output.Publish(t.Context(), root, job(2)); publish != (err == nil) {
				t.Errorf("%s: published: %v, and again: %v", name, publish, err)
			}
		}
	}
}

// TestStagedPartsAndOtherJobs: a job that would lose staged parts without saying so is
// refused. One that replaces the contents ends them when it commits, not before.
func TestStagedPartsAndOtherJobs(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := open(t)
	commit(t, root, 1, output.Fail, "old")
	stage(t, root, 2, output.Replace, "new")
	_, err := output.Reserve(ctx, root, request(3, output.Append))
	wantConflict(t, err, string(job(2)), "publish or discard", "--on-exists replace")
	h, err := output.Reserve(ctx, root, request(3, output.Replace))
	must(t, err)
	must(t, h.Begin(ctx))
	_, err = output.Publish(ctx, root, job(2))
	wantConflict(t, err, string(job(3)), "is writing it")
	write(t, root, 3, 0, "newer")
	must(t, h.Release(ctx))
	if _, err := output.ReadStaged(ctx, root); err != nil || marked(t, root) {
		t.Errorf("a job that gave up has changed staged parts: %v, _SUCCESS is there: %v", err, marked(t, root))
	}
	if _, _, err := output.Look(ctx, root, request(4, output.Replace)); err != nil {
		t.Errorf("a plan says %v", err)
	}
	stage(t, root, 5, output.Replace, "newest") // in place of job 2's
	commit(t, root, 6, output.Replace, "last")
	if _, err := output.Publish(ctx, root, job(5)); plan.KindOf(err) != plan.NotFound {
		t.Errorf("parts that were replaced are published: %v", err)
	}
	if got, names := contents(t, root), visible(t, root); got != "last" || len(names) != 2 {
		t.Errorf("contents are %q, and the directory has %v", got, names)
	}
}

// TestStagedByAnotherProcess: a master may stop after it has staged the parts. The next one
// stages nothing again, and removes nothing; a user may have decided meanwhile.
func TestStagedByAnotherProcess(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := open(t)
	commit(t, root, 1, output.Fail, "old")
	h, err := output.Reserve(ctx, root, resumed(2, output.Replace))
	must(t, err)
	must(t, h.Begin(ctx))
	parts := []plan.Part{write(t, root, 2, 0, "new")}
	next, err := output.Resume(ctx, root, resumed(2, output.Replace)) // another master, at the same time
	must(t, err)
	for range 2 {
		if _, err := h.CommitIf(ctx, parts, unmet); plan.KindOf(err) != plan.Unmet {
			t.Fatal(err)
		}
	}
	if m, err := h.Committed(ctx); m != nil || err != nil {
		t.Errorf("staged parts count as committed: %v, %v", m, err)
	}
	if _, err := next.CommitIf(ctx, parts, unmet); plan.KindOf(err) != plan.Unmet {
		t.Errorf("the other master gets %v", err)
	}
	late, err := output.Resume(ctx, root, resumed(2, output.Replace))
	must(t, err)
	earlier := int64(-2)
	if _, err := late.CommitIf(ctx, parts, func(n int64) error { earlier = n; return unmet(n) }); plan.KindOf(err) != plan.Unmet || earlier != 1 {
		t.Errorf("a later master gets %v, with %d records before", err, earlier)
	}
	for _, h := range []*output.Hold{h, next, late} {
		must(t, h.Release(ctx))
	}
	if _, err := output.Publish(ctx, root, ""); err != nil {
		t.Fatal(err)
	}
	// A master that has seen none of this finds the job committed.
	last, err := output.Resume(ctx, root, resumed(2, output.Replace))
	must(t, err)
	if m, err := last.CommitIf(ctx, parts, unmet); err != nil || m == nil {
		t.Errorf("after it was published: %v, %v", m, err)
	}
	must(t, last.Clean(ctx))
	if got := contents(t, root); got != "new" || !marked(t, root) {
		t.Errorf("contents are %q; _SUCCESS is there: %v", got, marked(t, root))
	}
}

// TestDecisionsAtOnce: of users who publish and discard the same parts at the same time,
// the first decides, and the directory agrees with the log.
func TestDecisionsAtOnce(t *testing.T) {
	t.Parallel()
	for range 10 {
		root := open(t)
		commit(t, root, 1, output.Fail, "old")
		stage(t, root, 2, output.Replace, "new")
		var group sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			group.Go(func() {
				if i%2 == 0 {
					_, errs[i] = output.Publish(t.Context(), root, job(2))
				} else {
					_, errs[i] = output.Discard(t.Context(), root, job(2))
				}
			})
		}
		group.Wait()
		got := contents(t, root)
		for i, err := range errs {
			switch {
			case err == nil && i%2 == 0 && got != "new", err == nil && i%2 == 1 && got != "old":
				t.Errorf("decision %d succeeded, and the contents are %q", i, got)
			case err != nil && plan.KindOf(err) != plan.NotFound:
				t.Error(err)
			}
		}
		if names := visible(t, root); len(names) != 2 || !marked(t, root) {
			t.Errorf("contents are %q, and the directory has %v", got, names)
		}
	}
}

// TestRecordsOfTheLastCommit: a job is compared with what the last one made, not with all
// that others appended to.
func TestRecordsOfTheLastCommit(t *testing.T) {
	t.Parallel()
	root := open(t)
	for n, want := range []int64{-1, 1, 1} {
		h, err := output.Reserve(t.Context(), root, request(n, output.Append))
		must(t, err)
		must(t, h.Begin(t.Context()))
		_, err = h.CommitIf(t.Context(), []plan.Part{write(t, root, n, 0, "x")}, func(earlier int64) error {
			if earlier != want {
				t.Errorf("job %d is compared with %d records, want %d", n, earlier, want)
			}
			return nil
		})
		must(t, err)
	}
}

// TestMarkOfStagedParts: no process makes _SUCCESS while parts are staged, neither one that
// is refused, nor one that was stopped before it wrote it for the contents.
func TestMarkOfStagedParts(t *testing.T) {
	t.Parallel()
	root := open(t)
	commit(t, root, 1, output.Fail, "old")
	stage(t, root, 2, output.Replace, "new")
	_, err := output.Reserve(t.Context(), root, request(3, output.Append))
	wantConflict(t, err, "publish or discard")
	if marked(t, root) {
		t.Error("a job that was refused has made _SUCCESS")
	}

	space := new(store.MemSpace)
	near, err := store.Open(t.Context(), "mem://out", store.Options{Mem: space})
	must(t, err)
	s := &stopping{op: "put", stopped: make(chan struct{}), woken: make(chan struct{})}
	far, err := store.Open(t.Context(), "mem://out", store.Options{Mem: space, Wrap: func(d driver.Driver) driver.Driver { s.Driver = d; return s }})
	must(t, err)
	ended := make(chan error, 1)
	go func() {
		h, err := output.Reserve(t.Context(), far, request(1, output.Fail))
		if err == nil {
			_, err = h.Commit(t.Context(), []plan.Part{})
		}
		ended <- err
	}()
	<-s.stopped // its contents are committed
	stage(t, near, 2, output.Replace, "new")
	close(s.woken)
	must(t, <-ended)
	if marked(t, near) {
		t.Error("a job that was stopped before its mark has made _SUCCESS beside staged parts")
	}
	if _, err := output.Publish(t.Context(), near, job(2)); err != nil || !marked(t, near) {
		t.Errorf("after it is published: %v, _SUCCESS is there: %v", err, marked(t, near))
	}
}

// TestRecordsOfAReplay: a job is compared with what the last one made together with its
// replays, and not with the few records of a replay.
func TestRecordsOfAReplay(t *testing.T) {
	t.Parallel()
	root := open(t)
	commit(t, root, 1, output.Fail, "other")
	leftOut(t, root, 2, request(2, output.Append))
	leftOut(t, root, 3, replaying(3, 2))
	leftOut(t, root, 4, replaying(4, 3))
	h, err := output.Reserve(t.Context(), root, request(5, output.Replace))
	must(t, err)
	must(t, h.Begin(t.Context()))
	_, err = h.CommitIf(t.Context(), []plan.Part{write(t, root, 5, 0, "x")}, func(earlier int64) error {
		if earlier != 3 {
			t.Errorf("it is compared with %d records, want 3", earlier)
		}
		return nil
	})
	must(t, err)
}
