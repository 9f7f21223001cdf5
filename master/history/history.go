// Package history has the record of a run's tasks: how often each was tried, where it
// ran, how long it took and how much it read. The leader gathers these facts while it
// drives the run, and keeps them with the job when the run ends, because no log has
// them. Package control stores and reads them, and package view shows them.
//
// A record is facts for people: no decision depends on it, and a run without one is a
// whole run. A leader knows only what it saw, so tasks that were committed under an
// earlier leader have no worker.
//
// All functions are pure. They fail only on bytes that are damaged, or of another
// version.
//
// It is part of the engine, and may change between minor versions.
package history

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/packed"
)

// Task is the record of a task. The zero values of its fields are not known.
type Task struct {
	ID       plan.TaskID
	Attempts int // that were started
	Failures int // attempts that failed
	Lost     int // attempts that were lost, not through an error of their own
	Worker   string
	Started  time.Time     // of the attempt that counts, or of the newest
	Took     time.Duration // of that attempt
	Read     int64         // bytes of input, or of the shuffle, that it read
	Text     string        // why the newest attempt that did not do the task did not
}

const (
	// MostTasks is the number of tasks in one object, at most. An object of so many
	// tasks can be created by one request, however large its tasks are.
	MostTasks = 32 << 10
	// MostBytes is how many bytes a task takes in an object, at most. Workers and
	// texts share textBytes of them.
	MostBytes = 200
	textBytes = 100
	// leastText is the room for texts in an object of few tasks.
	leastText = 8 << 10
)

// The object at rest is a list in MessagePack: the version, the workers, the texts,
// and a row of numbers for each task. A row has the place of its worker and of its text
// in the lists, counted from 1; 0 is for none. Its first number is the phase, and in a
// job of several stages also, shifted left by 8 bits, the place of its stage in a list
// that follows the rows.
const version = 1

const columns = 10

// Encode returns records at rest, in objects of at most MostTasks.
func Encode(tasks []Task) ([][]byte, error) {
	var objects [][]byte
	for {
		n := min(len(tasks), MostTasks)
		b, err := encode(tasks[:n])
		if err != nil {
			return nil, err
		}
		objects, tasks = append(objects, b), tasks[n:]
		if len(tasks) == 0 {
			return objects, nil
		}
	}
}

func encode(tasks []Task) ([]byte, error) {
	left := max(len(tasks)*textBytes, leastText)
	workers, texts := words{left: &left}, words{left: &left}
	var stages []string
	rows := make([][columns]int64, len(tasks))
	for i := range tasks { // workers first: a long text must not take their room
		rows[i][5] = workers.add(tasks[i].Worker)
	}
	for i := range tasks {
		t := &tasks[i]
		var started int64
		if !t.Started.IsZero() {
			started = t.Started.UnixMilli()
		}
		first := int64(t.ID.Phase)
		if t.ID.Stage != "" {
			place := slices.Index(stages, t.ID.Stage)
			if place < 0 {
				place = len(stages)
				stages = append(stages, t.ID.Stage)
			}
			first |= int64(place+1) << stageShift
		}
		rows[i] = [columns]int64{first, int64(t.ID.Index), int64(t.Attempts), int64(t.Failures), int64(t.Lost),
			rows[i][5], started, t.Took.Milliseconds(), t.Read, texts.add(t.Text)}
	}
	var b strings.Builder
	e := msgpack.NewEncoder(&b)
	e.UseCompactInts(true)
	const fields = 4
	length := fields
	if stages != nil {
		length++
	}
	err := errors.Join(e.EncodeArrayLen(length), e.EncodeInt(version), e.Encode(workers.list), e.Encode(texts.list), e.EncodeArrayLen(columns*len(rows)))
	for i := range rows {
		for _, n := range rows[i] {
			err = errors.Join(err, e.EncodeInt(n))
		}
	}
	if stages != nil {
		err = errors.Join(err, e.Encode(stages))
	}
	return []byte(b.String()), err
}

// stageShift is how far the place of a stage is shifted in the first number of a row.
const stageShift = 8

// object is the object at rest.
type object struct {
	Version                int
	Workers, Texts, Stages []string
	Numbers                []int64
}

// decodeObject reads the fields that are there: objects of a job of one shuffle have no
// stages.
func decodeObject(b []byte) (*object, error) {
	in := msgpack.NewDecoder(bytes.NewReader(b))
	n, err := in.DecodeArrayLen()
	if err != nil {
		return nil, err
	}
	o := new(object)
	fields := []any{&o.Version, &o.Workers, &o.Texts, &o.Numbers, &o.Stages}
	if n < len(fields)-1 || n > len(fields) {
		return nil, fmt.Errorf("an object of %d fields", n)
	}
	for _, field := range fields[:n] {
		if err := in.Decode(field); err != nil {
			return nil, err
		}
	}
	if _, err := in.PeekCode(); !errors.Is(err, io.EOF) {
		return nil, errors.New("bytes follow it")
	}
	return o, nil
}

// words numbers texts, as long as there is room for them.
type words struct {
	list  []string
	known map[string]int64
	left  *int // bytes
}

// mostText is the greatest size of one text. It is what is shown of an error.
const mostText = 1 << 10

// add returns the number of a text, or 0 when there is no room for it.
func (w *words) add(text string) int64 {
	text = cut(text, mostText)
	if text == "" {
		return 0
	}
	if n, ok := w.known[text]; ok {
		return n
	}
	const head = 5 // bytes of its length
	if len(text)+head > *w.left {
		return 0
	}
	if w.known == nil {
		w.known = make(map[string]int64)
	}
	*w.left -= len(text) + head
	w.list = append(w.list, text)
	w.known[text] = int64(len(w.list))
	return w.known[text]
}

// cut returns the begin of a text, and no half of a character.
func cut(text string, n int) string {
	const more = "…"
	if len(text) <= n {
		return text
	}
	n -= len(more)
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + more
}

// Decode is the inverse of Encode for one object. The memory that it takes is bounded
// by the length of b.
func Decode(b []byte) ([]Task, error) {
	if err := packed.Check(b); err != nil {
		return nil, fmt.Errorf("damaged record of tasks: %w", err)
	}
	o, err := decodeObject(b)
	if err != nil {
		return nil, fmt.Errorf("damaged record of tasks: %w", err)
	}
	if o.Version != version || len(o.Numbers)%columns != 0 {
		return nil, fmt.Errorf("record of tasks of version %d with %d numbers: this program knows version %d", o.Version, len(o.Numbers), version)
	}
	tasks := make([]Task, len(o.Numbers)/columns)
	for i := range tasks {
		n := o.Numbers[i*columns:][:columns]
		phase, stage := n[0]&(1<<stageShift-1), n[0]>>stageShift
		if n[0] < 0 || phase > int64(plan.LastPhase) || stage > int64(len(o.Stages)) || n[1] < 0 || n[5] < 0 || n[5] > int64(len(o.Workers)) || n[9] < 0 || n[9] > int64(len(o.Texts)) {
			return nil, fmt.Errorf("damaged record of tasks: row %d is %v", i, n)
		}
		tasks[i] = Task{ID: plan.TaskID{Phase: plan.Phase(phase), Index: int(n[1])}, Attempts: int(n[2]), Failures: int(n[3]), Lost: int(n[4]),
			Took: time.Duration(n[7]) * time.Millisecond, Read: n[8]}
		if stage > 0 {
			tasks[i].ID.Stage = o.Stages[stage-1]
		}
		if n[5] > 0 {
			tasks[i].Worker = o.Workers[n[5]-1]
		}
		if n[6] != 0 {
			tasks[i].Started = time.UnixMilli(n[6]).UTC()
		}
		if n[9] > 0 {
			tasks[i].Text = o.Texts[n[9]-1]
		}
	}
	return tasks, nil
}
