package wordcount_test

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/library/wordcount"
)

// One partition, so that the words are in order as a whole.
func Example() {
	input := minirun.Lines("to be or", "not to be")
	result, err := minirun.Run(context.Background(), wordcount.Job(), minirun.Options{Partitions: 1}, input)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// be	2
	// not	1
	// or	1
	// to	2
}
