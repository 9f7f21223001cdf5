package journal

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/master/scheduler"
	"github.com/windrow-mr/windrow/plan"
)

const (
	recordMagic = "WRLG\x00\x01"
	snapMagic   = "WRSN\x00\x02"
	oldMagic    = "WRSN\x00\x01" // of a snapshot that is only the state: there were no accounts
	// maxEntries bounds how many entries a record may claim to hold.
	maxEntries = 1 << 20
)

// kind is an entry's type at rest. The numbers never change.
type kind uint8

const (
	fence       kind = 1
	planned     kind = 2
	granted     kind = 3
	committed   kind = 4
	invalidated kind = 5
	intent      kind = 6
	aborted     kind = 7
	done        kind = 8
	reopened    kind = 9
	used        kind = 10
	staged      kind = 11 // a plan with a graph
	sized       kind = 12
)

// encodeRecord returns a record at rest: epoch, number of entries, and each
// entry as an array that begins with its kind.
func encodeRecord(r scheduler.Record) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(recordMagic)
	e := msgpack.NewEncoder(&b)
	e.UseCompactInts(true)
	if err := e.EncodeMulti(r.Epoch, uint64(len(r.Entries))); err != nil {
		return nil, err
	}
	for _, entry := range r.Entries {
		fields, err := fieldsOf(entry)
		if err != nil {
			return nil, err
		}
		if err := e.EncodeArrayLen(len(fields)); err != nil {
			return nil, err
		}
		if err := e.EncodeMulti(fields...); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// fieldsOf returns an entry as its kind and fields.
func fieldsOf(entry scheduler.Entry) ([]any, error) {
	switch e := entry.(type) {
	case scheduler.Fence:
		return []any{uint8(fence)}, nil
	case scheduler.Planned:
		if e.Graph != nil {
			return graphFields([]any{uint8(staged), e.Attempt.Epoch, e.Attempt.N, e.Attempt.Rand}, e.Graph), nil
		}
		return []any{uint8(planned), e.Attempt.Epoch, e.Attempt.N, e.Attempt.Rand, e.Samples, e.Maps, e.Reduces}, nil
	case scheduler.Sized:
		return []any{uint8(sized), e.Exchange, e.Partitions}, nil
	case scheduler.Granted:
		return withStage(attemptFields(granted, e.Task, e.Attempt), e.Task), nil
	case scheduler.Committed:
		d := e.Digest
		return withStage(append(attemptFields(committed, e.Task, e.Attempt), d.In, d.Out, d.Bytes, d.CRC), e.Task), nil
	case scheduler.Invalidated:
		fields := attemptFields(invalidated, e.Task, e.Attempt)
		if b := e.Before; b != (plan.AttemptID{}) {
			fields = append(fields, b.Epoch, b.N, b.Rand)
		}
		return withStage(fields, e.Task), nil
	case scheduler.Intent:
		return []any{uint8(intent)}, nil
	case scheduler.Aborted:
		fields := []any{uint8(aborted), causeNumber(e.Cause.Kind), uint8(e.Cause.Task.Phase), e.Cause.Task.Index, clipped(e.Cause.Text)}
		return withStage(fields, e.Cause.Task), nil
	case scheduler.Done:
		return []any{uint8(done)}, nil
	case scheduler.Reopened:
		return []any{uint8(reopened)}, nil
	case scheduler.Used:
		fields := []any{uint8(used), e.Account.Name, e.Account.Scheme}
		for _, n := range e.Usage.Fields() {
			fields = append(fields, *n)
		}
		return fields, nil
	default:
		return nil, fmt.Errorf("entry %T has no form at rest", entry)
	}
}

// maxText bounds the text of a cause: a record has a limit, too.
const maxText = 64 << 10

func clipped(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}

func attemptFields(k kind, task plan.TaskID, id plan.AttemptID) []any {
	return []any{uint8(k), uint8(task.Phase), task.Index, id.Epoch, id.N, id.Rand}
}

// withStage adds the stage of a task, unless it has none: so the logs of jobs of one
// shuffle have the form that they had before there were stages.
func withStage(fields []any, task plan.TaskID) []any {
	if task.Stage == "" {
		return fields
	}
	return append(fields, task.Stage)
}

// decodeRecord is the inverse of encodeRecord.
func decodeRecord(b []byte) (scheduler.Record, error) {
	var r scheduler.Record
	body, ok := bytes.CutPrefix(b, []byte(recordMagic))
	if !ok {
		return r, fmt.Errorf("%d bytes that do not begin as a record of this version", len(b))
	}
	d := decoder{msgpack.NewDecoder(bytes.NewReader(body)), nil}
	r.Epoch = d.number()
	n := d.number()
	if n > maxEntries {
		return r, fmt.Errorf("a record of %d entries", n)
	}
	for range n {
		r.Entries = append(r.Entries, d.entry())
		if d.err != nil {
			return r, fmt.Errorf("damaged record: %w", d.err)
		}
	}
	if d.err == nil {
		if _, err := d.in.PeekCode(); err != io.EOF { //nolint:errorlint // the decoder passes it on as it is
			return r, fmt.Errorf("a record continues behind its %d entries", n)
		}
	}
	return r, d.err
}

// decoder reads fields and keeps the first error.
type decoder struct {
	in  *msgpack.Decoder
	err error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *decoder) number() uint64 {
	if d.err != nil {
		return 0
	}
	n, err := d.in.DecodeUint64()
	if err != nil {
		d.fail(err)
	}
	return n
}

func (d *decoder) signed() int64 {
	if d.err != nil {
		return 0
	}
	n, err := d.in.DecodeInt64()
	if err != nil {
		d.fail(err)
	}
	return n
}

func (d *decoder) text() string {
	if d.err != nil {
		return ""
	}
	s, err := d.in.DecodeString()
	if err != nil {
		d.fail(err)
	}
	return s
}

// count reads a number that must fit into an index.
func (d *decoder) count() int {
	n := d.number()
	if n > 1<<31 {
		d.fail(fmt.Errorf("number %d is out of range", n))
		return 0
	}
	return int(n)
}

func (d *decoder) small() uint8 {
	n := d.number()
	if n > 0xff {
		d.fail(fmt.Errorf("number %d is out of range", n))
	}
	return uint8(n)
}

func (d *decoder) word() uint32 {
	n := d.number()
	if n > 1<<32-1 {
		d.fail(fmt.Errorf("number %d is out of range", n))
	}
	return uint32(n)
}

func (d *decoder) task() plan.TaskID {
	return plan.TaskID{Phase: plan.Phase(d.small()), Index: d.count()}
}

func (d *decoder) attempt() plan.AttemptID {
	return plan.AttemptID{Epoch: d.number(), N: d.word(), Rand: d.word()}
}

// entry reads one entry.
func (d *decoder) entry() scheduler.Entry {
	if d.err != nil {
		return nil
	}
	n, err := d.in.DecodeArrayLen()
	if err != nil {
		d.fail(err)
		return nil
	}
	k := kind(d.small())
	more := n - fieldCount[k]
	if d.err == nil && (fieldCount[k] == 0 || more < 0 || more > mostMore[k]) {
		d.fail(fmt.Errorf("entry of kind %d has %d fields, this version knows %d: it was written by another version", k, n, fieldCount[k]))
	}
	if d.err != nil {
		return nil
	}
	switch k {
	case fence:
		return scheduler.Fence{}
	case planned:
		return scheduler.Planned{Attempt: d.attempt(), Counts: plan.Counts{Samples: d.count(), Maps: d.count(), Reduces: d.count()}}
	case staged:
		return scheduler.Planned{Attempt: d.attempt(), Graph: d.graph(n - 4)}
	case sized:
		return scheduler.Sized{Exchange: d.count(), Partitions: d.count()}
	case granted, committed, invalidated, aborted:
		return d.taskEntry(k, more)
	case intent:
		return scheduler.Intent{}
	case done:
		return scheduler.Done{}
	case reopened:
		return scheduler.Reopened{}
	case used:
		u := scheduler.Used{Account: scheduler.Account{Name: d.text(), Scheme: d.text()}}
		for _, n := range u.Usage.Fields() {
			*n = d.signed()
		}
		return u
	}
	return nil
}

// taskEntry reads an entry about a task, behind its kind. At its end there may be
// more fields.
func (d *decoder) taskEntry(k kind, more int) scheduler.Entry {
	stage := func(t *plan.TaskID) {
		if more == 1 {
			t.Stage = d.name()
		}
	}
	switch k {
	case granted:
		e := scheduler.Granted{Task: d.task(), Attempt: d.attempt()}
		stage(&e.Task)
		return e
	case committed:
		e := scheduler.Committed{Task: d.task(), Attempt: d.attempt(),
			Digest: scheduler.Digest{In: d.signed(), Out: d.signed(), Bytes: d.signed(), CRC: d.word()}}
		stage(&e.Task)
		return e
	case invalidated:
		e := scheduler.Invalidated{Task: d.task(), Attempt: d.attempt()}
		if more == 2 {
			d.fail(fmt.Errorf("entry of kind %d has %d fields too many", k, more))
		}
		if more > 2 {
			e.Before = d.attempt()
			more -= 3
		}
		stage(&e.Task)
		return e
	default: // aborted
		e := scheduler.Aborted{Cause: scheduler.Cause{Kind: d.causeKind(), Task: d.task()}}
		e.Cause.Text = d.text()
		stage(&e.Cause.Task)
		return e
	}
}

// fieldCount is the least length of each kind's array, the kind itself included, and
// mostMore how many more fields it may have.
var (
	fieldCount = map[kind]int{fence: 1, planned: 7, granted: 6, committed: 10, invalidated: 6, intent: 1, aborted: 5, done: 1, reopened: 1, used: 13,
		staged: 7, sized: 3}
	mostMore = map[kind]int{granted: 1, committed: 1, invalidated: 4, aborted: 1, staged: mostGraph}
)

// causeNumbers are the numbers by which logs and snapshots name the kinds of
// causes. They never change.
var causeNumbers = map[plan.Kind]uint8{plan.Unknown: 0, plan.Failed: 1, plan.Cancelled: 2, plan.Conflict: 3, plan.Inconsistent: 4, plan.Denied: 5,
	plan.NotFound: 6, plan.Invalid: 7, plan.Unmet: 8}

// causeNumber returns the number of a kind. A kind that has none becomes that of
// a failed task.
func causeNumber(k plan.Kind) uint8 {
	if n, ok := causeNumbers[k]; ok {
		return n
	}
	return causeNumbers[plan.Failed]
}

// causeKind is the inverse of causeNumber.
func causeKind(n uint8) (k plan.Kind, known bool) {
	for k, number := range causeNumbers {
		if number == n {
			return k, true
		}
	}
	return plan.Unknown, false
}

// causeKind reads the number of a kind. An unknown number is refused, because the
// kind decides how the job ends.
func (d *decoder) causeKind() plan.Kind {
	n := d.small()
	k, known := causeKind(n)
	if !known {
		d.fail(fmt.Errorf("cause of kind %d is not known: it was written by another version", n))
	}
	return k
}
