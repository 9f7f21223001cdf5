package compact_test

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/library/compact"
)

func Example() {
	a := minirun.Object{Name: "a.log", Text: "one\ntwo\n"}
	b := minirun.Object{Name: "b.log", Text: "three"}
	result, err := minirun.Run(context.Background(), compact.Job(), minirun.Options{}, a, b)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// one
	// two
	// three
}
