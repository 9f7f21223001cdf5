package cli

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/plan"
)

// workersCommand lists workers, and drains them.
func workersCommand(p *Program) *cli.Command {
	command := &cli.Command{Name: "workers", Usage: "list or drain the workers of a cluster", ArgsUsage: "ls|drain"}
	yes := []cli.Flag{&cli.BoolFlag{Name: yesFlag, Aliases: []string{"y"}, Usage: "do not ask"}}
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
		clusterCommand(p, "drain", "let workers finish their tasks, and end", "WORKER|HOST…", 1, -1, yes, func(c *cli.Context, cl *client.Client, printJSON bool) error {
			return drain(c, p, cl, printJSON)
		}),
	}
	command.Subcommands[1].Description = "WORKER is a worker's id, or at least the last 4 characters of it. HOST is the name of a machine, as 'workers ls' shows\n" +
		"it, and means all its workers. The command asks before it drains several workers of a HOST, or all workers of the\n" +
		"cluster; without a terminal it refuses that unless --yes is given."
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

// yesFlag answers the question of a command before it is asked.
const yesFlag = "yes"

// drain lets workers end. It asks before it ends several that were not named one by
// one, and before it ends all.
func drain(c *cli.Context, p *Program, cl *client.Client, printJSON bool) error {
	all, err := cl.Workers(c.Context)
	if err != nil {
		return err
	}
	var ids []string
	several := false
	for _, word := range c.Args().Slice() {
		found, err := findWorkers(c, all, word)
		if err != nil {
			return err
		}
		several = several || len(found) > 1
		for _, id := range found {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	if several || len(ids) > 1 && len(ids) == len(all) {
		if err := agree(c, p, drainQuestion(ids, len(all))); err != nil {
			return err
		}
	}
	drained := []string{}
	for _, id := range ids {
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

// drainQuestion says what would be drained.
func drainQuestion(ids []string, of int) string {
	what := count(int64(len(ids)), "worker")
	if len(ids) == of {
		what = "all " + what + " of the cluster"
	}
	return fmt.Sprintf("this drains %s: %s", what, strings.Join(ids, ", "))
}

// agree returns an error unless the user agrees to what a command would do. Without a
// terminal nothing is asked.
func agree(c *cli.Context, p *Program, what string) error {
	if c.Bool(yesFlag) {
		return nil
	}
	answer, asked := p.ask(what + "; continue? [y/N] ")
	switch answer = strings.ToLower(strings.TrimSpace(answer)); {
	case !asked:
		return invalidf(c, "%s; give --%s to do so without being asked", what, yesFlag)
	case answer != "y" && answer != "yes":
		return client.Errorf(plan.Interrupted, "nothing was done")
	default:
		return nil
	}
}

// ask asks the user, if standard input and standard error are a terminal.
func (p *Program) ask(question string) (answer string, asked bool) {
	if p.answer != nil {
		return p.answer(question)
	}
	to, ok := p.terminal.(*os.File)
	if !ok || !term.IsTerminal(int(to.Fd())) || !term.IsTerminal(int(os.Stdin.Fd())) {
		return "", false
	}
	fmt.Fprint(p.Stderr, question)
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	return answer, err == nil || answer != ""
}

// findWorkers returns the ids of the workers that a word names: an id, the end of one,
// or a host, which names all its workers.
func findWorkers(c *cli.Context, all []client.Worker, word string) ([]string, error) {
	var hosted, ending []string
	for i := range all {
		switch {
		case all[i].ID == word:
			return []string{word}, nil
		case all[i].Host == word:
			hosted = append(hosted, all[i].ID)
		case len(word) >= 4 && strings.HasSuffix(all[i].ID, word):
			ending = append(ending, all[i].ID)
		}
	}
	switch {
	case len(hosted) > 0:
		return hosted, nil
	case len(ending) == 1:
		return ending, nil
	case len(ending) == 0:
		return nil, client.Errorf(plan.NotFound, "there is no worker %s; '%s workers ls' lists them", word, c.App.Name)
	default:
		return nil, invalidf(c, "%s can be any of %s", word, strings.Join(ending, ", "))
	}
}
