package embedded_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/object"
	"github.com/windrow-mr/windrow/jobs/formats/text"
)

// TestEmptyObjectsAreRecords: a job that reads whole objects sees empty ones too, of every
// name and in every mode, but not the marks that tools make for directories in a bucket.
// Other jobs have no task for them.
func TestEmptyObjectsAreRecords(t *testing.T) {
	t.Parallel()
	objects := map[string][]byte{"a.bin": {}, "b.txt": {}, "c": []byte("hay"), "d.gz": packers["gz"](t, []string{""}), "logs": {}, "logs/e": {}, "logs/f": []byte("x")}
	for input, want := range map[string][]string{
		"mem://in":        {"a.bin 0", "b.txt 0", "c 3", "d.gz 0", "logs/e 0", "logs/f 1"},
		"mem://in/*":      {"a.bin 0", "b.txt 0", "c 3", "d.gz 0"},
		"mem://in/a.bin":  {"a.bin 0"},
		"mem://in/logs":   {"logs/e 0", "logs/f 1"},
		"mem://in/logs/e": {"logs/e 0"},
	} {
		o := put(t, objects)
		o.Input, o.SplitSize = []string{input}, 2
		planned, err := embedded.Look(t.Context(), digests(), o)
		if err != nil {
			t.Fatal(err)
		}
		result, err := embedded.Run(t.Context(), digests(), o)
		if err != nil {
			t.Fatal(err)
		}
		got, err := read(t, o)
		lines := strings.Split(strings.TrimSuffix(strings.ReplaceAll(got, "mem://in/", ""), "\n"), "\n")
		slices.Sort(lines)
		if err != nil || !slices.Equal(lines, want) || result.Tally.RecordsIn != int64(len(want)) {
			t.Errorf("%s: %q, %d records, %v; want %q", input, lines, result.Tally.RecordsIn, err, want)
		}
		if planned.Maps != result.Maps || planned.Maps == 0 {
			t.Errorf("%s: %d maps are planned, %d ran", input, planned.Maps, result.Maps)
		}
	}
	o := put(t, map[string][]byte{"a": {}, "b": {}})
	lines := jobs.Define("lines", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, text.Lines{}).Write(text.Lines{})
		return nil
	})
	if result, err := embedded.Run(t.Context(), lines, o); err != nil || result.Maps != 0 {
		t.Errorf("lines of empty objects: %+v, %v", result, err)
	}
}

// twice is a Reader that reads an empty object twice.
type twice struct{ object.Whole }

func (twice) Split(obj jobs.Object, _ int64) ([]jobs.Section, error) {
	return []jobs.Section{{Object: obj, Length: obj.Size}, {Object: obj, Offset: obj.Size}}, nil
}

// TestAnEmptyObjectIsOneRecord: two sections of an empty object would be the same record.
func TestAnEmptyObjectIsOneRecord(t *testing.T) {
	t.Parallel()
	job := jobs.Define("twice", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.Read(p, twice{}), func(f object.File) string { return fmt.Sprint(len(f.Data)) }).WriteTSV()
		return nil
	})
	if _, err := embedded.Run(t.Context(), job, put(t, map[string][]byte{"a": {}})); err == nil || !strings.Contains(err.Error(), "mem://in/a") || !strings.Contains(err.Error(), "Split is wrong") {
		t.Errorf("got %v", err)
	}
}
