package embedded_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store/driver"

	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/csv"
	"github.com/windrow-mr/windrow/jobs/formats/fixed"
	"github.com/windrow-mr/windrow/jobs/formats/object"
	"github.com/windrow-mr/windrow/jobs/library/grep"
	"github.com/windrow-mr/windrow/jobs/library/sort"
	"github.com/windrow-mr/windrow/jobs/library/teragen"
	"github.com/windrow-mr/windrow/jobs/library/terasort"
	"github.com/windrow-mr/windrow/jobs/library/wordcount"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault/faulttest"
	_ "github.com/windrow-mr/windrow/store/s3"
	"github.com/windrow-mr/windrow/store/s3/s3test"
)

// place is a store for the data of a test.
type place struct {
	url    func(key string) string
	stores store.Options
	local  bool // requests cost nothing
}

// places returns a new place of each kind, by name.
func places() map[string]func(t *testing.T) place {
	return map[string]func(t *testing.T) place{
		"files": func(t *testing.T) place {
			dir := t.TempDir()
			return place{url: func(key string) string { return "file://" + dir + "/" + key }, local: true}
		},
		// These are stores in memory that are used as buckets are. They know the
		// checksums of all objects, so that the bytes after a split are read twice.
		"remote": func(*testing.T) place {
			return place{url: func(key string) string { return "mem://" + key },
				stores: store.Options{Mem: new(store.MemSpace), Wrap: func(d driver.Driver) driver.Driver { return faulttest.Remote(d, 8<<20) }}}
		},
		"server": func(t *testing.T) place {
			bucket, query, _ := strings.Cut(s3test.Start(t), "?")
			return place{url: func(key string) string { return bucket + "/" + key + "?" + query }}
		},
	}
}

// put writes an object of the input.
func (p place) put(t *testing.T, name string, body []byte) {
	t.Helper()
	o := p.stores
	o.CreateDir = true
	root, err := store.Open(t.Context(), p.url("in"), o)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	w, err := root.Create(t.Context(), name, store.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

// words returns lines of words, of so many bytes in all.
func words(size int) []byte {
	r := rand.New(rand.NewPCG(3, 9))
	var b bytes.Buffer
	for b.Len() < size {
		for range 1 + r.IntN(9) {
			b.WriteString("word" + strconv.Itoa(r.IntN(900)*r.IntN(900)) + " ")
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// pieces cuts a text into pieces of one size.
func pieces(text []byte) (all []string) {
	for piece := range slices.Chunk(text, 1+len(text)/20) {
		all = append(all, string(piece))
	}
	return all
}

// random returns so many random bytes.
func random(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(b) // never fails
	return b
}

// copies is a job that copies large records.
func copies() *jobs.Job {
	return jobs.Define("copies", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, fixed.Records{Size: 1 << 20}).Write(fixed.Records{Size: 1 << 20})
		return nil
	})
}

// tables is a job that copies records under a header, which every section reads.
func tables() *jobs.Job {
	return jobs.Define("tables", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, csv.Records[[]string]{Comma: ' ', Ragged: true}).Write(csv.Records[[]string]{Comma: ' ', NoHeader: true})
		return nil
	})
}

// texts is a job that copies records whose fields may have line feeds.
func texts() *jobs.Job {
	return jobs.Define("texts", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		quoted := csv.Records[[]string]{Comma: ' ', NoHeader: true, Multiline: true, Max: 20_000}
		jobs.Read(p, quoted).Write(quoted)
		return nil
	})
}

// sortedTables is a job that samples records under a header, to sort them.
func sortedTables() *jobs.Job {
	return jobs.Define("sorted", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		table := jobs.Read(p, csv.Records[[]string]{Comma: ' ', Ragged: true})
		jobs.Map(table, func(_ *jobs.Context, all []string, emit jobs.Emit[string, struct{}]) error {
			emit(strings.Join(all, " "), struct{}{})
			return nil
		}).Sort().WriteTSV()
		return nil
	})
}

// digests is a job that reads whole objects, empty ones too.
func digests() *jobs.Job {
	return jobs.Define("digests", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.Read(p, object.Whole{}), func(f object.File) string { return fmt.Sprintf("%s %d", f.Name, len(f.Data)) }).WriteTSV()
		return nil
	})
}

func zipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// forecasted is a job whose requests are known before it runs, or only afterwards.
type forecasted struct {
	job    *jobs.Job
	input  map[string]int // sizes of objects, by name
	params map[string]string
	split  int64
	parts  int
	apart  bool // temporary data is in another root
	after  bool // what is written depends on the data: all is known only afterwards
	served bool // also on a server, which takes longer
	much   bool // only on one kind of place
}

func many(n, size int) map[string]int {
	input := make(map[string]int)
	for i := range n {
		input[fmt.Sprintf("%c/part-%03d", 'a'+i%3, i)] = size + i
	}
	return input
}

func forecastJobs() map[string]forecasted {
	pattern := map[string]string{"pattern": "word1"}
	return map[string]forecasted{
		"wordcount of an object":          {job: wordcount.Job(), input: map[string]int{"text": 300_000}, after: true},
		"wordcount of many small objects": {job: wordcount.Job(), input: many(130, 500), parts: 3, after: true},
		"wordcount of splits": {job: wordcount.Job(), input: map[string]int{"text": 1_300_000, "more": 90_000}, split: 1 << 18, parts: 5,
			after: true, served: true},
		"wordcount with more partitions than words": {job: wordcount.Job(), input: map[string]int{"text": 200}, split: 100, parts: 70, after: true},
		"wordcount of gzip":                         {job: wordcount.Job(), input: map[string]int{"text.gz": 1 << 20, "some.gz": 4000}, parts: 2, after: true, much: true},
		"grep of blocks of bzip2":                   {job: grep.Job(), params: pattern, input: map[string]int{"text.bz2": 600_000}, split: 1 << 15},
		"grep of blocks of BGZF":                    {job: grep.Job(), params: pattern, input: map[string]int{"text.bgz": 600_000}, split: 1 << 15},
		"grep of frames of zstd":                    {job: grep.Job(), params: pattern, input: map[string]int{"text.zst": 600_000}, split: 1 << 15},
		"grep of splits":                            {job: grep.Job(), params: pattern, input: map[string]int{"text": 1_500_000}, split: 1 << 18, served: true},
		"grep of an object":                         {job: grep.Job(), params: pattern, input: map[string]int{"text": 2000}},
		// With much input the run first finds out whether parts that are uploaded
		// in pieces are created once.
		"copies of much":                            {job: copies(), input: map[string]int{"data.dat": 65 << 20}, split: 33 << 20, much: true},
		"table with a header":                       {job: tables(), input: map[string]int{"text": 1_500_000}, split: 1 << 18, served: true},
		"table of texts":                            {job: texts(), input: map[string]int{"text": 1_500_000}, split: 1 << 18, served: true},
		"sort of a table":                           {job: sortedTables(), input: map[string]int{"text": 1_600_000, "more": 70_000}, split: 1 << 19, parts: 4, served: true},
		"digests of objects, some empty":            {job: digests(), input: map[string]int{"a": 0, "b": 70_000, "c": 0, "d.gz": 0}, split: 1 << 16, served: true},
		"sort with partitions":                      {job: sort.Job(), input: map[string]int{"text": 1_600_000, "more": 70_000}, split: 1 << 19, parts: 4},
		"sort of many small objects, elsewhere":     {job: sort.Job(), input: many(90, 3000), split: 50_000, parts: 3, apart: true, served: true},
		"sort into a part":                          {job: sort.Job(), input: map[string]int{"text": 100_000}},
		"terasort with partitions":                  {job: terasort.Job(), input: map[string]int{"data.dat": 2_000_000, "rest.dat": 30_000}, split: 1 << 19, parts: 6, served: true},
		"terasort of objects that take many ranges": {job: terasort.Job(), input: map[string]int{"data.dat": 17_000_000}, split: 9 << 20, parts: 2, apart: true, much: true},
		"teragen": {job: teragen.Job(), params: map[string]string{"records": "5000"}},
		"teragen of objects that take several parts": {job: teragen.Job(), params: map[string]string{"records": "170000"}, served: true},
	}
}

// make writes the input of a job, and returns the options to run it.
func (b *forecasted) make(t *testing.T, p place) embedded.Options {
	t.Helper()
	o := embedded.Options{Output: p.url("out"), Params: b.params, SplitSize: b.split, Partitions: b.parts, Slots: 2, Stores: p.stores}
	if b.apart {
		o.Root = p.url("apart")
	}
	for name, size := range b.input {
		switch path.Ext(name) {
		case ".gz":
			p.put(t, name, zipped(t, words(size)))
		case ".bz2":
			p.put(t, name, packers["bz2"](t, pieces(words(size))))
		case ".bgz":
			p.put(t, name, packers["bgz"](t, pieces(words(size))))
		case ".zst":
			p.put(t, name, seekable(t, pieces(words(size))))
		case ".dat":
			p.put(t, name, random(size))
		default:
			p.put(t, name, words(size))
		}
	}
	if len(b.input) > 0 {
		o.Input = []string{p.url("in")}
	}
	return o
}

// kinds are numbers of requests that do not depend on time, as hedged ones do.
type kinds struct{ puts, multipart, gets, stats, lists, deletes int64 }

func kindsOf(r plan.Requests) kinds {
	u := r.Total()
	return kinds{u.Puts, u.Multipart, u.Gets - u.Hedges, u.Stats, u.Lists, u.Deletes}
}

// TestRequestsAreForeseen verifies that, without faults, the forecast from the
// sizes of what a job wrote equals the counted requests, and so does the plan of
// jobs that do not combine.
func TestRequestsAreForeseen(t *testing.T) {
	t.Parallel()
	for where, at := range places() {
		for name, b := range forecastJobs() {
			modes := []string{"fail", "append", "replace", "replace"}
			switch {
			case where == "server" && !b.served, where != "remote" && b.much:
				continue
			case where == "server":
				modes = []string{"fail", "replace"}
			case b.much:
				modes = []string{"fail"}
			}
			t.Run(where+"/"+name, func(t *testing.T) {
				t.Parallel()
				p := at(t)
				o := b.make(t, p)
				for _, o.OnExists = range modes {
					b.check(t, p, o)
				}
			})
		}
	}
}

// check runs a job and compares its requests with its plan.
func (b *forecasted) check(t *testing.T, p place, o embedded.Options) {
	t.Helper()
	looked, err := embedded.Look(t.Context(), b.job, o)
	if err != nil {
		t.Fatal(err)
	}
	var shown *embedded.Plan
	result, receipt, err := embedded.RunPlanned(t.Context(), b.job, o, func(p *embedded.Plan) { shown = p })
	if err != nil {
		t.Fatal(err)
	}
	if u := result.Usage; u.Retries+u.Throttles > 0 {
		t.Fatalf("%d requests were repeated, so that the numbers cannot be compared", u.Retries)
	}
	planned, known, counted := kindsOf(shown.Requests), kindsOf(receipt.Known), kindsOf(receipt.Counted)
	if before := kindsOf(looked.Requests); before != planned {
		t.Errorf("%s: Look plans %+v\n the run plans %+v", o.OnExists, before, planned)
	}
	if whole := !p.local || shown.Partitions == 0; shown.Whole != whole {
		t.Errorf("whole is %v with %d partitions", shown.Whole, shown.Partitions)
	}
	if !shown.Whole {
		planned.gets, known.gets, counted.gets = 0, 0, 0
	}
	if known != counted {
		t.Errorf("%s: predicted with all sizes\n %+v, counted\n %+v", o.OnExists, known, counted)
	}
	if !b.after && planned != counted {
		t.Errorf("%s: planned\n %+v, counted\n %+v", o.OnExists, planned, counted)
	}
}

func TestMain(m *testing.M) {
	s3test.SetCredentials()
	os.Exit(m.Run())
}
