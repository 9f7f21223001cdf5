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
		Action: following(p, "JOB", 0, func(ctx context.Context, c *cli.Context, a *attachment) (client.Submitted, string, error) {
			id, err := findJob(c, a.client, c.Args().First())
			if err == nil {
				err = a.client.Retry(ctx, id)
			}
			return client.Submitted{ID: id, Known: true}, "reopened", err
		})}
}
