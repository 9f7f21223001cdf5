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
		Action: func(c *cli.Context) error {
			if err := countArgs(c, "JOB", 1, 1); err != nil {
				return err
			}
			in := catchInterrupts()
			defer in.stop()
			a, err := newAttachment(c, p, in)
			if err != nil {
				return err
			}
			var made client.Submitted
			err = in.during(c.Context, func(ctx context.Context) (err error) {
				made, err = resubmit(ctx, c, a.client)
				return err
			})
			if err != nil {
				return a.early(err)
			}
			return a.follow(c.Context, made, submittedAs(made))
		}}
}

func resubmit(ctx context.Context, c *cli.Context, cl *client.Client) (client.Submitted, error) {
	id, err := findJob(c, cl, c.Args().First())
	if err != nil {
		return client.Submitted{}, err
	}
	spec, err := cl.Spec(ctx, id)
	if err != nil {
		return client.Submitted{}, err
	}
	s := client.Resubmission(&spec)
	if c.IsSet("out") {
		if s.Output, err = remote.Absolute(c.String("out")); err != nil {
			return client.Submitted{}, err
		}
	}
	if c.IsSet("on-exists") {
		s.OnExists = c.String("on-exists")
	}
	if c.IsSet("priority") {
		if s.Priority, err = priority(c); err != nil {
			return client.Submitted{}, err
		}
	}
	s.IdempotencyKey = c.String("idempotency-key")
	return cl.Submit(ctx, s)
}
