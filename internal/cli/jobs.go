package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/jobs"
)

// jobsCommand lists the jobs with their parameters.
func jobsCommand(p *Program) *cli.Command {
	return listing(p, "jobs", "list the jobs and their parameters",
		func() any { return describe(p.Jobs) }, func() error { return writeJobs(p) })
}

// jobReport describes a job. Later versions only add fields.
type jobReport struct {
	Name        string        `json:"name"`
	Description string        `json:"description,omitempty"`
	Inputs      []string      `json:"inputs,omitempty"` // the named ones
	Params      []paramReport `json:"params"`
}

type paramReport struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Help     string `json:"help"`
	Required bool   `json:"required"`
	Default  string `json:"default"`
	Switch   bool   `json:"switch,omitempty"` // its flag needs no value
}

func describe(all []*jobs.Job) []jobReport {
	reports := make([]jobReport, len(all))
	for i, job := range all {
		reports[i] = reportOf(job)
		reports[i].Inputs = job.Inputs()
	}
	return reports
}

// reportOf describes a job without its inputs: its constructor does not run.
func reportOf(job *jobs.Job) jobReport {
	r := jobReport{Name: job.Name(), Description: job.Description(), Params: []paramReport{}}
	for _, p := range job.Params() {
		r.Params = append(r.Params, paramReport{p.Name, p.Type, p.Help, p.Required, p.Default, p.Switch})
	}
	return r
}

func writeJobs(p *Program) error {
	w := p.newTable()
	fmt.Fprintln(w, "JOB\tPARAMETER\tTYPE\tDEFAULT\tMEANING")
	const required = "(required)"
	for _, job := range describe(p.Jobs) {
		fmt.Fprintf(w, "%s\t\t\t\t%s\n", job.Name, job.Description)
		for _, input := range job.Inputs {
			fmt.Fprintf(w, "\tinput\tURL\t%s\tthe input %s: --input %[2]s=URL\n", required, input)
		}
		for _, param := range job.Params {
			def := param.Default
			if param.Required {
				def = required
			}
			fmt.Fprintf(w, "\t%s\t%s\t%s\t%s\n", param.Name, param.Type, def, param.Help)
		}
	}
	return w.Flush()
}
