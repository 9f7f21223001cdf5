package cli

import (
	"context"
	"os"
	"testing"

	"github.com/windrow-mr/windrow/jobs/library"
)

// asProgram, set in the environment, runs the test binary as the program under
// test: a signal reaches a whole process.
const asProgram = "WINDROW_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(Main(context.Background(), Program{Args: os.Args, Jobs: append(library.All(), zoneJob()), Process: true, Library: os.Getenv(asProgram) == "library", Stdout: os.Stdout, Stderr: os.Stderr}))
	}
	os.Exit(m.Run())
}
