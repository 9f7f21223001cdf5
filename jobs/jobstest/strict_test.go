package jobstest_test

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/jobstest"
)

// input returns lines "key value" with ten keys and forty different values.
func input() []string {
	var lines []string
	for i := range 40 {
		lines = append(lines, fmt.Sprintf("k%d v%02d", i*7%10, i))
	}
	return lines
}

// keyed maps a line to its first and second word.
func keyed(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, []byte]) error {
	key, value, _ := bytes.Cut(line, []byte(" "))
	emit(key, value)
	return nil
}

// reducing makes a job of a reducer.
func reducing(f func(*jobs.Context, []byte, iter.Seq[[]byte], func([]byte)) error) *jobs.Job {
	return jobs.Define("reducing", none{}, func(p *jobs.Pipeline, _ none) error {
		jobs.Reduce(jobs.Map(jobs.ReadLines(p), keyed), f).Write(text.Lines{})
		return nil
	})
}

// flat makes a map-only job of the function that constructor returns.
// constructor runs with the job's.
func flat(constructor func() func(*jobs.Context, []byte, func([]byte)) error) *jobs.Job {
	return jobs.Define("flat", none{}, func(p *jobs.Pipeline, _ none) error {
		jobs.FlatMap(jobs.ReadLines(p), constructor()).Write(text.Lines{})
		return nil
	})
}

// once emits lines that seen does not hold yet.
type once struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (o *once) line(_ *jobs.Context, line []byte, emit func([]byte)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if key, _, _ := strings.Cut(string(line), " "); !o.seen[key] {
		o.seen[key] = true
		emit(line[:2])
	}
	return nil
}

// lossy is a reader that loses lines that continue after a section's end.
type lossy struct{ text.Lines }

func (l lossy) Scan(ctx *jobs.Context, s *jobs.Section, yield func([]byte) error) error {
	return l.Lines.Scan(ctx, s, func(line []byte) error {
		if s.Offset+s.Length < s.Object.Size && len(line) > 0 {
			in, err := s.Open(ctx, s.Offset)
			if err != nil {
				return err
			}
			defer in.Close()
			own, err := io.ReadAll(io.LimitReader(in, s.Length))
			if err != nil || !bytes.Contains(own, line) {
				return err
			}
		}
		return yield(line)
	})
}

// faulty are jobs with one fault each. Strict promises to find it, with the
// word in its message.
func faulty() map[string]*jobs.Job {
	return map[string]*jobs.Job{
		"a fold that is not associative": jobs.New("differences", func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
			n, err := strconv.ParseInt(string(line[4:]), 10, 64)
			emit(line[:2], n)
			return err
		}, func(a, b int64) int64 { return a - b }),
		"a combiner that changes the result": jobs.Define("averages", none{}, func(p *jobs.Pipeline, _ none) error {
			sizes := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, float64]) error {
				emit(line[:2], float64(line[5]))
				return nil
			})
			average := func(_ *jobs.Context, key []byte, values iter.Seq[float64], emit func([]byte)) error {
				var n, sum float64
				for v := range values {
					n, sum = n+1, sum+v
				}
				emit(fmt.Appendf(nil, "%s %.3f", key, sum/n))
				return nil
			}
			jobs.Reduce(sizes.Combine(func(a, b float64) float64 { return (a + b) / 2 }), average).Write(text.Lines{})
			return nil
		}),
		"a reducer that depends on the order of values": reducing(func(_ *jobs.Context, key []byte, values iter.Seq[[]byte], emit func([]byte)) error {
			for v := range values {
				emit(fmt.Appendf(nil, "%s %s", key, v))
				break
			}
			return nil
		}),
		"a mapper that numbers lines": flat(func() func(*jobs.Context, []byte, func([]byte)) error {
			return func(ctx *jobs.Context, line []byte, emit func([]byte)) error {
				emit(fmt.Appendf(nil, "%d %s", ctx.Task().Index, line))
				return nil
			}
		}),
		"a set that all tasks share": flat(func() func(*jobs.Context, []byte, func([]byte)) error {
			return (&once{seen: map[string]bool{}}).line
		}),
		"a random number in the constructor": flat(func() func(*jobs.Context, []byte, func([]byte)) error {
			salt := rand.Uint64()
			return func(_ *jobs.Context, line []byte, emit func([]byte)) error {
				emit(fmt.Appendf(nil, "%x %s", salt, line))
				return nil
			}
		}),
		"groups that are torn apart": jobs.Define("torn", none{}, func(p *jobs.Pipeline, _ none) error {
			type key = jobs.By[string, string]
			pairs := jobs.KeyBy(jobs.ReadLines(p), func(line []byte) key { return key{Key: string(line[:2]), Order: string(line[3:])} })
			torn := pairs.Partition(func(k key, n int) int { return int(k.Order[2]) % n })
			jobs.ReduceBy(torn, func(_ *jobs.Context, k string, values iter.Seq2[string, []byte], emit func([]byte)) error {
				for first := range values {
					emit([]byte(k + " " + first))
					break
				}
				return nil
			}).Write(text.Lines{})
			return nil
		}),
		"values that are kept": reducing(func(_ *jobs.Context, key []byte, values iter.Seq[[]byte], emit func([]byte)) error {
			all := slices.SortedFunc(values, bytes.Compare)
			emit(bytes.Join(append([][]byte{key}, all...), []byte(" ")))
			return nil
		}),
		"a reader that loses records": jobs.Define("lossy", none{}, func(p *jobs.Pipeline, _ none) error {
			jobs.Read(p, jobs.Reader[[]byte](lossy{})).Write(text.Lines{})
			return nil
		}),
	}
}

func TestStrictFindsFaults(t *testing.T) {
	t.Parallel()
	for name, job := range faulty() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Without Strict each of these jobs runs.
			jobstest.Run(t, job, jobstest.Lines(input()...))
			_, err := jobstest.TryRun(t, job, jobstest.Lines(input()...), jobstest.File("", "more", "k1 v50\nk2 v51"), jobstest.Strict())
			if err == nil || !strings.Contains(err.Error(), "depends on how the work is done") || !strings.Contains(err.Error(), "\n+ ") {
				t.Errorf("strict said: %v", err)
			}
		})
	}
}

// keeper emits the bytes that it kept when the same task last called it.
type keeper struct {
	mu   sync.Mutex
	kept map[string][]byte
}

func (k *keeper) keep(ctx *jobs.Context, lent []byte, emit func([]byte)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	task := ctx.Task().Attempt
	if old := k.kept[task]; old != nil {
		emit(old)
	}
	k.kept[task] = lent
}

func TestKeptBytesAreOverwritten(t *testing.T) {
	t.Parallel()
	for name, job := range map[string]*jobs.Job{
		"record": flat(func() func(*jobs.Context, []byte, func([]byte)) error {
			k := &keeper{kept: map[string][]byte{}}
			return func(ctx *jobs.Context, line []byte, emit func([]byte)) error {
				k.keep(ctx, line[:2], emit)
				return nil
			}
		}),
		"key": jobs.Define("keys", none{}, func(p *jobs.Pipeline, _ none) error {
			k := &keeper{kept: map[string][]byte{}}
			jobs.Reduce(jobs.Map(jobs.ReadLines(p), keyed), func(ctx *jobs.Context, key []byte, _ iter.Seq[[]byte], emit func([]byte)) error {
				k.keep(ctx, key, emit)
				return nil
			}).Write(text.Lines{})
			return nil
		}),
		"value": reducing(func(ctx *jobs.Context, _ []byte, values iter.Seq[[]byte], emit func([]byte)) error {
			k := &keeper{kept: map[string][]byte{}}
			for v := range values {
				k.keep(ctx, v[:2], emit)
			}
			return nil
		}),
	} {
		r := jobstest.Run(t, job, jobstest.Lines(input()...))
		if len(r.Lines()) == 0 {
			t.Errorf("%s: none was kept", name)
		}
		for _, line := range r.Lines() {
			if line != "\xff\xff" {
				t.Errorf("%s: the kept bytes are %q, want ff", name, line)
			}
		}
		_, err := jobstest.TryRun(t, job, jobstest.Lines(input()...), jobstest.Strict())
		if err == nil || !strings.Contains(err.Error(), `A byte \xff may come from a []byte that a function kept`) {
			t.Errorf("%s: strict said: %v", name, err)
		}
	}
}

func TestWhatIsDecidedOnceIsStrict(t *testing.T) {
	t.Parallel()
	job := jobs.Define("stamped", none{}, func(p *jobs.Pipeline, _ none) error {
		now := jobs.Once(p, "now", func() (time.Time, error) { return time.Now(), nil })
		stamped := jobs.Convert(jobs.ReadLines(p), func(l []byte) []byte { return append(now.AppendFormat(nil, time.RFC3339Nano), l...) })
		stamped.Write(text.Lines{})
		return nil
	})
	jobstest.Run(t, job, jobstest.Lines("a", "b"), jobstest.Strict())
}

func TestStrictShowsWhatDiffers(t *testing.T) {
	t.Parallel()
	_, err := jobstest.TryRun(t, faulty()["a mapper that numbers lines"], jobstest.Lines("a", "b"), jobstest.Strict())
	if err == nil {
		t.Fatal("strict found nothing")
	}
	for _, want := range []string{"job flat", "one task for everything", "partitions 1", `+ "0 b"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the message has no %q:\n%v", want, err)
		}
	}
}

// TestStrictReportsFailures: Strict reports a job that is right in the usual
// way but fails when its work is divided differently.
func TestStrictReportsFailures(t *testing.T) {
	t.Parallel()
	job := reducing(func(ctx *jobs.Context, _ []byte, _ iter.Seq[[]byte], _ func([]byte)) error {
		if ctx.Task().Index > 3 {
			return fmt.Errorf("too many tasks")
		}
		return nil
	})
	_, err := jobstest.TryRun(t, job, jobstest.Lines(input()...), jobstest.Strict())
	if err == nil || !strings.Contains(err.Error(), "many small tasks") || !strings.Contains(err.Error(), "too many tasks") {
		t.Errorf("strict said: %v", err)
	}
}

// TestStrictLooksAtTheOrderOfASort: after a Sort, the order of lines is part of
// the output.
func TestStrictLooksAtTheOrderOfASort(t *testing.T) {
	t.Parallel()
	job := jobs.Define("swaps", none{}, func(p *jobs.Pipeline, _ none) error {
		sorted := jobs.Map(jobs.ReadLines(p), keyed).Sort()
		var mu sync.Mutex
		records := map[string]int{}
		jobs.FlatMap(sorted, func(ctx *jobs.Context, _ jobs.Pair[[]byte, []byte], emit func([]byte)) error {
			mu.Lock()
			defer mu.Unlock()
			task := ctx.Task().Attempt
			first, second := "x", "y"
			if records[task]++; records[task]%2 == 0 {
				first, second = second, first
			}
			emit([]byte(first))
			emit([]byte(second))
			return nil
		}).Write(text.Lines{})
		return nil
	})
	_, err := jobstest.TryRun(t, job, jobstest.Lines(input()[:31]...), jobstest.Strict())
	if err == nil || !strings.Contains(err.Error(), "their order is not") {
		t.Errorf("strict said: %v", err)
	}
}
