// Command windrow runs MapReduce jobs over object storage: those of the
// library that comes with it. See windrow --help and docs/cli.md.
package main

import (
	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs/library"

	_ "github.com/windrow-mr/windrow/store/s3" // s3:// roots
)

func main() { windrow.Main(library.All()...) }
