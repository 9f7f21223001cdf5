package journal

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/packed"
)

// unmarshal reads an object that may be damaged.
func unmarshal(body []byte, object any) error {
	if err := packed.Check(body); err != nil {
		return err
	}
	return msgpack.Unmarshal(body, object)
}

// snapshot is a fold at rest.
type snapshot struct {
	Job  *scheduler.JobState
	Used []scheduler.Used
}

// encodeSnapshot returns a fold at rest.
func encodeSnapshot(job *scheduler.Job) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(snapMagic)
	e := msgpack.NewEncoder(&b)
	e.UseArrayEncodedStructs(true)
	e.UseCompactInts(true)
	s := job.State()
	s.Cause.Kind = plan.Kind(causeNumber(s.Cause.Kind))
	if err := e.Encode(snapshot{s, s.Used}); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// decodeSnapshot is the inverse of encodeSnapshot.
func decodeSnapshot(b []byte) (*scheduler.Job, error) {
	s := snapshot{Job: new(scheduler.JobState)}
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
	if s.Job == nil {
		return nil, errors.New("damaged snapshot: it has no state")
	}
	var known bool
	if s.Job.Cause.Kind, known = causeKind(uint8(s.Job.Cause.Kind)); !known {
		return nil, errors.New("snapshot with a cause of a kind that is not known: it was written by another version")
	}
	s.Job.Used = s.Used
	return scheduler.RestoreJob(s.Job)
}
