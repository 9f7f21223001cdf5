package pipeline_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs/pipeline"
)

// TestGuard: a function of the job comes to an end for its caller, however it ends.
func TestGuard(t *testing.T) {
	t.Parallel()
	if n, err := pipeline.Guard(func() (int, error) { return 3, nil }); n != 3 || err != nil {
		t.Errorf("it returns %d, %v", n, err)
	}
	broken := errors.New("broken")
	if _, err := pipeline.Guard(func() (int, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Errorf("it fails: %v", err)
	}
	if _, err := pipeline.Guard(func() (int, error) { runtime.Goexit(); return 3, nil }); !errors.Is(err, pipeline.ErrGoexit) {
		t.Errorf("it ends its goroutine: %v", err)
	}
	_, err := pipeline.Guard(func() (int, error) { panic("out of hay") })
	if p, ok := errors.AsType[*pipeline.PanicError](err); !ok || !strings.Contains(err.Error(), "out of hay") || !strings.Contains(string(p.Stack), "TestGuard") {
		t.Errorf("it panics: %v", err)
	}
}
