package teragen_test

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/library/teragen"
)

// The benchmark's first record begins with these 10 bytes.
func Example() {
	options := minirun.Options{Params: map[string]string{"records": "1000"}}
	result, err := minirun.Run(context.Background(), teragen.Job(), options)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(result.Text()), result.Text()[:10])
	// Output: 100000 JimGrayRIP
}
