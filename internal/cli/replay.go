package cli

import (
	"context"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
)

// replayCommand submits a job for the records that another one quarantined.
func replayCommand(p *Program) *cli.Command {
	flags := slices.Concat([]cli.Flag{
		&cli.StringFlag{Name: "bad-records", Value: "fail", Usage: "what becomes of records on which the job fails again: `POLICY` as for submit"},
		priorityFlag(), keyFlag(),
	}, attachFlags(), clusterFlags())
	return &cli.Command{Name: "replay", Usage: "submit a new program for the records that a job quarantined, and append what it makes of them", ArgsUsage: "JOB [./PROGRAM|./PACKAGE]", Flags: flags,
		Description: "The new job has the name, parameters, input and output of the other one. Without a path, its program is this one.",
		Action: following(p, "JOB, and perhaps the path of a program", 1, func(ctx context.Context, c *cli.Context, a *attachment) (client.Submitted, string, error) {
			made, err := replayJob(ctx, c, p, a)
			return made, submittedAs(made), err
		})}
}

// replayJob submits the replay of a job.
func replayJob(ctx context.Context, c *cli.Context, p *Program, a *attachment) (made client.Submitted, err error) {
	id, s, err := specOf(ctx, c, a.client)
	if err != nil {
		return made, err
	}
	s.Replay, s.OnExists, s.Trial, s.Bundles, s.Build = id, string(output.Append), plan.Trial{}, nil, ""
	s.Expect = nil // of all records, and not of a few
	if s.BadRecords, err = badRecords(c); err != nil {
		return made, err
	}
	from, closed, err := programOf(ctx, c, p, s.Job)
	if err != nil {
		return made, err
	}
	defer closed()
	return a.submit(ctx, c, from, s, nil)
}

// programOf returns the program that is to replay a job: the one at the path that is given,
// or this one.
func programOf(ctx context.Context, c *cli.Context, p *Program, job string) (from source, closed func(), err error) {
	path := c.Args().Get(1)
	if path == "" {
		if !slices.ContainsFunc(p.Jobs, func(j *jobs.Job) bool { return j.Name() == job }) {
			return nil, nil, invalidf(c, "this program has no job %s: give the path of the program that has it, '%s replay JOB ./PROGRAM'", job, c.App.Name)
		}
		return &own{p}, func() {}, nil
	}
	if !isPath(path) {
		return nil, nil, invalidf(c, "%s is not a path: ./%[1]s names a program here", path)
	}
	f, err := openForeign(ctx, c, p, path)
	if err == nil {
		var all []jobReport
		if all, err = f.jobs(ctx); err == nil {
			_, _, err = f.choose(c, all, []string{job})
		}
	}
	if err != nil {
		if f != nil {
			f.close()
		}
		return nil, nil, err
	}
	return f, f.close, nil
}
