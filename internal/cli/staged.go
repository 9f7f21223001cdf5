package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// decision is a verb that decides what becomes of staged output.
type decision struct {
	name, usage, done string
	here              func(ctx context.Context, root *store.Root, job plan.JobID) (*output.Manifest, error)
	there             func(cl *client.Client, ctx context.Context, id plan.JobID) error
}

func publishCommand(p *Program) *cli.Command {
	return decision{"publish", "make staged output the contents, although it does not meet its expectations", "published",
		output.Publish, (*client.Client).Publish}.command(p)
}

func discardCommand(p *Program) *cli.Command {
	return decision{"discard", "remove staged output, which does not meet its expectations", "discarded",
		output.Discard, (*client.Client).Discard}.command(p)
}

func (d decision) command(p *Program) *cli.Command {
	return &cli.Command{Name: d.name, Usage: d.usage, ArgsUsage: "JOB|URL",
		Description: "A job that does not meet its expectations (--expect) stages its output: 'cat --staged URL' prints it.\n" +
			"URL is the output, which this process changes; for JOB a master does so. What was there before stays until it is published.",
		Flags: clusterFlags(),
		Action: func(c *cli.Context) error {
			if err := countArgs(c, "JOB|URL", 1, 1); err != nil {
				return err
			}
			if arg := c.Args().First(); isPlace(arg) {
				return d.at(c.Context, p, arg)
			}
			cl, err := connect(c, p, lookPatience)
			if err != nil {
				return err
			}
			id, err := findJob(c, cl, c.Args().First())
			if err != nil {
				return err
			}
			if err := d.there(cl, c.Context, id); err != nil {
				return err
			}
			fmt.Fprintf(p.Stderr, "the staged output of job %s is %s\n", id, d.done)
			return nil
		}}
}

// at decides about the output at a URL, without a cluster.
func (d decision) at(ctx context.Context, p *Program, url string) error {
	root, err := store.Open(ctx, url, p.Stores)
	if err != nil {
		return err
	}
	defer root.Close()
	m, err := d.here(ctx, root, "")
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Stderr, "the staged output of job %s is %s: %s in %s\n", m.Job, d.done, count(m.Records, "record"), root.URL())
	return nil
}

// isPlace reports whether an argument names an output, and not a job.
func isPlace(arg string) bool {
	info, err := os.Stat(arg)
	return strings.ContainsAny(arg, "/:.") || err == nil && info.IsDir()
}
