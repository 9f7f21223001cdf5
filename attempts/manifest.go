package attempts

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"strings"

	"github.com/windrow-mr/windrow/store/checksum"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/packed"
	"github.com/windrow-mr/windrow/store"
)

// A manifest at rest is magic and version (8 bytes), the CRC32C of the rest
// (4 bytes, big-endian) and a plan.Manifest in MessagePack.
const (
	manifestMagic = "WRATT\x00\x00\x01"
	manifestLimit = 256 << 20 // bytes
)

// manifestDir holds the manifests of a job, below its scratch root.
const manifestDir = "att/"

// ManifestKey is the key of an attempt's manifest, below the job's scratch
// root.
func ManifestKey(task plan.TaskID, id plan.AttemptID) string {
	return fmt.Sprintf("%s%s/%s", manifestDir, task.Key(), id)
}

func encodeManifest(m *plan.Manifest) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(manifestMagic)
	b.Write(make([]byte, 4))
	if err := msgpack.NewEncoder(&b).Encode(m); err != nil {
		return nil, fmt.Errorf("encode the manifest of attempt %v of task %v: %w", m.Attempt, m.Task, err)
	}
	out := b.Bytes()
	binary.BigEndian.PutUint32(out[len(manifestMagic):], checksum.SumCRC32C(out[len(manifestMagic)+4:]))
	return out, nil
}

func decodeManifest(b []byte) (*plan.Manifest, error) {
	const header = len(manifestMagic) + 4
	if len(b) < header || string(b[:len(manifestMagic)]) != manifestMagic {
		return nil, fmt.Errorf("%d bytes that do not begin as an attempt's manifest of this version", len(b))
	}
	if sum := binary.BigEndian.Uint32(b[len(manifestMagic):]); sum != checksum.SumCRC32C(b[header:]) {
		return nil, fmt.Errorf("damaged: its %d bytes do not have the checksum %08x", len(b), sum)
	}
	// It may be the work of a hostile job.
	if err := packed.Check(b[header:]); err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	m := new(plan.Manifest)
	if err := msgpack.Unmarshal(b[header:], m); err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	return m, nil
}

// WriteManifest writes an attempt's manifest to the job's scratch root.
func WriteManifest(ctx context.Context, scratch *store.Root, m *plan.Manifest, class store.Class) error {
	body, err := encodeManifest(m)
	if err != nil {
		return err
	}
	return write(ctx, scratch, ManifestKey(m.Task, m.Attempt), body, class)
}

// write writes an object that may be too big for one request.
func write(ctx context.Context, root *store.Root, key string, body []byte, class store.Class) error {
	w, err := root.Create(ctx, key, store.CreateOptions{Class: class})
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(body); err != nil {
		return err
	}
	return w.Commit()
}

// ReadManifest returns the manifest of an attempt, from the scratch root of a job.
func ReadManifest(ctx context.Context, scratch *store.Root, job plan.JobID, task plan.TaskID, id plan.AttemptID) (*plan.Manifest, error) {
	key := ManifestKey(task, id)
	body, err := scratch.Get(ctx, key, manifestLimit)
	if err != nil {
		return nil, err
	}
	m, err := decodeManifest(body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("manifest %s: %w", scratch.Name(key), err)
	case m.Job != job || m.Task != task || m.Attempt != id:
		return nil, fmt.Errorf("manifest %s: it is of job %s, task %v, attempt %v", scratch.Name(key), m.Job, m.Task, m.Attempt)
	}
	return m, nil
}

// Finished names an attempt that has written a manifest.
type Finished struct {
	Task    plan.TaskID
	Attempt plan.AttemptID
}

// Manifests yields every attempt that has written a manifest in a job's scratch
// root, in order of the phases' letters, tasks and names of attempts. After an
// error it ends. A manifest does not show whether its attempt counts.
func Manifests(ctx context.Context, scratch *store.Root) iter.Seq2[Finished, error] {
	return func(yield func(Finished, error) bool) {
		for o, err := range scratch.List(ctx, manifestDir) {
			if err != nil {
				yield(Finished{}, err)
				return
			}
			if f, ok := parseManifestKey(o.Key); ok && !yield(f, nil) {
				return
			}
		}
	}
}

// parseManifestKey is the inverse of ManifestKey. Other keys are no manifests.
func parseManifestKey(key string) (Finished, bool) {
	task, attempt, ok := strings.Cut(strings.TrimPrefix(key, manifestDir), "/")
	if !ok || !strings.HasPrefix(key, manifestDir) {
		return Finished{}, false
	}
	id, taskErr := plan.ParseTaskKey(task)
	by, attemptErr := plan.ParseAttemptID(attempt)
	return Finished{id, by}, taskErr == nil && attemptErr == nil
}

// RowsOf returns how many pairs an attempt left of a partition of an exchange. It is an
// error if it counted another number when it wrote them, or another number of
// partitions.
func RowsOf(task plan.TaskID, left plan.Shuffled, partition, partitions int) (int64, error) {
	if len(left.Rows) != partitions {
		return 0, fmt.Errorf("task %v: it counts %d partitions, and there are %d", task, len(left.Rows), partitions)
	}
	var rows int64
	for i := range left.Runs {
		if len(left.Runs[i].Partitions) != len(left.Rows) {
			return 0, fmt.Errorf("task %v: run %s has %d partitions, the task %d", task, left.Runs[i].Key, len(left.Runs[i].Partitions), len(left.Rows))
		}
		rows += left.Runs[i].Partitions[partition].Rows
	}
	if rows != left.Rows[partition] {
		return 0, fmt.Errorf("task %v: its runs hold %d pairs of partition %d, it wrote %d", task, rows, partition, left.Rows[partition])
	}
	return rows, nil
}
