package text_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

// Lines reads and writes lines. Its Max bounds their length: an object without
// line feeds is probably not text.
func ExampleLines() {
	job := jobs.Define("comments", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		lines := jobs.Read(p, text.Lines{Max: 80})
		lines.Filter(func(line []byte) bool { return len(line) > 0 && line[0] == '#' }).Write(text.Lines{})
		return nil
	})
	for _, input := range []string{"# names\nann\n# end\n", strings.Repeat("?", 100)} {
		result, err := minirun.Run(context.Background(), job, minirun.Options{}, minirun.Object{Name: "names", Text: input})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Print(result.Text())
	}
	// Output:
	// # names
	// # end
	// the line at byte 0 of mem://test/names is longer than 80 bytes: raise the limit of the reader, or check that the object is text
}

// A type with a text of its own is one column.
func ExampleTSV_text() {
	type share struct {
		Name    string
		Percent percent
	}
	job := jobs.Define("shares", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		shares := jobs.Convert(jobs.ReadLines(p), func(line []byte) share { return share{string(line), percent(len(line)) / 10} })
		shares.Write(text.TSV[share]{})
		return nil
	})
	result, err := minirun.Run(context.Background(), job, minirun.Options{}, minirun.Lines("hay", "harvest"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// hay	30 %
	// harvest	70 %
}

type percent float64

func (p percent) String() string { return fmt.Sprintf("%.0f %%", 100*float64(p)) }
