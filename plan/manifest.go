package plan

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"time"
)

// Stat summarises the numbers that a job observed under one name.
type Stat struct {
	Count    int64
	Sum      float64
	Min, Max float64
}

// Add counts one observation.
func (s *Stat) Add(v float64) { s.Merge(Stat{Count: 1, Sum: v, Min: v, Max: v}) }

// Merge adds the observations of o.
func (s *Stat) Merge(o Stat) {
	switch {
	case o.Count == 0:
	case s.Count == 0:
		*s = o
	default:
		*s = Stat{s.Count + o.Count, s.Sum + o.Sum, min(s.Min, o.Min), max(s.Max, o.Max)}
	}
}

// Extent says where one partition's pairs are in a run: Rows rows, beginning
// with row FirstRow of the batch at Offset, in the batches within Length bytes.
type Extent struct {
	Offset   int64
	Length   int64
	FirstRow int64
	Rows     int64
	Largest  int64 // bytes of memory that its largest batch takes to read
}

// Run is one sorted object of the shuffle.
type Run struct {
	Key        string // relative to the job's shuffle root
	Size       int64
	CRC32C     uint32   // over the checksums of its batches
	Partitions []Extent // by partition; one without rows is the zero Extent
}

// Part is one committed output object.
type Part struct {
	Name    string `json:"name"` // relative to the output
	Size    int64  `json:"size"`
	Records int64  `json:"records"`
	CRC32C  uint32 `json:"crc32c"` // of the object's bytes
}

// Tally is what an attempt counted. Results have only the tallies of committed
// attempts.
type Tally struct {
	BytesIn    int64 // bytes of input at rest that were read for records
	RecordsIn  int64 // records read (map) or pairs read (reduce)
	PairsOut   int64 // pairs passed to the shuffle, after combining
	RecordsOut int64 // records written to the output
	BytesOut   int64 // bytes of output at rest
	Spills     int64 // runs written because memory was full
	SpillBytes int64
	RunBytes   int64 // bytes of runs that the attempt leaves to the reducers
	PeakMemory int64 // most bytes of the budget held at the same time
	Bad        int64 `msgpack:",omitempty"` // records and keys that were left out
	Counts     map[string]int64
	Stats      map[string]Stat
}

// Merge adds the counts of o. PeakMemory becomes the greater one.
func (t *Tally) Merge(o *Tally) {
	t.BytesIn += o.BytesIn
	t.RecordsIn += o.RecordsIn
	t.PairsOut += o.PairsOut
	t.RecordsOut += o.RecordsOut
	t.BytesOut += o.BytesOut
	t.Spills += o.Spills
	t.SpillBytes += o.SpillBytes
	t.RunBytes += o.RunBytes
	t.Bad += o.Bad
	t.PeakMemory = max(t.PeakMemory, o.PeakMemory)
	for name, n := range o.Counts {
		if t.Counts == nil {
			t.Counts = make(map[string]int64, len(o.Counts))
		}
		t.Counts[name] = Saturated(t.Counts[name], n)
	}
	for name, s := range o.Stats {
		if t.Stats == nil {
			t.Stats = make(map[string]Stat, len(o.Stats))
		}
		sum := t.Stats[name]
		sum.Merge(s)
		t.Stats[name] = sum
	}
}

// Saturated returns a + b, or the number of 64 bits that is nearest to it.
//
//go:noinline
func Saturated(a, b int64) int64 {
	sum := a + b
	switch {
	case b > 0 && sum < a:
		return math.MaxInt64
	case b < 0 && sum > a:
		return math.MinInt64
	}
	return sum
}

// SectionSum describes the bytes that were read of a section, so that the
// sections of an object can be compared with the store's checksum of it.
type SectionSum struct {
	Checksum          // of the section's bytes
	Last         byte // the last of them
	Before       byte // the byte before the section, which decides where the first record begins
	BeforeIsRead bool
}

// Shuffled is what an attempt leaves for one exchange.
type Shuffled struct {
	Runs  []Run
	Rows  []int64 // pairs by partition, over all runs
	Heavy *Heavy  `msgpack:",omitempty"`
}

// Manifest describes the results of one finished attempt. It is written under
// an attempt-unique key before the attempt is reported. So a master that missed
// the report can still adopt the work.
type Manifest struct {
	Job     JobID
	Task    TaskID
	Attempt AttemptID
	Runs    []Run      // for the first exchange that it writes
	Rows    []int64    // in these runs, by partition
	Heavy   *Heavy     `msgpack:",omitempty"` // of these pairs
	More    []Shuffled `msgpack:",omitempty"` // for the other exchanges, in the order of its step
	Part    *Part      // of an attempt that writes output; nil when it wrote none
	Parts   []Part     `msgpack:",omitempty"` // those after Part
	// Sums describe the bytes that a map attempt read of each section that is
	// not a whole object, if the store has a checksum of that object; zero
	// elsewhere. Nil when all are zero.
	Sums []SectionSum
	Keys [][]byte // a sample of the keys that it read or wrote
	// KeyStep is how many keys each of Keys stands for, a power of two; 0 for a task
	// that only samples.
	KeyStep int64 `msgpack:",omitempty"`
	// Observed has the statistics of each round of a loop whose functions the attempt
	// ran, by the stage of the round's Decide. That of a Decide has all of its round, and
	// GoesOn says whether another round follows.
	Observed map[string]map[string]Stat `msgpack:",omitempty"`
	GoesOn   bool                       `msgpack:",omitempty"`
	Tally    Tally
	Took     time.Duration
}

// Leave takes what the attempt leaves for the next exchange of its step.
func (m *Manifest) Leave(s Shuffled) {
	if m.Rows == nil {
		m.Runs, m.Rows, m.Heavy = s.Runs, s.Rows, s.Heavy
		return
	}
	m.More = append(m.More, s)
}

// Left returns what the attempt left for an exchange, by its place among those that
// its step writes.
func (m *Manifest) Left(place int) Shuffled {
	if place == 0 {
		return Shuffled{m.Runs, m.Rows, m.Heavy}
	}
	if place > len(m.More) {
		return Shuffled{}
	}
	return m.More[place-1]
}

// AllRuns returns the runs for all exchanges.
func (m *Manifest) AllRuns() []Run {
	if len(m.More) == 0 {
		return m.Runs
	}
	all := slices.Clone(m.Runs)
	for i := range m.More {
		all = append(all, m.More[i].Runs...)
	}
	return all
}

// AddPart takes a part that the attempt wrote.
func (m *Manifest) AddPart(p Part) {
	if m.Part == nil {
		m.Part = &p
		return
	}
	m.Parts = append(m.Parts, p)
}

// AllParts returns the parts that the attempt wrote.
func (m *Manifest) AllParts() []Part {
	if m.Part == nil {
		return nil
	}
	return append([]Part{*m.Part}, m.Parts...)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// CRC returns a CRC32C of the attempt's part, or of all that it left. Attempts at
// one task with the same results have the same CRC.
func (m *Manifest) CRC() uint32 {
	runs, parts := m.AllRuns(), m.AllParts()
	if len(parts) == 1 && len(runs) == 0 {
		return m.Part.CRC32C
	}
	var crc uint32
	for i := range runs {
		crc = addCRC(crc, runs[i].Size, runs[i].CRC32C)
	}
	for i := range parts {
		crc = addCRC(crc, parts[i].Size, parts[i].CRC32C)
	}
	for _, key := range m.Keys { // at which others cut partitions
		crc = addCRC(crc, int64(len(key)), crc32.Checksum(key, castagnoli))
	}
	return crc
}

// addCRC adds an object, by its size and sum, to a sum of several.
func addCRC(crc uint32, size int64, sum uint32) uint32 {
	b := binary.BigEndian.AppendUint64(nil, uint64(size))
	return crc32.Update(crc, castagnoli, binary.BigEndian.AppendUint32(b, sum))
}
