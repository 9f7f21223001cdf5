// Package storetest is the conformance suite of package store: the duties of
// every driver, one subtest per behaviour, seen through store.Root as the
// engine sees it. A driver's own test is one call of Run.
//
// Concurrency: Run may be called by parallel tests, each with a store of its
// own. Failure: every deviation is an error of the subtest that is named after
// the behaviour. Units: bytes.
package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// Features are the ways in which conforming stores may differ.
type Features struct {
	// MultipartOnce: create-once holds for objects of several parts too.
	MultipartOnce bool
	// Flat: "a" and "a/b" may both be objects.
	Flat bool
	// Sums: the store returns checksums of objects that were written with one
	// request, and of objects that were written in parts. It may also if this
	// is not set.
	Sums, SumsOfParts bool
	// Uploads: the store lists uploads in progress.
	Uploads bool
	// Large is the size of large objects; 0: 20 MiB, more than two parts.
	Large int
}

// Run checks a driver. open returns a new, empty root for each subtest, and
// closes it when the subtest ends.
func Run(t *testing.T, open func(t *testing.T) *store.Root, features Features) {
	if features.Large == 0 {
		features.Large = 20 << 20
	}
	for _, b := range behaviours {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			b.check(suite{t, open(t), features})
		})
	}
}

// behaviours are all behaviours that Run checks, in the order of the files.
var behaviours = [...]struct {
	name  string
	check func(s suite)
}{
	{"create-once has one winner", suite.createOnceRace},
	{"create-once gives losers the body", suite.createOnceLoser},
	{"create-once keeps any body", suite.createOnceBodies},
	{"read-once refuses other objects", suite.readOnceForeign},
	{"put overwrites", suite.putOverwrites},
	{"concurrent overwrites are never torn", suite.putNeverTorn},
	{"get has a limit", suite.getLimit},
	{"absent objects are not found", suite.absent},
	{"writer publishes nothing before commit", suite.writerInvisible},
	{"writer keeps every size", suite.writerSizes},
	{"writer creates if absent", suite.writerIfAbsent},
	{"writer creates large objects if absent", suite.writerIfAbsentLarge},
	{"writer aborts", suite.writerAborts},
	{"writer ends with its context", suite.writerCanceled},
	{"uploads are listed and aborted", suite.uploads},
	{"ranges are exact", suite.rangesExact},
	{"streams are exact", suite.streamsExact},
	{"handles keep to their version", suite.handleVersion},
	{"checksums fit", suite.checksums},
	{"known objects open without a request", suite.openKnown},
	{"keys of every kind", suite.oddKeys},
	{"bad keys are refused", suite.badKeys},
	{"list is ordered and complete", suite.listOrder},
	{"a walk enters what can match", suite.walks},
	{"list has many pages", suite.listPages},
	{"delete is idempotent", suite.deleteTwice},
	{"deletes beside creates", suite.deleteBeside},
	{"delete all that match", suite.deleteAll},
	{"sub roots", suite.subRoots},
	{"usage counts requests and bytes", suite.usage},
	{"probe", suite.probe},
	{"canceled contexts", suite.canceled},
}

// suite is one subtest's surroundings.
type suite struct {
	*testing.T
	root     *store.Root
	features Features
}

// must ends the test on an unexpected error.
func (s suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// wantKind checks an error's kind, and that it names the object.
func (s suite) wantKind(err error, want plan.Kind) {
	s.Helper()
	if got := plan.KindOf(err); err == nil || got != want {
		s.Errorf("error %v: kind %v, want %v", err, got, want)
		return
	}
	if e := (*store.Error)(nil); !errors.As(err, &e) || e.URL == "" || e.Op == "" {
		s.Errorf("error %v names no operation or object", err)
	}
}

// noise returns n bytes that depend on seed.
func noise(seed uint64, n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	b := make([]byte, n)
	_, _ = r.Read(b)
	return b
}

// write writes an object in pieces of uneven size.
func (s suite) write(key string, body []byte, o store.CreateOptions) error {
	s.Helper()
	w, err := s.root.Create(s.Context(), key, o)
	if err != nil {
		return err
	}
	defer w.Abort()
	for rest, piece := body, 1; len(rest) > 0; piece = piece*7 + 1 {
		n := min(len(rest), piece%(3<<20))
		if _, err := w.Write(rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return w.Commit()
}

// wantBody checks that an object has exactly these bytes.
func (s suite) wantBody(key string, want []byte) {
	s.Helper()
	got, err := s.root.Get(s.Context(), key, int64(len(want)))
	if err != nil {
		s.Errorf("get %q: %v", key, err)
	} else if !bytes.Equal(got, want) {
		s.Errorf("object %q has %d other bytes than the %d written", key, len(got), len(want))
	}
}

// wantAbsent checks that an object is invisible to every operation.
func (s suite) wantAbsent(key string) {
	s.Helper()
	_, err := s.root.Stat(s.Context(), key)
	s.wantKind(err, plan.NotFound)
	_, err = s.root.Get(s.Context(), key, 1)
	s.wantKind(err, plan.NotFound)
	if keys := s.keys(key); slices.Contains(keys, key) {
		s.Errorf("list shows %q", key)
	}
}

// keys lists.
func (s suite) keys(prefix string) []string {
	s.Helper()
	var keys []string
	for o, err := range s.root.List(s.Context(), prefix) {
		s.must(err)
		keys = append(keys, o.Key)
	}
	return keys
}

func (s suite) createOnceRace() {
	const writers = 16
	for round := range 8 {
		key := fmt.Sprintf("race/%d", round)
		var winners atomic.Int32
		bodies := make([]string, writers)
		var all sync.WaitGroup
		start := make(chan struct{})
		for i := range writers {
			all.Go(func() {
				<-start
				mine := fmt.Sprintf("writer %d", i)
				won, existing, err := s.root.CreateOnce(s.Context(), key, []byte(mine))
				if err != nil {
					s.Errorf("writer %d: %v", i, err)
				}
				if bodies[i] = string(existing); won {
					winners.Add(1)
					bodies[i] = mine
				}
			})
		}
		close(start)
		all.Wait()
		if n := winners.Load(); n != 1 {
			s.Errorf("round %d: %d winners, want 1", round, n)
		}
		if slices.Sort(bodies); bodies[0] != bodies[writers-1] {
			s.Errorf("round %d: writers do not agree: %q and %q", round, bodies[0], bodies[writers-1])
		}
	}
}

func (s suite) createOnceLoser() {
	won, existing, err := s.root.CreateOnce(s.Context(), "log/1", []byte("first"))
	s.must(err)
	if !won || existing != nil {
		s.Errorf("first: won %v, existing %q", won, existing)
	}
	// An equal body does not make a second winner.
	for _, body := range []string{"second", "first"} {
		won, existing, err = s.root.CreateOnce(s.Context(), "log/1", []byte(body))
		s.must(err)
		if won || string(existing) != "first" {
			s.Errorf("%s: won %v, existing %q", body, won, existing)
		}
	}
	got, err := s.root.ReadOnce(s.Context(), "log/1")
	s.must(err)
	if string(got) != "first" {
		s.Errorf("read-once: %q", got)
	}
}

func (s suite) createOnceBodies() {
	for _, n := range []int{0, 1, 31, 4096, 1<<20 + 1, store.MaxBody - 32} {
		key := fmt.Sprintf("body-%d", n)
		body := noise(uint64(n), n)
		won, _, err := s.root.CreateOnce(s.Context(), key, body)
		if err != nil || !won {
			s.Fatalf("%d bytes: won %v, %v", n, won, err)
		}
		won, existing, err := s.root.CreateOnce(s.Context(), key, noise(1, n))
		if err != nil || won || !bytes.Equal(existing, body) {
			s.Errorf("%d bytes, second: won %v, %d bytes, %v", n, won, len(existing), err)
		}
	}
	_, _, err := s.root.CreateOnce(s.Context(), "too-large", make([]byte, store.MaxBody))
	s.wantKind(err, plan.TooLarge)
	s.wantAbsent("too-large")
}

func (s suite) readOnceForeign() {
	_, err := s.root.ReadOnce(s.Context(), "none")
	s.wantKind(err, plan.NotFound)
	s.must(s.root.Put(s.Context(), "foreign", []byte("{}"), store.Durable))
	_, err = s.root.ReadOnce(s.Context(), "foreign")
	s.wantKind(err, plan.Corrupt)
	won, _, err := s.root.CreateOnce(s.Context(), "foreign", []byte("mine"))
	if won {
		s.Error("create-once won over an object that was there")
	}
	s.wantKind(err, plan.Corrupt)
}

func (s suite) putOverwrites() {
	for i, body := range []string{"one", "", "three is longer", "4"} {
		s.must(s.root.Put(s.Context(), "marker", []byte(body), store.Class(i%3)))
		s.wantBody("marker", []byte(body))
		o, err := s.root.Stat(s.Context(), "marker")
		s.must(err)
		if o.Size != int64(len(body)) || o.Key != "marker" || o.ETag == "" || o.ModTime.IsZero() {
			s.Errorf("stat: %+v", o)
		}
	}
	s.wantKind(s.root.Put(s.Context(), "large", make([]byte, store.MaxBody+1), store.Durable), plan.TooLarge)
}

// putNeverTorn overwrites one key with bodies that differ in every byte, and
// reads it all the while.
func (s suite) putNeverTorn() {
	const size = 64 << 10
	body := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%26)}, size) }
	s.must(s.root.Put(s.Context(), "hot", body(0), store.Scratch))
	var writers sync.WaitGroup
	stop := make(chan struct{})
	for w := range 2 {
		writers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := s.root.Put(s.Context(), "hot", body(2*i+w), store.Scratch); err != nil {
					s.Errorf("put: %v", err)
					return
				}
			}
		})
	}
	for range 100 {
		got, err := s.root.Get(s.Context(), "hot", size)
		if err != nil {
			s.Errorf("get: %v", err)
			break
		}
		if len(got) != size || bytes.Count(got, got[:1]) != size {
			s.Error("torn read")
			break
		}
	}
	close(stop)
	writers.Wait()
}

func (s suite) getLimit() {
	s.must(s.root.Put(s.Context(), "ten", []byte("0123456789"), store.Scratch))
	s.wantBody("ten", []byte("0123456789"))
	_, err := s.root.Get(s.Context(), "ten", 9)
	s.wantKind(err, plan.TooLarge)
}

func (s suite) absent() {
	s.wantAbsent("nothing")
	s.wantAbsent("no/such/directory")
	_, err := s.root.OpenObject(s.Context(), "nothing", "")
	s.wantKind(err, plan.NotFound)
	s.must(s.root.Put(s.Context(), "dir/x", []byte("x"), store.Scratch))
	s.wantAbsent("dir")
	s.must(s.root.Delete(s.Context(), "dir"))
	s.wantBody("dir/x", []byte("x"))
}

// drain reads a stream to its end.
func drain(r io.ReadCloser) (n int64, sum uint32, err error) {
	h := crc32.NewIEEE()
	n, err = io.Copy(h, r)
	return n, h.Sum32(), errors.Join(err, r.Close())
}
