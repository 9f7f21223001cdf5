package recipes_test

import (
	"fmt"
	"iter"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
)

type sumRow = jobs.Pair[string, int64]

func sumOf(rows iter.Seq[sumRow]) (n int64, _ error) {
	for r := range rows {
		n += r.Value
	}
	return n, nil
}

func sizeOf(l []byte) sumRow { return sumRow{Key: "all", Value: int64(len(l))} }

// TestSideInputIsReadLater verifies that the constructor may read a side input after the data
// of the functions that use it.
func TestSideInputIsReadLater(t *testing.T) {
	t.Parallel()
	job := jobs.Define("x", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		points := jobs.ReadLines(p).Named("points")
		near := jobs.Broadcast(jobs.Convert(jobs.ReadLines(p).Named("start"), sizeOf), sumOf)
		jobs.Map(points, func(ctx *jobs.Context, _ []byte, emit jobs.Emit[string, int64]) error {
			emit("all", near.Get(ctx))
			return nil
		}).Fold(jobs.Sum).WriteTSV()
		return nil
	})
	if got, err := outputOf(t.Context(), job, Inputs{"points": {"a", "b", "c"}, "start": {"xy"}}); got != "all\t6\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestInputIsBroadcastAndRead verifies that an input is a side input of its own records.
func TestInputIsBroadcastAndRead(t *testing.T) {
	t.Parallel()
	job := jobs.Define("x", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		lines := jobs.ReadLines(p)
		all := jobs.Broadcast(jobs.Convert(lines, sizeOf), sumOf)
		jobs.FlatMap(lines, func(ctx *jobs.Context, l []byte, emit func(string)) error {
			emit(fmt.Sprintf("%s %d", l, all.Get(ctx)))
			return nil
		}).WriteTSV()
		return nil
	})
	if got, err := outputOf(t.Context(), job, Inputs{"": {"a", "b", "c"}}); got != "a 3\nb 3\nc 3\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestRoundsOverAnInput verifies rounds over an input, with the result of each as a side
// input of the next.
func TestRoundsOverAnInput(t *testing.T) {
	t.Parallel()
	job := jobs.Define("x", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		state := jobs.Convert(jobs.ReadLines(p).Named("start"), sizeOf)
		points := jobs.ReadLines(p).Named("points")
		for range 2 {
			near := jobs.Broadcast(state, sumOf)
			state = jobs.Map(points, func(ctx *jobs.Context, _ []byte, emit jobs.Emit[string, int64]) error {
				emit("all", near.Get(ctx))
				return nil
			}).Fold(jobs.Sum)
		}
		state.WriteTSV()
		return nil
	})
	if got, err := outputOf(t.Context(), job, Inputs{"points": {"a", "b", "c"}, "start": {"xy"}}); got != "all\t18\n" {
		t.Errorf("%q, %v", got, err)
	}
}
