package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/windrow-mr/windrow/jobs/library"
)

// asProgram, set in the environment, runs the test binary as the program under
// test: a signal reaches a whole process.
const asProgram = "WINDROW_TEST_AS_PROGRAM"

// hearHangups lets the processes that tests start get SIGHUP. Under nohup they would
// inherit that it is ignored; a signal that is caught is not inherited.
func hearHangups() {
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
}

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(Main(context.Background(), Program{Args: os.Args, Commands: Operating(), Jobs: append(library.All(), zoneJob()), Process: true, Library: os.Getenv(asProgram) == "library", Stdout: os.Stdout, Stderr: os.Stderr}))
	}
	hearHangups()
	os.Exit(m.Run())
}
