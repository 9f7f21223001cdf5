package fixed_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/fixed"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

func copied(size int) *jobs.Job {
	return jobs.Define("copy", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, fixed.Records{Size: size}).Write(fixed.Records{Size: size})
		return nil
	})
}

func TestRecordsAreCopiedFromAnySplit(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 7, 100} {
		var b strings.Builder
		for i := range 3000 {
			fmt.Fprintf(&b, "%0*d", size, i%10)
		}
		for _, split := range []int64{1, 150, 4000, 1 << 20} {
			for _, whole := range []bool{false, true} {
				if split == 1 && size < 100 {
					continue
				}
				got, err := minirun.Run(t.Context(), copied(size), minirun.Options{Split: split}, minirun.Object{Text: b.String(), Whole: whole})
				if err != nil {
					t.Fatal(err)
				}
				if got.Text() != b.String() || got.Tally.RecordsIn != 3000 {
					t.Errorf("size %d, split %d, whole %v: %d bytes and %d records come out", size, split, whole, len(got.Text()), got.Tally.RecordsIn)
				}
			}
		}
	}
}

func TestAPartialRecordIsAnError(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{false, true} {
		object := minirun.Object{Name: "r.dat", Text: strings.Repeat("x", 1042), Whole: whole}
		_, err := minirun.Run(t.Context(), copied(100), minirun.Options{}, object)
		if err == nil || !strings.Contains(err.Error(), "byte 1000 of mem://test/r.dat") || !strings.Contains(err.Error(), "42 bytes") {
			t.Errorf("whole %v: got %v, want object and offset", whole, err)
		}
	}
}

func TestARecordOfAnotherSizeIsNotWritten(t *testing.T) {
	t.Parallel()
	job := jobs.Define("cut", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.ReadLines(p).Write(fixed.Records{Size: 3})
		return nil
	})
	_, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Lines("abc", "de"))
	var at *jobs.RecordError
	if !errors.As(err, &at) || at.Offset != 4 || !strings.Contains(err.Error(), "2 bytes") {
		t.Errorf("got %v", err)
	}
	if _, err := minirun.Run(t.Context(), copied(0), minirun.Options{}, minirun.Lines("a")); err == nil || !strings.Contains(err.Error(), "Size: 0") {
		t.Errorf("records of no size: %v", err)
	}
}

func ExampleRecords() {
	job := jobs.Define("sort-records", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		records := jobs.Read(p, fixed.Records{Size: 4})
		sorted := jobs.KeyBy(records, func(rec []byte) [4]byte { return [4]byte(rec) }).Sort()
		jobs.Convert(sorted, func(p jobs.Pair[[4]byte, []byte]) []byte { return p.Value }).Write(fixed.Records{Size: 4})
		return nil
	})
	result, err := minirun.Run(context.Background(), job, minirun.Options{}, minirun.Object{Text: "kiwiplumpear"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Text())
	// Output: kiwipearplum
}
