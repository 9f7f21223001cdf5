package sort_test

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/library/sort"
)

func Example() {
	input := minirun.Lines("pear", "apple", "fig", "apple")
	result, err := minirun.Run(context.Background(), sort.Job(), minirun.Options{Split: 4}, input)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// apple
	// apple
	// fig
	// pear
}
