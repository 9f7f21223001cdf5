package lengths_test

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/lengths"
	"github.com/windrow-mr/windrow/jobs/internal/minirun"
)

func ExampleRecords() {
	job := jobs.Define("words", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Convert(jobs.Read(p, lengths.Records{}), func(rec []byte) string { return fmt.Sprintf("%d bytes: %q", len(rec), rec) }).WriteTSV()
		return nil
	})
	for _, object := range []string{"\x05apple\x00\x04pear", "\x05apple\x09pear"} {
		result, err := minirun.Run(context.Background(), job, minirun.Options{}, minirun.Object{Name: "in.dat", Text: object})
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Print(result.Text())
	}
	// Output:
	// 5 bytes: "apple"
	// 0 bytes: ""
	// 4 bytes: "pear"
	// byte 6 of mem://test/in.dat: the record that begins there has 9 bytes, and the object ends after 4: it is cut short, or its records have another Prefix than Uvarint
}
