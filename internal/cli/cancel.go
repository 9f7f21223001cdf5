package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
)

// cancelCommand cancels jobs.
func cancelCommand(p *Program) *cli.Command {
	return clusterCommand(p, "cancel", "abort jobs, and remove what they wrote", "JOB…", 1, -1, nil, func(c *cli.Context, cl *client.Client, printJSON bool) error {
		var asked []client.Job
		for _, word := range c.Args().Slice() {
			id, err := findJob(c, cl, word)
			if err != nil {
				return err
			}
			if err := cl.Cancel(c.Context, id); err != nil {
				return fmt.Errorf("job %s: %w", id, err)
			}
			job, err := cl.Job(c.Context, id)
			if err != nil {
				return err
			}
			asked = append(asked, job)
			fmt.Fprintf(p.Stderr, "job %s: %s\n", id, job.State)
		}
		if printJSON {
			return writeJSON(p, asked)
		}
		return nil
	})
}
