package journal

import (
	"bytes"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/internal/packed"
	"github.com/windrow-mr/windrow/master/scheduler"
)

// unmarshal reads an object that may be damaged.
func unmarshal(body []byte, object any) error {
	if err := packed.Check(body); err != nil {
		return err
	}
	return msgpack.Unmarshal(body, object)
}

// encodeSnapshot returns a fold at rest.
func encodeSnapshot(job *scheduler.Job) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(snapMagic)
	e := msgpack.NewEncoder(&b)
	e.UseArrayEncodedStructs(true)
	e.UseCompactInts(true)
	if err := e.Encode(job.State()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// decodeSnapshot is the inverse of encodeSnapshot.
func decodeSnapshot(b []byte) (*scheduler.Job, error) {
	body, ok := bytes.CutPrefix(b, []byte(snapMagic))
	if !ok {
		return nil, fmt.Errorf("%d bytes that do not begin as a snapshot of this version", len(b))
	}
	var s scheduler.JobState
	if err := unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("damaged snapshot: %w", err)
	}
	return scheduler.RestoreJob(&s)
}
