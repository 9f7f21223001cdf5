package text_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// copied returns a job that writes the lines it reads.
func copied(format text.Lines) *jobs.Job {
	return jobs.Define("copy", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, format).Write(format)
		return nil
	})
}

func TestLinesAreCopiedWholeFromAnySplit(t *testing.T) {
	t.Parallel()
	input := "one\r\n\r\n\ttwo \nthree\rfour\n" + strings.Repeat("long ", 1000) + "\nno end"
	want := "one\n\n\ttwo \nthree\rfour\n" + strings.Repeat("long ", 1000) + "\nno end\n"
	for _, split := range []int64{1, 3, 100, 1 << 20} {
		got, err := minirun.Run(t.Context(), copied(text.Lines{}), minirun.Options{Split: split}, minirun.Object{Text: input})
		if err != nil {
			t.Fatal(err)
		}
		if got.Text() != want {
			t.Errorf("split %d: got %.100q", split, got.Text())
		}
	}
	got, err := minirun.Run(t.Context(), copied(text.Lines{}), minirun.Options{}, minirun.Object{Text: input, Whole: true})
	if err != nil || got.Text() != want {
		t.Errorf("of a compressed object: %.100q, %v", got.Text(), err)
	}
}

func TestALineOverTheLimitNamesObjectAndOffset(t *testing.T) {
	t.Parallel()
	input := minirun.Object{Name: "log.txt", Text: "ok\n0123456789\n"}
	if _, err := minirun.Run(t.Context(), copied(text.Lines{Max: 10}), minirun.Options{}, input); err != nil {
		t.Errorf("a line of 10 bytes: %v", err)
	}
	_, err := minirun.Run(t.Context(), copied(text.Lines{Max: 9}), minirun.Options{}, input)
	if err == nil || !strings.Contains(err.Error(), "byte 3 of mem://test/log.txt") {
		t.Errorf("got %v, want object and offset", err)
	}
}

func TestARecordWithALineBreakIsAnError(t *testing.T) {
	t.Parallel()
	job := jobs.Define("break", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.ReadLines(p), func(line []byte) []byte { return append(line, "\nmore"...) }).Write(text.Lines{})
		return nil
	})
	_, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Lines("a"))
	var at *jobs.RecordError
	if !errors.As(err, &at) || !strings.Contains(err.Error(), "line break") {
		t.Errorf("got %v", err)
	}
}

func ExampleTSV() {
	type row struct {
		Word  string
		Count int
		Share float64
	}
	job := jobs.Define("rows", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		rows := jobs.Convert(jobs.ReadLines(p), func(line []byte) row { return row{string(line), len(line), 0.5} })
		rows.Write(text.TSV[row]{})
		return nil
	})
	result, err := minirun.Run(context.Background(), job, minirun.Options{}, minirun.Lines("hay", "windrow"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// hay	3	0.5
	// windrow	7	0.5
}
