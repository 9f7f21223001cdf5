package cli

import (
	"context"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/remote"
)

// rerunCommand submits a new job like an existing one.
func rerunCommand(p *Program) *cli.Command {
	flags := slices.Concat([]cli.Flag{
		&cli.StringFlag{Name: "out", Usage: "write the output to the directory `URL`", DefaultText: "the same"},
		&cli.StringFlag{Name: "on-exists", Usage: "`MODE` when output already exists: fail, replace or append", DefaultText: "the same"},
		priorityFlag(), keyFlag(),
	}, attachFlags(), clusterFlags())
	return &cli.Command{Name: "rerun", Usage: "submit a new job with the program, parameters and input of another", ArgsUsage: "JOB", Flags: flags,
		Action: following(p, "JOB", 0, func(ctx context.Context, c *cli.Context, a *attachment) (client.Submitted, string, error) {
			made, err := resubmit(ctx, c, a.client)
			return made, submittedAs(made), err
		})}
}

func resubmit(ctx context.Context, c *cli.Context, cl *client.Client) (client.Submitted, error) {
	_, s, err := specOf(ctx, c, cl)
	if err != nil {
		return client.Submitted{}, err
	}
	if c.IsSet("out") {
		if s.Output, err = remote.Absolute(c.String("out")); err != nil {
			return client.Submitted{}, err
		}
	}
	if c.IsSet("on-exists") {
		s.OnExists = c.String("on-exists")
	}
	return cl.Submit(ctx, s)
}
