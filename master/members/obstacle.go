package members

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

// mostNamed is how many workers a text names, at most.
const mostNamed = 5

// Obstacle returns why no worker takes an attempt of a job now, and what to do; "" when
// one can, or runs one. The text changes only when the reason does.
func (t *Table) Obstacle(now time.Duration, id plan.JobID) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.workers) == 0 {
		return "the cluster has no workers: start one with 'windrow worker'"
	}
	var reasons []string
	for _, name := range slices.Sorted(maps.Keys(t.workers)) {
		reason := t.workers[name].refuses(now, id, t.beat)
		if reason == "" {
			return ""
		}
		reasons = append(reasons, name+" "+reason)
	}
	if n := len(reasons); n > mostNamed {
		reasons = append(reasons[:mostNamed], fmt.Sprintf("%d more are listed by 'windrow workers ls'", n-mostNamed))
	}
	return "no worker takes its tasks: " + strings.Join(reasons, "; ")
}

// refuses returns why a worker takes no attempt of a job; "" when it can, or runs one.
func (w *member) refuses(now time.Duration, id plan.JobID, beat time.Duration) string {
	for ref, p := range w.placed {
		if ref.Job == id && !p.stop {
			return ""
		}
	}
	switch {
	case w.draining || w.drain:
		return "drains, and ends"
	case w.suspect || now-w.heard > 2*beat:
		return "does not answer"
	case w.excluded[id].Until > scheduler.Time(now) && w.excluded[id].Unfit:
		return "cannot run the job, as its log and the errors of 'windrow tasks' say"
	case w.excluded[id].Until > scheduler.Time(now):
		return "gets none for a minute, because attempts of the job failed there in a row"
	case w.info.Slots == 0:
		return "has no slots"
	case w.share[id] == 0:
		return fmt.Sprintf("has all its slots (%d) taken by other jobs", w.info.Slots)
	default:
		return ""
	}
}
