package output_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault"
)

// open returns a new output directory, on files.
func open(t *testing.T) *store.Root {
	t.Helper()
	root, err := store.Open(t.Context(), t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// job returns the n-th job of a test.
func job(n int) plan.JobID { return plan.JobID(fmt.Sprintf("01ARZ3NDEKTSV4RRFF%08d", n)) }

// request returns a request with little patience, so that tests are quick.
func request(n int, mode output.Mode) output.Request {
	return output.Request{Job: job(n), Name: "test", Mode: mode, Host: "here", Beat: 5 * time.Millisecond, Patience: 60 * time.Millisecond}
}

// write makes a part of a job visible.
func write(t *testing.T, root *store.Root, n, task int, text string) plan.Part {
	t.Helper()
	name := output.PartName(plan.TaskID{Phase: plan.Reduce, Index: task}, job(n), 0, ".txt")
	if err := root.Put(t.Context(), name, []byte(text), store.Durable); err != nil {
		t.Fatal(err)
	}
	return plan.Part{Name: name, Size: int64(len(text)), Records: 1}
}

// commit runs a whole job that writes one part.
func commit(t *testing.T, root *store.Root, n int, mode output.Mode, text string) {
	t.Helper()
	h, err := output.Reserve(t.Context(), root, request(n, mode))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Commit(t.Context(), []plan.Part{write(t, root, n, 0, text)}); err != nil {
		t.Fatal(err)
	}
	if err := h.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// contents returns the text of the committed parts.
func contents(t *testing.T, root *store.Root) string {
	t.Helper()
	m, err := output.Read(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, p := range m.Parts {
		b, err := root.Get(t.Context(), p.Name, 1000)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	return strings.Join(texts, " ")
}

// visible returns the names that a tool that lists the directory sees.
func visible(t *testing.T, root *store.Root) []string {
	t.Helper()
	var names []string
	for o, err := range root.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(o.Key, "_windrow/") {
			names = append(names, o.Key)
		}
	}
	return names
}

func wantConflict(t *testing.T, err error, words ...string) {
	t.Helper()
	if _, ok := errors.AsType[*output.Conflict](err); !ok {
		t.Fatalf("error %v is not a conflict", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not say %q", err, w)
		}
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	root := open(t)
	commit(t, root, 1, output.Fail, "one")
	_, err := output.Reserve(t.Context(), root, request(2, output.Fail))
	wantConflict(t, err, string(job(1)), "--on-exists replace")
	commit(t, root, 3, output.Append, "three")
	if got := contents(t, root); got != "one three" {
		t.Errorf("after append the contents are %q", got)
	}
	commit(t, root, 4, output.Replace, "four")
	if got := contents(t, root); got != "four" {
		t.Errorf("after replace the contents are %q", got)
	}
	if got := visible(t, root); len(got) != 2 || got[0] != output.SuccessName {
		t.Errorf("after replace the directory holds %v, want %s and one part", got, output.SuccessName)
	}
}

// TestReadNothing checks the errors of directories that are not outputs.
func TestReadNothing(t *testing.T) {
	t.Parallel()
	root := open(t)
	if _, err := output.Read(t.Context(), root); !errors.Is(err, output.ErrNotCommitted) {
		t.Errorf("an empty directory reads as %v", err)
	}
	if _, err := output.Reserve(t.Context(), root, request(1, output.Fail)); err != nil {
		t.Fatal(err)
	}
	if _, err := output.Read(t.Context(), root); !errors.Is(err, output.ErrNotCommitted) || !strings.Contains(err.Error(), string(job(1))) {
		t.Errorf("an unfinished output reads as %v", err)
	}
}

// TestUnfinished leaves an output as a killed job would, and recovers it.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	for _, mode := range []output.Mode{output.Replace, output.Append} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			root := open(t)
			commit(t, root, 1, output.Fail, "one")
			dead, err := output.Reserve(t.Context(), root, request(2, output.Append))
			if err != nil {
				t.Fatal(err)
			}
			if err := dead.Begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			write(t, root, 2, 0, "two")
			tmp := output.TmpKey(job(2)) + "x/run"
			if err := root.Put(t.Context(), tmp, []byte("run"), store.Scratch); err != nil {
				t.Fatal(err)
			}
			if got := contents(t, root); got != "one" {
				t.Errorf("the part of a job that has not committed shows: %q", got)
			}
			_, err = output.Reserve(t.Context(), root, request(3, output.Fail))
			wantConflict(t, err, string(job(2)), "has not finished", "--on-exists append, which adds", "--on-exists replace, which drops")

			commit(t, root, 4, mode, "four")
			want := map[output.Mode]string{output.Replace: "four", output.Append: "one four"}[mode]
			if got := contents(t, root); got != want {
				t.Errorf("recovered contents are %q, want %q", got, want)
			}
			if got := visible(t, root); len(got) != 1+len(strings.Fields(want)) {
				t.Errorf("the directory holds %v: the dead job's part remains", got)
			}
			if _, err := root.Stat(t.Context(), tmp); plan.KindOf(err) != plan.NotFound {
				t.Errorf("the dead job's temporary data remains: %v", err)
			}
			_, err = dead.Commit(t.Context(), nil)
			wantConflict(t, err, string(job(4)))
			if err := dead.Release(t.Context()); err != nil {
				t.Errorf("a job that lost its output cannot give up: %v", err)
			}
			if got := contents(t, root); got != want {
				t.Errorf("after the dead job woke up the contents are %q, want %q", got, want)
			}
			if got := visible(t, root); !slices.Contains(got, output.SuccessName) {
				t.Errorf("the dead job removed _SUCCESS: %v", got)
			}
		})
	}
}

// TestLive verifies that a job that shows signs of life keeps its output, and that the
// job that loses is not advised to take it over.
func TestLive(t *testing.T) {
	t.Parallel()
	root := open(t)
	live, err := output.Reserve(t.Context(), root, request(1, output.Fail))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var keeping sync.WaitGroup
	keeping.Go(func() {
		if err := live.Keep(ctx); err != nil {
			t.Error(err)
		}
	})
	defer keeping.Wait()
	defer stop()
	for _, mode := range []output.Mode{output.Fail, output.Replace, output.Append} {
		patient := request(2, mode)
		patient.Patience = 10 * time.Second
		_, err = output.Reserve(t.Context(), root, patient)
		wantConflict(t, err, string(job(1)), "is writing it", "here", "wait for it")
		if text := fmt.Sprint(err); strings.Contains(text, "recover") || strings.Contains(text, "--on-exists") {
			t.Errorf("with %s the loser is advised to take over the output of a job that runs: %s", mode, text)
		}
	}
	if _, err := live.Commit(t.Context(), []plan.Part{write(t, root, 1, 0, "one")}); err != nil {
		t.Error(err)
	}
}

// TestLoserLearnsOfTheEnd verifies that a job that meets a short one, which shows no
// other sign of life, learns that the output exists once the short one has committed,
// and is not advised to recover it from the dead.
func TestLoserLearnsOfTheEnd(t *testing.T) {
	t.Parallel()
	reserve := func(root *store.Root, req output.Request) error {
		_, err := output.Reserve(t.Context(), root, req)
		return err
	}
	look := func(root *store.Root, req output.Request) error {
		_, _, err := output.Look(t.Context(), root, req)
		return err
	}
	for name, refused := range map[string]func(*store.Root, output.Request) error{"Reserve": reserve, "Look": look} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := open(t)
			short, err := output.Reserve(t.Context(), root, request(1, output.Fail))
			if err != nil {
				t.Fatal(err)
			}
			patient := request(2, output.Fail)
			patient.Patience = time.Minute // it ends before
			loser := make(chan error, 1)
			go func() { loser <- refused(root, patient) }()
			if _, err := short.Commit(t.Context(), []plan.Part{write(t, root, 1, 0, "one")}); err != nil {
				t.Error(err)
			}
			wantConflict(t, <-loser, "it exists", string(job(1)))
		})
	}
}

// TestKeepNotices verifies that a job whose output was taken over notices.
func TestKeepNotices(t *testing.T) {
	t.Parallel()
	root := open(t)
	slow, err := output.Reserve(t.Context(), root, request(1, output.Fail))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := output.Reserve(t.Context(), root, request(2, output.Replace)); err != nil {
		t.Fatal(err)
	}
	wantConflict(t, slow.Keep(t.Context()), string(job(2)))
}

// TestRelease verifies that a job that gives up leaves everything as it was.
func TestRelease(t *testing.T) {
	t.Parallel()
	root := open(t)
	commit(t, root, 1, output.Fail, "one")
	before := visible(t, root)
	h, err := output.Reserve(t.Context(), root, request(2, output.Replace))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := visible(t, root); slices.Contains(got, output.SuccessName) {
		t.Error("_SUCCESS exists while old and new parts are visible together")
	}
	write(t, root, 2, 0, "two")
	if err := h.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := visible(t, root); !slices.Equal(got, before) {
		t.Errorf("the directory holds %v, before it was %v", got, before)
	}
	if got := contents(t, root); got != "one" {
		t.Errorf("contents are %q", got)
	}
	empty := open(t)
	h, err = output.Reserve(t.Context(), empty, request(3, output.Fail))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	commit(t, empty, 4, output.Fail, "four")
}

// TestReleaseOfSeveralOutputs verifies that parts in the directories of a job of several
// outputs go, too: when the job gives up, and when another replaces a dead one or its
// contents.
func TestReleaseOfSeveralOutputs(t *testing.T) {
	t.Parallel()
	several := func(root *store.Root, n int) (parts []plan.Part) {
		for _, dir := range []string{"a/", "b/day=1/"} {
			name := dir + output.PartName(plan.TaskID{Phase: plan.Reduce}, job(n), 0, ".txt")
			if err := root.Put(t.Context(), name, []byte("x\n"), store.Durable); err != nil {
				t.Fatal(err)
			}
			parts = append(parts, plan.Part{Name: name, Size: 2, Records: 1})
		}
		return parts
	}
	reserve := func(root *store.Root, n int) *output.Hold {
		h, err := output.Reserve(t.Context(), root, request(n, output.Replace))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	root := open(t)
	gives := reserve(root, 1)
	several(root, 1)
	if err := gives.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if names := visible(t, root); len(names) > 0 {
		t.Errorf("a job that gave up leaves %q", names)
	}
	reserve(root, 2) // and dies
	several(root, 2)
	third := reserve(root, 3)
	if names := visible(t, root); len(names) > 0 {
		t.Errorf("a dead job leaves %q", names)
	}
	for _, h := range []*output.Hold{third, nil} {
		n := 3
		if h == nil {
			n = 4
			h = reserve(root, n)
		}
		if err := h.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		parts := several(root, n)
		if _, err := h.Commit(t.Context(), parts); err != nil {
			t.Fatal(err)
		}
		if err := h.Clean(t.Context()); err != nil {
			t.Fatal(err)
		}
		if names := visible(t, root); len(names) != len(parts)+1 { // and _SUCCESS
			t.Errorf("visible are %q of %v", names, parts)
		}
	}
}

// TestStrangers verifies that objects of other origin are neither deleted nor
// mixed in.
func TestStrangers(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"notes.txt", "dt=1/part-00000.parquet", "part-r-00000-abcdefgh.0.txt"} {
		for _, mode := range []output.Mode{output.Fail, output.Append, output.Replace} {
			root := open(t)
			if err := root.Put(t.Context(), name, []byte("mine"), store.Durable); err != nil {
				t.Fatal(err)
			}
			_, err := output.Reserve(t.Context(), root, request(1, mode))
			wantConflict(t, err, name)
			if _, err := root.Stat(t.Context(), name); err != nil {
				t.Errorf("%s: %v", mode, err)
			}
		}
	}
}

// TestRaces lets jobs race for outputs, a thousand times. One wins, and the
// errors of all others name the winner.
func TestRaces(t *testing.T) {
	t.Parallel()
	space := new(store.MemSpace)
	for group := range 10 {
		t.Run(fmt.Sprint(group), func(t *testing.T) {
			t.Parallel()
			for round := range 100 {
				root, err := store.Open(t.Context(), fmt.Sprintf("mem://race%d-%d", group, round), store.Options{Mem: space})
				if err != nil {
					t.Fatal(err)
				}
				race(t, root, []output.Mode{output.Fail, output.Replace, output.Append}[round%3])
			}
		})
	}
}

// race lets two jobs write one output at the same time, and checks the result.
func race(t *testing.T, root *store.Root, mode output.Mode) {
	t.Helper()
	errs := make([]error, 2)
	var both sync.WaitGroup
	for i := range errs {
		both.Go(func() {
			h, err := output.Reserve(t.Context(), root, request(i, mode))
			if err == nil {
				_, err = h.Commit(t.Context(), []plan.Part{write(t, root, i, 0, fmt.Sprint(i))})
			}
			errs[i] = err
		})
	}
	both.Wait()
	got := contents(t, root)
	var winners []string
	for i, err := range errs {
		if err == nil {
			winners = append(winners, fmt.Sprint(i))
			continue
		}
		wantConflict(t, err)
	}
	ok := false
	switch mode {
	case output.Fail:
		ok = len(winners) == 1 && got == winners[0]
	case output.Replace:
		ok = slices.Contains(winners, got)
	case output.Append:
		fields := strings.Fields(got)
		slices.Sort(fields)
		ok = slices.Equal(fields, winners)
	}
	if !ok {
		t.Fatalf("%s: winners %v, contents %q", mode, winners, got)
	}
}

// TestLateSweep verifies that a late clean-up of a job does no harm when
// another job has the output.
func TestLateSweep(t *testing.T) {
	t.Parallel()
	root := open(t)
	commit(t, root, 1, output.Fail, "one")
	first, err := output.Reserve(t.Context(), root, request(2, output.Replace))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Commit(t.Context(), []plan.Part{write(t, root, 2, 0, "two")}); err != nil {
		t.Fatal(err)
	}
	commit(t, root, 3, output.Append, "three")
	if err := first.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, root); got != "two three" {
		t.Errorf("contents are %q", got)
	}
}

// faulty opens a root of its own on the same directory, with faults.
func faulty(t *testing.T, dir string, rules ...fault.Rule) *store.Root {
	t.Helper()
	root, err := store.Open(t.Context(), dir, store.Options{Wrap: fault.New(rules...).Wrap, Retry: store.Retry{Attempts: 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// TestReleaseAfterUnknownCommit gives up a job whose commit is in the log, but
// had an error as its answer. Its parts are contents and must stay.
func TestReleaseAfterUnknownCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := faulty(t, dir, fault.Rule{Op: fault.Put, Key: "_windrow/0*1", Do: fault.LoseResponse, Kind: plan.Denied})
	h, err := output.Reserve(t.Context(), root, request(1, output.Fail))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := h.Commit(t.Context(), []plan.Part{write(t, root, 1, 0, "one")}); err == nil || m != nil {
		t.Fatalf("the commit says %v, %v", m, err)
	}
	if err := h.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, root); got != "one" {
		t.Errorf("contents are %q", got)
	}
}

// TestReleaseWhenTheLogLies is the same on a store that once does not find the
// commit in the log.
func TestReleaseWhenTheLogLies(t *testing.T) {
	t.Parallel()
	root := faulty(t, t.TempDir(),
		fault.Rule{Op: fault.Put, Key: "_windrow/0*1", Do: fault.LoseResponse, Kind: plan.Denied},
		fault.Rule{Op: fault.Read, Key: "_windrow/0*1", Kind: plan.NotFound})
	h, err := output.Reserve(t.Context(), root, request(1, output.Fail))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := h.Commit(t.Context(), []plan.Part{write(t, root, 1, 0, "one")}); err == nil || m != nil {
		t.Fatalf("the commit says %v, %v", m, err)
	}
	if err := h.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, root); got != "one" {
		t.Errorf("contents are %q", got)
	}
}

// TestOutputIsKnownByItsListing verifies that a directory of parts does not
// become one of data when a store answers that the log does not exist.
func TestOutputIsKnownByItsListing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := faulty(t, dir, fault.Rule{Op: fault.Read, Times: -1, Kind: plan.NotFound}, fault.Rule{Op: fault.Stat, Times: -1, Kind: plan.NotFound})
	if is, err := output.IsOutput(t.Context(), root); is || err != nil {
		t.Errorf("an empty directory is an output: %v, %v", is, err)
	}
	commit(t, faulty(t, dir), 1, output.Fail, "one")
	if is, err := output.IsOutput(t.Context(), root); !is || err != nil {
		t.Errorf("an output is not recognized: %v, %v", is, err)
	}
}

// TestBeginYields verifies that a caller that waits for another goroutine's
// slow request can stop waiting.
func TestBeginYields(t *testing.T) {
	t.Parallel()
	root := faulty(t, t.TempDir(), fault.Rule{Op: fault.Delete, Key: "_SUCCESS", Do: fault.Slow, For: time.Hour, Times: -1})
	h, err := output.Reserve(t.Context(), root, request(1, output.Fail))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	for range 2 {
		go func() { ended <- h.Begin(ctx) }()
	}
	cancel()
	for range 2 {
		select {
		case err := <-ended:
			if err == nil {
				t.Error("the output was begun although the request hangs")
			}
		case <-time.After(10 * time.Second):
			t.Fatal("Begin waits although its context has ended")
		}
	}
}

// TestCommitAgain commits again after an error whose commit took effect.
func TestCommitAgain(t *testing.T) {
	t.Parallel()
	root := faulty(t, t.TempDir(), fault.Rule{Op: fault.Put, Key: "_windrow/0*1", Do: fault.LoseResponse, Kind: plan.Denied})
	h, err := output.Reserve(t.Context(), root, request(1, output.Fail))
	if err != nil {
		t.Fatal(err)
	}
	parts := []plan.Part{write(t, root, 1, 0, "one")}
	if _, err := h.Commit(t.Context(), parts); err == nil {
		t.Fatal("the fault did nothing")
	}
	m, err := h.Commit(t.Context(), parts)
	if err != nil || m == nil || contents(t, root) != "one" {
		t.Errorf("again: %v, %v", m, err)
	}
}

// TestReserveAnswerLost loses the answer of the reservation. The output must
// not stay reserved for a job that gave up.
func TestReserveAnswerLost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := faulty(t, dir, fault.Rule{Op: fault.Put, Key: "_windrow/0*0", Do: fault.LoseResponse, Kind: plan.Denied})
	if _, err := output.Reserve(t.Context(), root, request(1, output.Fail)); err == nil {
		t.Fatal("reserved in spite of an error")
	}
	commit(t, root, 2, output.Fail, "two")
}

// TestSuccessIsRestored kills a job between its commit and _SUCCESS. The next
// job writes it.
func TestSuccessIsRestored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := faulty(t, dir, fault.Rule{Op: fault.Put, Key: "_SUCCESS"})
	h, err := output.Reserve(t.Context(), root, request(1, output.Fail))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := h.Commit(t.Context(), []plan.Part{write(t, root, 1, 0, "one")}); err == nil || m == nil {
		t.Fatalf("a commit without its mark returned %v, %v", m, err)
	}
	_, err = output.Reserve(t.Context(), root, request(2, output.Fail))
	wantConflict(t, err, "it exists")
	if got := visible(t, root); !slices.Contains(got, output.SuccessName) {
		t.Errorf("the committed output has no _SUCCESS: %v", got)
	}
}

// TestZombieBegins begins a job late, after another has taken its output over.
func TestZombieBegins(t *testing.T) {
	t.Parallel()
	root := open(t)
	zombie, err := output.Reserve(t.Context(), root, request(1, output.Fail))
	if err != nil {
		t.Fatal(err)
	}
	commit(t, root, 2, output.Replace, "two")
	wantConflict(t, zombie.Begin(t.Context()), string(job(2)))
	if got := visible(t, root); !slices.Contains(got, output.SuccessName) {
		t.Errorf("the zombie removed _SUCCESS: %v", got)
	}
}

// TestUncommittedAttempts sweeps parts of a job's other attempts.
func TestUncommittedAttempts(t *testing.T) {
	t.Parallel()
	root := open(t)
	h, err := output.Reserve(t.Context(), root, request(1, output.Fail))
	if err != nil {
		t.Fatal(err)
	}
	write(t, root, 1, 7, "another attempt's")
	if _, err := h.Commit(t.Context(), []plan.Part{write(t, root, 1, 0, "one")}); err != nil {
		t.Fatal(err)
	}
	if err := h.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := visible(t, root); len(got) != 2 {
		t.Errorf("the directory holds %v", got)
	}
	write(t, root, 1, 8, "a late one")
	commit(t, root, 2, output.Append, "two")
	if got := contents(t, root); got != "one two" {
		t.Errorf("contents are %q", got)
	}
	if got := visible(t, root); len(got) != 3 {
		t.Errorf("the directory holds %v", got)
	}
}

// TestSlowRequests verifies that a job keeps its output while one of its
// requests hangs for longer than another job's patience.
func TestSlowRequests(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	gate := make(chan struct{})
	root, err := store.Open(t.Context(), dir, store.Options{Wrap: func(d driver.Driver) driver.Driver { return &slowDelete{d, gate} }})
	if err != nil {
		t.Fatal(err)
	}
	slow, err := output.Reserve(t.Context(), root, request(1, output.Fail))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() { _ = slow.Keep(ctx) })
	working.Go(func() { _ = slow.Begin(ctx) }) // hangs at the gate
	patient := request(2, output.Replace)
	patient.Patience = 500 * time.Millisecond
	_, err = output.Reserve(t.Context(), root, patient)
	close(gate)
	stop()
	working.Wait()
	wantConflict(t, err, string(job(1)))
}

// slowDelete holds the deletion of _SUCCESS until a gate opens.
type slowDelete struct {
	driver.Driver
	gate chan struct{}
}

func (d *slowDelete) Delete(ctx context.Context, key string) error {
	if key == output.SuccessName {
		<-d.gate
	}
	return d.Driver.Delete(ctx, key)
}

// TestDamagedManifest verifies that a manifest other than the committed one is
// never read as contents.
func TestDamagedManifest(t *testing.T) {
	t.Parallel()
	root := open(t)
	commit(t, root, 1, output.Fail, "one")
	for o, err := range root.List(t.Context(), "_windrow/manifests/") {
		if err != nil {
			t.Fatal(err)
		}
		if err := root.Put(t.Context(), o.Key, []byte(`{"version":1,"parts":[]}`), store.Durable); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := output.Read(t.Context(), root); err == nil {
		t.Errorf("read %+v from a manifest that no job committed", m)
	}
}

// TestFirstEntry verifies that every output has the entry by which it is
// recognized.
func TestFirstEntry(t *testing.T) {
	t.Parallel()
	root := open(t)
	if is, err := output.IsOutput(t.Context(), root); is || err != nil {
		t.Errorf("an empty directory is an output: %v, %v", is, err)
	}
	commit(t, root, 1, output.Fail, "one")
	if _, err := root.Stat(t.Context(), output.FirstEntry); err != nil {
		t.Error(err)
	}
	if is, err := output.IsOutput(t.Context(), root); !is || err != nil {
		t.Errorf("an output is not recognized: %v, %v", is, err)
	}
}
