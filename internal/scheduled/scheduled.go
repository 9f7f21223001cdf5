// Package scheduled has the commands about schedules that need no cluster: schedule lint,
// schedule next, and the flags with which run tries one interval.
//
// They read a file of schedules. A mistake in it is of the kind plan.Invalid, and begins
// with its place. Only the program windrow has these commands: the library for YAML would
// make every job's program larger.
package scheduled

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	wcli "github.com/windrow-mr/windrow/internal/cli"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/plural"
	"github.com/windrow-mr/windrow/schedule"
	"github.com/windrow-mr/windrow/schedule/yaml"
)

// Commands are the commands of a program.
func Commands() []func(p *wcli.Program) *cli.Command {
	return []func(p *wcli.Program) *cli.Command{scheduleCommand, runCommand}
}

func scheduleCommand(p *wcli.Program) *cli.Command {
	command := &cli.Command{Name: "schedule", Usage: "check the schedules of a file, and show their runs", ArgsUsage: "lint|next"}
	command.Subcommands = []*cli.Command{
		{Name: "lint", Usage: "check the schedules of a file, and show what may surprise within a year", Flags: lintFlags(),
			Action: func(c *cli.Context) error { return lint(c, p) }},
		{Name: "next", Usage: "show when the schedules of a file run next, and what they read and write", Flags: nextFlags(),
			Action: func(c *cli.Context) error { return next(c, p) }},
	}
	command.Action = func(c *cli.Context) error {
		if c.NArg() == 0 {
			return wcli.Invalidf(c, "no subcommand named; there are lint and next")
		}
		return wcli.Unknown(c, c.Args().First(), command.Subcommands)
	}
	return command
}

func fileFlag() cli.Flag {
	return &cli.StringFlag{Name: "file", Aliases: []string{"f"}, Usage: "read schedules from `FILE`"}
}

func nameFlag() cli.Flag {
	return &cli.StringFlag{Name: "name", Usage: "the schedule `NAME` of the file only", DefaultText: "all"}
}

func formatFlag() cli.Flag {
	return &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "text", Usage: "print text or json: `FORMAT`"}
}

func lintFlags() []cli.Flag {
	return []cli.Flag{fileFlag(), &cli.StringFlag{Name: "after", Usage: "look at the year after `TIME`", DefaultText: "now"}, formatFlag()}
}

func nextFlags() []cli.Flag {
	return []cli.Flag{fileFlag(), nameFlag(), &cli.IntFlag{Name: "n", Value: 5, Usage: "show `N` runs of each schedule"},
		&cli.StringFlag{Name: "after", Usage: "show runs that are due after `TIME`", DefaultText: "now"}, formatFlag()}
}

// asJSON reports whether -o json was given.
func asJSON(c *cli.Context) (bool, error) {
	f := c.String("output")
	if f != "text" && f != "json" {
		return false, wcli.Invalidf(c, "-o %q is neither text nor json", f)
	}
	return f == "json", nil
}

// fileError is an error of a file, with a kind.
type fileError struct {
	kind plan.Kind
	text string
}

// Error returns the text.
func (e *fileError) Error() string { return e.text }

// FailureKind returns the kind.
func (e *fileError) FailureKind() plan.Kind { return e.kind }

// open reads the file that --file names.
func open(c *cli.Context) ([]*yaml.Document, error) {
	if c.NArg() > 0 {
		return nil, wcli.Invalidf(c, "unexpected argument %q; -f names the file", c.Args().First())
	}
	name := c.String("file")
	if name == "" {
		return nil, wcli.Invalidf(c, "no file named: give one with -f")
	}
	return read(name)
}

// read reads a file of schedules.
func read(name string) ([]*yaml.Document, error) {
	text, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &fileError{plan.NotFound, fmt.Sprintf("there is no file %s", name)}
	case err != nil:
		return nil, &fileError{plan.Invalid, err.Error()}
	}
	return yaml.Read(name, text)
}

// named returns the schedules of a name, or all.
func named(c *cli.Context, all []*yaml.Document) ([]*yaml.Document, error) {
	name := c.String("name")
	if name == "" {
		return all, nil
	}
	var names []string
	for _, d := range all {
		if d.Spec().Name == name {
			return []*yaml.Document{d}, nil
		}
		names = append(names, d.Spec().Name)
	}
	return nil, &fileError{plan.NotFound, fmt.Sprintf("the file has no schedule %s; there are %s", name, strings.Join(names, ", "))}
}

// forms are the forms of times on the command line. The last ones are in the time zone of
// the schedule.
var forms = []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}

// timeOf reads a time. None is now.
func timeOf(c *cli.Context, flag string, l *time.Location) (time.Time, error) {
	text := c.String(flag)
	if text == "" {
		return time.Now(), nil
	}
	for _, form := range forms {
		if at, err := time.ParseInLocation(form, text, l); err == nil {
			return at, nil
		}
	}
	return time.Time{}, wcli.Invalidf(c, "--%s %q is not a time such as 2026-01-31T06:00:00Z, or 2026-01-31 06:00 in the time zone of the schedule", flag, text)
}

// notice is a line of lint.
type notice struct {
	Schedule string `json:"schedule"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Field    string `json:"field"`
	Text     string `json:"text"`
}

func lint(c *cli.Context, p *wcli.Program) error {
	printJSON, err := asJSON(c)
	if err != nil {
		return err
	}
	all, err := open(c)
	if err != nil {
		return err
	}
	found := []notice{}
	for _, d := range all {
		from, err := timeOf(c, "after", d.Zone())
		if err != nil {
			return err
		}
		for _, n := range d.Lint(from) {
			line, column := d.Place(n.Field)
			found = append(found, notice{d.Spec().Name, line, column, n.Field, n.Text})
		}
	}
	if printJSON {
		return wcli.WriteJSON(p, found)
	}
	out := wcli.Visible(p.Stdout)
	for _, n := range found {
		fmt.Fprintf(out, "%s:%d:%d: %s: %s\n", c.String("file"), n.Line, n.Column, n.Field, n.Text)
	}
	fmt.Fprintf(p.Stderr, "%s in %s, without a mistake; %s\n", plural.Of(len(all), "schedule"), c.String("file"), plural.Of(len(found), "notice"))
	return nil
}

// nextRun is a run that next prints.
type nextRun struct {
	Schedule string            `json:"schedule"`
	TimeZone string            `json:"timeZone"`
	Due      time.Time         `json:"due"`      // UTC
	DueLocal string            `json:"dueLocal"` // in the time zone
	Starts   time.Time         `json:"starts"`   // UTC; later than Due by the jitter
	Nominal  time.Time         `json:"nominal"`
	Start    time.Time         `json:"start"` // of the data
	End      time.Time         `json:"end"`
	Job      string            `json:"job"`
	Input    []string          `json:"input,omitempty"`
	Output   string            `json:"output"`
	Params   map[string]string `json:"params,omitempty"`
}

func newNextRun(d *yaml.Document, r *schedule.Run) nextRun {
	spec := d.Spec()
	return nextRun{Schedule: spec.Name, TimeZone: d.Zone().String(), Due: r.End.UTC(), DueLocal: r.End.In(d.Zone()).Format(time.RFC3339), Starts: d.Actual(r.Interval).UTC(),
		Nominal: r.Nominal, Start: r.Start, End: r.End, Job: spec.Job.Name, Input: r.Input, Output: r.Output, Params: r.Params}
}

func next(c *cli.Context, p *wcli.Program) error {
	printJSON, err := asJSON(c)
	if err != nil {
		return err
	}
	if c.Int("n") < 1 || c.Int("n") > 10_000 {
		return wcli.Invalidf(c, "-n %d: it must be 1 to 10000", c.Int("n"))
	}
	all, err := open(c)
	if err != nil {
		return err
	}
	if all, err = named(c, all); err != nil {
		return err
	}
	runs := []nextRun{}
	for _, d := range all {
		at, err := timeOf(c, "after", d.Zone())
		if err != nil {
			return err
		}
		for range c.Int("n") {
			i, ok := d.Next(at)
			if !ok {
				break
			}
			r, err := d.Resolve(i)
			if err != nil {
				return err
			}
			runs, at = append(runs, newNextRun(d, r)), i.End
		}
	}
	if printJSON {
		return wcli.WriteJSON(p, runs)
	}
	return writeRuns(p.Stdout, runs)
}

// writeRuns prints runs as a table.
func writeRuns(to io.Writer, runs []nextRun) error {
	const day, clock = "2006-01-02 15:04:05", "2006-01-02 15:04:05 -07:00"
	w := tabwriter.NewWriter(wcli.Visible(to), 0, 8, 3, ' ', 0)
	fmt.Fprintln(w, "SCHEDULE\tDUE (UTC)\tDUE (LOCAL)\tDATA FROM (LOCAL)\tINPUT\tOUTPUT")
	for i := range runs {
		r := &runs[i]
		input := "-"
		if len(r.Input) > 0 {
			input = r.Input[0]
		}
		if more := len(r.Input) - 1; more > 0 {
			input += fmt.Sprintf(" and %d more", more)
		}
		local := r.End.Format(clock)
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Schedule, r.Due.Format(day), local, r.Start.Format(clock), input, r.Output)
	}
	return w.Flush()
}
