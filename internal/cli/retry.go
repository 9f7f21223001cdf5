package cli

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
)

// retryCommand continues a job that failed.
func retryCommand(p *Program) *cli.Command {
	return &cli.Command{Name: "retry", Usage: "continue a job that failed or was cancelled; its results so far count", ArgsUsage: "JOB",
		Flags: append(attachFlags(), clusterFlags()...),
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
			err = in.during(c.Context, func(ctx context.Context) error {
				id, err := findJob(c, a.client, c.Args().First())
				if err != nil {
					return err
				}
				made = client.Submitted{ID: id, Known: true}
				return a.client.Retry(ctx, id)
			})
			if err != nil {
				return a.early(err)
			}
			return a.follow(c.Context, made, "reopened")
		}}
}
