package embedded_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/csv"
	"github.com/windrow-mr/windrow/jobs/formats/jsonl"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/store"
)

type numbered struct {
	N    int64  `csv:"n" json:"n"`
	Text string `csv:"text" json:"text"`
}

// replayed are formats of records of a number and a text. bad says that the record has no
// number that the strict program can decode.
var replayed = map[string]struct {
	lines func(n int, bad bool) string
	begin string
	job   func(strict bool) *jobs.Job
}{
	"lines": {lines: func(n int, bad bool) string { return fmt.Sprintf("%d %v\n", n, bad) }, job: func(strict bool) *jobs.Job {
		return jobs.Define("lines", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
			jobs.FlatMap(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit func([]byte)) error {
				n, bad, _ := bytes.Cut(line, []byte(" "))
				emit(n)
				if strict && string(bad) == "true" {
					return errors.New("a bad line")
				}
				return nil
			}).Write(text.Lines{})
			return nil
		})
	}},
	"csv": {begin: "text,n\n", lines: func(n int, bad bool) string {
		if bad {
			return fmt.Sprintf("x%d,%d,more\n", n, n)
		}
		return fmt.Sprintf("x,%d\n", n)
	}, job: func(strict bool) *jobs.Job {
		return jobs.Define("csv", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
			in := jobs.Read(p, csv.Records[numbered]{Ragged: !strict})
			jobs.Convert(in, func(r numbered) []byte { return fmt.Append(nil, r.N) }).Write(text.Lines{})
			return nil
		})
	}},
	"jsonl": {lines: func(n int, bad bool) string {
		if bad {
			return fmt.Sprintf("{\"n\":%d,\"text\":\"\",\"other\":1}\n", n)
		}
		return fmt.Sprintf("{\"n\":%d}\n", n)
	}, job: func(strict bool) *jobs.Job {
		return jobs.Define("jsonl", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
			in := jobs.Read(p, jsonl.Records[numbered]{Strict: strict})
			jobs.Convert(in, func(r numbered) []byte { return fmt.Append(nil, r.N) }).Write(text.Lines{})
			return nil
		})
	}},
}

// TestReplaysOfFormats verifies that the bad records of lines, CSV and JSON Lines in every
// codec, divided into tasks of every size, are replayed once each, whether a function failed on
// them or the Reader could not decode them.
func TestReplaysOfFormats(t *testing.T) {
	t.Parallel()
	for format, f := range replayed {
		for codec, pack := range packers {
			t.Run(format+"/"+codec, func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(11, 3))
				whole := strings.Builder{}
				var want []string
				whole.WriteString(f.begin)
				for n := range 400 {
					bad := r.IntN(9) == 0
					whole.WriteString(f.lines(n, bad))
					want = append(want, fmt.Sprint(n))
				}
				slices.Sort(want)
				body := pack(t, cutRandomly(r, whole.String()))
				for name, objects := range map[string]map[string][]byte{"named": {"a." + codec: body}, "unnamed": {"a": body, "b": []byte(f.begin)}} {
					for _, size := range []int64{int64(len(body)/60 + 1), 1000, 1 << 20} {
						o := put(t, objects)
						o.SplitSize, o.BadRecords = size, "quarantine"
						first, err := embedded.Run(t.Context(), f.job(true), o)
						if err != nil {
							t.Fatal(err)
						}
						if first.Tally.Bad == 0 {
							t.Fatal("no record is bad")
						}
						o.Replay, o.BadRecords = first.ID, ""
						planned, err := embedded.Look(t.Context(), f.job(false), o)
						if err != nil || int64(planned.Replayed) != first.Tally.Bad {
							t.Fatalf("%s, splits of %d: the plan has %d records to replay of %d, %v", name, size, planned.Replayed, first.Tally.Bad, err)
						}
						second, err := embedded.Run(t.Context(), f.job(false), o)
						if err != nil {
							t.Fatalf("%s, splits of %d: %v", name, size, err)
						}
						if second.Tally.RecordsIn != first.Tally.Bad {
							t.Errorf("%s, splits of %d: %d records were read, %d were bad", name, size, second.Tally.RecordsIn, first.Tally.Bad)
						}
						lines, err := data(t, o)
						slices.Sort(lines)
						if err != nil || !slices.Equal(lines, want) {
							t.Errorf("%s, splits of %d: %d lines, want %d, %v", name, size, len(lines), len(want), err)
						}
					}
				}
			})
		}
	}
}

// TestAReplayOfOtherRecords verifies that a program which divides an object into other
// records does not replay one for another.
func TestAReplayOfOtherRecords(t *testing.T) {
	t.Parallel()
	const body = "a true\nb false\n"
	o := put(t, map[string][]byte{"a": []byte(body)})
	o.BadRecords = "quarantine"
	first, err := embedded.Run(t.Context(), replayed["lines"].job(true), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Replay, o.BadRecords = first.ID, ""
	for says, job := range map[string]*jobs.Job{
		"no record begins at byte 0":  otherRecords(1),
		"two records begin at byte 0": otherRecords(0),
	} {
		_, err := embedded.Run(t.Context(), job, o)
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "mem://in/a") {
			t.Errorf("%v, want %s", err, says)
		}
	}
	got, err := data(t, o)
	if err != nil || !slices.Equal(got, []string{"b"}) {
		t.Errorf("the output is %q, %v", got, err)
	}
	root, err := store.Open(t.Context(), "mem://in", o.Stores)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.Put(t.Context(), "a", []byte("c true\nb false\n"), store.Scratch); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Run(t.Context(), replayed["lines"].job(false), o); err == nil || !strings.Contains(err.Error(), "mem://in/a has changed since the job read it") {
		t.Errorf("another object: %v", err)
	}
}

// data returns the lines of an output, without those that describe bad records.
func data(t *testing.T, o embedded.Options) ([]string, error) {
	t.Helper()
	got, err := read(t, o)
	return slices.DeleteFunc(strings.Split(strings.TrimSuffix(got, "\n"), "\n"), func(line string) bool { return strings.HasPrefix(line, "{") }), err
}

// bytewise is a Reader of bytes, which says of each that it begins at its place, times a
// factor, plus the factor.
type bytewise struct{ Factor int64 }

func (bytewise) Split(obj jobs.Object, _ int64) ([]jobs.Section, error) {
	return jobs.ByteRanges(obj, obj.Size), nil
}

func (b bytewise) Scan(_ *jobs.Context, s *jobs.Section, yield func([]byte) error) error {
	for i := range s.Object.Size {
		s.At(b.Factor * (i + 1))
		if err := yield([]byte("x")); err != nil {
			return err
		}
	}
	return nil
}

func otherRecords(factor int64) *jobs.Job {
	return jobs.Define("lines", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, bytewise{factor}).Write(text.Lines{})
		return nil
	})
}
