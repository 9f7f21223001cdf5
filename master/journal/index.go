package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// A Run is one execution of a job: number 0, and one more for each time that
// the job was reopened.
type Run struct {
	Job    plan.JobID
	Number int
}

// Prefixes of indexes. An index says where to look; only the job's log is the
// truth.
const (
	activeRuns = "active/"
	endedRuns  = "ended/"
	claims     = "idem/"
)

//go:noinline
func (r Run) key(index string) string { return fmt.Sprintf("%s%s.%d", index, r.Job, r.Number) }

func runOf(key, index string) (Run, bool) {
	name, ok := strings.CutPrefix(key, index)
	job, number, dot := strings.Cut(name, ".")
	n, err := strconv.Atoi(number)
	return Run{plan.JobID(job), n}, ok && dot && err == nil && n >= 0 && job != ""
}

// Activate records that the leader must drive a run.
func Activate(ctx context.Context, root *store.Root, r Run) error {
	_, _, err := root.CreateOnce(ctx, r.key(activeRuns), nil)
	return err
}

// Deactivate records that a run has ended. No other run has this name, so a
// late call does no harm.
func Deactivate(ctx context.Context, root *store.Root, r Run) error {
	return root.Delete(ctx, r.key(activeRuns))
}

// Active returns the runs that have not ended, the newest of each job, in the
// order of their ids.
func Active(ctx context.Context, root *store.Root) ([]Run, error) { return runs(ctx, root, activeRuns) }

// Ended returns the runs that have ended, the newest of each job, in the order
// of their ids.
func Ended(ctx context.Context, root *store.Root) ([]Run, error) { return runs(ctx, root, endedRuns) }

// Ending is the end of a run, and when the store recorded it.
type Ending struct {
	Run Run
	At  time.Time // by the store's clock
}

// Endings is Ended with the times.
func Endings(ctx context.Context, root *store.Root) ([]Ending, error) {
	var all []Ending
	for o, err := range root.List(ctx, endedRuns) {
		if err != nil {
			return nil, err
		}
		r, ok := runOf(o.Key, endedRuns)
		if !ok {
			continue
		}
		if n := len(all); n > 0 && all[n-1].Run.Job == r.Job {
			if r.Number > all[n-1].Run.Number {
				all[n-1] = Ending{r, o.ModTime}
			}
			continue
		}
		all = append(all, Ending{r, o.ModTime})
	}
	return all, nil
}

// LastEnded returns the newest run of a job that has ended; false if none has.
func LastEnded(ctx context.Context, root *store.Root, job plan.JobID) (Run, bool, error) {
	last, found := Run{Job: job}, false
	for o, err := range root.List(ctx, endedRuns+string(job)+".") {
		if err != nil {
			return last, false, err
		}
		if r, ok := runOf(o.Key, endedRuns); ok && r.Job == job {
			last.Number, found = max(last.Number, r.Number), true
		}
	}
	return last, found, nil
}

func runs(ctx context.Context, root *store.Root, index string) ([]Run, error) {
	var all []Run
	for o, err := range root.List(ctx, index) {
		if err != nil {
			return nil, err
		}
		r, ok := runOf(o.Key, index)
		if !ok {
			continue
		}
		if n := len(all); n > 0 && all[n-1].Job == r.Job {
			all[n-1].Number = max(all[n-1].Number, r.Number)
			continue
		}
		all = append(all, r)
	}
	return all, nil
}

// Conclude stores the summary of a run that has ended, as a JSON document. One that
// is too long for a create-once object gets an object of its own, and the
// create-once object refers to that.
func Conclude(ctx context.Context, root *store.Root, r Run, summary []byte) error {
	if len(summary) > store.MaxOnce {
		var err error
		if summary, err = setAside(ctx, root, fmt.Sprintf("%ssummary/%d", plan.JobPrefix(r.Job), r.Number), summary); err != nil {
			return err
		}
	}
	_, _, err := root.CreateOnce(ctx, r.key(endedRuns), summary)
	return err
}

// Conclusion returns the summary of a run that has ended.
func Conclusion(ctx context.Context, root *store.Root, r Run) ([]byte, error) {
	body, err := root.ReadOnce(ctx, r.key(endedRuns))
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(body, []byte(asideStart)) {
		return body, nil
	}
	return fetchAside(ctx, root, body)
}

// KeepTasks stores the record of a run's tasks, in parts of at most store.MaxBody
// bytes. A part that exists already stays as it is: an earlier leader has made it.
func KeepTasks(ctx context.Context, root *store.Root, r Run, parts [][]byte) error {
	for i, part := range parts {
		if _, _, err := root.CreateOnce(ctx, tasksKey(r, i), part); err != nil {
			return err
		}
	}
	return nil
}

// Tasks returns the parts of the record of a run's tasks; none when there is no
// record.
func Tasks(ctx context.Context, root *store.Root, r Run) (parts [][]byte, err error) {
	for {
		part, err := root.ReadOnce(ctx, tasksKey(r, len(parts)))
		if plan.KindOf(err) == plan.NotFound {
			return parts, nil
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
}

// Claim is the use of an idempotency key.
type Claim struct {
	Job    plan.JobID `json:"job"`
	Digest string     `json:"digest"` // of the submission
}

// ClaimKey ties an idempotency key to a job, once, and returns the claim that
// holds the key. It stores only a digest of the key.
func ClaimKey(ctx context.Context, root *store.Root, key string, c Claim) (Claim, error) {
	body, err := json.Marshal(&c)
	if err != nil {
		return Claim{}, err
	}
	sum := sha256.Sum256([]byte(key))
	name := claims + hex.EncodeToString(sum[:])
	won, existing, err := root.CreateOnce(ctx, name, body)
	if err != nil || won {
		return c, err
	}
	var before Claim
	if err := json.Unmarshal(existing, &before); err != nil {
		return Claim{}, fmt.Errorf("%s: damaged: %w", root.Name(name), err)
	}
	return before, nil
}
