package embedded_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/store"
)

// choosy is a Reader that fails on every object, and counts how often it began one.
type choosy struct {
	Scans *atomic.Int32 `json:"-"`
	Again bool          // the words are others each time
}

func (choosy) Split(o jobs.Object, _ int64) ([]jobs.Section, error) {
	return []jobs.Section{{Object: o, Length: o.Size}}, nil
}

func (c choosy) Scan(_ *jobs.Context, s *jobs.Section, yield func([]byte) error) error {
	n := c.Scans.Add(1)
	if err := yield([]byte("first")); err != nil {
		return fmt.Errorf("yield: %w", err)
	}
	if c.Again {
		return fmt.Errorf("column 3 of %s is no date, it is now %d", s.Object.Name, n)
	}
	return fmt.Errorf("column 3 of %s is no date", s.Object.Name)
}

// TestErrorsOfAReaderEndTheJob verifies that a job whose Reader says the same twice ends
// then, as the manual says, and that it is tried four times otherwise.
func TestErrorsOfAReaderEndTheJob(t *testing.T) {
	t.Parallel()
	for again, want := range map[bool]int32{false: 2, true: 4} {
		stores := store.Options{Mem: new(store.MemSpace)}
		root, err := store.Open(t.Context(), "mem://in", stores)
		if err != nil {
			t.Fatal(err)
		}
		if err := root.Put(t.Context(), "a", []byte("x\n"), store.Durable); err != nil {
			t.Fatal(err)
		}
		var scans atomic.Int32
		job := jobs.Define("reads", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
			jobs.Read(p, choosy{&scans, again}).WriteTSV()
			return nil
		})
		_, err = embedded.Run(t.Context(), job, embedded.Options{Input: []string{"mem://in/a"}, Output: "mem://out", Stores: stores, Slots: 1})
		if err == nil || !strings.Contains(err.Error(), "column 3 of mem://in/a is no date") {
			t.Errorf("the job ends with %v", err)
		}
		if n := scans.Load(); n != want {
			t.Errorf("with other words each time %v: the object was read %d times, want %d", again, n, want)
		}
		if e, ok := errors.AsType[*embedded.Error](err); !ok || e.Kind.String() == "" {
			t.Errorf("its error is %T", err)
		}
	}
}
