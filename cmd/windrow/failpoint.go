//go:build failpoint

package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault"
)

// stores makes this process kill itself, as hard as there is, after the n-th
// write to a store that WINDROW_KILL_AFTER names. It also tells every write on
// standard error, so that a test knows how many there are. Only binaries built
// with the tag failpoint have this.
func stores() store.Options {
	last, err := strconv.Atoi(os.Getenv("WINDROW_KILL_AFTER"))
	if err != nil {
		return store.Options{}
	}
	faults := fault.New()
	faults.AfterWrite = func(n int, op, key string) {
		fmt.Fprintf(os.Stderr, "write %d: %s %s\n", n, op, key)
		if n == last {
			self, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = self.Kill()
			}
			fmt.Fprintln(os.Stderr, "killed:", err)
			select {}
		}
	}
	return store.Options{Wrap: faults.Wrap}
}
