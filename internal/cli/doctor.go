package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/store/doctor"
)

// doctorCommand examines a root.
func doctorCommand(p *Program) *cli.Command {
	return &cli.Command{
		Name: "doctor", Usage: "check whether jobs can work on a root", ArgsUsage: "URL",
		Description: "It checks credentials, rights, lifecycle rules, create-once by both ways of writing, clocks, latency and throughput.\n" +
			"It moves about 80 MiB, below _windrow/, and leaves nothing.",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			printJSON, err := asJSON(c)
			if err != nil {
				return err
			}
			if c.NArg() == 0 {
				return invalidf(c, "no URL named: give the root to check")
			}
			if err := noMore(c, 1); err != nil {
				return err
			}
			report, err := doctor.Examine(c.Context, c.Args().First(), doctor.Options{Stores: p.Stores})
			if err != nil {
				return err
			}
			if printJSON {
				err = writeJSON(p, report)
			} else {
				err = writeFindings(p, report)
			}
			if err == nil {
				err = report.Err()
			}
			return err
		},
	}
}

func writeFindings(p *Program, r *doctor.Report) error {
	w := p.newTable()
	fmt.Fprintf(w, "CHECK\tSTATUS\t%s\n", r.Root)
	for _, f := range r.Findings {
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Check, f.Status, f.Detail)
	}
	return w.Flush()
}
