package arrow_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/arrow"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/driver"
	_ "github.com/windrow-mr/windrow/store/s3"
	"github.com/windrow-mr/windrow/store/s3/s3test"
)

// reads records which bytes of the input are requested.
type reads struct {
	driver.Driver
	mu    sync.Mutex
	all   []span
	fails error
}

type span struct {
	key     string
	from, n int64
}

func (r *reads) Traits() driver.Traits {
	t := r.Driver.Traits()
	t.Remote, t.PartSize = true, 8<<20
	return t
}

func (r *reads) Open(ctx context.Context, key, etag string) (driver.Reader, error) {
	inner, err := r.Driver.Open(ctx, key, etag)
	return &readsReader{inner, r, key}, err
}

// readsReader has no other methods than those of a Reader.
type readsReader struct {
	inner driver.Reader
	r     *reads
	key   string
}

func (r *readsReader) Object(ctx context.Context) (store.Object, error) { return r.inner.Object(ctx) }
func (r *readsReader) Close() error                                     { return r.inner.Close() }

func (r *readsReader) Range(ctx context.Context, off, n int64) (driver.Body, error) {
	if strings.Contains(r.key, "in/") {
		r.r.mu.Lock()
		r.r.all = append(r.r.all, span{path.Base(r.key), off, n})
		r.r.mu.Unlock()
		if r.r.fails != nil {
			return driver.Body{}, r.r.fails
		}
	}
	return r.inner.Range(ctx, off, n)
}

// put writes an object.
func put(t *testing.T, url, name string, body []byte, o store.Options) {
	t.Helper()
	o.CreateDir = true
	root, err := store.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := root.Put(t.Context(), name, body, store.Scratch); err != nil {
		t.Fatal(err)
	}
}

// wide has columns of which jobs read few. Its payload does not compress.
type wide struct {
	ID      int64   `arrow:"id"`
	Payload []byte  `arrow:"payload"`
	Fare    float64 `arrow:"fare"`
	Day     string  `arrow:"day"`
}

func wides(n int) []wide {
	r := rand.New(rand.NewPCG(4, 4))
	all := make([]wide, n)
	for i := range all {
		payload := make([]byte, 200)
		for k := range payload {
			payload[k] = byte(r.Uint32())
		}
		all[i] = wide{int64(i), payload, float64(i) / 100, fmt.Sprintf("2026-11-%02d", 1+i%3)}
	}
	return all
}

type fare struct {
	Fare float64 `arrow:"fare"`
	ID   int64   `arrow:"id"`
}

// sums is a job that counts the records that it reads, and adds up their numbers.
func sums[T any](f arrow.Records[T], of func(T) int64) *jobs.Job {
	return jobs.Define("sums", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Map(jobs.Read(p, f), func(_ *jobs.Context, rec T, emit jobs.Emit[string, int64]) error {
			emit("records", 1)
			emit("sum", of(rec))
			return nil
		}).Fold(jobs.Sum).WriteTSV()
		return nil
	})
}

// TestOnlyColumnsAreRequested runs a job that names two of four columns. The bytes and the
// requests that reach the store show that nothing else is read.
func TestOnlyColumnsAreRequested(t *testing.T) {
	t.Parallel()
	records := wides(20_000)
	type run struct {
		maps                  int
		sums                  string
		requests, bytes, size int64
	}
	of := func(batch int64, job *jobs.Job) run {
		t.Helper()
		object := written(t, arrow.Records[wide]{Batch: batch, Codec: "none"}, records)
		seen := &reads{}
		o := store.Options{Mem: new(store.MemSpace), Wrap: func(d driver.Driver) driver.Driver { seen.Driver = d; return seen }}
		put(t, "mem://b/in", "a.arrow", object, o)
		result, err := windrow.Run(t.Context(), job, windrow.Options{Input: []string{"mem://b/in"}, Output: "mem://b/out", SplitSize: 2 << 20, Partitions: 1, Slots: 2, Stores: o})
		if err != nil {
			t.Fatal(err)
		}
		r := run{maps: result.Maps, sums: output(t, result.Output, o), size: int64(len(object))}
		for _, s := range seen.all {
			r.requests, r.bytes = r.requests+1, r.bytes+s.n
		}
		if want := "records\t20000\nsum\t199990000\n"; r.sums != want {
			t.Errorf("the sums are %q, want %q", r.sums, want)
		}
		return r
	}
	whole := of(1<<20, sums(arrow.Records[wide]{}, func(w wide) int64 { return w.ID }))
	two := of(1<<20, sums(arrow.Records[fare]{}, func(f fare) int64 { return f.ID }))
	if whole.bytes < whole.size || two.bytes > two.size/4 {
		t.Errorf("all columns of %d bytes take %d, and two of four %d", whole.size, whole.bytes, two.bytes)
	}
	// Small batches that follow each other are requested together, about 1 MiB at once. Each
	// section requests the end of the object, and its beginning or the rest of the footer. All
	// of it is read twice, because the store knows a checksum of the whole object.
	small := of(64<<10, sums(arrow.Records[fare]{}, func(f fare) int64 { return f.ID }))
	if most := int64(6*small.maps) + 2*(small.size>>20+1); small.maps < 2 || small.requests > most || small.bytes > 3*small.size {
		t.Errorf("%+v, want at most %d requests", small, most)
	}
}

// TestErrorsOfTheStore verifies that an error of the store keeps its kind, which decides
// whether the task runs again: it does not become one of the object.
func TestErrorsOfTheStore(t *testing.T) {
	t.Parallel()
	seen := &reads{fails: driver.Fail(plan.Denied, "not for you")}
	o := store.Options{Mem: new(store.MemSpace), Wrap: func(d driver.Driver) driver.Driver { seen.Driver = d; return seen }}
	put(t, "mem://b/in", "a.arrow", written(t, arrow.Records[small]{}, smalls(3)), o)
	_, err := windrow.Run(t.Context(), collected(arrow.Records[small]{}, func(small) error { return nil }),
		windrow.Options{Input: []string{"mem://b/in"}, Output: "mem://b/out", Slots: 1, Stores: o})
	e, ok := errors.AsType[*windrow.Error](err)
	if !ok || e.Kind != plan.Denied || !strings.Contains(err.Error(), "not for you") || strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %+v, want the kind %v", err, plan.Denied)
	}
}

// output returns the lines of all parts, in order.
func output(t *testing.T, url string, o store.Options) string {
	t.Helper()
	root, err := store.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var lines []string
	for name, body := range parts(t, root) {
		if strings.HasSuffix(name, ".tsv") {
			lines = append(lines, strings.SplitAfter(string(body), "\n")...)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// parts returns the objects of an output, by name.
func parts(t *testing.T, root *store.Root) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for o, err := range root.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(path.Base(o.Key), "_") && !strings.Contains(o.Key, "_windrow") {
			body, err := root.Get(t.Context(), o.Key, 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			all[o.Key] = body
		}
	}
	return all
}

// TestPartitionedOnAServer copies several objects from a server to directories there: all
// records arrive once, in objects that can be read.
func TestPartitionedOnAServer(t *testing.T) {
	t.Parallel()
	bucket, query, _ := strings.Cut(s3test.Start(t), "?")
	at := func(key string) string { return bucket + "/" + key + "?" + query }
	records := wides(3000)
	for i := range 3 {
		put(t, at("in"), fmt.Sprintf("%d.arrow", i), written(t, arrow.Records[wide]{Batch: 64 << 10}, records[i*1000:(i+1)*1000]), store.Options{})
	}
	job := jobs.Define("copy", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, arrow.Records[wide]{}).Write(arrow.Records[wide]{Batch: 64 << 10}).PartitionBy(func(w wide) string { return "day=" + w.Day })
		return nil
	})
	result, err := windrow.Run(t.Context(), job, windrow.Options{Input: []string{at("in")}, Output: at("out"), SplitSize: 100_000, Slots: 2})
	if err != nil {
		t.Fatal(err)
	}
	root, err := store.Open(t.Context(), result.Output, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	seen := map[int64]int{}
	for name, body := range parts(t, root) {
		got, err := read(t, arrow.Records[wide]{}, body, 1<<40)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, w := range got {
			seen[w.ID]++
			if !strings.Contains(name, "day="+w.Day+"/") || !strings.HasSuffix(name, ".arrow") {
				t.Errorf("a record of %s is in %s", w.Day, name)
			}
		}
	}
	if n := len(seen); n != len(records) || twice(seen) {
		t.Errorf("%d of %d records arrived, or some twice", n, len(records))
	}
}

// twice reports whether a number was seen more than once.
func twice(seen map[int64]int) bool {
	for _, n := range seen {
		if n > 1 {
			return true
		}
	}
	return false
}

func TestMain(m *testing.M) {
	s3test.SetCredentials()
	m.Run()
}
