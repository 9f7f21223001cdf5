package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/packed"
	"github.com/windrow-mr/windrow/store"
)

// unmarshal reads an object that may be damaged.
func unmarshal(body []byte, object any) error {
	if err := packed.Check(body); err != nil {
		return err
	}
	return msgpack.Unmarshal(body, object)
}

// A snapshot at rest is an array of a state and the accounts. The state of a job of
// one shuffle is a plainState, that of any other job a stagedState. Their fields are
// those of a scheduler.JobState, and their order never changes.
type (
	plainState struct {
		Slots  uint64
		Epoch  uint64
		Status scheduler.Status
		Cause  causeState
		Run    int
		Tasks  [plan.Reduce + 1][]scheduler.TaskRecord
		Parts  bool
	}
	stagedState struct {
		Slots  uint64
		Epoch  uint64
		Status scheduler.Status
		Cause  causeState
		Stage  string // of the cause's task
		Run    int
		Graph  []byte // as in a record
		Groups []scheduler.GroupState
	}
	causeState struct {
		Kind uint8
		Task struct {
			Phase plan.Phase
			Index int
		}
		Text string
	}
	plainSnapshot struct {
		Job  *plainState
		Used []scheduler.Used
	}
	stagedSnapshot struct {
		Job  *stagedState
		Used []scheduler.Used
	}
)

// stagedMagic begins a snapshot of a job that does not shuffle just once.
const stagedMagic = "WRSN\x00\x04"

// encodeSnapshot returns a fold at rest.
func encodeSnapshot(job *scheduler.Job) ([]byte, error) {
	s := job.State()
	cause := causeState{Kind: causeNumber(s.Cause.Kind), Text: s.Cause.Text}
	cause.Task.Phase, cause.Task.Index = s.Cause.Task.Phase, s.Cause.Task.Index
	magic, body := snapMagic, any(plainSnapshot{&plainState{s.Slots, s.Epoch, s.Status, cause, s.Run, s.Tasks, s.Parts}, s.Used})
	if s.Graph != nil {
		graph, err := encodeGraph(s.Graph)
		if err != nil {
			return nil, err
		}
		magic, body = stagedMagic, stagedSnapshot{&stagedState{s.Slots, s.Epoch, s.Status, cause, s.Cause.Task.Stage, s.Run, graph, s.Groups}, s.Used}
	}
	var b bytes.Buffer
	b.WriteString(magic)
	e := msgpack.NewEncoder(&b)
	e.UseArrayEncodedStructs(true)
	e.UseCompactInts(true)
	if err := e.Encode(body); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// decodeSnapshot is the inverse of encodeSnapshot.
func decodeSnapshot(b []byte) (*scheduler.Job, error) {
	var s *scheduler.JobState
	var err error
	if body, ok := bytes.CutPrefix(b, []byte(stagedMagic)); ok {
		s, err = decodeStaged(body)
	} else {
		s, err = decodePlain(b)
	}
	if err != nil {
		return nil, err
	}
	return scheduler.RestoreJob(s)
}

func decodePlain(b []byte) (*scheduler.JobState, error) {
	s := plainSnapshot{Job: new(plainState)}
	body, ok := bytes.CutPrefix(b, []byte(snapMagic))
	into := any(&s)
	if !ok {
		body, ok = bytes.CutPrefix(b, []byte(oldMagic))
		into = s.Job
	}
	if !ok {
		return nil, fmt.Errorf("%d bytes that do not begin as a snapshot of this version", len(b))
	}
	if err := unmarshal(body, into); err != nil {
		return nil, fmt.Errorf("damaged snapshot: %w", err)
	}
	j := s.Job
	if j == nil {
		return nil, errNoState
	}
	cause, err := j.Cause.cause("")
	return &scheduler.JobState{Slots: j.Slots, Epoch: j.Epoch, Status: j.Status, Cause: cause, Run: j.Run, Tasks: j.Tasks, Parts: j.Parts, Used: s.Used}, err
}

func decodeStaged(body []byte) (*scheduler.JobState, error) {
	var s stagedSnapshot
	if err := unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("damaged snapshot: %w", err)
	}
	j := s.Job
	if j == nil {
		return nil, errNoState
	}
	cause, err := j.Cause.cause(j.Stage)
	if err != nil {
		return nil, err
	}
	graph, err := decodeGraph(j.Graph)
	if err != nil {
		return nil, fmt.Errorf("damaged snapshot: %w", err)
	}
	return &scheduler.JobState{Slots: j.Slots, Epoch: j.Epoch, Status: j.Status, Cause: cause, Run: j.Run, Graph: graph, Groups: j.Groups, Used: s.Used}, nil
}

var errNoState = errors.New("damaged snapshot: it has no state")

// cause returns the cause of a job's end, whose task belongs to a stage.
func (c *causeState) cause(stage string) (scheduler.Cause, error) {
	k, known := causeKind(c.Kind)
	if !known {
		return scheduler.Cause{}, errors.New("snapshot with a cause of a kind that is not known: it was written by another version")
	}
	if len(stage) > scheduler.MostName {
		return scheduler.Cause{}, fmt.Errorf("damaged snapshot: the name of a stage has %d bytes", len(stage))
	}
	return scheduler.Cause{Kind: k, Task: plan.TaskID{Stage: stage, Phase: c.Task.Phase, Index: c.Task.Index}, Text: c.Text}, nil
}

// farMagic begins an object that refers to a snapshot which is too long for one
// request: a job may have 200,000 tasks.
const farMagic = "WRSN\x00\x03"

// writeSnapshot stores the fold of the slots before one.
func writeSnapshot(ctx context.Context, root *store.Root, id plan.JobID, slot uint64, body []byte) error {
	if len(body) > store.MaxOnce {
		ref, err := setAside(ctx, root, fmt.Sprintf("%sfold/%d", plan.JobPrefix(id), slot), body)
		if err != nil {
			return err
		}
		body = append([]byte(farMagic), ref...)
	}
	_, _, err := root.CreateOnce(ctx, snapKey(id, slot), body)
	return err
}

// snapshots yields the folds that the snapshots of a job hold, the newest first, and
// an empty one at last. An error is that of one snapshot, or of the listing.
func snapshots(ctx context.Context, root *store.Root, id plan.JobID) iter.Seq2[*scheduler.Job, error] {
	return func(yield func(*scheduler.Job, error) bool) {
		prefix := plan.JobPrefix(id) + "snap/"
		var slots []uint64
		for o, err := range root.List(ctx, prefix) {
			if err != nil {
				yield(nil, err)
				return
			}
			if n, ok := numberOf(o.Key, prefix); ok {
				slots = append(slots, n)
			}
		}
		slices.Sort(slots)
		for _, slot := range slices.Backward(slots) {
			if !yield(readSnapshot(ctx, root, snapKey(id, slot))) {
				return
			}
		}
		yield(new(scheduler.Job), nil)
	}
}

// readSnapshot returns the fold that a snapshot holds.
func readSnapshot(ctx context.Context, root *store.Root, key string) (*scheduler.Job, error) {
	body, err := root.ReadOnce(ctx, key)
	if ref, far := bytes.CutPrefix(body, []byte(farMagic)); err == nil && far {
		body, err = fetchAside(ctx, root, ref)
	}
	if err != nil {
		return nil, err
	}
	job, err := decodeSnapshot(body)
	if err != nil {
		err = fmt.Errorf("%s: %w", root.Name(key), err)
	}
	return job, err
}
