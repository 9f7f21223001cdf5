// Command submits is a program that submits jobs of its own, for the integration
// tests. It prints what became of one as JSON.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
)

// Answer is what became of a job.
type Answer struct {
	ID       string  `json:"id"`
	Kind     string  `json:"kind"`
	Error    string  `json:"error"`
	Text     string  `json:"text"`
	Known    bool    `json:"known"`
	Uploads  int     `json:"uploads"`
	Lines    int     `json:"lines"`
	Fraction float64 `json:"fraction"`
}

func words(line []byte, emit jobs.Emit[[]byte, int64]) error {
	for w := range bytes.FieldsSeq(line) {
		emit(w, 1)
	}
	return nil
}

// strict counts words of lines that are good.
func strict(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
	if bytes.HasPrefix(line, []byte("bad")) {
		return errors.New("the line is not good")
	}
	return words(line, emit)
}

var all = []*jobs.Job{
	skewed(),
	jobs.New("words", func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error { return words(line, emit) }, jobs.Sum[int64]),
	jobs.New("fails", strict, jobs.Sum[int64]),
	jobs.Define("dated", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		now := jobs.Once(p, "now", func() (time.Time, error) { return time.Now(), nil })
		jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, _ []byte, emit jobs.Emit[string, int64]) error {
			emit(now.Format("2006"), 1)
			return nil
		}).Fold(jobs.Sum[int64]).WriteTSV()
		return nil
	}),
	jobs.New("greets", func(ctx *jobs.Context, line []byte, emit jobs.Emit[[]byte, int64]) error {
		greeting, err := ctx.File("greeting")
		emit(append(append([]byte(nil), greeting...), line...), 1)
		return err
	}, jobs.Sum[int64]),
	jobs.New("hangs", func(ctx *jobs.Context, _ []byte, _ jobs.Emit[[]byte, int64]) error {
		<-ctx.Done()
		return ctx.Err()
	}, jobs.Sum[int64]),
}

// other has the name of a job that Init gets, and another pipeline.
var other = jobs.Define("words", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
	jobs.Map(jobs.ReadLines(p), func(_ *jobs.Context, line []byte, emit jobs.Emit[[]byte, []byte]) error {
		emit(line, line)
		return nil
	}).Fold(func(a, _ []byte) []byte { return a }).WriteTSV()
	return nil
})

func main() {
	begin()
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		commandLine()
	}
	flags := flag.NewFlagSet("submits", flag.ExitOnError)
	name, key, pkg, how := flags.String("job", "words", ""), flags.String("key", "", ""), flags.String("package", "", ""), flags.String("how", "submit", "run, submit, other or cancel")
	in, out := flags.String("in", "", ""), flags.String("out", "", "")
	file := flags.String("file", "", "")
	attempts := flags.Int("attempts", 0, "")
	_ = flags.Parse(os.Args[1:]) // it exits
	job := other
	for _, j := range all {
		if j.Name() == *name && *how != "other" {
			job = j
		}
	}
	files := map[string]string{}
	if *file != "" {
		files["greeting"] = *file
	}
	answer, err := do(job, *how, windrow.SubmitOptions{Input: []string{*in}, Output: *out, Key: *key, Package: *pkg, Attempts: *attempts, Files: files})
	if err != nil {
		answer.Error = err.Error()
		if e, ok := errors.AsType[*windrow.Error](err); ok {
			answer.Kind = fmt.Sprint(e.Kind)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(&answer); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func do(job *jobs.Job, how string, o windrow.SubmitOptions) (a Answer, err error) {
	ctx := context.Background()
	if how == "run" {
		_, err := windrow.Run(ctx, job, windrow.Options{Input: o.Input, Output: o.Output, Attempts: o.Attempts, Files: o.Files})
		return a, err
	}
	var notes strings.Builder
	o.Log = slog.New(slog.NewTextHandler(io.MultiWriter(&notes, os.Stderr), nil))
	o.Progress = func(p windrow.Progress) { a.Fraction = p.Fraction }
	s, err := windrow.Submit(ctx, job, o)
	a.Uploads = strings.Count(notes.String(), "uploading the program")
	if err != nil {
		return a, err
	}
	a.ID, a.Known = string(s.ID), s.Known
	if how == "cancel" {
		if err := s.Cancel(ctx); err != nil {
			return a, err
		}
	}
	if how == "leave" {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		_, err := s.Wait(ctx)
		return a, err
	}
	if _, err := s.Wait(ctx); err != nil {
		return a, err
	}
	for line, err := range s.Lines(ctx) {
		if err != nil {
			return a, err
		}
		if a.Lines++; len(line) > 0 && line[len(line)-1] == '\n' {
			return a, errors.New("a line ends in a line feed")
		}
	}
	var text bytes.Buffer
	err = s.Cat(ctx, &text)
	a.Text = text.String()
	return a, err
}
