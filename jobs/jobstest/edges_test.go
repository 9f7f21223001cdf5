package jobstest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/compress"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/jobstest"
)

type nothing struct{}

func eachLine(_ *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
	emit(string(line), 1)
	return nil
}

// overValues makes a job that reduces the lines with f.
func overValues(f func(key string, values iter.Seq[int64]) int) *jobs.Job {
	return jobs.Define("reducing", nothing{}, func(p *jobs.Pipeline, _ nothing) error {
		pairs := jobs.Map(jobs.ReadLines(p), eachLine)
		jobs.Reduce(pairs, func(_ *jobs.Context, key string, values iter.Seq[int64], emit func(string)) error {
			emit(fmt.Sprint(key, f(key, values)))
			return nil
		}).WriteTSV()
		return nil
	})
}

// TestValuesAreReadOnce verifies that a job fails when it reads a value list
// more than once. Otherwise it would miss values, or see those of the next key.
func TestValuesAreReadOnce(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(string, iter.Seq[int64]) int{
		"nested": func(_ string, values iter.Seq[int64]) (n int) {
			for range values {
				for range values {
					n++
				}
			}
			return n
		},
		"pulled and ranged": func(_ string, values iter.Seq[int64]) (n int) {
			next, stop := iter.Pull(values)
			defer stop()
			next()
			for range values {
				n++
			}
			next()
			return n
		},
		"twice": func(_ string, values iter.Seq[int64]) (n int) {
			for range values {
				n++
			}
			for range values {
				n++
			}
			return n
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := jobstest.TryRun(t, overValues(f), jobstest.Lines(strings.Split("a a b c d e f g", " ")...))
			if err == nil {
				t.Fatalf("the job succeeded with %q", r.Lines())
			}
			if !strings.Contains(err.Error(), "once") {
				t.Errorf("%v", err)
			}
		})
	}
	// A reducer may break off and continue later.
	resumed := overValues(func(_ string, values iter.Seq[int64]) (n int) {
		for range values {
			n++
			break
		}
		for range values {
			n++
		}
		return n
	})
	jobstest.Run(t, resumed, jobstest.Lines("a", "b", "a", "a")).Want("a3", "b1")
}

// TestMergeWithItself verifies that pairs merged with themselves count twice.
func TestMergeWithItself(t *testing.T) {
	t.Parallel()
	job := jobs.Define("self", nothing{}, func(p *jobs.Pipeline, _ nothing) error {
		pairs := jobs.Map(jobs.ReadLines(p), eachLine)
		pairs.Merge(pairs).Fold(jobs.Sum).WriteTSV()
		return nil
	})
	jobstest.Run(t, job, jobstest.Lines("a", "b", "a")).Want("a\t4", "b\t2")
}

// fresh is a value whose codec returns a slice of its own.
type fresh struct{ N int }

func (v fresh) AppendBinary([]byte) ([]byte, error) { return json.Marshal(v.N) }
func (v *fresh) UnmarshalBinary(b []byte) error     { return json.Unmarshal(b, &v.N) }
func (v fresh) String() string                      { return fmt.Sprint(v.N) }

func TestAppendBinaryOfItsOwn(t *testing.T) {
	t.Parallel()
	job := jobs.New("fresh", func(_ *jobs.Context, line []byte, emit jobs.Emit[string, fresh]) error {
		emit(string(line), fresh{1})
		return nil
	}, func(a, b fresh) fresh { return fresh{a.N + b.N} })
	jobstest.Run(t, job, jobstest.Lines("k1", "k2", "k1"), jobstest.Strict()).Want("k1\t2", "k2\t1")
}

// promoting is a key that embeds a Desc, but is not one.
type promoting struct {
	V int64
	jobs.Desc[string]
}

func TestKeyThatEmbedsDesc(t *testing.T) {
	t.Parallel()
	job := jobs.Define("promoting", nothing{}, func(p *jobs.Pipeline, _ nothing) error {
		sums := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[promoting, int64]) error {
			emit(promoting{1, jobs.Desc[string]{V: string(line)}}, 1)
			return nil
		}).Fold(jobs.Sum)
		jobs.Convert(sums, func(s jobs.Pair[promoting, int64]) []byte {
			return fmt.Appendf(nil, "%d %s %d", s.Key.V, s.Key.Desc.V, s.Value)
		}).Write(text.Lines{})
		return nil
	})
	jobstest.Run(t, job, jobstest.Lines("a", "b", "a")).Want("1 a 2", "1 b 1")
}

// path is a key whose decoder adds to the old value.
type path struct{ parts []string }

func (p path) AppendKey(dst []byte) []byte { return append(dst, strings.Join(p.parts, "/")...) }
func (p path) String() string              { return strings.Join(p.parts, "/") }
func (p *path) DecodeKey(b []byte) error {
	p.parts = append(p.parts, strings.Split(string(b), "/")...)
	return nil
}

func TestDecodeKeyFindsNothing(t *testing.T) {
	t.Parallel()
	job := jobs.New("paths", func(_ *jobs.Context, line []byte, emit jobs.Emit[path, int64]) error {
		emit(path{[]string{string(line)}}, 1)
		return nil
	}, jobs.Sum)
	jobstest.Run(t, job, jobstest.Lines("a", "b", "c", "d/e")).Want("a\t1", "b\t1", "c\t1", "d/e\t1")
}

type Name struct{ First string }

func (n Name) String() string { return "name " + n.First }

// named embeds a type that has a text. It is not the text of the whole struct.
type named struct {
	Name
	Count int
}

func TestTSVOfEmbeddedText(t *testing.T) {
	t.Parallel()
	job := jobs.Define("named", nothing{}, func(p *jobs.Pipeline, _ nothing) error {
		jobs.Convert(jobs.ReadLines(p), func(line []byte) named { return named{Name{string(line)}, len(line)} }).WriteTSV()
		return nil
	})
	jobstest.Run(t, job, jobstest.Lines("abc", "d")).Want("name abc\t3", "name d\t1")
}

// packed compresses a text, so that one task reads all of it.
func packed(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := compress.Zstd.Writer(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestEmptyKeyBehindMany folds an empty key just after other keys have filled a
// piece of the table's memory.
func TestEmptyKeyBehindMany(t *testing.T) {
	t.Parallel()
	job := jobs.New("keys", func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
		emit(line, 1)
		return nil
	}, jobs.Sum)
	const n = 1 << 16
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%016x\n", i)
	}
	b.WriteString("\n")
	if got := len(jobstest.Run(t, job, jobstest.File("", "x.zst", packed(t, b.String()))).Lines()); got != n+1 {
		t.Errorf("%d keys, want %d", got, n+1)
	}
}

// TestGoexit ends the goroutine of a task from within. The job fails, and does
// not hang.
func TestGoexit(t *testing.T) {
	t.Parallel()
	job := jobs.New("exits", func(_ *jobs.Context, _ []byte, _ jobs.Emit[string, int64]) error {
		runtime.Goexit()
		return nil
	}, jobs.Sum)
	if _, err := jobstest.TryRun(t, job, jobstest.Lines("a")); err == nil || !strings.Contains(err.Error(), "Goexit") {
		t.Errorf("got %v", err)
	}
}

// explosive is a value that cannot be encoded after it was folded.
type explosive struct{ N int64 }

func (e explosive) AppendBinary(dst []byte) ([]byte, error) {
	if e.N > 1 {
		panic("too much")
	}
	return append(dst, byte(e.N)), nil
}

func (e *explosive) UnmarshalBinary(b []byte) error {
	e.N = int64(b[0])
	return nil
}

// TestPanicWhileCombining panics outside of any record.
func TestPanicWhileCombining(t *testing.T) {
	t.Parallel()
	job := jobs.New("explosive", func(_ *jobs.Context, line []byte, emit jobs.Emit[string, explosive]) error {
		emit(string(line), explosive{1})
		return nil
	}, func(a, b explosive) explosive { return explosive{a.N + b.N} })
	if _, err := jobstest.TryRun(t, job, jobstest.File("", "x.zst", packed(t, "a\na\n"))); err == nil || !strings.Contains(err.Error(), "too much") {
		t.Errorf("got %v", err)
	}
}

// TestBlame panics on a key when the table is emptied, long after its record.
// The error names the key, not the last record.
func TestBlame(t *testing.T) {
	t.Parallel()
	job := jobs.Define("blame", nothing{}, func(p *jobs.Pipeline, _ nothing) error {
		jobs.Map(jobs.ReadLines(p), eachLine).Partition(func(key string, _ int) int {
			if key == "bad" {
				panic("I do not like it")
			}
			return 0
		}).Fold(jobs.Sum).WriteTSV()
		return nil
	})
	_, err := jobstest.TryRun(t, job, jobstest.File("", "f.zst", packed(t, "bad\na\nb\nc\n")))
	if err == nil || !strings.Contains(err.Error(), `"bad"`) || strings.Contains(err.Error(), "the record at byte") {
		t.Errorf("got %v", err)
	}
}

// TestManyCounters verifies that a job with a counter for each record fails.
func TestManyCounters(t *testing.T) {
	t.Parallel()
	job := jobs.New("counts", func(ctx *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
		for i := range 2000 {
			ctx.Count(fmt.Sprint(string(line), i), 1)
		}
		return nil
	}, jobs.Sum)
	if _, err := jobstest.TryRun(t, job, jobstest.Lines("a")); err == nil || !strings.Contains(err.Error(), "names") {
		t.Errorf("got %v", err)
	}
}
