package cli

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/remote"
)

// listCommand lists the jobs of a cluster.
func listCommand(p *Program) *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "state", Usage: "list only jobs in `STATE`: planning, running, committing, aborting, succeeded, failed or cancelled"},
		&cli.StringFlag{Name: "label", Usage: "list only jobs with the label `NAME=VALUE`, or NAME for any value"},
		&cli.IntFlag{Name: "limit", Usage: "list at most `N` jobs", Value: 20},
	}
	return clusterCommand(p, "ls", "list the jobs of a cluster, the newest first", "", 0, 0, flags, func(c *cli.Context, cl *client.Client, printJSON bool) error {
		limit := c.Int("limit")
		if limit < 1 {
			return invalidf(c, "--limit %d: it must be at least 1", limit)
		}
		page := client.JobsPage{Jobs: []client.Job{}}
		for {
			next, err := cl.Jobs(c.Context, client.JobsQuery{State: client.State(c.String("state")), Label: c.String("label"),
				Before: page.Next, Limit: min(limit-len(page.Jobs), 1000)})
			if err != nil {
				return err
			}
			page.Jobs, page.Next = append(page.Jobs, next.Jobs...), next.Next
			if len(page.Jobs) >= limit || page.Next == "" {
				break
			}
		}
		if printJSON {
			return writeJSON(p, page)
		}
		return listJobs(p, page)
	})
}

func listJobs(p *Program, page client.JobsPage) error {
	w := p.newTable()
	fmt.Fprintln(w, "ID\tJOB\tSTATE\tDONE\tSUBMITTED\tTOOK\tOUTPUT")
	for i := range page.Jobs {
		j := &page.Jobs[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", j.ID, j.Job, j.State, percent(j), moment(j.Submitted), orElse(spanText("", j.Elapsed().Round(time.Second), ""), "–"), j.Output)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for i := range page.Jobs {
		if j := &page.Jobs[i]; j.Cause != nil && j.State == client.Planning { // it waits for a user to do something
			fmt.Fprintf(p.Stderr, "job %s: %s\n", j.ID, remote.CauseText(j.Cause))
		}
	}
	if page.Next != "" {
		fmt.Fprintln(p.Stderr, "there are older jobs: give a higher --limit")
	}
	return nil
}

// percent returns how much of a job is done.
func percent(j *client.Job) string {
	fraction := j.Progress.Fraction
	if j.State == client.Succeeded {
		fraction = 1
	}
	return fmt.Sprintf("%.0f%%", fraction*100)
}

// moment returns a time as the user's clock shows it; "–" for none.
func moment(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.Local().Format(time.DateTime)
}
