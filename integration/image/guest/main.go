// Command guest is a program with jobs of its own, for the tests of the
// container image: in a container there is no shell, no /tmp and nothing of Go.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
)

type slowParams struct {
	Map time.Duration `help:"time for each line"`
}

// count counts words, slowly.
func count(p *jobs.Pipeline, a slowParams) error {
	jobs.Map(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit jobs.Emit[string, int64]) error {
		ctx.Count("lines", 1)
		for word := range strings.FieldsSeq(string(line)) {
			emit(word, 1)
		}
		t := time.NewTimer(a.Map)
		defer t.Stop()
		select {
		case <-t.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}).Fold(jobs.Sum[int64]).WriteTSV()
	return nil
}

type none struct{}

// each makes a job that writes the result of f for each line of its input.
func each(name string, f func(emit jobs.Emit[string, int64]) error) *jobs.Job {
	return jobs.Define(name, none{}, func(p *jobs.Pipeline, _ none) error {
		jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, _ []byte, emit jobs.Emit[string, int64]) error {
			return f(emit)
		}).Fold(jobs.Sum[int64]).WriteTSV()
		return nil
	})
}

// look reports its environment.
func look(emit jobs.Emit[string, int64]) error {
	emit("user", int64(os.Getuid()))
	for name, resource := range map[string]int{"core": syscall.RLIMIT_CORE, "data": syscall.RLIMIT_DATA, "files": syscall.RLIMIT_NOFILE} {
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(resource, &limit); err != nil {
			return fmt.Errorf("the limit %s: %w", name, err)
		}
		emit(name, int64(min(limit.Max, 1<<62)))
	}
	for _, v := range os.Environ() {
		if strings.HasPrefix(v, "AWS_") || strings.HasPrefix(v, "WINDROW_TOKEN") {
			emit("secrets", 1)
		}
	}
	if err := os.WriteFile("/bin/guest", nil, 0o600); !errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("a file in /bin: %w", err)
	}
	f, err := os.CreateTemp("", "guest-")
	if err != nil {
		return err
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		return err
	}
	emit("temporary", 1)
	return nil
}

// leave starts a process that does not end by itself, and does not wait for it.
func leave(emit jobs.Emit[string, int64]) error {
	child := exec.Command("/proc/self/exe", linger) //nolint:noctx // it must outlive its parent
	if err := child.Start(); err != nil {
		return err
	}
	emit("left", 1)
	return nil
}

// linger is the argument of a process that is left behind.
const linger = "linger-here"

// eat allocates all memory that there is.
func eat(jobs.Emit[string, int64]) error {
	var all [][]byte
	for {
		b := make([]byte, 16<<20)
		for i := range b {
			b[i] = byte(i)
		}
		all = append(all, b)
		runtime.KeepAlive(all)
	}
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == linger {
		<-time.After(time.Hour)
		return
	}
	windrow.Main(jobs.Define("count", slowParams{}, count), each("look", look), each("leave", leave), each("eat", eat))
}
