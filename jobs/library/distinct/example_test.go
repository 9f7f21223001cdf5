package distinct_test

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/library/distinct"
)

// One partition, so that the lines are in order as a whole.
func Example() {
	input := minirun.Lines("rye", "hay", "rye", "oats", "hay")
	result, err := minirun.Run(context.Background(), distinct.Job(), minirun.Options{Partitions: 1}, input)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// hay
	// oats
	// rye
}
