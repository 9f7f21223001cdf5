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

type jobReport struct {
	Name   string        `json:"name"`
	Params []paramReport `json:"params"`
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
		reports[i] = jobReport{Name: job.Name(), Params: []paramReport{}}
		for _, p := range job.Params() {
			reports[i].Params = append(reports[i].Params, paramReport{p.Name, p.Type, p.Help, p.Required, p.Default, p.Switch})
		}
	}
	return reports
}

func writeJobs(p *Program) error {
	w := p.newTable()
	fmt.Fprintln(w, "JOB\tPARAMETER\tTYPE\tDEFAULT\tMEANING")
	for _, job := range p.Jobs {
		params := job.Params()
		if len(params) == 0 {
			fmt.Fprintln(w, job.Name())
		}
		name := job.Name()
		for _, param := range params {
			def := param.Default
			if param.Required {
				def = "(required)"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", name, param.Name, param.Type, def, param.Help)
			name = ""
		}
	}
	return w.Flush()
}
