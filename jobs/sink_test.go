package jobs_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// TestRecordsAside verifies that functions of two stages write to one output, beside the
// records that they pass on.
func TestRecordsAside(t *testing.T) {
	t.Parallel()
	job := build(func(p *jobs.Pipeline) {
		bad := jobs.Output(p, "bad", text.Lines{})
		words := jobs.Map(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
			if len(line) == 0 {
				bad.Emit(ctx, []byte("an empty line"))
			}
			for w := range strings.FieldsSeq(string(line)) {
				emit(w, 1)
			}
			return nil
		})
		jobs.FlatMap(words.Fold(jobs.Sum), func(ctx *jobs.Context, c jobs.Pair[string, int64], emit func(jobs.Pair[string, int64])) error {
			if c.Value == 1 {
				bad.Emit(ctx, []byte("only once: "+c.Key))
				return nil
			}
			emit(c)
			return nil
		}).WriteTSV().Named("good")
	})
	got, err := minirun.Run(t.Context(), job, minirun.Options{Split: 7, Partitions: 2}, minirun.Lines("to be or", "", "not", "to be", ""))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{"good": {"be\t2", "to\t2"}, "bad": {"an empty line", "an empty line", "only once: not", "only once: or"}} {
		lines := strings.Split(strings.TrimSpace(got.Of(name)), "\n")
		slices.Sort(lines)
		if !slices.Equal(lines, want) {
			t.Errorf("%s: %q, want %q", name, lines, want)
		}
	}
}

// TestDirectories verifies that every record is in its directory, in the order of its
// task, with many more directories than parts that may be open.
func TestDirectories(t *testing.T) {
	t.Parallel()
	job := build(func(p *jobs.Pipeline) {
		jobs.ReadLines(p).Write(text.Lines{}).PartitionBy(func(line []byte) string { return "key=" + string(line[:1]) + "/second=" + string(line[1:2]) })
	})
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 5))
		want := map[string][]string{}
		var text strings.Builder
		for i := range 200 {
			line := fmt.Sprintf("%c%c%d", 'a'+rune(r.IntN(5)), 'a'+rune(r.IntN(4)), i)
			dir := fmt.Sprintf("key=%c/second=%c", line[0], line[1])
			want[dir] = append(want[dir], line)
			text.WriteString(line + "\n")
		}
		got, err := minirun.Run(t.Context(), job, minirun.Options{Split: 1 << 20}, minirun.Object{Name: "text", Text: text.String()})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(slices.Sorted(maps.Keys(got.Outputs)), slices.Sorted(maps.Keys(want))) {
			t.Errorf("seed %d: the directories are %q", seed, slices.Sorted(maps.Keys(got.Outputs)))
		}
		for dir, lines := range want {
			if text := got.Of(dir); text != strings.Join(lines, "\n")+"\n" {
				t.Errorf("seed %d: %s has %q, want %q", seed, dir, text, lines)
			}
		}
	}
}

// TestDirectoriesThatCannotBe verifies that names which stores or readers would take for
// something else are errors of the record.
func TestDirectoriesThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"", "/a", "a/", "a//b", ".", "a/..", "_temporary", "a/.hidden", "a\nb", "\xff", strings.Repeat("x", 501)} {
		job := build(func(p *jobs.Pipeline) {
			jobs.ReadLines(p).Write(text.Lines{}).PartitionBy(func([]byte) string { return dir })
		})
		_, err := minirun.Run(t.Context(), job, minirun.Options{}, minirun.Lines("hay"))
		wantError(t, err, "the directory", "between slashes", "Write")
	}
}
