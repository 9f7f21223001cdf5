package sums_test

import (
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/attempts"
	"github.com/windrow-mr/windrow/master/sums"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/checksum"
)

const text = "the quick brown fox jumps over the lazy dog"

// read returns an attempt's sum of some bytes of the text; damage replaces one
// letter.
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

// checks returns the Checks of an object that three tasks read, in the order 2,
// 0, 1.
func checks() *sums.Checks {
	o := plan.Object{Root: "s3://b", Key: "fox", Size: int64(len(text)), Sum: sumOf([]byte(text))}
	section := func(from, to int64) plan.Split {
		return plan.Split{Sections: []plan.Section{{Object: o, Offset: from, Length: to - from}}}
	}
	return sums.New(&attempts.Table{Splits: []plan.Split{section(10, 20), section(20, o.Size), section(0, 10)}})
}

// TestMisreadIsFound verifies that a misread is found only when all sections
// were read, and that it names all attempts that read some of the object.
func TestMisreadIsFound(t *testing.T) {
	t.Parallel()
	b := checks()
	if bad := b.Add(mapTask(0), attempt(1), []plan.SectionSum{read(10, 20, true)}); bad != nil {
		t.Fatalf("one of three sections return %+v", bad)
	}
	if bad := b.Add(mapTask(2), attempt(2), []plan.SectionSum{read(0, 10, false)}); bad != nil {
		t.Fatalf("two of three sections return %+v", bad)
	}
	bad := b.Add(mapTask(1), attempt(3), []plan.SectionSum{read(20, len(text), false)})
	if bad == nil || len(bad.Others) != 2 || !strings.Contains(bad.Err.Error(), "s3://b/fox") {
		t.Fatalf("all sections return %+v", bad)
	}
	for _, other := range bad.Others {
		if other.Task == mapTask(1) || other.Attempt != map[int]plan.AttemptID{0: attempt(1), 2: attempt(2)}[other.Task.Index] {
			t.Errorf("blamed is %+v", other)
		}
	}
	// All are read again. Until then the earlier sums do not count.
	again := func(task int, s plan.SectionSum) *sums.Misread {
		return b.Add(mapTask(task), attempt(4), []plan.SectionSum{s})
	}
	if bad := again(1, read(20, len(text), false)); bad != nil {
		t.Errorf("the second time one of three sections return %+v", bad)
	}
	if bad := again(2, read(0, 10, false)); bad != nil {
		t.Errorf("the second time two of three sections return %+v", bad)
	}
	if bad := again(0, read(10, 20, true)); bad == nil || len(bad.Others) != 2 {
		t.Errorf("the second time all sections return %+v", bad)
	}
	for i, s := range []plan.SectionSum{read(10, 20, false), read(20, len(text), false), read(0, 10, false)} {
		if bad := again(i, s); bad != nil {
			t.Errorf("the third time task %d returns %+v", i, bad)
		}
	}
}

// TestSeams verifies that neighbours with different bytes at their seam have
// not read one object, even if the sums fit.
func TestSeams(t *testing.T) {
	t.Parallel()
	b := checks()
	other := read(20, len(text), false)
	other.Before = 'X'
	b.Add(mapTask(0), attempt(1), []plan.SectionSum{read(10, 20, false)})
	b.Add(mapTask(2), attempt(1), []plan.SectionSum{read(0, 10, false)})
	if bad := b.Add(mapTask(1), attempt(1), []plan.SectionSum{other}); bad == nil {
		t.Error("a seam that does not fit is taken")
	}
}

// TestUnknownSums verifies that nothing is reported about sections that were
// not read to their end, or about tasks that are no map task of the job.
func TestUnknownSums(t *testing.T) {
	t.Parallel()
	b := checks()
	b.Add(mapTask(0), attempt(1), []plan.SectionSum{read(10, 20, true)})
	b.Add(mapTask(2), attempt(1), nil)
	if bad := b.Add(mapTask(1), attempt(1), []plan.SectionSum{read(20, len(text), false)}); bad != nil {
		t.Errorf("Add returns %+v", bad)
	}
	for _, task := range []plan.TaskID{{Phase: plan.Reduce}, {Phase: plan.Sample}, mapTask(3), mapTask(-1)} {
		if bad := b.Add(task, attempt(1), nil); bad != nil {
			t.Errorf("task %v returns %+v", task, bad)
		}
	}
}

// TestAttemptsReplaceEachOther verifies that the last attempt that read a
// section counts.
func TestAttemptsReplaceEachOther(t *testing.T) {
	t.Parallel()
	b := checks()
	b.Add(mapTask(0), attempt(1), []plan.SectionSum{read(10, 20, true)})
	b.Add(mapTask(0), attempt(2), []plan.SectionSum{read(10, 20, false)})
	b.Add(mapTask(2), attempt(3), []plan.SectionSum{read(0, 10, false)})
	if bad := b.Add(mapTask(1), attempt(4), []plan.SectionSum{read(20, len(text), false)}); bad != nil {
		t.Errorf("Add returns %+v", bad)
	}
}
