package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/embedded"
)

// watchCommand follows a job until it has ended.
func watchCommand(p *Program) *cli.Command {
	flags := []cli.Flag{
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print neither progress nor summary"},
		strictFlag(),
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "print text, or json, a line with the job at each change: `FORMAT`"},
	}
	return &cli.Command{Name: "watch", Usage: "follow a job until it ends, and exit with its status", ArgsUsage: "JOB", Flags: append(flags, clusterFlags()...),
		Action: func(c *cli.Context) error {
			if err := countArgs(c, "JOB", 1, 1); err != nil {
				return err
			}
			in := catchInterrupts()
			defer in.stop()
			a, err := newAttachment(c, p, in)
			if err != nil {
				return err
			}
			id, err := findJob(c, a.client, c.Args().First())
			if err != nil {
				return err
			}
			var show func(client.Event) error
			if a.asJSON {
				lines := json.NewEncoder(p.Stdout)
				show = func(e client.Event) error { return lines.Encode(e.Job) }
			}
			return a.watch(c.Context, id, show)
		}}
}

// writeEnd describes the result of a job that succeeded.
func writeEnd(to io.Writer, j *client.Job) {
	fmt.Fprintf(to, "%s → %s%s\n", j.Job, j.Output, spanText(" in ", j.Elapsed().Round(time.Millisecond), ""))
	line := cardLine(to)
	line("read", "%s", embedded.Bytes(j.Progress.Bytes))
	if text := j.Progress.LeftOutBy.String(); text != "" {
		line("left out", "%s", text)
	}
	for _, ph := range j.Phases {
		line(ph.Phase, "%s", count(int64(ph.Tasks), "task"))
	}
	if j.Progress.Shuffled > 0 {
		line("shuffled", "%s", embedded.Bytes(j.Progress.Shuffled))
	}
	if r := j.Result; r != nil {
		line("written", "%s in %s, %s", count(r.Records, "record"), embedded.Bytes(r.Bytes), count(int64(r.Parts), "part"))
		writeBad(line, r.BadRecords, j.Output, strings.HasPrefix(j.BadRecords, "quarantine"))
	}
	writeCounted(line, j.Counters, j.Stats)
	writeSkew(line, j.Skew)
	if j.Progress.Retried > 0 {
		line("retried", "%s", count(j.Progress.Retried, "attempt"))
	}
	if j.Dollars > 0 || !strings.HasPrefix(j.Output, "file://") { // else the requests cost nothing; get shows them
		writeRequests(line, j)
	}
}
