package cli

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/output"
)

// planCommand tells what run would do.
func planCommand(p *Program) *cli.Command {
	command := &cli.Command{
		Name: "plan", Usage: "tell what run would do with a job, and what it would ask of stores; nothing is written",
		ArgsUsage: "JOB --input URL… --out URL [--param NAME=VALUE…]",
		Description: "It takes the flags of run, and says how the input is divided, what the shuffle is like, and how many requests\n" +
			"of each kind there would be, with their price for roots on S3.",
	}
	for _, job := range p.Jobs {
		command.Subcommands = append(command.Subcommands, &cli.Command{Name: job.Name(), Usage: "plan the job " + job.Name(),
			Flags: withParams(planFlags(), job.Params()), OnUsageError: usageMistake,
			Action: func(c *cli.Context) error { return planJob(c, p, job) }})
	}
	jobFirst(command)
	return command
}

// jobFirst makes a command that has jobs below it say so where none is named.
func jobFirst(command *cli.Command) {
	command.OnUsageError = func(c *cli.Context, err error, _ bool) error {
		what := err.Error()
		if m := undefinedFlag.FindStringSubmatch(what); m != nil {
			what = "no job before --" + m[1]
		}
		return usagef(c, "%s; the job comes first: %s %s JOB [flags]", what, c.App.Name, command.Name)
	}
	command.Action = func(c *cli.Context) error {
		if c.NArg() == 0 {
			return usagef(c, "no job named; '%s jobs' lists them", c.App.Name)
		}
		return unknown(c, "job", c.Args().First(), command.Subcommands)
	}
}

// textFlag is the flag of plan alone.
const textFlag = "text"

func planFlags() []cli.Flag {
	return append(runFlags(), &cli.BoolFlag{Name: textFlag, Usage: "print the job in its canonical form, in which equal jobs are equal, and no more"})
}

func planJob(c *cli.Context, p *Program, job *jobs.Job) error {
	if err := noMore(c, 0); err != nil {
		return err
	}
	printJSON, err := asJSON(c)
	if err != nil {
		return err
	}
	if c.Bool(textFlag) {
		return planText(c, p, job, printJSON)
	}
	o, err := runOptions(c, p, job, planFlags())
	if err != nil {
		return err
	}
	plan, err := embedded.Look(c.Context, job, o)
	switch {
	case err != nil:
		return err
	case printJSON:
		return writeJSON(p, newPlanDocument(plan))
	default:
		writePlan(p.Stdout, plan)
		return nil
	}
}

// planText prints the job itself, for which no input is needed.
func planText(c *cli.Context, p *Program, job *jobs.Job, printJSON bool) error {
	if printJSON {
		return usagef(c, "--text prints text: leave -o json out")
	}
	values, err := params(c, job.Params(), planFlags())
	if err != nil {
		return err
	}
	made, err := job.Build(values, nil)
	if err != nil {
		return usagef(c, "%v", err)
	}
	_, err = io.WriteString(p.Stdout, made.Text)
	return err
}

// planDocument is what plan prints with -o json. Its fields are only ever added to.
type planDocument struct {
	Version    int        `json:"version"`
	Job        string     `json:"job"`
	Output     string     `json:"output"`
	OnExists   string     `json:"onExists"`
	Objects    int        `json:"objects"`
	Input      int64      `json:"inputBytes"`
	LeftOut    int        `json:"leftOut"` // objects whose names hide them
	Maps       int        `json:"maps"`
	Split      int64      `json:"splitBytes"` // of the largest
	Samples    int        `json:"samples"`    // sections that are sampled
	Partitions int        `json:"partitions"`
	ReadGroup  int        `json:"readGroup"` // adjacent partitions that one request reads
	Slots      int        `json:"slots"`
	Memory     int64      `json:"memoryBytes"`
	Share      int64      `json:"shareBytes"` // of a task, for pairs
	Contents   planOutput `json:"contents"`
	Requests   reportPlan `json:"requests"`
	Assumed    []string   `json:"assumed"`
}

// planOutput is what the output holds already.
type planOutput struct {
	Committed bool   `json:"committed"`
	Parts     int    `json:"parts"`
	HeldBy    string `json:"heldBy,omitempty"` // job that is writing it, or was when it was killed
}

func newPlanDocument(p *embedded.Plan) planDocument {
	d := planDocument{Version: 1, Job: p.Job, Output: p.Output, OnExists: string(p.OnExists), Objects: p.Objects, Input: p.Input,
		LeftOut: p.LeftOut, Maps: p.Maps, Split: p.Split, Samples: p.Samples, Partitions: p.Partitions, ReadGroup: p.Group,
		Slots: p.Slots, Memory: p.Memory, Share: p.Share, Requests: newReportPlan(p), Assumed: p.Assumed,
		Contents: planOutput{Committed: p.Found.Contents, Parts: p.Found.Parts}}
	if p.Held != nil {
		d.Contents.HeldBy = string(p.Held.Job)
	}
	return d
}

// writePlan tells the plan of a run, for people.
func writePlan(to io.Writer, p *embedded.Plan) {
	line := cardLine(to)
	fmt.Fprintf(to, "%s → %s\n", p.Job, p.Output)
	line("read", "%s in %s", embedded.Bytes(p.Input), count(int64(p.Objects), "object"))
	if p.LeftOut > 0 {
		line("left out", "%s whose name begins with _ or .", count(int64(p.LeftOut), "object"))
	}
	line("maps", "%s, of at most %s", count(int64(p.Maps), "task"), embedded.Bytes(p.Split))
	if p.Samples > 0 {
		line("sampled", "%s of the input, for the keys at which partitions are cut", count(int64(p.Samples), "section"))
	}
	if p.Partitions > 0 {
		line("shuffled", "%s, %s", count(int64(p.Partitions), "partition"), layoutOf(p))
	}
	line("memory", "tasks may hold %s in %s, each %s for pairs", embedded.Bytes(p.Memory), count(int64(p.Slots), "slot"), embedded.Bytes(p.Share))
	line("output", "%s", contentsOf(p))
	line("requests", "%s", requestsOf(p.Requests.Total()))
	if dollars, ok := p.Requests.Dollars(); ok {
		line("price", "%s, an estimate for requests alone", priceOf(dollars))
	}
	for _, text := range p.Assumed {
		line("provided", "%s", text)
	}
}

// layoutOf tells how reduces read what maps left.
func layoutOf(p *embedded.Plan) string {
	if p.Group > 1 {
		return fmt.Sprintf("layout C: one request reads %d neighbours of them from a map task's run", p.Group)
	}
	return "layout B: each is read from every map task's run by itself"
}

// contentsOf tells what will become of what the output holds.
func contentsOf(p *embedded.Plan) string {
	switch parts := count(int64(p.Found.Parts), "part"); {
	case p.Held != nil:
		return fmt.Sprintf("held by job %s on %s; run waits to see whether it lives", p.Held.Job, p.Held.Host)
	case !p.Found.Contents:
		return "new"
	case p.OnExists == output.Append:
		return "holds " + parts + ", to be kept"
	default:
		return "holds " + parts + ", to be replaced"
	}
}
