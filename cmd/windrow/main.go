// Command windrow runs MapReduce jobs over object storage. The jobs are those of
// the built-in library. See windrow --help and docs/cli.md.
package main

import (
	"context"
	"os"
	"slices"
	_ "time/tzdata" // time zones of schedules, on machines that have none

	"github.com/windrow-mr/windrow/internal/cli"
	"github.com/windrow-mr/windrow/internal/daemon"
	"github.com/windrow-mr/windrow/internal/look"
	"github.com/windrow-mr/windrow/internal/scheduled"
	"github.com/windrow-mr/windrow/jobs/library"

	_ "github.com/windrow-mr/windrow/store/azure" // azblob:// roots
	_ "github.com/windrow-mr/windrow/store/gcs"   // gs:// roots
	_ "github.com/windrow-mr/windrow/store/s3"    // s3:// roots
)

func main() {
	os.Exit(cli.Main(context.Background(), cli.Program{
		Args: os.Args, Jobs: library.All(), Library: true, Process: true, Stdout: os.Stdout, Stderr: os.Stderr, Stores: stores(),
		Commands: slices.Concat(look.Commands(), scheduled.Commands(), cli.Operating()),
		Daemons:  daemon.Commands(daemon.Program{Stdout: os.Stdout, Stderr: os.Stderr, Stores: stores(), Haste: haste()})}))
}
