//go:build linux

package runner_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/fixed"
	"github.com/windrow-mr/windrow/jobs/formats/text"
	"github.com/windrow-mr/windrow/worker/jobproc"
)

// TestMain makes a job process of this program when a worker starts it, by its
// arguments: it has no environment to know from.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == jobproc.Verb {
		os.Exit(jobProcess())
	}
	os.Exit(m.Run())
}

func jobProcess() int {
	storage, control, err := jobproc.Inherited()
	if err == nil && isHostile() {
		err = hostile(storage, control)
	} else if err == nil {
		err = jobproc.Main(context.Background(), jobproc.Config{Jobs: testJobs(), Storage: storage, Control: control, Stdout: os.Stdout, Stderr: os.Stderr})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

type none struct{}

// misdeeds is what the job misbehave does when it reads the line "go".
type misdeeds struct {
	How  string
	Path string
}

func testJobs() []*jobs.Job {
	return []*jobs.Job{
		jobs.New("words", tokenize, jobs.Sum[int64]),
		jobs.New("shipped", func(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
			text, err := ctx.File(string(line))
			emit(text, 1)
			return err
		}, jobs.Sum[int64]),
		jobs.Define("sorted", none{}, func(p *jobs.Pipeline, _ none) error {
			sorted := jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, none]) error {
				emit(line, none{})
				return nil
			}).Sort()
			jobs.Convert(sorted, func(p jobs.Pair[[]byte, none]) []byte { return p.Key }).Write(text.Lines{})
			return nil
		}),
		jobs.Define("matching", struct{ Word string }{}, func(p *jobs.Pipeline, o struct{ Word string }) error {
			jobs.ReadLines(p).Filter(func(line []byte) bool { return bytes.Contains(line, []byte(o.Word)) }).Write(text.Lines{})
			return nil
		}),
		jobs.Define("misbehave", misdeeds{}, func(p *jobs.Pipeline, o misdeeds) error {
			jobs.Map(jobs.ReadLines(p), func(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
				if string(line) == "go" {
					return o.do(ctx)
				}
				emit(line, 1)
				return nil
			}).Fold(jobs.Sum[int64]).WriteTSV()
			return nil
		}),
		jobs.Define("records", none{}, func(p *jobs.Pipeline, _ none) error {
			jobs.Read(p, fixed.Records{Size: 4}).Write(text.Lines{})
			return nil
		}),
		jobs.Define("made", none{}, func(p *jobs.Pipeline, _ none) error {
			jobs.Read(p, numbers{}).Write(text.Lines{})
			return nil
		}),
		jobs.Define("fickle", none{}, func(p *jobs.Pipeline, _ none) error {
			jobs.Map(jobs.ReadLines(p), fickle()).Fold(jobs.Sum[int64]).WriteTSV()
			return nil
		}),
	}
}

func tokenize(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
	for w := range bytes.FieldsSeq(line) {
		emit(w, 1)
	}
	ctx.Count("lines", 1)
	return nil
}

// numbers makes lines of numbers.
type numbers struct{}

const madeNumbers = 1000

func (numbers) Generate(slots int) ([]jobs.Section, error) {
	return jobs.Ranges(jobs.Object{Name: "numbers", Size: madeNumbers}, int64(madeNumbers/slots), 1), nil
}

func (numbers) Split(o jobs.Object, _ int64) ([]jobs.Section, error) {
	return nil, fmt.Errorf("there is no %s", o.Name)
}

func (numbers) Scan(_ *jobs.Context, s *jobs.Section, yield func([]byte) error) error {
	for n := s.Offset; n < s.Offset+s.Length; n++ {
		s.At(n)
		if err := yield(fmt.Append(nil, n)); err != nil {
			return err
		}
	}
	return nil
}

// fickle returns another function in a job process than where the job is
// submitted.
func fickle() func(*jobs.Context, []byte, jobs.Emit[[]byte, int64]) error {
	if len(os.Args) == 2 && os.Args[1] == jobproc.Verb {
		return tokenizeOther
	}
	return tokenize
}

func tokenizeOther(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
	return tokenize(ctx, line, emit)
}

func (m misdeeds) do(ctx *jobs.Context) error {
	switch m.How {
	case "panic":
		_ = []byte(m.How)[len(m.How):][ctx.Task().Index]
	case "error":
		return errors.New("no such customer")
	case "exit":
		fmt.Fprintln(os.Stderr, "had enough")
		os.Exit(3)
	case "leave":
		os.Exit(0)
	case "goexit":
		runtime.Goexit()
	case "loop":
		for i := 0; ; i++ {
			if i < 0 {
				return nil
			}
		}
	case "hoard":
		var all [][]byte
		for {
			all = append(all, bytes.Repeat([]byte{1}, 1<<20))
			if len(all) < 0 {
				return nil
			}
		}
	case "flood":
		for i := range 40_000 {
			fmt.Printf("line %d of many that are never read\n", i)
		}
		fmt.Println("the last line")
	case "talk":
		for i := range 2000 {
			fmt.Printf("%s says %d\n", ctx.Task().Attempt, i)
		}
	case "fork":
		c := exec.Command("/bin/sleep", "1000")
		if err := c.Start(); err != nil {
			return err
		}
		fmt.Printf("forked %d\n", c.Process.Pid)
		return errors.New("the child is not waited for")
	case "look":
		fmt.Printf("environment %q\n", os.Environ())
		_, err := os.ReadFile(m.Path)
		fmt.Printf("a secret: %v\n", err)
		ctx.Log().Info("a word of the job", "answer", 42)
	case "wait":
		<-ctx.Done()
		return context.Cause(ctx)
	case "mute":
		select {}
	case "steady":
		for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); {
			<-time.After(10 * time.Millisecond)
		}
	}
	return nil
}

// sequentialWords counts words in a simple loop.
func sequentialWords(texts []string) map[string]int64 {
	counts := make(map[string]int64)
	for _, text := range texts {
		for w := range strings.FieldsSeq(text) {
			counts[w]++
		}
	}
	return counts
}
