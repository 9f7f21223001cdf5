package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault"
)

// killed runs a job as the command run does, and kills this process after its n-th write
// to a store. It prints the writes. See WINDROW_KILL_AFTER in cmd/windrow.
func killed(args []string, n int, all []*jobs.Job) int {
	var o windrow.Options
	flags := flag.NewFlagSet("run", flag.ExitOnError)
	flags.StringVar(&o.Output, "out", "", "")
	flags.StringVar(&o.OnExists, "on-exists", "", "")
	flags.IntVar(&o.Partitions, "partitions", 0, "")
	flags.Int64Var(&o.SplitSize, "split-size", 0, "")
	flags.Func("input", "", func(url string) error { o.Input = append(o.Input, url); return nil })
	if err := flags.Parse(args[2:]); err != nil {
		return 2
	}
	faults := fault.New()
	faults.AfterWrite = func(i int, w fault.Write) {
		fmt.Fprintf(os.Stderr, "write %d: %s %s\n", i, w.Op, w.Key)
		if self, err := os.FindProcess(os.Getpid()); i == n && err == nil {
			_ = self.Kill()
			select {}
		}
	}
	o.Stores = store.Options{Wrap: faults.Wrap}
	for _, job := range all {
		if args[0] != "run" || job.Name() != args[1] {
			continue
		}
		if _, err := windrow.Run(context.Background(), job, o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	return 2
}

// killAfter returns the number of the write after which the process is killed.
func killAfter() (n int, ok bool) {
	n, err := strconv.Atoi(os.Getenv("WINDROW_KILL_AFTER"))
	return n, err == nil
}
