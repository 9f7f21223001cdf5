package embedded_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs"
)

// moody returns a job whose only task fails, for another reason each time, but at the
// last of its tries if it is to succeed then.
func moody(tried *atomic.Int32, tries int32, succeeds bool) *jobs.Job {
	return jobs.New("moody", func(_ *jobs.Context, line []byte, _ jobs.Emit[[]byte, int64]) error {
		if string(line) != "to be or" {
			return nil
		}
		if n := tried.Add(1); n < tries || !succeeds {
			return fmt.Errorf("the service said %d", n)
		}
		return nil
	}, jobs.Sum[int64])
}

// TestAttempts verifies that a task that fails by chance, for another reason each
// time, is tried as often as the run asks for, and four times by default.
func TestAttempts(t *testing.T) {
	t.Parallel()
	for asked, tries := range map[int]int32{0: 4, 1: 1, 3: 3, 6: 6} {
		t.Run(fmt.Sprint(asked), func(t *testing.T) {
			t.Parallel()
			for _, succeeds := range []bool{false, true} {
				var tried atomic.Int32
				o := options(t)
				o.Attempts = asked
				_, err := embedded.Run(t.Context(), moody(&tried, tries, succeeds), o)
				if n := tried.Load(); n != tries {
					t.Errorf("tried %d times, want %d", n, tries)
				}
				if succeeds != (err == nil) || err != nil && !strings.Contains(err.Error(), "the service said") {
					t.Errorf("succeeds at last: %v; ends with %v", succeeds, err)
				}
			}
		})
	}
	o := options(t)
	o.Attempts = 1001
	if _, err := embedded.Run(t.Context(), moody(new(atomic.Int32), 1, true), o); err == nil || !strings.Contains(err.Error(), "1 to 1000") {
		t.Errorf("1,001 attempts: %v", err)
	}
}
