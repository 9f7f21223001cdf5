package index_test

import (
	"context"
	"fmt"

	"github.com/windrow-mr/windrow/jobs/internal/minirun"
	"github.com/windrow-mr/windrow/jobs/library/index"
)

// One partition, so that the words are in order as a whole.
func Example() {
	a := minirun.Object{Name: "a.txt", Text: "make hay\nwhile the sun shines\n"}
	b := minirun.Object{Name: "b.txt", Text: "hay, hay and hay\n"}
	result, err := minirun.Run(context.Background(), index.Job(), minirun.Options{Partitions: 1}, a, b)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(result.Text())
	// Output:
	// and	mem://test/b.txt	9
	// hay	mem://test/a.txt	5
	// hay	mem://test/b.txt	5
	// hay	mem://test/b.txt	13
	// hay,	mem://test/b.txt	0
	// make	mem://test/a.txt	0
	// shines	mem://test/a.txt	23
	// sun	mem://test/a.txt	19
	// the	mem://test/a.txt	15
	// while	mem://test/a.txt	9
}
