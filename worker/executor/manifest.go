package executor

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// A manifest at rest is magic and version (8 bytes), the CRC32C of the rest
// (4 bytes, big-endian) and a plan.Manifest in MessagePack.
const (
	manifestMagic = "WRATT\x00\x00\x01"
	manifestLimit = 1 << 30 // bytes
)

// manifestKey is where an attempt's manifest is, below the job's scratch root.
func manifestKey(task plan.TaskID, id plan.AttemptID) string {
	return fmt.Sprintf("att/%s/%s", task.Key(), id)
}

func encodeManifest(m *plan.Manifest) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(manifestMagic)
	b.Write(make([]byte, 4))
	if err := msgpack.NewEncoder(&b).Encode(m); err != nil {
		return nil, fmt.Errorf("encode the manifest of attempt %v of task %v: %w", m.Attempt, m.Task, err)
	}
	out := b.Bytes()
	binary.BigEndian.PutUint32(out[len(manifestMagic):], crc32.Checksum(out[len(manifestMagic)+4:], castagnoli))
	return out, nil
}

func decodeManifest(b []byte) (*plan.Manifest, error) {
	const header = len(manifestMagic) + 4
	if len(b) < header || string(b[:len(manifestMagic)]) != manifestMagic {
		return nil, fmt.Errorf("%d bytes that do not begin as an attempt's manifest of this version", len(b))
	}
	if sum := binary.BigEndian.Uint32(b[len(manifestMagic):]); sum != crc32.Checksum(b[header:], castagnoli) {
		return nil, fmt.Errorf("damaged: its %d bytes do not have the checksum %08x", len(b), sum)
	}
	m := new(plan.Manifest)
	if err := msgpack.Unmarshal(b[header:], m); err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	return m, nil
}

func (e *Executor) writeManifest(ctx context.Context, m *plan.Manifest) error {
	body, err := encodeManifest(m)
	if err != nil {
		return err
	}
	w, err := e.cfg.Scratch.Create(ctx, manifestKey(m.Task, m.Attempt), store.CreateOptions{Class: e.cfg.Class})
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(body); err != nil {
		return err
	}
	if err := w.Commit(); err != nil {
		return err
	}
	e.manifests.put(m)
	return nil
}

// ReadManifest returns what an attempt left behind.
func (e *Executor) ReadManifest(ctx context.Context, task plan.TaskID, id plan.AttemptID) (*plan.Manifest, error) {
	key := manifestKey(task, id)
	body, err := e.cfg.Scratch.Get(ctx, key, manifestLimit)
	if err != nil {
		return nil, err
	}
	m, err := decodeManifest(body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("manifest %s: %w", e.cfg.Scratch.Name(key), err)
	case m.Job != e.cfg.Job || m.Task != task || m.Attempt != id:
		return nil, fmt.Errorf("manifest %s: it is of job %s, task %v, attempt %v", e.cfg.Scratch.Name(key), m.Job, m.Task, m.Attempt)
	case task.Phase == plan.Map && len(m.Rows) != 0 && len(m.Rows) != e.cfg.Partitions:
		return nil, fmt.Errorf("manifest %s: it counts %d partitions, the job has %d", e.cfg.Scratch.Name(key), len(m.Rows), e.cfg.Partitions)
	}
	return m, nil
}
