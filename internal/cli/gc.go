package cli

import (
	"fmt"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/embedded"
)

// garbageCommand removes what nobody needs any more.
func garbageCommand(p *Program) *cli.Command {
	flags := []cli.Flag{&cli.BoolFlag{Name: "dry-run", Usage: "only tell what would be removed"}}
	return clusterCommand(p, "gc", "remove from the cluster's root what no job needs any more", "", 0, 0, flags, func(c *cli.Context, cl *client.Client, printJSON bool) error {
		gone, err := cl.CollectGarbage(c.Context, c.Bool("dry-run"))
		if err != nil {
			return err
		}
		if printJSON {
			return writeJSON(p, gone)
		}
		w := tabwriter.NewWriter(p.Stdout, 0, 8, 3, ' ', 0)
		fmt.Fprintln(w, "BELOW\tOBJECTS\tBYTES\tWHY")
		for _, item := range gone.Jobs {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", item.Prefix, number(item.Objects), embedded.Bytes(item.Bytes), item.Why)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		done := "removed"
		if gone.DryRun {
			done = "would be removed"
		}
		fmt.Fprintf(p.Stderr, "%s: %s, %s\n", done, count(gone.Objects, "object"), embedded.Bytes(gone.Bytes))
		return nil
	})
}
