package plan_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/windrow-mr/windrow/plan"
)

// KindOf returns the kind of an error: of those of stores and runs, and of common
// ones of the standard library.
func ExampleKindOf() {
	_, err := os.ReadFile("no-such-file")
	for _, err := range []error{err, fmt.Errorf("open part: %w", fs.ErrPermission), errors.New("line 7 has no tab")} {
		kind := plan.KindOf(err)
		fmt.Printf("%s, retryable: %v\n", kind, kind.Retryable())
	}
	// Output:
	// not found, retryable: false
	// permission denied, retryable: false
	// unknown error, retryable: false
}

// A task's id is its phase and number, as the command line shows it.
func ExampleParseTaskID() {
	task, err := plan.ParseTaskID("map/17")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(task.Phase, task.Index, task.Key())
	// Output: map 17 m00017
}

// Stat gathers the numbers that tasks observed.
func ExampleStat() {
	var monday, tuesday plan.Stat
	for _, hours := range []float64{3, 8} {
		monday.Add(hours)
	}
	tuesday.Add(5)
	monday.Merge(tuesday)
	fmt.Printf("%d fields took %.0f to %.0f hours, %.1f on average\n", monday.Count, monday.Min, monday.Max, monday.Sum/float64(monday.Count))
	// Output: 3 fields took 3 to 8 hours, 5.3 on average
}
