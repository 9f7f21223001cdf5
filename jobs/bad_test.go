package jobs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/plan"
)

// mishaps are the ends of lines on which functions fail, after they have counted and
// passed on something.
const (
	fails  = "!"
	panics = "?"
)

// mishap ends like a function that meets such a line.
func mishap(line string) error {
	switch {
	case strings.HasSuffix(line, fails):
		return errors.New("a bad line")
	case strings.HasSuffix(line, panics):
		panic("a worse line")
	}
	return nil
}

// tokens passes on the words of a line, each with 1, and then may fail.
func tokens(ctx *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
	for word := range strings.FieldsSeq(string(line)) {
		ctx.Count("words", 1)
		ctx.Observe("length", float64(len(word)))
		emit(word, 1)
	}
	return mishap(string(line))
}

// addUp fails on keys that end like such a line, after it has passed on a record, or
// before it has read all values.
func addUp(_ *jobs.Context, key string, values iter.Seq[int64], emit func(string)) error {
	sum := int64(0)
	for v := range values {
		if sum += v; strings.HasSuffix(key, panics) {
			return mishap(key)
		}
	}
	emit(fmt.Sprint(key, " ", sum))
	return mishap(key)
}

// tolerantJob is a job that meets bad lines and keys, and what it makes of some good
// lines, computed without jobs.
type tolerantJob struct {
	build func(p *jobs.Pipeline)
	want  func(words []string, lines []string) []string // sorted
	bad   func(words []string) int                      // bad keys and pairs
}

func isBad(word string) bool {
	return strings.HasSuffix(word, fails) || strings.HasSuffix(word, panics)
}

// sums are the words with their number.
func sums(words []string, all bool, format string) []string {
	n := map[string]int64{}
	for _, w := range words {
		n[w]++
	}
	var want []string
	for w, n := range n {
		if all || !isBad(w) {
			want = append(want, fmt.Sprintf(format, w, n))
		}
	}
	return want
}

// badKeys is the number of different bad words.
func badKeys(words []string) int {
	return len(sums(words, true, "%s %d")) - len(sums(words, false, "%s %d"))
}

func tolerantJobs() map[string]tolerantJob {
	split := func(p *jobs.Pipeline) jobs.Pairs[string, int64] { return jobs.Map(jobs.ReadLines(p), tokens) }
	reduced := func(words, _ []string) []string { return sums(words, false, "%s %d") }
	folded := func(words, _ []string) []string { return sums(words, true, "%s\t%d") }
	none := func([]string) int { return 0 }
	return map[string]tolerantJob{
		"fold": {func(p *jobs.Pipeline) { split(p).Fold(jobs.Sum).WriteTSV() }, folded, none},
		"aggregate": {func(p *jobs.Pipeline) {
			jobs.Aggregate(split(p), func(acc *int64, v int64) { *acc += v }, func(acc, other *int64) { *acc += *other }).WriteTSV()
		}, folded, none},
		"reduce":  {func(p *jobs.Pipeline) { jobs.Reduce(split(p), addUp).Write(text.TSV[string]{}) }, reduced, badKeys},
		"combine": {func(p *jobs.Pipeline) { jobs.Reduce(split(p).Combine(jobs.Sum), addUp).Write(text.TSV[string]{}) }, reduced, badKeys},
		"functions behind a fold": {func(p *jobs.Pipeline) {
			jobs.FlatMap(split(p).Fold(jobs.Sum), func(_ *jobs.Context, r jobs.Pair[string, int64], emit func(string)) error {
				emit(fmt.Sprint(r.Key, " ", r.Value))
				return mishap(r.Key)
			}).Write(text.TSV[string]{})
		}, reduced, badKeys},
		"sort": {func(p *jobs.Pipeline) {
			jobs.FlatMap(split(p).Sort(), func(_ *jobs.Context, r jobs.Pair[string, int64], emit func(string)) error {
				emit(r.Key)
				return mishap(r.Key)
			}).Write(text.TSV[string]{})
		}, func(words, _ []string) []string { return slices.DeleteFunc(slices.Clone(words), isBad) },
			func(words []string) (n int) {
				for _, w := range words {
					if isBad(w) {
						n++
					}
				}
				return n
			}},
		"join": {func(p *jobs.Pipeline) {
			pairs := split(p)
			jobs.Join(pairs, pairs, func(_ *jobs.Context, key string, a, b int64, emit func(string)) error {
				emit(key)
				return mishap(key)
			}).Write(text.TSV[string]{})
		}, func(words, _ []string) (want []string) {
			for _, a := range words {
				for _, b := range words {
					if a == b && !isBad(a) {
						want = append(want, a)
					}
				}
			}
			return want
		}, badKeys},
		"records": {func(p *jobs.Pipeline) {
			aside := jobs.Output(p, "aside", text.TSV[string]{})
			twice := jobs.FlatMap(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit func(string)) error {
				aside.Emit(ctx, "a "+string(line))
				emit("1 " + string(line))
				emit("2 " + string(line))
				return nil
			})
			jobs.FlatMap(twice, func(ctx *jobs.Context, line string, emit func(string)) error {
				emit(line)
				if line[0] == '2' {
					return mishap(line)
				}
				return nil
			}).Write(text.TSV[string]{}).Named("all")
		}, func(_, lines []string) (want []string) {
			for _, line := range lines {
				want = append(want, "1 "+line, "2 "+line, "a "+line)
			}
			return want
		}, none},
	}
}

// TestBadRecordsAreLeftOut verifies that records and keys on which a function fails, or
// panics, leave nothing behind: not what functions passed on before, nor what they
// counted. Each is described once, where it is.
func TestBadRecordsAreLeftOut(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 14))
	vocabulary := []string{"hay", "rake", "barn", "wet" + fails, "burnt" + panics, "field"}
	var lines, good, all []string
	at := map[int64]string{} // bad lines, by their offset
	offset := int64(0)
	for range 60 {
		var some []string
		for range 1 + r.IntN(4) {
			some = append(some, vocabulary[r.IntN(len(vocabulary))])
		}
		line := strings.Join(some, " ")
		if isBad(line) {
			at[offset] = line
		} else {
			good, all = append(good, line), append(all, some...)
		}
		lines = append(lines, line)
		offset += int64(len(line)) + 1
	}
	for name, j := range tolerantJobs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := j.want(all, good)
			slices.Sort(want)
			for _, split := range []int64{1 << 20, 200, 7} {
				for _, table := range []int64{4 << 20, 1} {
					o := minirun.Options{Split: split, Table: table, Partitions: 3, Bad: plan.BadRecords{Keep: true}}
					got, err := minirun.Run(t.Context(), build(j.build), o, minirun.Lines(lines...))
					if err != nil {
						t.Fatal(err)
					}
					var out []string
					for name := range got.Outputs {
						if name != plan.QuarantineDir {
							out = append(out, strings.Split(strings.TrimSuffix(got.Of(name), "\n"), "\n")...)
						}
					}
					slices.Sort(out)
					if out = slices.DeleteFunc(out, func(s string) bool { return s == "" }); !slices.Equal(out, want) {
						t.Fatalf("splits of %d, table of %d: %q, want %q", split, table, out, want)
					}
					if n := int64(len(at) + j.bad(all)); got.Tally.Bad != n {
						t.Errorf("splits of %d: %d were left out, want %d", split, got.Tally.Bad, n)
					}
					if n := got.Tally.Counts["words"]; name != "records" && name != "join" && n != int64(len(all)) {
						t.Errorf("splits of %d: %d words were counted, want %d", split, n, len(all))
					}
					if n := got.Tally.Stats["length"].Count; name != "records" && name != "join" && n != int64(len(all)) {
						t.Errorf("splits of %d: %d words were observed, want %d", split, n, len(all))
					}
					described(t, got, at, j.bad(all))
				}
			}
		})
	}
}

// described verifies that the bad lines at these offsets, and so many keys, are described
// once each.
func described(t *testing.T, got *minirun.Result, at map[int64]string, keys int) {
	t.Helper()
	found := map[int64]string{}
	for line := range strings.Lines(got.Of(plan.QuarantineDir)) {
		var b struct {
			Task, Object, Stage, Error, At, Key, Record string
			Offset                                      *int64
		}
		if err := json.Unmarshal([]byte(line), &b); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		of, says := b.Record, "a bad line"
		if b.Offset == nil {
			of = strings.Trim(b.Key, `"`)
		}
		if strings.HasSuffix(of, panics) {
			says = "a worse line"
		}
		if b.Error != says || b.Stage == "" || b.Task == "" || (b.At != "") != (says == "a worse line") {
			t.Errorf("it says %s", line)
		}
		if b.Offset == nil {
			if keys--; b.Key == "" {
				t.Errorf("no key in %s", line)
			}
			continue
		}
		if _, twice := found[*b.Offset]; twice || b.Object == "" {
			t.Errorf("twice, or no object: %s", line)
		}
		found[*b.Offset] = b.Record
	}
	if !maps.Equal(found, at) || keys != 0 {
		t.Errorf("%d keys and these lines are described: %v, want %v", keys, found, at)
	}
}

// TestTooManyBadRecords verifies that a task fails when it alone has more bad records than
// its job may leave out, and that the error names the limit and the last record.
func TestTooManyBadRecords(t *testing.T) {
	t.Parallel()
	job := build(func(p *jobs.Pipeline) { jobs.Map(jobs.ReadLines(p), tokens).Fold(jobs.Sum).WriteTSV() })
	lines := minirun.Lines("a", "b!", "c", "d?", "e!")
	for most, fails := range map[int64]bool{0: false, 1: true, 2: true, 3: false} {
		for _, keep := range []bool{false, true} {
			got, err := minirun.Run(t.Context(), job, minirun.Options{Bad: plan.BadRecords{Skip: !keep, Keep: keep, Most: most}}, lines)
			_, tooMany := errors.AsType[*plan.BadRecordsError](err)
			switch {
			case tooMany != fails || !fails && err != nil:
				t.Errorf("at most %d: %v", most, err)
			case fails:
				wantError(t, err, "tokens failed", "on the record at byte", "more than --bad-records")
			case got.Tally.Bad != 3 || got.Text() != "a\t1\nc\t1\n" && got.Text() != "c\t1\na\t1\n":
				t.Errorf("at most %d: %d bad, %q", most, got.Tally.Bad, got.Text())
			}
		}
	}
	if _, err := minirun.Run(t.Context(), job, minirun.Options{}, lines); err == nil {
		t.Error("without a policy the job succeeds")
	}
}

// TestWhatCannotBeRevoked verifies that a record for which functions have passed on more
// than can be kept aside, and which then fails, fails the job: its output would be wrong.
func TestWhatCannotBeRevoked(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	job := build(func(p *jobs.Pipeline) {
		jobs.FlatMap(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit func(string)) error {
			for range 6 {
				emit(long)
			}
			return mishap(string(line))
		}).Write(text.TSV[string]{})
	})
	o := minirun.Options{Bad: plan.BadRecords{Keep: true}}
	if _, err := minirun.Run(t.Context(), job, o, minirun.Lines("a", "b!")); err == nil || !strings.Contains(err.Error(), "cannot be left out") || !strings.Contains(err.Error(), "a bad line") {
		t.Errorf("%.300v", err)
	}
	if got, err := minirun.Run(t.Context(), job, o, minirun.Lines("a", "b")); err != nil || len(got.Text()) != 2*6*(len(long)+1) {
		t.Errorf("good records: %v", err)
	}
}

// TestErrorsThatAreNotOfTheRecord verifies that a record is not left out for an error of
// the engine or of a store that its function passes on, nor for a sum that overflows.
func TestErrorsThatAreNotOfTheRecord(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]func(ctx *jobs.Context) error{
		"a file that was not shipped": func(ctx *jobs.Context) error { _, err := ctx.File("none"); return err },
		"a store that does not answer": func(*jobs.Context) error {
			return fmt.Errorf("look it up: %w", &plan.TallyError{Text: "an error with a kind"})
		},
		"a counter that overflows": func(ctx *jobs.Context) error {
			ctx.Count("n", 1<<62)
			ctx.Count("n", 1<<62)
			return nil
		},
		"an overflow": func(*jobs.Context) error { panic(&jobs.OverflowError{}) },
	} {
		job := build(func(p *jobs.Pipeline) {
			jobs.FlatMap(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit func(string)) error { return f(ctx) }).Write(text.TSV[string]{})
		})
		if _, err := minirun.Run(t.Context(), job, minirun.Options{Bad: plan.BadRecords{Keep: true}}, minirun.Lines("a")); err == nil {
			t.Errorf("%s: the record is left out", name)
		}
	}
}

// TestCombinersFailTheJob verifies that a function that combines values fails the job when
// it panics, however the work is divided: it sees values of many records at once.
func TestCombinersFailTheJob(t *testing.T) {
	t.Parallel()
	job := build(func(p *jobs.Pipeline) {
		jobs.Map(jobs.ReadLines(p), tokens).Fold(func(a, b int64) int64 {
			if a+b == 3 {
				panic("three are too many")
			}
			return a + b
		}).WriteTSV()
	})
	for _, split := range []int64{1 << 20, 2} {
		for _, table := range []int64{4 << 20, 1} {
			o := minirun.Options{Split: split, Table: table, Bad: plan.BadRecords{Keep: true}}
			if _, err := minirun.Run(t.Context(), job, o, minirun.Lines("a", "b", "a", "a")); err == nil || !strings.Contains(err.Error(), "three are too many") {
				t.Errorf("splits of %d, table of %d: %v", split, table, err)
			}
		}
	}
}

// TestBadRecordsOfTwoSteps verifies that a bad record is counted and described once where
// two steps read the same input, with the same functions.
func TestBadRecordsOfTwoSteps(t *testing.T) {
	t.Parallel()
	job := build(func(p *jobs.Pipeline) {
		good := jobs.FlatMap(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit func(string)) error {
			emit(string(line))
			return mishap(string(line))
		})
		number := jobs.Broadcast(good, func(rows iter.Seq[string]) (n int, _ error) {
			for range rows {
				n++
			}
			return n, nil
		})
		jobs.FlatMap(good, func(ctx *jobs.Context, line string, emit func(string)) error {
			emit(fmt.Sprint(line, number.Get(ctx)))
			return nil
		}).Write(text.TSV[string]{})
	})
	got, err := minirun.Run(t.Context(), job, minirun.Options{Bad: plan.BadRecords{Keep: true}}, minirun.Lines("a", "b!", "c?", "d"))
	if err != nil {
		t.Fatal(err)
	}
	if got.Text() != "a2\nd2\n" || got.Tally.Bad != 2 {
		t.Errorf("%q, and %d bad records", got.Text(), got.Tally.Bad)
	}
	described(t, got, map[int64]string{2: "b!", 5: "c?"}, 0)
}
