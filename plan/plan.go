// Package plan is the vocabulary that the scheduler, the executor, the journal
// and the wire share: jobs, tasks, attempts, bytes of objects, and the results
// of finished attempts.
//
// It is a leaf: it imports only the standard library, so that every package may
// import it. All its types are plain data; none is safe for concurrent change.
// Sizes and offsets are bytes, record counts are records.
package plan

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// A JobID names a job forever: a ULID of 26 characters, made once, when the job
// is submitted.
type JobID string

// Short returns the last 8 characters of the id. The first ones are a time in
// steps of a second, which two jobs may share. The last ones are random.
func (id JobID) Short() string {
	if len(id) < 8 {
		return string(id)
	}
	return string(id[len(id)-8:])
}

// A Phase is a kind of tasks.
type Phase uint8

// The phases. A job of one shuffle passes through them in this order. An embedded run
// has no Prepare: it plans before it begins. A job without ranges has no Sample,
// a map-only job has no Reduce. The stages of other jobs have maps or reduces: maps
// read inputs, reduces read what other tasks left. The rounds of a loop end with a
// Decide.
const (
	Prepare Phase = iota + 1 // one task, which lists the input and divides it
	Sample
	Map
	Reduce
	Decide // one task, which says whether another round follows

	LastPhase = Decide
)

var phaseNames = [...]string{Prepare: "plan", Sample: "sample", Map: "map", Reduce: "reduce", Decide: "decide"}

// String returns the phase's name, as it is written in logs and task ids.
func (p Phase) String() string {
	if int(p) < len(phaseNames) && p > 0 {
		return phaseNames[p]
	}
	return "phase" + strconv.Itoa(int(p))
}

// A Group names the tasks of one phase of one stage.
type Group struct {
	Stage string // "" in a job of one shuffle
	Phase Phase
}

// String returns the group as "reduce", or with its stage as "sessions/reduce".
func (g Group) String() string {
	if g.Stage == "" {
		return g.Phase.String()
	}
	return g.Stage + "/" + g.Phase.String()
}

// Task returns the id of a task of the group.
func (g Group) Task(index int) TaskID { return TaskID{Stage: g.Stage, Phase: g.Phase, Index: index} }

// A TaskID names a task within its job.
type TaskID struct {
	Stage string `msgpack:",omitempty"` // "" in a job of one shuffle
	Phase Phase
	Index int
}

// Group returns the group that the task belongs to.
func (t TaskID) Group() Group { return Group{t.Stage, t.Phase} }

// Compare orders tasks by their stages' names, phases and indices.
func (t TaskID) Compare(o TaskID) int {
	return cmp.Or(cmp.Compare(t.Stage, o.Stage), cmp.Compare(t.Phase, o.Phase), cmp.Compare(t.Index, o.Index))
}

// String returns the id as "map/17", or with its stage as "sessions/reduce/17".
func (t TaskID) String() string { return t.Group().String() + "/" + strconv.Itoa(t.Index) }

// Key returns the id as part of an object's key: "m00017", or with its stage
// "sessions.r00017".
func (t TaskID) Key() string {
	key := fmt.Sprintf("%c%05d", t.Phase.String()[0], t.Index)
	if t.Stage != "" {
		key = t.Stage + "." + key
	}
	return key
}

// ParseTaskID is the inverse of TaskID.String.
func ParseTaskID(s string) (TaskID, error) {
	group, index, ok := cutLast(s, '/')
	n, err := strconv.Atoi(index)
	if ok && err == nil && n >= 0 && index == strconv.Itoa(n) {
		stage, name, staged := cutLast(group, '/')
		if !staged {
			stage, name = "", group
		}
		for p := Prepare; p <= LastPhase; p++ {
			if p.String() == name && staged == (stage != "") && !strings.Contains(stage, "/") {
				return TaskID{stage, p, n}, nil
			}
		}
	}
	return TaskID{}, fmt.Errorf("task id %q is not of the form map/17, or with a stage sessions/map/17", s)
}

// ParseTaskKey is the inverse of TaskID.Key.
func ParseTaskKey(s string) (TaskID, error) {
	stage, key, staged := cutLast(s, '.')
	if !staged {
		stage, key = "", s
	}
	for p := Prepare; p <= LastPhase && key != ""; p++ {
		if n, err := strconv.Atoi(key[1:]); key[0] == p.String()[0] && err == nil && n >= 0 {
			if id := (TaskID{stage, p, n}); id.Key() == s {
				return id, nil
			}
		}
	}
	return TaskID{}, fmt.Errorf("task key %q is not of the form m00017, or with a stage sessions.m00017", s)
}

// cutLast cuts a text at the last place of a character.
//
//go:noinline
func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return "", s, false
}

// An AttemptID names one try at a task. It holds the epoch of the master that
// started it, a number that this master counts up, and a random part. So no
// later master can issue it again, and object names made of it differ even if
// two clusters share a prefix by mistake.
type AttemptID struct {
	Epoch uint64
	N     uint32
	Rand  uint32
}

// String returns the id as "epoch.n.rand", the last in 8 hexadecimal digits.
//
//go:noinline
func (a AttemptID) String() string { return fmt.Sprintf("%d.%d.%08x", a.Epoch, a.N, a.Rand) }

// ParseAttemptID is the inverse of AttemptID.String.
func ParseAttemptID(s string) (AttemptID, error) {
	var a AttemptID
	fields := strings.Split(s, ".")
	if len(fields) == 3 {
		epoch, err1 := strconv.ParseUint(fields[0], 10, 64)
		n, err2 := strconv.ParseUint(fields[1], 10, 32)
		r, err3 := strconv.ParseUint(fields[2], 16, 32)
		a = AttemptID{epoch, uint32(n), uint32(r)}
		if err1 == nil && err2 == nil && err3 == nil && a.String() == s {
			return a, nil
		}
	}
	return AttemptID{}, fmt.Errorf("attempt id %q is not of the form 3.17.5ca1ab1e", s)
}

// Object is an input object in the version of the job's planning. A task reads
// it only while ETag and Size are the same.
type Object struct {
	Input string // name of the input it belongs to; "" for the only one
	Root  string // URL of the root it is in, as the operator named it
	Key   string // relative to Root
	Size  int64  // bytes at rest
	ETag  string // the store's version of the bytes
	Sum   Checksum
	Codec string // compression: "", "gzip", "zstd", "bzip2", "lz4", "snappy"; "auto" when its first bytes decide
}

// Checksum is a store's checksum of all of an object's bytes. The zero Checksum
// says that there is none.
type Checksum struct {
	Algorithm uint8 // by the numbers of package store/checksum
	Value     uint64
}

// Name returns the name that users see: root and key joined, without the query
// of a URL, which may hold secrets.
func (o Object) Name() string {
	root := o.Root
	if !strings.HasPrefix(root, "file:") {
		root, _, _ = strings.Cut(root, "?")
	}
	if o.Key == "" {
		return root
	}
	return strings.TrimSuffix(root, "/") + "/" + o.Key
}

// Section is a part of an object that can be read on its own: the records that
// start in [Offset, Offset+Length). For a compressed object these are bytes at
// rest, and usually all of it: only lines of bzip2, of BGZF, and of zstd with a seek
// table, can be read from within. Such a section has the blocks or frames that
// begin in it. The boundary between two sections is just after the first line
// feed at or after the start of the later one's blocks.
type Section struct {
	Object Object
	Offset int64
	Length int64
	// PlainOffset and PlainLength are the decompressed bytes that the frames of
	// a section of zstd hold, by the seek table. Otherwise they are 0.
	PlainOffset, PlainLength int64
}

// Part reports whether the section is only a part of a compressed object.
func (s *Section) Part() bool { return s.Object.Codec != "" && s.Length < s.Object.Size }

// Split is the input of one map task: sections of one input.
type Split struct {
	Input    int // index into the pipeline's inputs
	Sections []Section
	// Only has, for each section, the offsets of the only records of it that are read, in
	// order, as its reader reports them. Nil: all records of all sections are read.
	Only [][]int64 `msgpack:",omitempty"`
}

// Bytes returns the sum of the sections' lengths.
func (s Split) Bytes() int64 {
	var n int64
	for i := range s.Sections {
		n += s.Sections[i].Length
	}
	return n
}
