package cli

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
)

// lookTime bounds how long a shell waits for names of the cluster.
const lookTime = time.Second

// jobsOffered is how many of the newest jobs are offered.
const jobsOffered = 50

// operandsOf returns the words that can be an argument of a command, each with a tab and
// its meaning: names that only the user's contexts and the cluster know. known is false
// for other arguments. Where no master answers at once there are no words.
func operandsOf(c *cli.Context, p *Program, command *cli.Command) (words []string, known bool) {
	switch what := command.ArgsUsage; {
	case strings.HasPrefix(what, jobsOf):
		return programWords(c, p, strings.TrimPrefix(what, jobsOf)), true
	case strings.HasPrefix(what, "JOB"):
		return jobWords(c, p), true
	case strings.HasPrefix(what, "WORKER"):
		return workerWords(c, p), true
	case strings.HasPrefix(what, "NAME"):
		return contextWords(c, p), true
	}
	return nil, false
}

// jobsOf, before a path, stands for the jobs of the program or package there.
const jobsOf = "jobs of "

// buildTime is how long a program may take to answer with its jobs, or its package to
// be built, while a user types.
const buildTime = 5 * time.Second

// programWords returns the jobs of the program or package at a path. The go command
// keeps what it builds, so that the second time is quick.
func programWords(c *cli.Context, p *Program, path string) (words []string) {
	ctx, cancel := context.WithTimeout(c.Context, buildTime)
	defer cancel()
	quiet := *p
	quiet.Stderr = io.Discard
	from, err := openForeign(ctx, c, &quiet, path)
	if from != nil {
		defer from.close()
	}
	if err != nil {
		return nil
	}
	all, _ := from.jobs(ctx) // without an answer there are none
	for i := range all {
		words = append(words, all[i].Name+"\t"+all[i].Description)
	}
	return words
}

// contextWords returns the names of contexts.
func contextWords(c *cli.Context, p *Program) []string {
	all, err := p.user(c, nil).ReadContexts()
	if err != nil {
		return nil
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(all.Contexts)) {
		words = append(words, name+"\t"+orElse(all.Contexts[name].Master, all.Contexts[name].Root))
	}
	return words
}

// jobWords returns the ids of the newest jobs.
func jobWords(c *cli.Context, p *Program) (words []string) {
	p.glance(c, func(ctx context.Context, cl *client.Client) {
		page, _ := cl.Jobs(ctx, client.JobsQuery{Limit: jobsOffered}) // without an answer there are none
		for i := range page.Jobs {
			words = append(words, string(page.Jobs[i].ID)+"\t"+page.Jobs[i].Job+", "+string(page.Jobs[i].State))
		}
	})
	return words
}

// workerWords returns the ids of workers, and their hosts.
func workerWords(c *cli.Context, p *Program) (words []string) {
	p.glance(c, func(ctx context.Context, cl *client.Client) {
		all, _ := cl.Workers(ctx) // without an answer there are none
		hosts := map[string]bool{}
		for i := range all {
			words = append(words, all[i].ID+"\t"+string(all[i].State)+" on "+all[i].Host)
			hosts[all[i].Host] = true
		}
		for _, host := range slices.Sorted(maps.Keys(hosts)) {
			words = append(words, host+"\tall workers of the host")
		}
	})
	return words
}

// glance asks the cluster that the environment or the current context names, once and
// without a word: a shell shows only the words that it gets.
func (p *Program) glance(c *cli.Context, ask func(ctx context.Context, cl *client.Client)) {
	t, err := findTarget(c, p)
	if err != nil {
		return
	}
	cl, err := p.user(c, nil).Connect(&t, -1, -1)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(c.Context, lookTime)
	defer cancel()
	ask(ctx, cl)
}
