package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/internal/remote"
	"github.com/windrow-mr/windrow/internal/shipped"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/plan"
)

// submitCommand submits a job to a cluster. The program's own jobs are subcommands,
// as with run. Another program is named by its path.
func submitCommand(p *Program) *cli.Command {
	submit := &cli.Command{
		Name: "submit", Usage: "submit a job to a cluster, and follow it", ArgsUsage: "JOB|./PROGRAM [JOB]|./PACKAGE [JOB] --input URL… --out URL [--param NAME=VALUE…]",
		Description: "JOB is a job of this program. ./PROGRAM is a binary made with windrow.Main, and ./PACKAGE is the Go package of one,\n" +
			"which submit builds for the machines of the workers. It uploads programs that the cluster does not have.\n" +
			"The first interrupt detaches from the job, which continues; a second one cancels it.",
		CustomHelpTemplate: jobsHelp(submitFlags()),
	}
	for _, job := range p.Jobs {
		submit.Subcommands = append(submit.Subcommands, submitJobCommand(p, &own{p}, reportOf(job)))
	}
	submit.OnUsageError = func(c *cli.Context, err error, _ bool) error {
		what := err.Error()
		if m := undefinedFlag.FindStringSubmatch(what); m != nil {
			what = "no job before " + dashed(m[1])
		}
		return invalidf(c, "%s; the job comes first: %s submit JOB [flags]", what, c.App.Name)
	}
	submit.Action = func(c *cli.Context) error {
		if c.NArg() == 0 {
			return invalidf(c, "no job named; '%s jobs' lists them, and ./PATH names a program or a package", c.App.Name)
		}
		return submitPath(c, p, submit.Subcommands)
	}
	return submit
}

// submitFlags are the flags of submit itself.
func submitFlags() []cli.Flag { return append(newJobFlags(), clusterFlags()...) }

// newJobFlags say what to submit, and how to follow it.
func newJobFlags() []cli.Flag {
	return slices.Concat(jobFlags(), []cli.Flag{
		priorityFlag(),
		&cli.StringSliceFlag{Name: "label", Usage: "label the job with `NAME=VALUE`"},
		keyFlag(),
	}, attachFlags())
}

func priorityFlag() cli.Flag {
	return &cli.IntFlag{Name: "priority", Usage: "weight `N` of the job: a job with twice the weight gets twice the share", Value: plan.DefaultPriority}
}

func keyFlag() cli.Flag {
	return &cli.StringFlag{Name: "idempotency-key", Usage: "`TEXT` that makes it safe to submit again: the same text gives the same job", DefaultText: "random"}
}

// submitJobCommand returns the command that submits a job of a program.
func submitJobCommand(p *Program, from source, job jobReport) *cli.Command {
	params := paramsOf(job)
	return &cli.Command{Name: job.Name, Usage: orElse(job.Description, "submit the job "+job.Name), Description: inputsText(job.Inputs),
		Flags: withParams(submitFlags(), params), OnUsageError: flagMistake, HideHelpCommand: true,
		Action: func(c *cli.Context) error { return submitJob(c, p, from, job.Name, params) }}
}

// submitPath submits a job of a program that is named by its path. Only that
// program knows its flags.
func submitPath(c *cli.Context, p *Program, known []*cli.Command) error {
	path, rest := c.Args().First(), c.Args().Tail()
	if !isPath(path) {
		err := unknown(c, "job", path, known)
		if _, missing := os.Stat(path); missing == nil {
			return errors.Join(fmt.Errorf("%s is a file here: ./%[1]s names it", path), err)
		}
		return err
	}
	in := catchInterrupts()
	defer in.stop()
	var from *foreign
	var all []jobReport
	err := in.during(c.Context, func(ctx context.Context) (err error) {
		if from, err = openForeign(ctx, c, p, path); err != nil {
			return err
		}
		all, err = from.jobs(ctx)
		return err
	})
	if from != nil {
		defer from.close()
	}
	if err != nil {
		return err
	}
	in.stop()
	name := c.App.Name + " submit " + path
	if len(all) > 1 && len(rest) > 0 && isHelp(rest[0]) {
		return helpOfProgram(c, p, from, name, all)
	}
	job, rest, err := from.choose(c, all, rest)
	if err != nil {
		return err
	}
	command := submitJobCommand(p, from, job)
	if command.HelpName = name; len(all) > 1 {
		command.HelpName += " " + job.Name
	}
	if slices.ContainsFunc(rest, isHelp) {
		rest = []string{"--help"}
	}
	return runCommandOf(c, command, rest)
}

// runCommandOf runs a command that is not one of the program's own.
func runCommandOf(c *cli.Context, command *cli.Command, words []string) error {
	inner := cli.NewContext(c.App, nil, c)
	inner.Command = command
	return command.Run(inner, append([]string{command.Name}, words...)...)
}

// helpOfProgram shows the jobs of another program.
func helpOfProgram(c *cli.Context, p *Program, from *foreign, name string, all []jobReport) error {
	command := &cli.Command{Name: name, HelpName: name, Usage: "submit a job of the program", ArgsUsage: "JOB --input URL… --out URL [--param NAME=VALUE…]",
		CustomHelpTemplate: jobsHelp(submitFlags()), HideHelpCommand: true}
	for _, job := range all {
		command.Subcommands = append(command.Subcommands, submitJobCommand(p, from, job))
	}
	return runCommandOf(c, command, []string{"--help"})
}

// submitJob submits a job and follows it.
func submitJob(c *cli.Context, p *Program, from source, job string, params []jobs.Param) error {
	if err := noMore(c, 0); err != nil {
		return err
	}
	s, files, err := submission(c, job, params)
	if err != nil {
		return err
	}
	return attach(c, p, func(ctx context.Context, a *attachment) (client.Submitted, string, error) {
		made, err := a.submit(ctx, c, from, s, files)
		return made, submittedAs(made), err
	})
}

// submit submits a job of a program.
func (a *attachment) submit(ctx context.Context, c *cli.Context, from source, s client.Submission, files []shipped.File) (made client.Submitted, err error) {
	if err := from.describe(ctx, c, &s); err != nil {
		return made, err
	}
	bundles, err := from.bundles(ctx, a.client, s.IdempotencyKey != "")
	if err != nil {
		return made, err
	}
	return remote.Submit(ctx, a.client, s, bundles, files, a.uploading)
}

func submittedAs(made client.Submitted) string {
	if made.Known {
		return "it was submitted before, as"
	}
	return "submitted"
}

// submission returns the submission that the flags describe, and the files for it.
func submission(c *cli.Context, job string, params []jobs.Param) (client.Submission, []shipped.File, error) {
	o, err := jobOptions(c, job, params, submitFlags())
	if err != nil {
		return client.Submission{}, nil, err
	}
	files, err := shipped.Read(o.Files)
	if err != nil {
		return client.Submission{}, nil, invalidf(c, "%v", err)
	}
	s := client.Submission{IdempotencyKey: c.String("idempotency-key"), Job: job, Params: o.Params, OnExists: o.OnExists, Partitions: o.Partitions,
		SplitSize: o.SplitSize, Trial: o.Trial, Attempts: o.Attempts, BadRecords: o.BadRecords, Expect: o.Expect, Replay: plan.JobID(o.Replay), Compress: o.Compress, Decompress: o.Decompress, MaxRatio: o.MaxRatio, MaxDecompressed: o.MaxDecompressed}
	if o.Output == "" {
		return s, nil, invalidf(c, "no output: name one with --out")
	}
	if s.Output, err = remote.Absolute(o.Output); err != nil {
		return s, nil, err
	}
	for _, in := range o.Input {
		url, err := remote.AbsoluteInput(in)
		if err != nil {
			return s, nil, err
		}
		s.Input = append(s.Input, url)
	}
	if s.Priority, err = priority(c); err != nil {
		return s, nil, err
	}
	for _, text := range c.StringSlice("label") {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return s, nil, invalidf(c, "--label %q is not of the form NAME=VALUE", text)
		}
		if s.Labels == nil {
			s.Labels = map[string]string{}
		}
		if _, twice := s.Labels[name]; twice {
			return s, nil, invalidf(c, "label %s is given twice", name)
		}
		s.Labels[name] = value
	}
	return s, files, nil
}

func priority(c *cli.Context) (int, error) {
	n := c.Int("priority")
	if n < 1 {
		return 0, invalidf(c, "--priority %d: it must be at least 1", n)
	}
	return n, nil
}

// uploading shows that a program is being sent.
func (a *attachment) uploading(b *remote.Bundle) {
	if !a.quiet {
		fmt.Fprintf(a.p.Stderr, "uploading the program for %s/%s, %s\n", b.OS, b.Arch, embedded.Bytes(b.Size))
	}
}
