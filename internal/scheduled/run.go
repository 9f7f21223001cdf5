package scheduled

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	wcli "github.com/windrow-mr/windrow/internal/cli"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/schedule"
)

// runFlags are the flags of run that try an interval of a schedule.
func runFlags() []cli.Flag {
	const category = "to try an interval of a schedule, in place of a job"
	return []cli.Flag{
		&cli.StringFlag{Name: "schedule", Usage: "run the job of a schedule of `FILE`; flags of run can follow --", Category: category},
		&cli.StringFlag{Name: "at", Usage: "run the last interval that is due at `TIME`", DefaultText: "now", Category: category},
		&cli.StringFlag{Name: "name", Usage: "the schedule `NAME` of the file", DefaultText: "the only one", Category: category},
	}
}

// runCommand is the command run, which can also try an interval of a schedule.
func runCommand(p *wcli.Program) *cli.Command {
	command := wcli.RunCommand(p)
	command.Flags = append(command.Flags, runFlags()...)
	job := command.Action
	command.Action = func(c *cli.Context) error {
		if !c.IsSet("schedule") {
			for _, name := range []string{"at", "name"} {
				if c.IsSet(name) {
					return wcli.Invalidf(c, "--%s is for a schedule: name its file with --schedule", name)
				}
			}
			return job(c)
		}
		return try(c, p)
	}
	return command
}

// try runs the job of an interval, as the command run would with the flags that the
// schedule stands for.
func try(c *cli.Context, p *wcli.Program) error {
	more := c.Args().Slice()
	if len(more) > 0 && (len(more[0]) == 0 || more[0][0] != '-') {
		return wcli.Invalidf(c, "unexpected argument %q: the schedule names the job; flags of run can follow --", more[0])
	}
	all, err := read(c.String("schedule"))
	if err != nil {
		return err
	}
	if all, err = named(c, all); err != nil {
		return err
	}
	if len(all) > 1 {
		var names []string
		for _, d := range all {
			names = append(names, d.Spec().Name)
		}
		return wcli.Invalidf(c, "the file has %d schedules: choose one with --name %s", len(all), strings.Join(names, ", "))
	}
	d := all[0]
	at, err := timeOf(c, "at", d.Zone())
	if err != nil {
		return err
	}
	i, ok := d.Prev(at)
	if !ok {
		return &fileError{plan.NotFound, fmt.Sprintf("schedule %s has no interval that is due at %s", d.Spec().Name, at.Format(time.RFC3339))}
	}
	r, err := d.Resolve(i)
	if err != nil {
		return err
	}
	spec := d.Spec()
	fmt.Fprintf(p.Stderr, "schedule %s: the interval from %s to %s\n", spec.Name, i.Start.Format(time.RFC3339), i.End.Format(time.RFC3339))
	words := append(flagsOf(&spec, r), more...)
	if spec.Job.Program != "" {
		return wcli.RunPath(c, p, spec.Job.Program, spec.Job.Name, words)
	}
	return c.App.RunContext(c.Context, append([]string{c.App.Name, "run", spec.Job.Name}, words...))
}

// flagsOf returns the flags of run that a schedule stands for.
func flagsOf(spec *schedule.Spec, r *schedule.Run) []string {
	var words []string
	add := func(flag, value string) {
		if value != "" {
			words = append(words, "--"+flag+"="+value)
		}
	}
	for _, url := range r.Input {
		add("input", url)
	}
	add("out", r.Output)
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		words = append(words, "--param="+name+"="+r.Params[name])
	}
	add("on-exists", spec.OnExists)
	add("compress", spec.Job.Compress)
	add("decompress", spec.Job.Decompress)
	add("bad-records", spec.Job.BadRecords)
	for _, text := range spec.Expect {
		add("expect", text)
	}
	if n := spec.Job.Partitions; n > 0 {
		add("partitions", strconv.Itoa(n))
	}
	if n := spec.Job.Attempts; n > 0 {
		add("attempts", strconv.Itoa(n))
	}
	return words
}
