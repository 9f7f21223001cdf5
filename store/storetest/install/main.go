// Command install puts the servers that the target test-stores starts into the
// user's cache, so that no test waits for them, and prints their paths.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/windrow-mr/windrow/store/azure/azuretest"
	"github.com/windrow-mr/windrow/store/gcs/gcstest"
	"github.com/windrow-mr/windrow/store/s3/s3test"
)

func main() {
	if err := install(); err != nil {
		fmt.Fprintln(os.Stderr, "install:", err)
		os.Exit(1)
	}
}

func install() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	programs, err := s3test.InstallAll(ctx)
	if err != nil {
		return err
	}
	for _, one := range []func(context.Context) (string, error){gcstest.Install, azuretest.Install} {
		program, err := one(ctx)
		if err != nil {
			return err
		}
		programs = append(programs, program)
	}
	for _, program := range programs {
		fmt.Fprintln(os.Stdout, program)
	}
	return nil
}
