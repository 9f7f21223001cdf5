package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/windrow-mr/windrow/jobs/codec"
	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
)

// mostStaged bounds the bytes that the functions may have passed on for one record, or
// for one key, when the record or the key is left out. More cannot be revoked.
const mostStaged = 4 << 20

// tolerance lets a task leave out bad records. The pairs, records, counts and observations
// that functions make of a record of a Reader, or of a key of a shuffle, are kept aside until all of
// them have returned. They are then taken, or removed as a whole. Tasks of jobs that leave
// out nothing have none, and keep nothing aside.
type tolerance struct {
	r      *run
	policy *pipeline.Bad
	part   *badPart
	bad    int64

	working bool         // functions work on a record or a key
	failed  *RecordError // why it is bad; nil while it is good
	by      *node        // whose function failed
	within  bool         // what they pass on is kept aside
	bytes   []byte       // encoded pairs and records
	staged  []staged
	counts  []staying
	passed  int // bytes that were taken already, and cannot be revoked
}

// staged is a pair or record that is kept aside.
type staged struct {
	to   *stage
	node *node // whose function passed it on
	key  int   // length of the key of a pair
	end  int   // of its bytes
}

// staying is a call of Count or Observe that is kept aside.
type staying struct {
	node    *node
	name    string
	n       int64
	v       float64
	observe bool
}

// newTolerance returns the tolerance of a task, nil for none.
func newTolerance(r *run) *tolerance {
	if r.task.Bad == nil {
		return nil
	}
	return &tolerance{r: r, policy: r.task.Bad}
}

// aside reports whether pairs, records and counts must be kept aside.
func (t *tolerance) aside() bool { return t != nil && t.within }

// add keeps a pair or record aside, which was appended to t.bytes.
func (t *tolerance) add(to *stage, b []byte, key int) {
	t.bytes = b
	t.staged = append(t.staged, staged{to, t.r.ctx.node, key, len(b)})
	if len(b) <= mostStaged {
		return
	}
	node := t.r.ctx.node
	t.passed += len(b)
	t.take()
	t.r.ctx.node = node
	t.working = true
}

// take takes what is kept aside, in order.
func (t *tolerance) take() {
	ctx := t.r.ctx
	t.working, t.within = false, false
	begin := 0
	for i := range t.staged {
		s := &t.staged[i]
		ctx.node = s.node
		if ctx.fail(s.to.take(t.bytes[begin:s.end:s.end], s.key)); ctx.err != nil {
			break
		}
		begin = s.end
	}
	for i := range t.counts {
		c := &t.counts[i]
		if ctx.node = c.node; c.observe {
			ctx.Observe(c.name, c.v)
		} else {
			ctx.Count(c.name, c.n)
		}
	}
	t.remove()
}

// remove removes what is kept aside.
func (t *tolerance) remove() { t.bytes, t.staged, t.counts = t.bytes[:0], t.staged[:0], t.counts[:0] }

// try calls the functions for a record or a key. bad describes it, in case it is bad;
// then try returns nil, or why the task fails nevertheless. Errors that are not about the
// record are returned as they are.
func (t *tolerance) try(call func() error, bad func() plan.BadRecord) error {
	t.working, t.within, t.failed, t.passed = true, true, nil, 0
	err := t.recovered(call)
	ctx := t.r.ctx
	if ctx.err == nil && err == nil {
		t.take()
	}
	t.working, t.within = false, false
	t.remove()
	if t.failed == nil || !errors.Is(ctx.err, t.failed) { // it is good, or there is another reason to stop
		return err
	}
	if t.passed > 0 {
		t.failed.Err = fmt.Errorf("%w; it cannot be left out: %d bytes that the functions passed on for it before are taken, and %d can be revoked", t.failed.Err, t.passed, mostStaged)
		ctx.cancel(t.failed)
		return t.failed
	}
	ctx.err = nil
	if ctx.quiet[t.by] { // another step runs the function on the same record, and notes it
		return nil
	}
	return t.note(t.failed, bad())
}

// recovered makes a panic of call an error of its record.
func (t *tolerance) recovered(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			failed := t.r.ctx.recordError(nil)
			failed.panicked(p)
			if err = failed; !t.reject(failed) {
				t.r.ctx.fail(failed)
			}
		}
	}()
	return call()
}

// reject notes that the record or key on which functions work is bad. It reports whether
// that is so: errors of the engine and of a store, which functions pass on, and errors of
// a task that is being stopped, do not come from it.
func (t *tolerance) reject(e *RecordError) bool {
	if t == nil || !t.working || !t.about(e) {
		return false
	}
	if t.r.ctx.err == nil {
		t.failed, t.by, t.r.ctx.err = e, t.r.ctx.node, e
	}
	return true
}

// about reports whether an error is about a record.
func (t *tolerance) about(e *RecordError) bool {
	_, overflow := errors.AsType[*OverflowError](e.Err)
	return !passedOn(e.Err) && !overflow && t.r.ctx.Err() == nil
}

// mostOfRecord bounds what a line shows of a record, and of each of its other texts.
const mostOfRecord = 4 << 10

// note counts a bad record, and describes it in the output of bad records. It returns why
// the task fails nevertheless.
func (t *tolerance) note(e *RecordError, b plan.BadRecord) error {
	ctx := t.r.ctx
	t.bad++
	ctx.task.Tally.Bad++
	if err := t.policy.Policy.TooMany(t.bad); err != nil {
		err = fmt.Errorf("task %v: %w; the last one: %w", ctx.task.ID, err, e)
		ctx.fail(err)
		return err
	}
	if t.policy.Output == plan.None {
		if t.bad == 1 { // all that is kept of them
			ctx.Log().Warn("a record is skipped; others of the task are not logged", "error", e.Error())
		}
		return nil
	}
	b.Job, b.Task = ctx.task.Job, ctx.task.ID.String()
	b.Stage, b.Error, b.At = shortened(e.Stage), shortened(fmt.Sprint(e.Err)), e.At
	if e.Object != "" {
		b.Object, b.Offset = e.Object, &e.Offset
		b.Input, b.ETag = ctx.section.Object.Input, ctx.section.Object.ETag
	}
	if b.Key == "" {
		b.Key = shortened(e.Key)
	}
	if err := t.write(&b); err != nil {
		ctx.fail(err)
		return err
	}
	return nil
}

// badPart is the task's part of the output of bad records.
type badPart struct {
	to      pipeline.Part
	records int64
}

// write writes a line. The part begins with the first one.
func (t *tolerance) write(b *plan.BadRecord) error {
	if t.part == nil {
		to, err := t.r.task.Part(t.policy.Output, "")
		if err != nil {
			return err
		}
		t.part = &badPart{to: to}
		t.r.finish = append(t.r.finish, func() error { return t.part.to.End(t.part.records) })
	}
	t.part.records++
	to := json.NewEncoder(t.part.to)
	to.SetEscapeHTML(false)
	return to.Encode(b)
}

// shortened returns a text as a line can have it.
//
//go:noinline
func shortened(text string) string {
	if len(text) <= mostOfRecord {
		return text
	}
	cut := mostOfRecord
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// textOf shows a record: text as it is, and other types as JSON, if they can be.
func textOf(rec any) string {
	switch r := rec.(type) {
	case []byte:
		return shortened(strings.ToValidUTF8(string(r[:min(len(r), mostOfRecord+utf8.UTFMax)]), "\ufffd"))
	case string:
		return shortened(r)
	}
	b, err := json.Marshal(rec)
	if err != nil {
		return ""
	}
	return shortened(string(b))
}

// tolerated is next for a task that leaves out bad records.
func tolerated[T any](r *run, next func(T)) func(T) {
	t := r.tolerance
	if t == nil {
		return next
	}
	return func(rec T) {
		_ = t.try(func() error { // ctx.err has the error
			next(rec)
			return nil
		}, func() plan.BadRecord { return plan.BadRecord{Record: textOf(rec)} })
	}
}

// stage keeps pairs or records of one type aside.
type stage struct {
	key, value *codec.Slot // key is nil for records
	pass       func()      // takes what is in the slots
}

// put keeps what is in the slots aside.
func (t *tolerance) put(s *stage) {
	ctx := t.r.ctx
	if ctx.err != nil {
		return
	}
	b, err := t.bytes, error(nil)
	if s.key != nil {
		b, err = s.key.Append(b)
	}
	key := len(b) - len(t.bytes)
	if err == nil {
		b, err = s.value.Append(b)
	}
	if err != nil {
		ctx.reject(ctx.node, err)
		return
	}
	t.add(s, b, key)
}

// take passes on what was kept aside.
func (s *stage) take(b []byte, key int) error {
	if s.key != nil {
		if err := s.key.Decode(b[:key:key]); err != nil {
			return err
		}
	}
	if err := s.value.Decode(b[key:]); err != nil {
		return err
	}
	s.pass()
	return nil
}

// stagedEmit is emit for a task that leaves out bad records.
func stagedEmit[K, V any](r *run, key codec.Key[K], value codec.Value[V], emit Emit[K, V]) Emit[K, V] {
	t := r.tolerance
	if t == nil {
		return emit
	}
	k, v := new(K), new(V)
	s := &stage{codec.KeySlot(key, k), codec.ValueSlot(value, v), func() { emit(*k, *v) }}
	return func(key K, value V) {
		if !t.within {
			emit(key, value)
			return
		}
		*k, *v = key, value
		t.put(s)
	}
}

// stagedNext is next, which takes records, for a task that leaves out bad ones.
func stagedNext[T any](r *run, value codec.Value[T], next func(T)) func(T) {
	t := r.tolerance
	if t == nil {
		return next
	}
	slot := new(T)
	s := &stage{nil, codec.ValueSlot(value, slot), func() { next(*slot) }}
	return func(rec T) {
		if !t.within {
			next(rec)
			return
		}
		*slot = rec
		t.put(s)
	}
}
