package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/windrow-mr/windrow/plan"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/embedded"
)

// workersCommand lists workers, and drains them.
func workersCommand(p *Program) *cli.Command {
	command := &cli.Command{Name: "workers", Usage: "list or drain the workers of a cluster", ArgsUsage: "ls|drain"}
	command.Subcommands = []*cli.Command{
		clusterCommand(p, "ls", "list the workers", "", 0, 0, nil, func(c *cli.Context, cl *client.Client, printJSON bool) error {
			all, err := cl.Workers(c.Context)
			if err != nil {
				return err
			}
			if printJSON {
				return writeJSON(p, client.Workers{Workers: all})
			}
			return listWorkers(p, all)
		}),
		clusterCommand(p, "drain", "let workers finish their tasks, and end", "WORKER…", 1, -1, nil, func(c *cli.Context, cl *client.Client, printJSON bool) error {
			return drain(c, p, cl, printJSON)
		}),
	}
	command.Action = func(c *cli.Context) error {
		if c.NArg() == 0 {
			return invalidf(c, "no subcommand named; there are ls and drain")
		}
		return unknown(c, "command", c.Args().First(), command.Subcommands)
	}
	return command
}

// listWorkers prints a line for each worker. The reason why a worker gets no tasks
// is last, because it is the longest.
func listWorkers(p *Program, all []client.Worker) error {
	w := p.newTable()
	fmt.Fprintln(w, "WORKER\tHOST\tMACHINE\tSTATE\tSLOTS\tBUSY\tMEMORY\tJOINED\tHEARD\tFAILED\tBUILD\tREASON")
	for i := range all {
		k := &all[i]
		fmt.Fprintf(w, "%s\t%s\t%s/%s\t%s\t%d\t%d\t%s\t%s\t%v ago\t%d\t%s\t%s\n", k.ID, k.Host, k.OS, k.Arch, k.State, k.Slots, k.Running,
			embedded.Bytes(k.Memory), moment(k.Joined), seconds(k.Heard).Round(100*time.Millisecond), k.Failures, k.Build, k.Reason)
	}
	return w.Flush()
}

func drain(c *cli.Context, p *Program, cl *client.Client, printJSON bool) error {
	all, err := cl.Workers(c.Context)
	if err != nil {
		return err
	}
	drained := []string{}
	for _, word := range c.Args().Slice() {
		id, err := findWorker(c, all, word)
		if err != nil {
			return err
		}
		if err := cl.Drain(c.Context, id); err != nil {
			return fmt.Errorf("worker %s: %w", id, err)
		}
		drained = append(drained, id)
		fmt.Fprintf(p.Stderr, "worker %s finishes its tasks, and ends\n", id)
	}
	if printJSON {
		return writeJSON(p, map[string][]string{"draining": drained})
	}
	return nil
}

// findWorker returns the id of the worker that a word names: an id, the end of one,
// or a host that has one worker.
func findWorker(c *cli.Context, all []client.Worker, word string) (string, error) {
	var found []string
	for i := range all {
		switch {
		case all[i].ID == word:
			return word, nil
		case all[i].Host == word, len(word) >= 4 && strings.HasSuffix(all[i].ID, word):
			found = append(found, all[i].ID)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", client.Errorf(plan.NotFound, "there is no worker %s; '%s workers ls' lists them", word, c.App.Name)
	default:
		return "", invalidf(c, "%s can be any of %s", word, strings.Join(found, ", "))
	}
}
