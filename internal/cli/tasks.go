package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/embedded"
)

// tasksCommand lists the tasks of a job.
func tasksCommand(p *Program) *cli.Command {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "state", Usage: "list only tasks in `STATE`: waiting, running, committed or failed"},
		&cli.StringFlag{Name: "phase", Usage: "list only tasks of `PHASE`: plan, sample, map, reduce or decide"},
		&cli.StringFlag{Name: "sort", Value: "task", Usage: "sort by `ORDER`: task, or the largest first by duration, bytes or attempts"},
		&cli.IntFlag{Name: "limit", Usage: "list at most `N` tasks", Value: 100},
	}
	return clusterCommand(p, "tasks", "list the tasks of a job", "JOB", 1, 1, flags, func(c *cli.Context, cl *client.Client, printJSON bool) error {
		limit := c.Int("limit")
		if limit < 1 {
			return invalidf(c, "--limit %d: it must be at least 1", limit)
		}
		id, err := findJob(c, cl, c.Args().First())
		if err != nil {
			return err
		}
		page := client.TasksPage{Tasks: []client.Task{}}
		for {
			next, err := cl.Tasks(c.Context, id, client.TasksQuery{State: client.TaskState(c.String("state")), Phase: c.String("phase"),
				Sort: client.TaskOrder(c.String("sort")), Limit: min(limit-len(page.Tasks), 10_000), After: page.Next})
			if err != nil {
				return err
			}
			page.Tasks, page.Next, page.Total = append(page.Tasks, next.Tasks...), next.Next, next.Total
			if len(page.Tasks) >= limit || page.Next == "" {
				break
			}
		}
		if printJSON {
			return writeJSON(p, page)
		}
		return listTasks(p, page)
	})
}

func listTasks(p *Program, page client.TasksPage) error {
	w := p.newTable()
	fmt.Fprintln(w, "TASK\tSTATE\tATTEMPTS\tFAILED\tLOST\tTOOK\tREAD\tWRITTEN\tWORKER\tERROR")
	for i := range page.Tasks {
		t := &page.Tasks[i]
		took := "–"
		if t.Seconds > 0 {
			took = seconds(t.Seconds).Round(10 * time.Millisecond).String()
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\n", t.Task, t.State, t.Attempts, t.Failures, t.Lost, took,
			embedded.Bytes(t.Read.Bytes), embedded.Bytes(t.Written.Bytes), orElse(t.Worker, "–"), firstLine(t.Error))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if more := page.Total - len(page.Tasks); more > 0 {
		fmt.Fprintf(p.Stderr, "%s more: give a higher --limit\n", number(int64(more)))
	}
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// firstLine returns the first line of a text.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
