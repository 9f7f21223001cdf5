package jobs_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

type none = struct{}

// divisions are ways to divide the work. No result may depend on them.
var divisions = []minirun.Options{
	{},
	{Partitions: 1},
	{Partitions: 7, Split: 100},
	{Split: 1000, Table: 1},
	{Split: 300, NoCombiner: true},
}

// everywhere runs a job in all divisions and compares the sorted lines.
func everywhere(t *testing.T, job *jobs.Job, want []string, objects ...minirun.Object) {
	t.Helper()
	slices.Sort(want)
	for _, o := range divisions {
		got, err := minirun.Run(t.Context(), job, o, objects...)
		if err != nil {
			t.Fatalf("%+v: %v", o, err)
		}
		if !slices.Equal(got.Sorted(), want) {
			t.Fatalf("%+v: got %.300q, want %.300q", o, got.Sorted(), want)
		}
	}
}

// least, mean and greatest: an accumulator of another type.
type stats struct{ N, Min, Max, Sum int64 }

func (s *stats) Add(v int64) { s.Merge(&stats{1, v, v, v}) }

func (s *stats) Merge(o *stats) {
	if s.N == 0 {
		*s = *o
		return
	}
	*s = stats{s.N + o.N, min(s.Min, o.Min), max(s.Max, o.Max), s.Sum + o.Sum}
}

func (s stats) String() string {
	return fmt.Sprintf("%d/%.1f/%d", s.Min, float64(s.Sum)/float64(s.N), s.Max)
}

func measure(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
	name, num, _ := bytes.Cut(line, []byte(";"))
	v, err := strconv.ParseInt(string(num), 10, 64)
	if err == nil {
		emit(name, v)
	}
	return err
}

func TestAggregate(t *testing.T) {
	t.Parallel()
	job := jobs.Define("measurements", none{}, func(p *jobs.Pipeline, _ none) error {
		jobs.Aggregate(jobs.Map(jobs.ReadLines(p), measure), (*stats).Add, (*stats).Merge).WriteTSV()
		return nil
	})
	r := rand.New(rand.NewPCG(1, 1))
	var input strings.Builder
	values := map[string][]int64{}
	for range 3000 {
		name, v := fmt.Sprintf("n%d", r.IntN(200)), r.Int64N(2000)-1000
		fmt.Fprintf(&input, "%s;%d\n", name, v)
		values[name] = append(values[name], v)
	}
	var want []string
	for name, vs := range values {
		var sum int64
		for _, v := range vs {
			sum += v
		}
		want = append(want, fmt.Sprintf("%s\t%d/%.1f/%d", name, slices.Min(vs), float64(sum)/float64(len(vs)), slices.Max(vs)))
	}
	everywhere(t, job, want, minirun.Object{Name: "m", Text: input.String()})
}

// map-only, with a parameter.
type grepParams struct {
	Pattern *regexp.Regexp `help:"keep lines that match" required:"true"`
	Invert  bool           `help:"keep the other lines"`
}

func grep() *jobs.Job {
	return jobs.Define("grep", grepParams{}, func(p *jobs.Pipeline, a grepParams) error {
		jobs.ReadLines(p).Filter(func(l []byte) bool { return a.Pattern.Match(l) != a.Invert }).Write(text.Lines{})
		return nil
	})
}

func TestMapOnlyJobKeepsTheOrderOfItsInput(t *testing.T) {
	t.Parallel()
	input := minirun.Lines("alpha", "beta", "gamma", "delta")
	for invert, want := range map[string]string{"false": "beta\ndelta\n", "true": "alpha\ngamma\n"} {
		o := minirun.Options{Params: map[string]string{"pattern": "e.", "invert": invert}, Split: 3}
		got, err := minirun.Run(t.Context(), grep(), o, input)
		if err != nil {
			t.Fatal(err)
		}
		if got.Text() != want {
			t.Errorf("invert %s: got %q, want %q", invert, got.Text(), want)
		}
		if got.Tally.RecordsIn != 4 || got.Tally.RecordsOut != 2 {
			t.Errorf("tally says %d in and %d out, want 4 and 2", got.Tally.RecordsIn, got.Tally.RecordsOut)
		}
	}
}

// inverted index: secondary sort by position.
type at = jobs.By[[]byte, jobs.Position]

func places(ctx *jobs.Context, line []byte, emit jobs.Emit[at, none]) error {
	for w := range bytes.FieldsSeq(line) {
		emit(at{Key: w, Order: ctx.Position()}, none{})
	}
	return nil
}

func list(_ *jobs.Context, word []byte, places iter.Seq2[jobs.Position, none], emit func([]byte)) error {
	for at := range places {
		emit(fmt.Appendf(nil, "%s %s@%d", word, at.Object, at.Offset))
	}
	return nil
}

func TestReduceBySortsTheValuesOfAKey(t *testing.T) {
	t.Parallel()
	job := jobs.Define("index", none{}, func(p *jobs.Pipeline, _ none) error {
		jobs.ReduceBy(jobs.Map(jobs.ReadLines(p), places), list).Write(text.Lines{})
		return nil
	})
	objects := []minirun.Object{{Name: "b", Text: "to be\nor not\nto be\n"}, {Name: "a", Text: "be to\r\nbe"}}
	want := []string{
		"be mem://test/a@0", "be mem://test/a@7", "be mem://test/b@0", "be mem://test/b@13",
		"not mem://test/b@6", "or mem://test/b@6",
		"to mem://test/a@0", "to mem://test/b@0", "to mem://test/b@13",
	}
	got, err := minirun.Run(t.Context(), job, minirun.Options{Partitions: 1, Split: 4}, objects...)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Join(want, "\n") + "\n"; got.Text() != lines {
		t.Errorf("got %q, want %q", got.Text(), lines)
	}
}

// sessions: keys of text and time, values that are structs
type click struct {
	User, URL string
	At        time.Time
}

type session struct {
	User   string
	Start  time.Time
	Clicks int
}

type sessionParams struct {
	Gap time.Duration `help:"silence that ends a session"`
}

func parseClick(_ *jobs.Context, line []byte, emit func(click)) error {
	user, rest, _ := bytes.Cut(line, []byte(" "))
	minute, url, _ := bytes.Cut(rest, []byte(" "))
	m, err := strconv.Atoi(string(minute))
	if err != nil {
		return err
	}
	emit(click{string(user), string(url), time.Unix(int64(m)*60, 0)})
	return nil
}

func sessions() *jobs.Job {
	return jobs.Define("sessions", sessionParams{30 * time.Minute}, func(p *jobs.Pipeline, a sessionParams) error {
		clicks := jobs.KeyBy(jobs.FlatMap(jobs.ReadLines(p), parseClick), func(c click) jobs.By[string, time.Time] {
			return jobs.By[string, time.Time]{Key: c.User, Order: c.At}
		})
		jobs.ReduceBy(clicks, func(_ *jobs.Context, user string, clicks iter.Seq2[time.Time, click], emit func(session)) error {
			var s session
			var last time.Time
			for at, c := range clicks {
				if c.User != user || !c.At.Equal(at) {
					return fmt.Errorf("click of %s at %v is in the group of %s at %v", c.User, c.At, user, at)
				}
				if s.Clicks > 0 && at.Sub(last) > a.Gap {
					emit(s)
					s.Clicks = 0
				}
				if s.Clicks == 0 {
					s = session{User: user, Start: at}
				}
				s.Clicks, last = s.Clicks+1, at
			}
			emit(s)
			return nil
		}).WriteTSV()
		return nil
	})
}

func TestSessionsWithAParameter(t *testing.T) {
	t.Parallel()
	input := minirun.Lines("bob 100 /x", "ann 45 /c", "ann 0 /a", "ann 10 /b", "bob 10 /y", "ann 50 /d")
	want := map[string][]string{
		"30m": {"ann\t1970-01-01T00:00:00Z\t2", "ann\t1970-01-01T00:45:00Z\t2", "bob\t1970-01-01T00:10:00Z\t1", "bob\t1970-01-01T01:40:00Z\t1"},
		"2h":  {"ann\t1970-01-01T00:00:00Z\t4", "bob\t1970-01-01T00:10:00Z\t2"},
	}
	for gap, want := range want {
		for _, o := range divisions {
			o.Params = map[string]string{"gap": gap}
			got, err := minirun.Run(t.Context(), sessions(), o, input)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Sorted(), want) {
				t.Errorf("gap %s: got %q, want %q", gap, got.Sorted(), want)
			}
		}
	}
}

func whole(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, none]) error {
	emit(line, none{})
	return nil
}

func TestSortIsATotalOrderOverAllParts(t *testing.T) {
	t.Parallel()
	job := jobs.Define("sort", none{}, func(p *jobs.Pipeline, _ none) error {
		jobs.Map(jobs.ReadLines(p), whole).Sort().WriteTSV()
		return nil
	})
	r := rand.New(rand.NewPCG(2, 2))
	var lines []string
	for range 2000 {
		lines = append(lines, strings.Repeat("x", r.IntN(4))+strconv.Itoa(r.IntN(500))+"\ty")
	}
	input := minirun.Lines(lines...)
	slices.Sort(lines)
	want := strings.Join(lines, "\n") + "\n"
	for _, o := range divisions {
		got, err := minirun.Run(t.Context(), job, o, input)
		if err != nil {
			t.Fatal(err)
		}
		if got.Text() != want {
			t.Errorf("%+v: the lines are not sorted", o)
		}
	}
}

func TestSortOrdersTiesByValueAndDescReverses(t *testing.T) {
	t.Parallel()
	job := jobs.Define("sort", none{}, func(p *jobs.Pipeline, _ none) error {
		pairs := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[jobs.Desc[string], string]) error {
			k, v, _ := strings.Cut(string(line), " ")
			emit(jobs.Desc[string]{V: k}, v)
			return nil
		})
		jobs.Convert(pairs.Sort(), func(p jobs.Pair[jobs.Desc[string], string]) string { return p.Key.V + p.Value }).WriteTSV()
		return nil
	})
	got, err := minirun.Run(t.Context(), job, minirun.Options{Partitions: 2, Split: 3}, minirun.Lines("a 2", "b 1", "a 1", "ab 0", "a 3"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "b1\nab0\na1\na2\na3\n"; got.Text() != want {
		t.Errorf("got %q, want %q", got.Text(), want)
	}
}

// a key with an order of its own, a value with a codec of its own.
type ip struct{ netip.Addr }

func (a ip) AppendKey(dst []byte) []byte { b := a.As16(); return append(dst, b[:]...) }

func (a *ip) DecodeKey(b []byte) error {
	if len(b) != 16 {
		return errors.New("ip: not 16 bytes")
	}
	a.Addr = netip.AddrFrom16([16]byte(b)).Unmap()
	return nil
}

type ports map[uint16]none

func (s ports) AppendBinary(dst []byte) ([]byte, error) {
	for _, p := range slices.Sorted(maps.Keys(s)) {
		dst = binary.BigEndian.AppendUint16(dst, p)
	}
	return dst, nil
}

func (s *ports) UnmarshalBinary(b []byte) error {
	for *s = (ports{}); len(b) >= 2; b = b[2:] {
		(*s)[binary.BigEndian.Uint16(b)] = none{}
	}
	return nil
}

func (s ports) String() string { return fmt.Sprint(slices.Sorted(maps.Keys(s))) }

func union(a, b ports) ports { maps.Copy(a, b); return a }

func TestOwnCodecsAndReusedValues(t *testing.T) {
	t.Parallel()
	reused := ports{} // the same map for each pair: emit has encoded it when it returns
	job := jobs.New("ports", func(_ *jobs.Context, line []byte, emit jobs.Emit[ip, ports]) error {
		at, err := netip.ParseAddrPort(string(line))
		clear(reused)
		reused[at.Port()] = none{}
		emit(ip{at.Addr()}, reused)
		return err
	}, union)
	input := minirun.Lines("10.0.0.1:80", "10.0.0.2:22", "10.0.0.1:443", "10.0.0.1:80", "10.0.0.2:8080")
	everywhere(t, job, []string{"10.0.0.1\t[80 443]", "10.0.0.2\t[22 8080]"}, input)
}

func TestFoldsOwnTheBytesTheyKeep(t *testing.T) {
	t.Parallel()
	longest := func(a, b []byte) []byte {
		if c := cmp.Compare(len(a), len(b)); c > 0 || c == 0 && bytes.Compare(a, b) <= 0 {
			return a
		}
		return b
	}
	job := jobs.New("longest", func(_ *jobs.Context, line []byte, emit jobs.Emit[string, []byte]) error {
		emit(string(line[:1]), line)
		return nil
	}, longest)
	r := rand.New(rand.NewPCG(4, 4))
	best := map[string][]byte{}
	var lines []string
	for range 1000 {
		line := strconv.FormatUint(r.Uint64()>>r.IntN(64), 10)
		lines = append(lines, line)
		best[line[:1]] = longest(best[line[:1]], []byte(line))
	}
	var want []string
	for k, v := range best {
		want = append(want, k+"\t"+string(v))
	}
	everywhere(t, job, want, minirun.Lines(lines...))
}

func TestReduceWithCombineAndPartition(t *testing.T) {
	t.Parallel()
	first := func(key string, n int) int { return int(key[0]-'a') * n / 26 }
	job := jobs.Define("totals", none{}, func(p *jobs.Pipeline, _ none) error {
		pairs := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
			emit(string(line), 1)
			return nil
		})
		jobs.Reduce(pairs.Combine(jobs.Sum[int64]).Partition(first), func(_ *jobs.Context, key string, values iter.Seq[int64], emit func(string)) error {
			var sum int64
			for v := range values {
				sum += v
			}
			emit(fmt.Sprintf("%s %d", key, sum))
			return nil
		}).WriteTSV()
		return nil
	})
	var lines []string
	for i := range 1000 {
		lines = append(lines, string([]byte{byte('a' + i%26), byte('a' + i%7)}))
	}
	counts := map[string]int{}
	for _, l := range lines {
		counts[l]++
	}
	var want []string
	for l, n := range counts {
		want = append(want, fmt.Sprintf("%s %d", l, n))
	}
	everywhere(t, job, want, minirun.Lines(lines...))
	got, err := minirun.Run(t.Context(), job, minirun.Options{Partitions: 4}, minirun.Lines(lines...))
	if err != nil {
		t.Fatal(err)
	}
	// Partitions by first letter, so that the whole is in order.
	if all := strings.Split(strings.TrimSpace(got.Text()), "\n"); !slices.IsSorted(all) {
		t.Errorf("parts do not hold ranges of letters: %q", all)
	}
}

func TestMergeOfSeveralInputs(t *testing.T) {
	t.Parallel()
	job := jobs.Define("revenue", none{}, func(p *jobs.Pipeline, _ none) error {
		tagged := func(tag string) func(*jobs.Context, []byte, jobs.Emit[string, string]) error {
			return func(_ *jobs.Context, line []byte, emit jobs.Emit[string, string]) error {
				key, value, _ := strings.Cut(string(line), " ")
				emit(key, tag+value)
				return nil
			}
		}
		orders := jobs.Map(jobs.ReadLines(p).Named("orders"), tagged("order "))
		users := jobs.Map(jobs.ReadLines(p).Named("users"), tagged("user "))
		jobs.Reduce(orders.Merge(users), func(_ *jobs.Context, key string, values iter.Seq[string], emit func(string)) error {
			emit(key + ": " + strings.Join(slices.Sorted(values), ", "))
			return nil
		}).WriteTSV()
		return nil
	})
	everywhere(t, job, []string{"1: order a, order b, user ann", "2: user bob", "3: order c"},
		minirun.Object{Input: "orders", Name: "o", Text: "1 a\n3 c\n1 b\n"},
		minirun.Object{Input: "users", Name: "u", Text: "1 ann\n2 bob\n"})
}

func TestOneInputMayBeMappedTwiceAndIsReadOnce(t *testing.T) {
	t.Parallel()
	job := jobs.Define("twice", none{}, func(p *jobs.Pipeline, _ none) error {
		words := jobs.FlatMap(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit func(string)) error {
			ctx.Count("lines", 1)
			for w := range strings.FieldsSeq(string(line)) {
				emit(w)
			}
			return nil
		})
		by := func(what string, f func(string) string) jobs.Pairs[string, int64] {
			return jobs.Map(words, func(_ *jobs.Context, w string, emit jobs.Emit[string, int64]) error {
				emit(what+f(w), 1)
				return nil
			})
		}
		first := by("first ", func(w string) string { return w[:1] })
		length := by("length ", func(w string) string { return strconv.Itoa(len(w)) })
		first.Merge(length).Fold(jobs.Sum).WriteTSV()
		return nil
	})
	got, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Lines("a bb", "ab b"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"first a\t2", "first b\t2", "length 1\t2", "length 2\t2"}
	if !slices.Equal(got.Sorted(), want) {
		t.Errorf("got %q, want %q", got.Sorted(), want)
	}
	if n := got.Tally.Counts["lines"]; n != 2 || got.Tally.RecordsIn != 2 {
		t.Errorf("2 lines were counted as %d, read as %d", n, got.Tally.RecordsIn)
	}
}

func TestKeyClassesGiveTheSameCounts(t *testing.T) {
	t.Parallel()
	var lines []string
	for i := range 500 {
		lines = append(lines, strconv.Itoa((i*i)%97-40))
	}
	input := minirun.Lines(lines...)
	counts := map[string]int{}
	for _, l := range lines {
		counts[l]++
	}
	var want []string
	for l, n := range counts {
		want = append(want, fmt.Sprintf("%s\t%d", l, n))
	}
	slices.Sort(want)
	type pair struct {
		A string
		B int16
	}
	toInt := func(line []byte) int64 { n, _ := strconv.ParseInt(string(line), 10, 64); return n }
	t.Run("string", func(t *testing.T) { t.Parallel(); countBy(t, want, input, func(l []byte) string { return string(l) }) })
	t.Run("int64", func(t *testing.T) { t.Parallel(); countBy(t, want, input, toInt) })
	t.Run("int", func(t *testing.T) { t.Parallel(); countBy(t, want, input, func(l []byte) int { return int(toInt(l)) }) })
	t.Run("float32", func(t *testing.T) {
		t.Parallel()
		countBy(t, want, input, func(l []byte) float32 { return float32(toInt(l)) })
	})
	t.Run("uint64", func(t *testing.T) {
		t.Parallel()
		shifted := make([]string, len(want))
		for i, l := range want {
			k, n, _ := strings.Cut(l, "\t")
			v, _ := strconv.Atoi(k)
			shifted[i] = fmt.Sprintf("%d\t%s", v+100, n)
		}
		countBy(t, shifted, input, func(l []byte) uint64 { return uint64(toInt(l) + 100) })
	})
	t.Run("struct", func(t *testing.T) {
		t.Parallel()
		columns := make([]string, len(want))
		for i, l := range want {
			k, n, _ := strings.Cut(l, "\t")
			columns[i] = k + "\t" + k + "\t" + n
		}
		countBy(t, columns, input, func(l []byte) pair { return pair{string(l), int16(toInt(l))} })
	})
}

// countBy counts by Fold, and by Reduce without a combiner.
func countBy[K any](t *testing.T, want []string, input minirun.Object, key func([]byte) K) {
	emitted := func(_ *jobs.Context, line []byte, emit jobs.Emit[K, int64]) error {
		emit(key(line), 1)
		return nil
	}
	everywhere(t, jobs.New("count", emitted, jobs.Sum), slices.Clone(want), input)
	everywhere(t, jobs.Define("count", none{}, func(p *jobs.Pipeline, _ none) error {
		jobs.Reduce(jobs.Map(jobs.ReadLines(p), emitted), func(_ *jobs.Context, key K, values iter.Seq[int64], emit func(jobs.Pair[K, int64])) error {
			var sum int64
			for v := range values {
				sum += v
			}
			emit(jobs.Pair[K, int64]{Key: key, Value: sum})
			return nil
		}).WriteTSV()
		return nil
	}), slices.Clone(want), input)
}
