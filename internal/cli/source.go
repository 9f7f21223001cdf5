package cli

import (
	"context"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/remote"
	"github.com/windrow-mr/windrow/jobs"
)

// source is a program with jobs to submit.
type source interface {
	// describe sets the job's pipeline in the submission, from its parameters.
	describe(ctx context.Context, c *cli.Context, s *client.Submission) error
	// bundles returns the program's files for the machines of the cluster; none if
	// the workers have the program. keyed says that the submission has an idempotency
	// key.
	bundles(ctx context.Context, cl *client.Client, keyed bool) ([]remote.Bundle, error)
}

// byPath is the advice for a program that no worker can run.
const byPath = "submit its package by its path, to build it for them"

// own is this program.
type own struct{ p *Program }

func (o *own) describe(_ context.Context, c *cli.Context, s *client.Submission) error {
	i := slices.IndexFunc(o.p.Jobs, func(j *jobs.Job) bool { return j.Name() == s.Job })
	made, err := o.p.Jobs[i].Build(s.Params, nil)
	if err != nil {
		return invalidf(c, "%v", err)
	}
	s.Plan, s.Once = made.Text, made.Once
	if o.p.Library {
		s.Build = buildVersion().Version
	}
	return nil
}

func (o *own) bundles(ctx context.Context, cl *client.Client, _ bool) ([]remote.Bundle, error) {
	if o.p.Library {
		return nil, nil
	}
	b, err := remote.Own()
	if err != nil {
		return nil, err
	}
	return []remote.Bundle{b}, remote.Fits(ctx, cl, &b, byPath)
}
