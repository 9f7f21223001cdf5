//go:build failpoint

package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/windrow-mr/windrow/store"
	"github.com/windrow-mr/windrow/store/fault"
)

// Only binaries built with the tag failpoint read these variables of the
// environment.
//
// WINDROW_KILL_AFTER=n kills the process by SIGKILL after its n-th write to a
// store. It also prints every write on standard error, so that a test knows how
// many there are.
//
// WINDROW_FAILPOINT is a list, with commas between, of
//
//	( "kill" | "pause" ) ( "before" | "after" ) op pattern [ "#" n ]
//	"trace"
//
// where op is "create" for a write that requires that the object does not exist,
// "put", "commit" or "delete", or "write" for all of these except "delete". The
// process is killed or paused at the n-th such write, from 1, of a key that matches
// the pattern of store.Match; n is 1 unless given. A process that pauses is stopped
// by SIGSTOP, and continues when it gets SIGCONT. Before, it prints the event on
// standard error. trace prints every write.
//
// WINDROW_FAULTS is a plan of package fault, for all roots.
//
// WINDROW_HASTE=n divides the times after which a silent master or worker is
// considered lost.

// stores returns the options of all roots.
func stores() store.Options {
	faults, err := newFaults(os.Getenv("WINDROW_FAULTS"), os.Getenv("WINDROW_FAILPOINT"), os.Getenv("WINDROW_KILL_AFTER"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "failpoint:", err)
		os.Exit(2)
	}
	if faults == nil {
		return store.Options{}
	}
	return store.Options{Wrap: faults.Wrap}
}

func haste() int {
	n, err := strconv.Atoi(os.Getenv("WINDROW_HASTE"))
	if err != nil {
		return 1
	}
	return n
}

// newFaults returns the injector that the variables describe; nil for none.
func newFaults(plan, points, killAfter string) (*fault.Injector, error) {
	if plan == "" && points == "" && killAfter == "" {
		return nil, nil
	}
	var rules fault.Plan
	var err error
	if plan != "" {
		if rules, err = fault.Parse(plan); err != nil {
			return nil, err
		}
	}
	faults := fault.New(rules...)
	list, err := parsePoints(points)
	if err != nil {
		return nil, err
	}
	faults.BeforeWrite = func(w fault.Write) { list.meet("before", w) }
	faults.AfterWrite = func(_ int, w fault.Write) { list.meet("after", w) }
	if last, err := strconv.Atoi(killAfter); err == nil {
		faults.AfterWrite = func(n int, w fault.Write) {
			fmt.Fprintf(os.Stderr, "write %d: %s %s\n", n, w.Op, w.Key)
			if n == last {
				kill()
			}
		}
	}
	return faults, nil
}

// point is a write at which the process is killed or paused.
type point struct {
	do, when, op, pattern string
	left                  int // matching writes until then
}

type points struct {
	mu    sync.Mutex
	list  []*point
	trace bool
}

func parsePoints(text string) (*points, error) {
	all := new(points)
	for part := range strings.SplitSeq(text, ",") {
		words := strings.Fields(part)
		if len(words) == 0 {
			continue
		}
		if len(words) == 1 && words[0] == "trace" {
			all.trace = true
			continue
		}
		if len(words) != 4 || words[0] != "kill" && words[0] != "pause" || words[1] != "before" && words[1] != "after" {
			return nil, fmt.Errorf("%q is not like \"kill before create KEY#N\"", part)
		}
		p := &point{words[0], words[1], words[2], words[3], 1}
		if pattern, count, ok := strings.Cut(words[3], "#"); ok {
			n, err := strconv.Atoi(count)
			if err != nil {
				return nil, err
			}
			p.pattern, p.left = pattern, n
		}
		all.list = append(all.list, p)
	}
	return all, nil
}

// meet kills or pauses the process if a point is at this write.
func (all *points) meet(when string, w fault.Write) {
	op := string(w.Op)
	if w.Absent {
		op = "create"
	}
	all.mu.Lock()
	if all.trace {
		fmt.Fprintf(os.Stderr, "failpoint: %s %s %s\n", when, op, w.Key)
	}
	do := ""
	for _, p := range all.list {
		if p.when == when && (p.op == op || p.op == "write" && op != "delete") && store.Match(p.pattern, w.Key) {
			if p.left--; p.left == 0 {
				do = p.do
			}
		}
	}
	all.mu.Unlock()
	switch do {
	case "kill":
		fmt.Fprintf(os.Stderr, "failpoint: killed %s %s %s\n", when, op, w.Key)
		kill()
	case "pause":
		// The stop may reach another thread first: without the wait this one could
		// go past the write before it stops.
		resumed := make(chan os.Signal, 1)
		signal.Notify(resumed, syscall.SIGCONT)
		defer signal.Stop(resumed)
		fmt.Fprintf(os.Stderr, "failpoint: paused %s %s %s\n", when, op, w.Key)
		if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
			fmt.Fprintln(os.Stderr, "failpoint:", err)
			return
		}
		<-resumed
	}
}

// kill ends the process at once.
func kill() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	fmt.Fprintln(os.Stderr, "killed:", err)
	select {}
}
