package object_test

import (
	"bufio"
	"context"
	"fmt"
	"path"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/object"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

func ExampleWhole() {
	job := jobs.Define("sizes", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.Read(p, object.Whole{}), func(f object.File) string {
			return fmt.Sprintf("%s has %d bytes", path.Base(f.Name), len(f.Data))
		}).WriteTSV()
		return nil
	})
	result, err := minirun.Run(context.Background(), job, minirun.Options{}, minirun.Object{Name: "a.png", Text: "\x89PNG"}, minirun.Object{Name: "b.txt", Text: "hay\n"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// a.png has 4 bytes
	// b.txt has 4 bytes
}

func ExampleStreams() {
	job := jobs.Define("titles", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.FlatMap(jobs.Read(p, object.Streams{}), func(_ *jobs.Context, s object.Stream, emit func(string)) error {
			title, err := bufio.NewReader(s).ReadString('\n') // the rest is not read
			emit(path.Base(s.Name) + ": " + title[:len(title)-1])
			return err
		}).WriteTSV()
		return nil
	})
	result, err := minirun.Run(context.Background(), job, minirun.Options{}, minirun.Object{Name: "a.txt", Text: "Moby Dick\nCall me Ishmael.\n"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output: a.txt: Moby Dick
}
