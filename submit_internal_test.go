package windrow

import (
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/windrow-mr/windrow/client"
)

// TestLinesOfAnySize verifies that lines are the text between line feeds, of whatever
// size, and that an error of the text follows the lines before it.
func TestLinesOfAnySize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil}, {"\n", []string{""}}, {"a", []string{"a"}}, {"a\n\nb\r\n", []string{"a", "", "b\r"}},
		{strings.Repeat("x", 64<<10-1) + "\ny\n", []string{strings.Repeat("x", 64<<10-1), "y"}},
		{strings.Repeat("x", 64<<10) + "\ny\n", []string{strings.Repeat("x", 64<<10), "y"}},
		{strings.Repeat("x", 200_000) + "\n" + strings.Repeat("y", 100_000), []string{strings.Repeat("x", 200_000), strings.Repeat("y", 100_000)}},
	} {
		var got []string
		eachLine(iotest.HalfReader(strings.NewReader(c.text)), func(line []byte, err error) bool {
			got = append(got, string(line))
			return err == nil
		})
		if !slices.Equal(got, c.want) {
			t.Errorf("%d lines of %d bytes, want %d", len(got), len(c.text), len(c.want))
		}
	}
	broken := errors.New("broken")
	var lines int
	var last error
	eachLine(io.MultiReader(strings.NewReader("a\nb\n"), iotest.ErrReader(broken)), func(_ []byte, err error) bool {
		lines, last = lines+1, err
		return true
	})
	if lines != 3 || !errors.Is(last, broken) {
		t.Errorf("%d lines, and %v", lines, last)
	}
	eachLine(strings.NewReader("a\nb\n"), func([]byte, error) bool {
		lines++
		return false
	})
	if lines != 4 {
		t.Errorf("%d lines after the caller wanted no more", lines-3)
	}
}

// TestSubmitOptionsReachTheCluster verifies that every option that describes the job is a
// part of its submission.
func TestSubmitOptionsReachTheCluster(t *testing.T) {
	t.Parallel()
	o := SubmitOptions{
		Input: []string{"s3://a/b", "x=s3://c/d"}, Output: "s3://o/p", Params: map[string]string{"a": "b"}, OnExists: "append", Partitions: 1,
		SplitSize: 2, Attempts: 3, Compress: "gzip", Decompress: "none", MaxRatio: 4, MaxDecompressed: 5, Key: "k", Priority: 6, Labels: map[string]string{"c": "d"},
	}
	got, err := o.request("job")
	want := client.Submission{
		IdempotencyKey: "k", Job: "job", Params: map[string]string{"a": "b"}, Input: []string{"s3://a/b", "x=s3://c/d"}, Output: "s3://o/p",
		OnExists: "append", Partitions: 1, SplitSize: 2, Attempts: 3, Compress: "gzip", Decompress: "none", MaxRatio: 4, MaxDecompressed: 5,
		Priority: 6, Labels: map[string]string{"c": "d"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v (%v), want %+v", got, err, want)
	}
}
