package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
)

// logsCommand prints the output and the logs of attempts.
func logsCommand(p *Program) *cli.Command {
	flags := []cli.Flag{
		&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "continue until the job, or the attempt, has ended"},
		&cli.BoolFlag{Name: "failed", Usage: "print only attempts that failed or were lost"},
		&cli.StringFlag{Name: "attempt", Usage: "print only the attempt `ID`"},
	}
	command := clusterCommand(p, "logs", "print the output and the logs of a job's attempts", "JOB[/TASK]", 1, 1, flags, func(c *cli.Context, cl *client.Client, printJSON bool) error {
		word, task, _ := strings.Cut(c.Args().First(), "/")
		if task != "" {
			if _, err := plan.ParseTaskID(task); err != nil {
				return invalidf(c, "%v; write it like JOB/map/17", err)
			}
		}
		id, err := findJob(c, cl, word)
		if err != nil {
			return err
		}
		l := &logPrinter{p: p, client: cl, id: id, query: client.LogsQuery{Task: task, Attempt: c.String("attempt"), Failed: c.Bool("failed")}}
		if c.Bool("follow") {
			if printJSON {
				return invalidf(c, "--follow prints text: without it, -o json lists the logs")
			}
			return l.follow(c.Context)
		}
		logs, err := cl.Logs(c.Context, id, l.query)
		if err != nil {
			return err
		}
		if err := l.missing(logs); err != nil {
			return err
		}
		if printJSON {
			return writeJSON(p, client.LogList{Logs: logs})
		}
		return l.print(c.Context, logs)
	})
	command.Description = "The logs of several attempts are printed one after the other, each with a heading. With --follow they are printed\n" +
		"line by line, each line with its task in front. -o json lists the logs."
	return command
}

// logPrinter prints the logs of a job.
type logPrinter struct {
	p      *Program
	client *client.Client
	id     plan.JobID
	query  client.LogsQuery

	mu sync.Mutex // guards the program's standard output
}

// missing returns the error for an attempt that was named and has no log.
func (l *logPrinter) missing(logs []client.Log) error {
	if len(logs) > 0 || l.query.Attempt == "" {
		return nil
	}
	return client.Errorf(plan.NotFound, "job %s has no log of the attempt %s: 'logs %[1]s -o json' lists the logs", l.id, l.query.Attempt)
}

// print prints logs one after the other.
func (l *logPrinter) print(ctx context.Context, logs []client.Log) error {
	if len(logs) == 0 {
		fmt.Fprintln(l.p.Stderr, "there are no logs")
	}
	for i := range logs {
		a := &logs[i]
		if len(logs) > 1 {
			heading := fmt.Sprintf("==> %s, attempt %s, %s", a.Task, a.Attempt, a.State)
			if a.Worker != "" {
				heading += " on " + a.Worker
			}
			if _, err := fmt.Fprintf(l.p.Stdout, "%s <==\n", heading); err != nil {
				return err
			}
		}
		if err := l.client.Log(ctx, l.id, a.Task, a.Attempt, false, l.p.logs()); err != nil {
			return fmt.Errorf("log of %s, attempt %s: %w", a.Task, a.Attempt, err)
		}
	}
	return nil
}

const (
	// followed is how many logs are followed at once; others wait.
	followed = 32
	// lookForLogs is the time between two looks for new attempts.
	lookForLogs = 2 * time.Second
)

// follow prints logs as they grow, until the job has ended, or until the attempt
// that was named has.
func (l *logPrinter) follow(ctx context.Context) error {
	seen := map[string]bool{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(followed + 1)
	group.Go(func() error {
		for {
			job, err := l.client.Job(ctx, l.id)
			if err != nil {
				return err
			}
			logs, err := l.client.Logs(ctx, l.id, l.query)
			if err != nil {
				return err
			}
			for i := range logs {
				if a := logs[i]; !seen[a.Task+" "+a.Attempt] {
					seen[a.Task+" "+a.Attempt] = true
					group.Go(func() error { return l.followOne(ctx, &a) })
				}
			}
			if job.State.Ended() {
				return l.missing(logs)
			}
			if l.query.Attempt != "" && len(logs) > 0 {
				return nil
			}
			wait := time.NewTimer(lookForLogs)
			select {
			case <-wait.C:
			case <-ctx.Done():
				wait.Stop()
				return ctx.Err()
			}
		}
	})
	return group.Wait()
}

// followOne prints the lines of an attempt's log.
func (l *logPrinter) followOne(ctx context.Context, a *client.Log) error {
	lines := &lineWriter{to: l.p.logs(), mu: &l.mu, prefix: a.Task + " | "}
	err := l.client.Log(ctx, l.id, a.Task, a.Attempt, true, lines)
	if e, ok := errors.AsType[*client.Error](err); ok {
		err = fmt.Errorf("log of %s, attempt %s: %w", a.Task, a.Attempt, e)
	}
	return errors.Join(err, lines.close())
}

// lineWriter writes whole lines, each with a prefix, to a writer that it shares.
type lineWriter struct {
	to     io.Writer
	mu     *sync.Mutex
	prefix string
	rest   []byte
}

// longestLine is the longest line that is kept until it is whole.
const longestLine = 64 << 10

// Write writes the lines that are whole, and keeps the rest.
func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		end := bytes.IndexByte(w.rest, '\n') + 1
		if end == 0 && len(w.rest) > longestLine {
			end = len(w.rest)
		}
		if end == 0 {
			return len(p), nil
		}
		if err := w.line(w.rest[:end]); err != nil {
			return 0, err
		}
		w.rest = w.rest[end:]
	}
}

func (w *lineWriter) line(line []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := fmt.Fprintf(w.to, "%s%s\n", w.prefix, bytes.TrimSuffix(line, []byte("\n")))
	return err
}

// close writes the last line when it has no end.
func (w *lineWriter) close() error {
	if len(w.rest) == 0 {
		return nil
	}
	return w.line(w.rest)
}
