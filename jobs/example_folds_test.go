package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// reading emits the station and the temperature of a line "station temperature".
func reading(_ *jobs.Context, line []byte, emit jobs.Emit[string, float64]) error {
	station, temperature, _ := bytes.Cut(line, []byte(" "))
	t, err := strconv.ParseFloat(string(temperature), 64)
	if err != nil {
		return err
	}
	emit(string(station), t)
	return nil
}

// The highest temperature of each station.
func ExampleMax() {
	show(jobs.New("highest", reading, jobs.Max), nil, "oslo -3.5", "bern 12", "oslo 4", "bern 5.5")
	// Output:
	// bern	12
	// oslo	4
}

// The lowest temperature of each station.
func ExampleMin() {
	show(jobs.New("lowest", reading, jobs.Min), nil, "oslo -3.5", "bern 12", "oslo 4", "bern 5.5")
	// Output:
	// bern	5.5
	// oslo	-3.5
}

// The bytes that a server sent, by status. Lines are "status bytes".
func ExampleSum() {
	sent := func(_ *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
		status, size, _ := bytes.Cut(line, []byte(" "))
		n, err := strconv.ParseInt(string(size), 10, 64)
		if err != nil {
			return err
		}
		emit(string(status), n)
		return nil
	}
	show(jobs.New("sent", sent, jobs.Sum), nil, "200 17", "404 3", "200 5")
	// Output:
	// 200	22
	// 404	3
}

// A fold that is not in the library: the sets of ports that hosts have open, as
// bits.
func ExamplePairs_Fold() {
	open := func(_ *jobs.Context, line []byte, emit jobs.Emit[string, uint64]) error {
		host, port, _ := bytes.Cut(line, []byte(" "))
		n, err := strconv.ParseUint(string(port), 10, 6)
		if err != nil {
			return err
		}
		emit(string(host), 1<<n)
		return nil
	}
	job := jobs.Define("open-ports", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		sets := jobs.Map(jobs.ReadLines(p), open).Fold(func(a, b uint64) uint64 { return a | b })
		jobs.Convert(sets, func(set jobs.Pair[string, uint64]) string {
			return fmt.Sprintf("%s %b", set.Key, set.Value)
		}).WriteTSV()
		return nil
	})
	show(job, nil, "db 5", "web 1", "db 2", "db 5")
	// Output:
	// db 100100
	// web 10
}

// A map function may emit any number of pairs for a record: here, one for each
// word that is written with a capital letter.
func ExampleMap() {
	names := func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
		for word := range bytes.FieldsSeq(line) {
			if 'A' <= word[0] && word[0] <= 'Z' {
				emit(word, 1)
			}
		}
		return nil
	}
	job := jobs.Define("names", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Map(jobs.ReadLines(p), names).Fold(jobs.Sum).WriteTSV()
		return nil
	})
	show(job, nil, "from Ann to Bob", "and from Bob to nowhere")
	// Output:
	// Ann	1
	// Bob	2
}

// Statistics of numbers need no shuffle: each task adds up its own, and the
// result of the run has the sums of the committed tasks.
func ExampleContext_Observe() {
	job := jobs.Define("lengths", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.FlatMap(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, _ func([]byte)) error {
			ctx.Observe("line length", float64(len(line)))
			return nil
		}).WriteTSV()
		return nil
	})
	result, err := minirun.Run(context.Background(), job, minirun.Options{}, minirun.Lines("hay", "harvest", "row"))
	if err != nil {
		fmt.Println(err)
		return
	}
	s := result.Tally.Stats["line length"]
	fmt.Printf("%d lines of %.0f to %.0f bytes, %.0f in all\n", s.Count, s.Min, s.Max, s.Sum)
	// Output: 3 lines of 3 to 7 bytes, 13 in all
}

// A record with an error fails the job, and the error names it. A function that
// must tolerate bad records counts them instead: see Context.Count.
func ExampleRecordError() {
	job := jobs.New("highest", reading, jobs.Max)
	_, err := minirun.Run(context.Background(), job, minirun.Options{}, minirun.Lines("bern 12", "oslo warm"))
	if failed, ok := errors.AsType[*jobs.RecordError](err); ok {
		fmt.Printf("%s, byte %d of %s\n%v\n", failed.Stage, failed.Offset, failed.Object, failed.Err)
	}
	// Output:
	// Map jobs_test.reading, byte 8 of mem://test/lines
	// strconv.ParseFloat: parsing "warm": invalid syntax
}
