package grep_test

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/library/grep"
)

func Example() {
	input := minirun.Lines("a windrow", "is a row", "of cut hay")
	options := minirun.Options{Params: map[string]string{"pattern": "row$"}}
	result, err := minirun.Run(context.Background(), grep.Job(), options, input)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// a windrow
	// is a row
}
