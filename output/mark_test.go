package output_test

import (
	"context"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
)

// stopping is the store as a process sees it that is stopped when it first writes or
// deletes _SUCCESS, until the test wakes it up.
type stopping struct {
	driver.Driver
	op      string // put or delete
	stopped chan struct{}
	woken   chan struct{}
}

func (s *stopping) wait(op, key string) {
	if op != s.op || !strings.HasSuffix(key, output.SuccessName) {
		return
	}
	select {
	case <-s.stopped:
	default:
		close(s.stopped)
		<-s.woken
	}
}

func (s *stopping) Put(ctx context.Context, key string, body []byte, o store.CreateOptions) error {
	s.wait("put", key)
	return s.Driver.Put(ctx, key, body, o)
}

func (s *stopping) Delete(ctx context.Context, key string) error {
	s.wait("delete", key)
	return s.Driver.Delete(ctx, key)
}

// TestMarkOfAStoppedProcess stops a process between its look at the log and its change
// of _SUCCESS, in each place where there is one. Meanwhile another process gets
// further. When the first one continues, a tool that waits for _SUCCESS must neither
// find it while contents change, nor miss it after a commit.
func TestMarkOfAStoppedProcess(t *testing.T) {
	t.Parallel()
	const slow, other = 1, 2
	for name, tt := range map[string]struct {
		before func(t *testing.T, root *store.Root)                  // what was there
		op     string                                                // where the process is stopped
		act    func(ctx context.Context, root *store.Root) error     // the process
		commit bool                                                  // the other one commits before the first continues
		takes  func(t *testing.T, root *store.Root) (h *output.Hold) // the other one
	}{
		"it restores the mark": {
			before: func(t *testing.T, root *store.Root) {
				commit(t, root, 0, output.Fail, "old")
				must(t, root.Delete(t.Context(), output.SuccessName))
			},
			op: "put",
			act: func(ctx context.Context, root *store.Root) error {
				_, err := output.Reserve(ctx, root, request(slow, output.Fail))
				return err
			},
			takes: replaces,
		},
		"it begins": {
			before: func(t *testing.T, root *store.Root) { commit(t, root, 0, output.Fail, "old") },
			op:     "delete", commit: true,
			act: func(ctx context.Context, root *store.Root) error {
				h, err := output.Reserve(ctx, root, request(slow, output.Replace))
				if err != nil {
					return err
				}
				return h.Begin(ctx)
			},
			takes: replaces,
		},
		"it begins, and its next leader commits": {
			op: "delete", commit: true,
			act: func(ctx context.Context, root *store.Root) error {
				h, err := output.Reserve(ctx, root, request(slow, output.Fail))
				if err != nil {
					return err
				}
				return h.Begin(ctx)
			},
			takes: func(t *testing.T, root *store.Root) *output.Hold {
				h, err := output.Resume(t.Context(), root, request(slow, output.Fail))
				must(t, err)
				return h
			},
		},
		"it commits": {
			op: "put",
			act: func(ctx context.Context, root *store.Root) error {
				h, err := output.Reserve(ctx, root, request(slow, output.Fail))
				if err != nil {
					return err
				}
				_, err = h.Commit(ctx, nil)
				return err
			},
			takes: replaces,
		},
		"it gives up": {
			before: func(t *testing.T, root *store.Root) { commit(t, root, 0, output.Fail, "old") },
			op:     "put",
			act: func(ctx context.Context, root *store.Root) error {
				h, err := output.Reserve(ctx, root, request(slow, output.Append))
				if err != nil {
					return err
				}
				return h.Release(ctx)
			},
			takes: replaces,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			space := new(store.MemSpace)
			root, err := store.Open(t.Context(), "mem://out", store.Options{Mem: space})
			must(t, err)
			if tt.before != nil {
				tt.before(t, root)
			}
			s := &stopping{op: tt.op, stopped: make(chan struct{}), woken: make(chan struct{})}
			far, err := store.Open(t.Context(), "mem://out", store.Options{Mem: space, Wrap: func(d driver.Driver) driver.Driver { s.Driver = d; return s }})
			must(t, err)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				_ = tt.act(t.Context(), far) // a conflict, or nothing: see output_test
			}()
			<-s.stopped
			h := tt.takes(t, root)
			must(t, h.Begin(t.Context()))
			part := write(t, root, other, 0, "new")
			if tt.commit {
				_, err := h.Commit(t.Context(), []plan.Part{part})
				must(t, err)
			}
			close(s.woken)
			<-ended
			_, err = root.Stat(t.Context(), output.SuccessName)
			if there := err == nil; there != tt.commit {
				t.Errorf("_SUCCESS is there: %v (%v), want %v", there, err, tt.commit)
			}
			if !tt.commit {
				_, err := h.Commit(t.Context(), []plan.Part{part})
				must(t, err)
			}
			if body, err := root.Get(t.Context(), output.SuccessName, 1000); err != nil || !strings.Contains(string(body), `"parts":1`) {
				t.Errorf("after the commit _SUCCESS is %s, %v", body, err)
			}
		})
	}
}

// replaces takes an output over by job 2.
func replaces(t *testing.T, root *store.Root) *output.Hold {
	t.Helper()
	h, err := output.Reserve(t.Context(), root, request(2, output.Replace))
	must(t, err)
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
