package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/embedded"
)

// countersCommand shows the counters of a job's committed tasks.
func countersCommand(p *Program) *cli.Command {
	return clusterCommand(p, "counters", "show the counters of a job's committed tasks", "JOB", 1, 1, nil, func(c *cli.Context, cl *client.Client, printJSON bool) error {
		id, err := findJob(c, cl, c.Args().First())
		if err != nil {
			return err
		}
		counters, err := cl.Counters(c.Context, id)
		if err != nil {
			return err
		}
		if printJSON {
			return writeJSON(p, counters)
		}
		return writeCounters(p, &counters)
	})
}

func writeCounters(p *Program, n *client.Counters) error {
	w := p.newTable()
	fmt.Fprintln(w, "COUNTER\tVALUE\tMORE")
	for _, row := range []struct {
		name, noun string
		client.Amount
	}{{"read", "record", n.Read}, {"shuffled", "pair", n.Shuffled}, {"spilled", "run", n.Spills}, {"written", "record", n.Written}} {
		fmt.Fprintf(w, "%s\t%s\t%s\n", row.name, count(row.Records, row.noun), embedded.Bytes(row.Bytes))
	}
	for _, name := range slices.Sorted(maps.Keys(n.Counts)) {
		fmt.Fprintf(w, "%s\t%s\t\n", shown(name), counted(n.Counts[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(n.Stats)) {
		values, more, _ := strings.Cut(statText(n.Stats[name]), ", ")
		fmt.Fprintf(w, "%s\t%s\t%s\n", shown(name), values, more)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for i := range n.Skew {
		fmt.Fprintf(&visible{to: p.Stdout}, "skew   %s\n", shown(skewText(&n.Skew[i])))
	}
	if !n.Complete {
		fmt.Fprintln(p.Stderr, "some tasks are not done: the numbers will grow")
	}
	return nil
}
