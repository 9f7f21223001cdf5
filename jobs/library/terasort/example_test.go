package terasort_test

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/library/teragen"
	"github.com/windrow-mr/windrow/jobs/library/terasort"
)

func Example() {
	ctx := context.Background()
	options := minirun.Options{Params: map[string]string{"records": "1000", "ascii": "true"}}
	made, err := minirun.Run(ctx, teragen.Job(), options)
	if err != nil {
		fmt.Println(err)
		return
	}
	sorted, err := minirun.Run(ctx, terasort.Job(), minirun.Options{Partitions: 3}, minirun.Object{Text: made.Text()})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q\n%q\n", made.Text()[:10], sorted.Text()[:10])
	// Output:
	// "AsfAGHM5om"
	// "  l;w?EBj0"
}
