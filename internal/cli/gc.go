package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/embedded"
)

// garbageCommand removes data that no job needs.
func garbageCommand(p *Program) *cli.Command {
	flags := []cli.Flag{&cli.BoolFlag{Name: "dry-run", Usage: "only show what would be removed"}}
	return clusterCommand(p, "gc", "remove data that no job needs, and unfinished uploads", "", 0, 0, flags, func(c *cli.Context, cl *client.Client, printJSON bool) error {
		gone, err := cl.CollectGarbage(c.Context, c.Bool("dry-run"))
		if err != nil {
			return err
		}
		if printJSON {
			return writeJSON(p, gone)
		}
		w := p.newTable()
		fmt.Fprintln(w, "BELOW\tOBJECTS\tBYTES\tUPLOADS\tWHY")
		for _, item := range gone.Jobs {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", item.Prefix, number(item.Objects), embedded.Bytes(item.Bytes), number(item.Uploads), item.Why)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		done := "removed"
		if gone.DryRun {
			done = "would be removed"
		}
		fmt.Fprintf(p.Stderr, "%s: %s, %s; %s\n", done, count(gone.Objects, "object"), embedded.Bytes(gone.Bytes), count(gone.Uploads, "unfinished upload"))
		writeSkipped(p, gone.Skipped)
		return nil
	})
}

// writeSkipped lists the first places that were left alone. There can be many: one
// store that refuses to list uploads can hold the outputs of many jobs.
func writeSkipped(p *Program, skipped []client.GarbageSkipped) {
	const most = 10
	for i, place := range skipped {
		if i == most {
			fmt.Fprintf(p.Stderr, "%s more are left alone: -o json lists all\n", number(int64(len(skipped)-most)))
			return
		}
		fmt.Fprintf(p.Stderr, "left alone below %s: %s\n", place.Prefix, place.Error)
	}
}
