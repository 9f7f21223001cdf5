package jobstest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/jobstest"
)

// Once.

type RecentParams struct {
	Days int `help:"how far to look back"`
}

var Recent = jobs.Define("recent", RecentParams{Days: 30}, func(p *jobs.Pipeline, params RecentParams) error {
	now := jobs.Once(p, "now", func() (time.Time, error) { return time.Now(), nil })
	oldest := now.AddDate(0, 0, -params.Days).UTC().Format(time.DateOnly)
	jobs.ReadLines(p).Filter(func(line []byte) bool { return string(line) >= oldest }).Write(text.Lines{})
	return nil
})

func TestRecent(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, Recent, jobstest.Lines("1999-12-31 old", "9999-12-31 new"), jobstest.Strict()).Want("9999-12-31 new")
}

// Several inputs.

var Both = jobs.Define("both", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	before := jobs.Map(jobs.ReadLines(p).Named("before"), mark(1))
	after := jobs.Map(jobs.ReadLines(p).Named("after"), mark(2))
	jobs.Reduce(before.Merge(after), changes).Write(text.Lines{})
	return nil
})

func mark(side uint8) func(*jobs.Context, []byte, jobs.Emit[[]byte, uint8]) error {
	return func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, uint8]) error {
		emit(line, side)
		return nil
	}
}

func changes(_ *jobs.Context, line []byte, sides iter.Seq[uint8], emit func([]byte)) error {
	var seen uint8
	for side := range sides {
		seen |= side
	}
	if sign := []string{1: "- ", 2: "+ ", 3: ""}[seen]; sign != "" {
		emit(append([]byte(sign), line...))
	}
	return nil
}

func TestBoth(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, Both, jobstest.File("before", "a.txt", "x\ny\n"), jobstest.File("after", "b.txt", "y\nz\n"), jobstest.Strict()).
		Want("- x", "+ z")
}

// Formats.

type Order struct {
	User  string `json:"user"`
	Cents int64  `json:"cents"`
}

func parse(_ *jobs.Context, line []byte, emit func(Order)) error {
	var o Order
	if err := json.Unmarshal(line, &o); err != nil {
		return err
	}
	emit(o)
	return nil
}

// JSONL writes each record as a line of JSON.
type JSONL[T any] struct{}

func (JSONL[T]) Ext() string        { return ".jsonl" }
func (JSONL[T]) Compressible() bool { return true }

func (JSONL[T]) Open(w jobs.Part) (jobs.RecordWriter[T], error) {
	return jsonlWriter[T]{json.NewEncoder(w)}, nil
}

type jsonlWriter[T any] struct{ *json.Encoder }

func (w jsonlWriter[T]) Write(rec T) error { return w.Encode(rec) }
func (w jsonlWriter[T]) Close() error      { return nil }

var Spent = jobs.Define("spent", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	orders := jobs.FlatMap(jobs.ReadLines(p), parse)
	cents := jobs.Map(orders, func(_ *jobs.Context, o Order, emit jobs.Emit[string, int64]) error {
		emit(o.User, o.Cents)
		return nil
	})
	total := func(t jobs.Pair[string, int64]) Order { return Order{User: t.Key, Cents: t.Value} }
	jobs.Convert(cents.Fold(jobs.Sum), total).Write(JSONL[Order]{})
	return nil
})

func TestSpent(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, Spent, jobstest.Lines(`{"user":"a","cents":5}`, `{"cents":1,"user":"b"}`, `{"user":"a","cents":2}`), jobstest.Strict()).
		Want(`{"user":"a","cents":7}`, `{"user":"b","cents":1}`)
}

// Sort.

var ByCents = jobs.Define("by-cents", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	orders := jobs.FlatMap(jobs.ReadLines(p), parse)
	dearest := jobs.KeyBy(orders, func(o Order) jobs.Desc[int64] { return jobs.Desc[int64]{V: o.Cents} })
	sorted := jobs.Convert(dearest.Sort(), func(p jobs.Pair[jobs.Desc[int64], Order]) Order { return p.Value })
	sorted.WriteTSV()
	return nil
})

func TestByCents(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, ByCents, jobstest.Lines(`{"user":"a","cents":5}`, `{"user":"c","cents":9}`, `{"user":"b","cents":7}`), jobstest.Strict()).
		WantInOrder("c\t9", "b\t7", "a\t5")
}

// Secondary sort.

type UserTime = jobs.By[string, int64]

type SessionParams struct {
	Gap int64 `help:"seconds of silence that end a session"`
}

var Sessions = jobs.Define("sessions", SessionParams{Gap: 1800}, func(p *jobs.Pipeline, params SessionParams) error {
	clicks := jobs.Map(jobs.ReadLines(p), click)
	jobs.ReduceBy(clicks, func(_ *jobs.Context, user string, clicks iter.Seq2[int64, string], emit func(Session)) error {
		var s Session
		var last int64
		for second, page := range clicks {
			if s.Clicks > 0 && second-last > params.Gap {
				emit(s)
				s.Clicks = 0
			}
			if s.Clicks == 0 {
				s = Session{User: user, Start: second, First: page}
			}
			s.Clicks++
			last = second
		}
		emit(s)
		return nil
	}).WriteTSV()
	return nil
})

// Session is a user's clicks with no long silence between them.
type Session struct {
	User   string
	Start  int64
	First  string
	Clicks int
}

func click(_ *jobs.Context, line []byte, emit jobs.Emit[UserTime, string]) error {
	fields := strings.Fields(string(line))
	if len(fields) != 3 {
		return errors.New("want user, second and page")
	}
	second, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return err
	}
	emit(UserTime{Key: fields[0], Order: second}, fields[2])
	return nil
}

func TestSessions(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, Sessions, jobstest.Lines("ann 5000 /c", "bob 7 /x", "ann 100 /a", "ann 900 /b"), jobstest.Strict()).
		Want("ann\t100\t/a\t2", "ann\t5000\t/c\t1", "bob\t7\t/x\t1")
}

// TestSessionsWithTies verifies that clicks of one second give the same session however
// the work is divided: the first page is the one that is first by its bytes.
func TestSessionsWithTies(t *testing.T) {
	t.Parallel()
	var lines []string
	for i := range 300 {
		lines = append(lines, fmt.Sprintf("ann 100 /p%03d", (i*7+150)%300), fmt.Sprintf("bob %d /q%03d", 5000+i%3, 299-i))
	}
	jobstest.Run(t, Sessions, jobstest.Lines(lines...), jobstest.Strict()).
		Want("ann\t100\t/p000\t300", "bob\t5000\t/q002\t300")
}

// Partition.

var ByLetter = jobs.Define("by-letter", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	words := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
		emit(string(line), 1)
		return nil
	})
	letter := func(word string, n int) int {
		if word == "" {
			return 0
		}
		return int(word[0]) % n
	}
	words.Partition(letter).Fold(jobs.Sum).WriteTSV()
	return nil
})

func TestByLetter(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, ByLetter, jobstest.Lines("ant", "bee", "ant"), jobstest.Strict()).Want("ant\t2", "bee\t1")
}

// Combine.

var First = jobs.Define("first", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	words := jobs.Map(jobs.ReadLines(p), word).Combine(jobs.Min)
	jobs.Reduce(words, func(_ *jobs.Context, length int, words iter.Seq[string], emit func(string)) error {
		first := ""
		for w := range words {
			if first == "" || w < first {
				first = w
			}
		}
		emit(first)
		return nil
	}).WriteTSV()
	return nil
})

func word(_ *jobs.Context, line []byte, emit jobs.Emit[int, string]) error {
	emit(len(line), string(line))
	return nil
}

func TestFirst(t *testing.T) {
	t.Parallel()
	jobstest.Run(t, First, jobstest.Lines("hay", "row", "rake", "dry"), jobstest.Strict()).Want("dry", "rake")
}

// Lifetimes.

func longest(_ *jobs.Context, key []byte, values iter.Seq[[]byte], emit func([]byte)) error {
	var most []byte
	for v := range values {
		if len(v) > len(most) {
			most = append(most[:0], v...) // copied: v holds until the next value
		}
	}
	emit(most)
	return nil
}

func TestLongest(t *testing.T) {
	t.Parallel()
	job := reducing(longest)
	jobstest.Run(t, job, jobstest.Lines("a x", "a xyz", "b q", "a xy"), jobstest.Strict()).Want("xyz", "q")
}

// TestManual verifies that the manual's snippets are these files' code.
func TestManual(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	for _, name := range []string{"manual_test.go", "manual_more_test.go", "manual_combiners_test.go", "manual_stages_test.go", "manual_skew_test.go", "manual_expect_test.go", "../../docs/firstjob/main.go", "../../docs/firstjob/main_test.go", "../../docs/chain/main.go", "shipped_test.go"} {
		b, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			t.Fatal(err)
		}
		source.Write(b)
	}
	manual, err := os.ReadFile(filepath.FromSlash("../../docs/writing-jobs.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := bytes.Split(manual, []byte("```go\n"))
	for _, block := range blocks[1:] {
		snippet, _, closed := bytes.Cut(block, []byte("```"))
		if !closed || !strings.Contains(source.String(), string(snippet)) {
			t.Errorf("no file that is compiled holds this snippet of the manual:\n%s", snippet)
		}
	}
	if len(blocks) < 15 {
		t.Errorf("%d snippets were found", len(blocks)-1)
	}
}
