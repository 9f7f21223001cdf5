package measurements_test

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/library/measurements"
)

func Example() {
	input := minirun.Lines("Bern;12.0", "Oslo;-3.5", "Bern;-1.9", "Oslo;4")
	result, err := minirun.Run(context.Background(), measurements.Job(), minirun.Options{Partitions: 1}, input)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// Bern	-1.9/5.1/12.0
	// Oslo	-3.5/0.3/4.0
}
