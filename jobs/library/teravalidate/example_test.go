package teravalidate_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/library/teravalidate"
)

func Example() {
	ctx := context.Background()
	input := minirun.Object{Text: strings.Repeat("a", 100) + strings.Repeat("b", 300)}
	result, err := minirun.Run(ctx, teravalidate.Job(), minirun.Options{Split: 100}, input)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// records	4
	// unordered	0
	// duplicates	2
	// checksum	11e74a2f5
}
