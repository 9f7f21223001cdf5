package object_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/object"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/jobstest"
)

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func files(format object.Whole) *jobs.Job {
	return jobs.Define("files", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.Read(p, format), func(f object.File) string {
			return fmt.Sprintf("%s\t%d\t%x", f.Name, len(f.Data), sha256.Sum256(f.Data))
		}).WriteTSV()
		return nil
	})
}

func streams() *jobs.Job {
	return jobs.Define("streams", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.FlatMap(jobs.Read(p, object.Streams{}), func(_ *jobs.Context, s object.Stream, emit func(string)) error {
			digest := sha256.New()
			n, err := io.Copy(digest, s)
			if err != nil {
				return err
			}
			emit(fmt.Sprintf("%s\t%d\t%x", s.Name, n, digest.Sum(nil)))
			return nil
		}).WriteTSV()
		return nil
	})
}

// TestObjectsAreOneRecordEach reads objects of several sizes, plain and compressed, on the
// engine, in every way it divides them. An empty object is a record, also compressed.
func TestObjectsAreOneRecordEach(t *testing.T) {
	t.Parallel()
	texts := map[string]string{"a.bin": "x", "b.bin": strings.Repeat("0123456789", 100_000), "c.bin.gz": strings.Repeat("hay", 300_000),
		"empty.bin": "", "empty.txt": "", "nothing.gz": ""}
	options := []jobstest.Option{jobstest.Strict()}
	var want []string
	for name, text := range texts {
		want = append(want, fmt.Sprintf("mem://test/in/%s\t%d\t%x", name, len(text), sha256.Sum256([]byte(text))))
		if strings.HasSuffix(name, ".gz") {
			text = zipped(t, text)
		}
		options = append(options, jobstest.File("", name, text))
	}
	jobstest.Run(t, files(object.Whole{}), options...).Want(want...)
	jobstest.Run(t, streams(), options...).Want(want...)
}

// TestOnlyEmptyObjects: an input of empty objects alone has as many records.
func TestOnlyEmptyObjects(t *testing.T) {
	t.Parallel()
	options := []jobstest.Option{jobstest.File("", "a", ""), jobstest.File("", "b", ""), jobstest.Strict()}
	nothing := fmt.Sprintf("\t0\t%x", sha256.Sum256(nil))
	for _, job := range []*jobs.Job{files(object.Whole{}), streams()} {
		jobstest.Run(t, job, options...).Want("mem://test/in/a"+nothing, "mem://test/in/b"+nothing)
	}
}

// TestObjectsOverTheLimit verifies that an object that is too large is an error that says
// what to do, when it is planned or as soon as it is read.
func TestObjectsOverTheLimit(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	text := strings.Repeat("x", 1000)
	for _, size := range []int{1000, 1001, 0} {
		for _, whole := range []bool{false, true} {
			if _, err := minirun.Run(t.Context(), files(object.Whole{Max: size}), minirun.Options{}, minirun.Object{Name: "in", Text: text, Whole: whole}); err != nil {
				t.Errorf("limit %d: %v", size, err)
			}
		}
	}
	for _, whole := range []bool{false, true} {
		_, err := minirun.Run(t.Context(), files(object.Whole{Max: 999}), minirun.Options{}, minirun.Object{Name: "in", Text: text, Whole: whole})
		if err == nil || !strings.Contains(err.Error(), "mem://test/in has ") || !strings.Contains(err.Error(), "the limit is 999: raise Max of object.Whole, or read it with object.Streams") {
			t.Errorf("whole %v: %v", whole, err)
		}
	}
	var before, after runtime.MemStats
	bomb := strings.Repeat("x", 100<<20)
	runtime.ReadMemStats(&before)
	_, err := minirun.Run(t.Context(), files(object.Whole{Max: 1 << 20}), minirun.Options{}, minirun.Object{Name: "in", Text: bomb, Whole: true})
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; err == nil || n > 8<<20 {
		t.Errorf("a bomb: %v, with %d bytes of memory", err, n)
	}
	runtime.ReadMemStats(&before)
	_, err = minirun.Run(t.Context(), streams(), minirun.Options{}, minirun.Object{Name: "in", Text: bomb, Whole: true})
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; err != nil || n > 8<<20 {
		t.Errorf("a stream of 100 MiB: %v, with %d bytes of memory", err, n)
	}
	if _, err := minirun.Run(t.Context(), files(object.Whole{Max: -1}), minirun.Options{}, minirun.Lines("a")); err == nil || !strings.Contains(err.Error(), "object.Whole{Max: -1}") {
		t.Errorf("a limit below 0: %v", err)
	}
}

// TestStreamsEndWithTheirFunction verifies that a stream that is read too late fails, and
// that one need not be read.
func TestStreamsEndWithTheirFunction(t *testing.T) {
	t.Parallel()
	var kept []object.Stream
	job := jobs.Define("keep", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.FlatMap(jobs.Read(p, object.Streams{}), func(_ *jobs.Context, s object.Stream, emit func(string)) error {
			kept = append(kept, s)
			emit(fmt.Sprint(s.Size))
			return nil
		}).WriteTSV()
		return nil
	})
	result, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Object{Name: "a", Text: "abc"}, minirun.Object{Name: "b", Text: "abcdef"})
	if err != nil || result.Text() != "3\n6\n" {
		t.Fatalf("got %q, %v", result.Text(), err)
	}
	for _, s := range kept {
		if n, err := s.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "after the function that received it returned") {
			t.Errorf("%s: %d, %v", s.Name, n, err)
		}
	}
}
