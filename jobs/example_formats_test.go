package jobs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

type order struct {
	User  string `json:"user"`
	Cents int64  `json:"cents"`
}

// documents reads objects that hold JSON values one after the other. A value can
// span lines, so an object cannot be divided.
type documents struct{}

func (documents) Split(obj jobs.Object, _ int64) ([]jobs.Section, error) {
	return []jobs.Section{{Object: obj, Length: obj.Size}}, nil
}

func (documents) Scan(ctx *jobs.Context, s *jobs.Section, yield func(order) error) error {
	r, err := s.Open(ctx, s.Offset)
	if err != nil {
		return err
	}
	d := json.NewDecoder(r)
	for err == nil {
		var o order
		s.At(d.InputOffset())
		if err = d.Decode(&o); err == nil {
			err = yield(o)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, r.Close())
}

// A Reader for a format that the library does not have.
func ExampleReader() {
	job := jobs.Define("spent", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Map(jobs.Read(p, documents{}), func(_ *jobs.Context, o order, emit jobs.Emit[string, int64]) error {
			emit(o.User, o.Cents)
			return nil
		}).Fold(jobs.Sum).WriteTSV()
		return nil
	})
	show(job, nil, `{"user": "ann",`, ` "cents": 500} {"user": "bob", "cents": 20}`, `{"user": "ann", "cents": 3}`)
	// Output:
	// ann	503
	// bob	20
}

// jsonLines writes each record as a line of JSON.
type jsonLines[T any] struct{}

func (jsonLines[T]) Ext() string { return ".jsonl" }

func (jsonLines[T]) Open(w jobs.Part) (jobs.RecordWriter[T], error) {
	return encoder[T]{json.NewEncoder(w)}, nil
}

type encoder[T any] struct{ *json.Encoder }

func (e encoder[T]) Write(rec T) error { return e.Encode(rec) }
func (e encoder[T]) Close() error      { return nil }

// A Writer for a format that the library does not have.
func ExampleWriter() {
	parse := func(line []byte) order {
		user, cents, _ := strings.Cut(string(line), " ")
		n, _ := strconv.ParseInt(cents, 10, 64)
		return order{user, n}
	}
	job := jobs.Define("to-json", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.ReadLines(p), parse).Write(jsonLines[order]{})
		return nil
	})
	show(job, nil, "ann 500", "bob 20")
	// Output:
	// {"user":"ann","cents":500}
	// {"user":"bob","cents":20}
}

// numbers is a Generator: a Reader whose records come from no object.
type numbers struct{ N int64 }

func (r numbers) Generate(slots int) ([]jobs.Section, error) {
	return jobs.Ranges(jobs.Object{Name: "numbers", Size: r.N}, r.N/int64(slots)+1, 1), nil
}

func (numbers) Split(jobs.Object, int64) ([]jobs.Section, error) {
	return nil, errors.New("numbers reads no objects")
}

func (numbers) Scan(_ *jobs.Context, s *jobs.Section, yield func(int64) error) error {
	for n := s.Offset; n < s.Offset+s.Length; n++ {
		s.At(n)
		if err := yield(n); err != nil {
			return err
		}
	}
	return nil
}

// A job without input: the last digits of squares.
func ExampleGenerator() {
	job := jobs.Define("squares", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Map(jobs.Read(p, numbers{1000}), func(_ *jobs.Context, n int64, emit jobs.Emit[int64, int64]) error {
			emit(n*n%10, 1)
			return nil
		}).Fold(jobs.Sum).WriteTSV()
		return nil
	})
	result, err := minirun.Run(context.Background(), job, minirun.Options{Partitions: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// 0	100
	// 1	200
	// 4	200
	// 5	100
	// 6	200
	// 9	200
}

// WriteTSV writes the exported fields of a struct as columns.
func ExampleRecords_WriteTSV() {
	type row struct {
		Word    string
		Letters int
		Vowels  int
	}
	job := jobs.Define("vowels", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.FlatMap(jobs.ReadLines(p), words), func(word string) row {
			vowels := 0
			for _, v := range "aeiou" {
				vowels += strings.Count(word, string(v))
			}
			return row{word, len(word), vowels}
		}).WriteTSV()
		return nil
	})
	show(job, nil, "hay harvest", "rake")
	// Output:
	// hay	3	1
	// harvest	7	2
	// rake	4	2
}

// Position says where a record begins: the lines that hold a word, with their
// offsets.
func ExampleContext_Position() {
	job := jobs.Define("find-hay", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.FlatMap(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit func(string)) error {
			if bytes.Contains(line, []byte("hay")) {
				at := ctx.Position()
				emit(fmt.Sprintf("%s at byte %d: %s", at.Object, at.Offset, line))
			}
			return nil
		}).WriteTSV()
		return nil
	})
	show(job, nil, "make hay", "while the sun shines", "hay, hay")
	// Output:
	// mem://test/lines at byte 0: make hay
	// mem://test/lines at byte 30: hay, hay
}

// Desc reverses the order of a key: the longest words first.
func ExampleDesc() {
	length := func(word string) jobs.Desc[int] { return jobs.Desc[int]{V: len(word)} }
	job := jobs.Define("longest-first", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		sorted := jobs.KeyBy(jobs.FlatMap(jobs.ReadLines(p), words), length).Sort()
		jobs.Convert(sorted, func(w jobs.Pair[jobs.Desc[int], string]) string { return w.Value }).WriteTSV()
		return nil
	})
	show(job, nil, "rake hay", "harvest")
	// Output:
	// harvest
	// rake
	// hay
}

// version is a key with an order of its own: 1.9 comes before 1.10.
type version struct{ Major, Minor uint16 }

func (v version) AppendKey(dst []byte) []byte {
	return append(dst, byte(v.Major>>8), byte(v.Major), byte(v.Minor>>8), byte(v.Minor))
}

func (v *version) DecodeKey(b []byte) error {
	if len(b) != 4 {
		return fmt.Errorf("a version has %d bytes, want 4", len(b))
	}
	v.Major, v.Minor = uint16(b[0])<<8|uint16(b[1]), uint16(b[2])<<8|uint16(b[3])
	return nil
}

func (v version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// A key type chooses its own order by AppendKey and DecodeKey.
func ExampleKeyEncoder() {
	parse := func(_ *jobs.Context, line []byte, emit jobs.Emit[version, int64]) error {
		var v version
		if _, err := fmt.Sscanf(string(line), "%d.%d", &v.Major, &v.Minor); err != nil {
			return err
		}
		emit(v, 1)
		return nil
	}
	show(jobs.New("versions", parse, jobs.Sum), nil, "1.10", "2.0", "1.9", "1.10")
	// Output:
	// 1.9	1
	// 1.10	2
	// 2.0	1
}

// By groups by one part of a key and orders by another: the seconds between a
// user's clicks, whatever order they were logged in.
func ExampleBy() {
	type click = jobs.By[string, int64]
	parse := func(_ *jobs.Context, line []byte, emit jobs.Emit[click, struct{}]) error {
		user, second, _ := strings.Cut(string(line), " ")
		n, err := strconv.ParseInt(second, 10, 64)
		if err != nil {
			return err
		}
		emit(click{Key: user, Order: n}, struct{}{})
		return nil
	}
	gaps := func(_ *jobs.Context, user string, clicks iter.Seq2[int64, struct{}], emit func(string)) error {
		var seconds []int64
		for second := range clicks {
			seconds = append(seconds, second)
		}
		for i := range seconds[1:] {
			emit(fmt.Sprintf("%s %d", user, seconds[i+1]-seconds[i]))
		}
		return nil
	}
	job := jobs.Define("gaps", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.ReduceBy(jobs.Map(jobs.ReadLines(p), parse), gaps).WriteTSV()
		return nil
	})
	show(job, nil, "ann 50", "bob 7", "ann 10", "ann 15")
	// Output:
	// ann 5
	// ann 35
}

// Ranges divides an object of fixed-size records: the Split of such a Reader.
func ExampleRanges() {
	sections := jobs.Ranges(jobs.Object{Name: "s3://bucket/readings.dat", Size: 1000}, 300, 8)
	lengths := slices.Collect(func(yield func(int64) bool) {
		for _, s := range sections {
			if !yield(s.Length) {
				return
			}
		}
	})
	fmt.Println(lengths)
	// Output: [328 336 336]
}
