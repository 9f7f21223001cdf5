package cli

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
)

// following is the action of a command that gets or makes a job of an existing one, and
// follows it. It takes the name of the job, and up to more arguments besides.
//
//go:noinline
func following(p *Program, args string, more int, begin func(ctx context.Context, c *cli.Context, a *attachment) (made client.Submitted, how string, err error)) cli.ActionFunc {
	return func(c *cli.Context) error {
		if err := countArgs(c, args, 1, 1+more); err != nil {
			return err
		}
		return attach(c, p, func(ctx context.Context, a *attachment) (client.Submitted, string, error) { return begin(ctx, c, a) })
	}
}

// attach gets or makes a job, and follows it.
func attach(c *cli.Context, p *Program, begin func(ctx context.Context, a *attachment) (made client.Submitted, how string, err error)) error {
	in := catchInterrupts()
	defer in.stop()
	a, err := newAttachment(c, p, in)
	if err != nil {
		return err
	}
	var made client.Submitted
	var how string
	err = in.during(c.Context, func(ctx context.Context) (err error) {
		made, how, err = begin(ctx, a)
		return err
	})
	if err != nil {
		return a.early(err)
	}
	return a.follow(c.Context, made, how)
}

// specOf returns the job that the first argument names, as it was submitted.
func specOf(ctx context.Context, c *cli.Context, cl *client.Client) (id plan.JobID, s client.Submission, err error) {
	if id, err = findJob(c, cl, c.Args().First()); err != nil {
		return id, s, err
	}
	spec, err := cl.Spec(ctx, id)
	if err != nil {
		return id, s, err
	}
	s = client.Resubmission(&spec)
	if c.IsSet("priority") {
		s.Priority, err = priority(c)
	}
	s.IdempotencyKey = c.String("idempotency-key")
	return id, s, err
}
