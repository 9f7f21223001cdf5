package cli

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/output"
	"github.com/windrow-mr/windrow/plan"
)

// planCommand shows what run would do.
func planCommand(p *Program) *cli.Command {
	command := &cli.Command{
		Name: "plan", Usage: "show what run would do with a job, and which requests it would make; nothing is written",
		ArgsUsage: "JOB --input URL… --out URL [--param NAME=VALUE…]",
		Description: "It takes the flags of run. It shows how the input is divided, how the shuffle is laid out, and how many requests\n" +
			"of each kind a run would make, with their price for roots on S3.",
		CustomHelpTemplate: jobsHelp(planFlags()),
	}
	for _, job := range p.Jobs {
		command.Subcommands = append(command.Subcommands, &cli.Command{Name: job.Name(), Usage: orElse(job.Description(), "plan the job "+job.Name()),
			Flags: withParams(planFlags(), job.Params()), OnUsageError: flagMistake,
			Action: func(c *cli.Context) error { return planJob(c, p, job) }})
	}
	jobFirst(command)
	return command
}

// jobFirst makes a command with jobs as subcommands return a clear error when no
// job is named.
func jobFirst(command *cli.Command) {
	command.OnUsageError = func(c *cli.Context, err error, _ bool) error {
		what := err.Error()
		if m := undefinedFlag.FindStringSubmatch(what); m != nil {
			what = "no job before " + dashed(m[1])
		}
		return invalidf(c, "%s; the job comes first: %s %s JOB [flags]", what, c.App.Name, command.Name)
	}
	command.Action = func(c *cli.Context) error {
		if c.NArg() == 0 {
			return invalidf(c, "no job named; '%s jobs' lists them", c.App.Name)
		}
		return unknown(c, "job", c.Args().First(), command.Subcommands)
	}
}

// textFlag is a flag that only plan has.
const textFlag = "text"

//go:noinline
func planFlags() []cli.Flag {
	return append(runFlags(), &cli.BoolFlag{Name: textFlag, Usage: "print only the job's canonical text, which is the same for equal jobs"})
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
		writePlan(&visible{to: p.Stdout}, plan)
		return nil
	}
}

// planText prints the job's canonical text, which needs no input.
func planText(c *cli.Context, p *Program, job *jobs.Job, printJSON bool) error {
	if printJSON {
		return invalidf(c, "--text prints text: give it without -o json")
	}
	values, err := params(c, job.Params(), planFlags())
	if err != nil {
		return err
	}
	made, err := job.Build(values, nil)
	if err != nil {
		return invalidf(c, "%v", err)
	}
	_, err = io.WriteString(p.Stdout, made.Text)
	return err
}

// planDocument is what plan prints with -o json. Later versions only add fields.
type planDocument struct {
	Version    int          `json:"version"`
	Job        string       `json:"job"`
	Output     string       `json:"output"`
	OnExists   string       `json:"onExists"`
	Objects    int          `json:"objects"`
	Input      int64        `json:"inputBytes"`
	LeftOut    int          `json:"leftOut"` // of what the input names
	LeftOutBy  plan.LeftOut `json:"leftOutBy,omitzero"`
	Replay     string       `json:"replay,omitempty"`   // the job whose bad records are read
	Replayed   int          `json:"replayed,omitempty"` // how many these are
	Maps       int          `json:"maps"`
	Split      int64        `json:"splitBytes"`      // of the largest
	Samples    int          `json:"samples"`         // sections to sample
	Steps      []planStep   `json:"steps,omitempty"` // of a job of several stages
	Partitions int          `json:"partitions"`
	ReadGroup  int          `json:"readGroup"` // adjacent partitions that one request reads
	Slots      int          `json:"slots"`
	Memory     int64        `json:"memoryBytes"`
	Share      int64        `json:"shareBytes"` // of a task, for pairs
	Contents   planOutput   `json:"contents"`
	Requests   reportPlan   `json:"requests"`
	Assumed    []string     `json:"assumed"`
}

// planStep is a step of a job of several stages.
type planStep struct {
	Step  string `json:"step"`
	Tasks int    `json:"tasks"`
	Known bool   `json:"known"` // the number of tasks is fixed
	Bytes int64  `json:"bytes"` // that its tasks read, by the assumptions
	// Rounds is how many rounds the loop may have of which the step decides.
	Rounds int `json:"rounds,omitempty"`
}

// planOutput is what the output already holds.
type planOutput struct {
	Committed bool   `json:"committed"`
	Parts     int    `json:"parts"`
	HeldBy    string `json:"heldBy,omitempty"` // job that is writing it, or was killed while it did
}

func newPlanDocument(p *embedded.Plan) planDocument {
	d := planDocument{Version: 1, Job: p.Job, Output: p.Output, OnExists: string(p.OnExists), Objects: p.Objects, Input: p.Input,
		LeftOut: p.LeftOut.Total(), LeftOutBy: p.LeftOut, Replay: p.Replay, Replayed: p.Replayed, Maps: p.Maps, Split: p.Split, Samples: p.Samples, Partitions: p.Partitions, ReadGroup: p.Group,
		Slots: p.Slots, Memory: p.Memory, Share: p.Share, Requests: newReportPlan(p), Assumed: p.Assumed,
		Contents: planOutput{Committed: p.Found.Contents, Parts: p.Found.Parts}}
	for _, s := range p.Steps {
		d.Steps = append(d.Steps, planStep{s.Name, s.Tasks, s.Known, s.Bytes, s.Rounds})
	}
	if p.Held != nil {
		d.Contents.HeldBy = string(p.Held.Job)
	}
	return d
}

// writePlan prints the plan of a run for people.
func writePlan(to io.Writer, p *embedded.Plan) {
	line := cardLine(to)
	fmt.Fprintf(to, "%s → %s\n", p.Job, p.Output)
	line("read", "%s in %s", embedded.Bytes(p.Input), count(int64(p.Objects), "object"))
	if text := p.LeftOut.String(); text != "" {
		line("left out", "%s", text)
	}
	if p.Replay != "" {
		line("replays", "%s that job %s quarantined; nothing else is read", count(int64(p.Replayed), "record"), p.Replay)
	}
	if p.Steps == nil {
		line("maps", "%s, of at most %s", count(int64(p.Maps), "task"), embedded.Bytes(p.Split))
	}
	for _, s := range p.Steps {
		about := ""
		if !s.Known {
			about = "about "
		}
		if s.Rounds > 0 {
			line("loop", "%s: after each round, of at most %d", s.Name, s.Rounds)
			continue
		}
		line("step", "%s: %s%s, %s", s.Name, about, count(int64(s.Tasks), "task"), embedded.Bytes(s.Bytes))
	}
	if p.Samples > 0 {
		line("sampled", "%s of the input, to choose the keys that bound partitions", count(int64(p.Samples), "section"))
	}
	if p.Partitions > 0 {
		line("shuffled", "%s, %s", count(int64(p.Partitions), "partition"), layoutOf(p))
	}
	line("memory", "tasks can hold %s in %s, each %s for pairs", embedded.Bytes(p.Memory), count(int64(p.Slots), "slot"), embedded.Bytes(p.Share))
	line("output", "%s", contentsOf(p))
	line("requests", "%s", requestsOf(p.Requests.Total()))
	if dollars, ok := p.Requests.Dollars(); ok {
		line("price", "%s, an estimate for requests only", priceOf(dollars))
	}
	for _, text := range p.Assumed {
		line("assumed", "%s", text)
	}
}

// layoutOf describes how reduce tasks read the sorted runs of map tasks.
func layoutOf(p *embedded.Plan) string {
	if p.Group > 1 {
		return fmt.Sprintf("layout C: one request reads %d adjacent ones from a map task's run", p.Group)
	}
	return "layout B: one request reads one of them from a map task's run"
}

// contentsOf describes what the output holds, and what a run would do with it.
func contentsOf(p *embedded.Plan) string {
	switch parts := count(int64(p.Found.Parts), "part"); {
	case p.Held != nil:
		return fmt.Sprintf("held by job %s on %s; run waits to see whether it is alive", p.Held.Job, p.Held.Host)
	case !p.Found.Contents:
		return "new"
	case p.OnExists == output.Append:
		return "holds " + parts + ", which run keeps"
	default:
		return "holds " + parts + ", which run replaces"
	}
}
