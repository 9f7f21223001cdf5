package cli

import (
	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/nearest"
	"github.com/windrow-mr/windrow/worker/jobproc"
)

// jobProcessCommand runs the program as a job process: it runs tasks of its jobs
// for the worker that started it.
func jobProcessCommand(p *Program) *cli.Command {
	return &cli.Command{Name: jobproc.Verb, Hidden: true, HideHelp: true, Action: func(c *cli.Context) error {
		if err := noMore(c, 0); err != nil {
			return err
		}
		storage, control, err := jobproc.Inherited()
		if err != nil {
			return err
		}
		return jobproc.Main(c.Context, jobproc.Config{Jobs: p.Jobs, Storage: storage, Control: control, Stdout: p.Stdout, Stderr: p.terminal})
	}}
}

// description is a job in the form that is submitted, from which workers build the
// same pipeline.
type description struct {
	Job   string            `json:"job"`
	Plan  string            `json:"plan"`
	Once  map[string][]byte `json:"once,omitempty"`
	Build string            `json:"build"` // version of the program
}

// describeName is the command that submit calls of another program.
const describeName = "describe"

// describeCommand prints a job's pipeline for the command that submits the program.
func describeCommand(p *Program) *cli.Command {
	return &cli.Command{Name: describeName, Hidden: true, ArgsUsage: "[JOB]",
		Flags: []cli.Flag{&cli.StringSliceFlag{Name: "param", Usage: "set a parameter of the job, `NAME=VALUE`"}},
		Action: func(c *cli.Context) error {
			if err := noMore(c, 1); err != nil {
				return err
			}
			job, err := namedJob(c, p)
			if err != nil {
				return err
			}
			values, err := params(c, job.Params(), nil)
			if err != nil {
				return err
			}
			made, err := job.Build(values, nil)
			if err != nil { // without a word about this command: users see it as the error of submit
				return client.Errorf(plan.Invalid, "%v", err)
			}
			return writeJSON(p, description{Job: job.Name(), Plan: made.Text, Once: made.Once, Build: buildVersion().Version})
		}}
}

// namedJob returns the job that is named, or the only job.
func namedJob(c *cli.Context, p *Program) (*jobs.Job, error) {
	name := c.Args().First()
	if name == "" && len(p.Jobs) == 1 {
		return p.Jobs[0], nil
	}
	var names []string
	for _, job := range p.Jobs {
		if job.Name() == name {
			return job, nil
		}
		names = append(names, job.Name())
	}
	if name == "" {
		return nil, invalidf(c, "the program has %d jobs: name one of them", len(names))
	}
	if near := nearest.Name(name, names); near != "" {
		return nil, invalidf(c, "unknown job %q; did you mean %q?", name, near)
	}
	return nil, invalidf(c, "the program has no job %q", name)
}
