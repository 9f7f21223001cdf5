package sums_test

import (
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/master/sums"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/checksum"
)

const text = "the quick brown fox jumps over the lazy dog"

// read returns what an attempt tells of some bytes of the text, of which damage
// replaces one letter.
func read(from, to int, damage bool) plan.SectionSum {
	bytes := []byte(text)[from:to]
	if damage {
		bytes = []byte(strings.Replace(string(bytes), "o", "0", 1))
	}
	s := plan.SectionSum{Checksum: sumOf(bytes), Last: bytes[len(bytes)-1]}
	if from > 0 {
		s.Before, s.BeforeIsRead = text[from-1], true
	}
	return s
}

func sumOf(b []byte) plan.Checksum {
	s := checksum.Of(checksum.CRC32C, b)
	return plan.Checksum{Algorithm: uint8(s.Algorithm), Value: s.Value}
}

func attempt(n uint32) plan.AttemptID { return plan.AttemptID{Epoch: 1, N: n} }

func mapTask(i int) plan.TaskID { return plan.TaskID{Phase: plan.Map, Index: i} }

// book makes a book of an object that three tasks read, in the order 2, 0, 1.
func book() *sums.Book {
	o := plan.Object{Root: "s3://b", Key: "fox", Size: int64(len(text)), Sum: sumOf([]byte(text))}
	section := func(from, to int64) plan.Split {
		return plan.Split{Sections: []plan.Section{{Object: o, Offset: from, Length: to - from}}}
	}
	return sums.New([]plan.Split{section(10, 20), section(20, o.Size), section(0, 10)})
}

// TestMisreadIsFound only when all sections were read, and then it names all who
// read some of the object.
func TestMisreadIsFound(t *testing.T) {
	t.Parallel()
	b := book()
	if bad := b.Add(mapTask(0), attempt(1), []plan.SectionSum{read(10, 20, true)}); bad != nil {
		t.Fatalf("one of three sections tells %+v", bad)
	}
	if bad := b.Add(mapTask(2), attempt(2), []plan.SectionSum{read(0, 10, false)}); bad != nil {
		t.Fatalf("two of three sections tell %+v", bad)
	}
	bad := b.Add(mapTask(1), attempt(3), []plan.SectionSum{read(20, len(text), false)})
	if bad == nil || len(bad.Others) != 2 || !strings.Contains(bad.Err.Error(), "s3://b/fox") {
		t.Fatalf("all sections tell %+v", bad)
	}
	for _, other := range bad.Others {
		if other.Task == mapTask(1) || other.Attempt != map[int]plan.AttemptID{0: attempt(1), 2: attempt(2)}[other.Task.Index] {
			t.Errorf("blamed is %+v", other)
		}
	}
	// All are read again. Until then nothing is told of what was read before.
	again := func(task int, s plan.SectionSum) *sums.Misread {
		return b.Add(mapTask(task), attempt(4), []plan.SectionSum{s})
	}
	if bad := again(1, read(20, len(text), false)); bad != nil {
		t.Errorf("the second time one of three sections tells %+v", bad)
	}
	if bad := again(2, read(0, 10, false)); bad != nil {
		t.Errorf("the second time two of three sections tell %+v", bad)
	}
	if bad := again(0, read(10, 20, true)); bad == nil || len(bad.Others) != 2 {
		t.Errorf("the second time all sections tell %+v", bad)
	}
	for i, s := range []plan.SectionSum{read(10, 20, false), read(20, len(text), false), read(0, 10, false)} {
		if bad := again(i, s); bad != nil {
			t.Errorf("the third time task %d tells %+v", i, bad)
		}
	}
}

// TestSeams: neighbours that were told different bytes at their seam have not
// read one object, even if the sums fit.
func TestSeams(t *testing.T) {
	t.Parallel()
	b := book()
	other := read(20, len(text), false)
	other.Before = 'X'
	b.Add(mapTask(0), attempt(1), []plan.SectionSum{read(10, 20, false)})
	b.Add(mapTask(2), attempt(1), []plan.SectionSum{read(0, 10, false)})
	if bad := b.Add(mapTask(1), attempt(1), []plan.SectionSum{other}); bad == nil {
		t.Error("a seam that does not fit is taken")
	}
}

// TestNobodyCanTell about sections that were not read to their end, and about
// what is no map task of the job.
func TestNobodyCanTell(t *testing.T) {
	t.Parallel()
	b := book()
	b.Add(mapTask(0), attempt(1), []plan.SectionSum{read(10, 20, true)})
	b.Add(mapTask(2), attempt(1), nil)
	if bad := b.Add(mapTask(1), attempt(1), []plan.SectionSum{read(20, len(text), false)}); bad != nil {
		t.Errorf("it tells %+v", bad)
	}
	for _, task := range []plan.TaskID{{Phase: plan.Reduce}, {Phase: plan.Sample}, mapTask(3), mapTask(-1)} {
		if bad := b.Add(task, attempt(1), nil); bad != nil {
			t.Errorf("task %v tells %+v", task, bad)
		}
	}
}

// TestAttemptsReplaceEachOther: the last one that read a section counts.
func TestAttemptsReplaceEachOther(t *testing.T) {
	t.Parallel()
	b := book()
	b.Add(mapTask(0), attempt(1), []plan.SectionSum{read(10, 20, true)})
	b.Add(mapTask(0), attempt(2), []plan.SectionSum{read(10, 20, false)})
	b.Add(mapTask(2), attempt(3), []plan.SectionSum{read(0, 10, false)})
	if bad := b.Add(mapTask(1), attempt(4), []plan.SectionSum{read(20, len(text), false)}); bad != nil {
		t.Errorf("it tells %+v", bad)
	}
}
