package main

import (
	"context"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/windrow-mr/windrow/jobs"
)

// slowParams are the parameters of jobs that take a while, and mark what they
// do.
type slowParams struct {
	Map    time.Duration `help:"time for each line"`
	Reduce time.Duration `help:"time for each key"`
	Marks  string        `help:"file that gets a line for each attempt that begins"`
}

// attempts marks each attempt once.
type attempts struct {
	file string
	seen sync.Map
}

func (a *attempts) mark(ctx *jobs.Context) error {
	task := ctx.Task()
	if a.file == "" || task.Stage == "" {
		return nil
	}
	if _, known := a.seen.LoadOrStore(task.Attempt, true); known {
		return nil
	}
	f, err := os.OpenFile(a.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s/%d %s\n", task.Stage, task.Index, task.Attempt)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// rest waits as a job should that has a context.
func rest(ctx *jobs.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tally counts words, slowly.
func tally(p *jobs.Pipeline, a slowParams) error {
	begun := &attempts{file: a.Marks}
	words := jobs.Map(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
		if err := begun.mark(ctx); err != nil {
			return err
		}
		ctx.Count("lines", 1)
		for w := range strings.FieldsSeq(string(line)) {
			emit(w, 1)
		}
		return rest(ctx, a.Map)
	})
	jobs.Reduce(words, func(ctx *jobs.Context, word string, values iter.Seq[int64], emit func(jobs.Pair[string, int64])) error {
		if err := begun.mark(ctx); err != nil {
			return err
		}
		var n int64
		for v := range values {
			n += v
		}
		ctx.Count("keys", 1)
		emit(jobs.Pair[string, int64]{Key: word, Value: n})
		return rest(ctx, a.Reduce)
	}).WriteTSV()
	return nil
}

// wastes are the ways in which jobs harm their worker.
func wastes() []*jobs.Job {
	return []*jobs.Job{
		each("eats", func(*jobs.Context) error {
			var all [][]byte
			for {
				b := make([]byte, 16<<20)
				for i := range b {
					b[i] = byte(i)
				}
				all = append(all, b)
				runtime.KeepAlive(all)
			}
		}),
		each("exits", func(*jobs.Context) error {
			os.Exit(7)
			return nil
		}),
		each("segfaults", func(*jobs.Context) error { return syscall.Kill(os.Getpid(), syscall.SIGSEGV) }),
		each("loops", func(*jobs.Context) error {
			for n := uint64(1); n > 0; n += 2 { // an odd number is never zero
				runtime.KeepAlive(n)
			}
			return nil
		}),
		each("deadlocks", func(*jobs.Context) error {
			var mu sync.Mutex
			mu.Lock()
			mu.Lock()
			return nil
		}),
		each("forks", func(ctx *jobs.Context) error {
			child := exec.CommandContext(context.WithoutCancel(ctx), "/bin/sleep", "987654")
			if err := child.Start(); err != nil {
				return err
			}
			return fmt.Errorf("the child is %d", child.Process.Pid)
		}),
		each("floods", func(*jobs.Context) error {
			line := strings.Repeat("flood ", 200) + "\n"
			for range 64 << 20 / len(line) {
				fmt.Fprint(os.Stdout, line)
			}
			return nil
		}),
		each("leaks", func(*jobs.Context) error {
			for n := 0; ; n++ {
				if _, err := os.Open("/dev/null"); err != nil {
					return fmt.Errorf("after %d descriptors: %w", n, err)
				}
			}
		}),
	}
}
