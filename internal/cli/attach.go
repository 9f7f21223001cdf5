package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/plan"
)

// attaches tells whether a command stays with a job that goes on without it: an
// interrupt is not what ends such a job.
func attaches(command string) bool {
	return command == "submit" || command == "watch" || command == "retry" || command == "rerun"
}

// errInterrupted ends a command that was interrupted. What is to be said was
// said.
var errInterrupted = errors.New("")

// jobError is a job that ended without output.
type jobError struct {
	id    plan.JobID
	state client.State
	cause client.Cause
}

// Error returns why.
func (e *jobError) Error() string {
	if e.state == client.Cancelled {
		return fmt.Sprintf("job %s was cancelled: %s", e.id, orElse(causeText(&e.cause), "a user asked"))
	}
	return fmt.Sprintf("job %s failed: %s", e.id, orElse(causeText(&e.cause), "the cluster does not say why"))
}

// FailureKind returns the kind of the job's cause.
func (e *jobError) FailureKind() plan.Kind {
	if e.cause.Kind == plan.Unknown {
		return plan.Failed
	}
	return e.cause.Kind
}

// endOf returns the error that a job's end is; nil where it succeeded.
func endOf(j *client.Job) error {
	if j.State == client.Succeeded {
		return nil
	}
	e := &jobError{id: j.ID, state: j.State}
	if j.Cause != nil {
		e.cause = *j.Cause
	}
	return e
}

// interrupts are the signals that ask this process to end. Whoever has them must
// look at them: nothing else ends it.
type interrupts struct{ signals chan os.Signal }

func catchInterrupts() *interrupts {
	i := &interrupts{make(chan os.Signal, 4)}
	signal.Notify(i.signals, os.Interrupt, syscall.SIGTERM)
	return i
}

func (i *interrupts) stop() { signal.Stop(i.signals) }

// during calls f with a context that ends with the first interrupt. What does not
// look at its context, such as a constructor of a job, is left behind by the
// second one, or when its time is over: the process ends then.
func (i *interrupts) during(ctx context.Context, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	select {
	case err := <-done:
		return err
	case <-i.signals:
		cancel()
		select {
		case <-done: //nolint:errcheck // whatever became of it
		case <-i.signals:
		case <-time.After(interruptTime):
		}
		return errInterrupted
	}
}

// again is how long a second interrupt is waited for, which cancels the job.
const again = 2 * time.Second

// attachFlags say how long a command stays with its job.
func attachFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, Usage: "do not wait for the job: print its id, and end"},
		&cli.BoolFlag{Name: "wait", Usage: "wait until the job has ended (the default), and end as it does"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress and no summary"},
		outputFlag(),
	}
}

// attachment is how a command stays with a job.
type attachment struct {
	p      *Program
	name   string // of the program
	client *client.Client
	in     *interrupts
	detach bool
	quiet  bool
	asJSON bool
}

func newAttachment(c *cli.Context, p *Program, in *interrupts) (*attachment, error) {
	printJSON, err := asJSON(c)
	if err != nil {
		return nil, err
	}
	if c.Bool("detach") && c.Bool("wait") {
		return nil, usagef(c, "--detach and --wait: say one of them")
	}
	cl, err := connect(c, p, attachPatience)
	if err != nil {
		return nil, err
	}
	return &attachment{p: p, name: c.App.Name, client: cl, in: in, detach: c.Bool("detach"), quiet: c.Bool("quiet"), asJSON: printJSON}, nil
}

// early tells what an interrupt means to a request that nobody has answered.
func (a *attachment) early(err error) error {
	if errors.Is(err, errInterrupted) {
		fmt.Fprintf(a.p.Stderr, "\ninterrupted before the cluster had answered; '%s ls' tells what it has done\n", a.name)
	}
	return err
}

// follow stays with a job until it has ended, or an interrupt detaches from it.
// With --detach it tells the id, and that is all.
func (a *attachment) follow(ctx context.Context, made client.Submitted, what string) error {
	if a.detach {
		if a.asJSON {
			return writeJSON(a.p, made)
		}
		_, err := fmt.Fprintln(a.p.Stdout, made.ID)
		return err
	}
	if !a.quiet {
		fmt.Fprintf(a.p.Stderr, "%s job %s\n", what, made.ID)
	}
	return a.watch(ctx, made.ID, nil)
}

// watch follows a job's events until its end, and gives each to tell, if there
// is one.
func (a *attachment) watch(ctx context.Context, id plan.JobID, tell func(client.Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	events, failed := make(chan client.Event), make(chan error, 1)
	go func() {
		defer close(events)
		for e, err := range a.client.Watch(ctx, id) {
			if err != nil {
				failed <- err
				return
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() {
		cancel()
		for range events { // until the goroutine has ended
		}
	}()
	var last client.Job
	bar := newProgress(a.p.Stderr, "", a.quiet || tell != nil)
	defer bar.clear()
	tick := time.NewTicker(time.Second) // the line shows time, which goes on without events
	defer tick.Stop()
	for {
		select {
		case <-a.in.signals:
			bar.clear()
			return a.interrupted(ctx, id)
		case <-tick.C:
			if last.ID != "" {
				bar.job = last.Job
				bar.show(progressOf(&last))
			}
		case e, ok := <-events:
			if !ok {
				return a.lost(id, <-failed)
			}
			last = e.Job
			if tell != nil {
				if err := tell(e); err != nil {
					return err
				}
			}
			if e.Kind == client.EndEvent {
				bar.clear()
				return a.ended(&e.Job, tell != nil)
			}
			bar.job = last.Job
			bar.show(progressOf(&last))
		}
	}
}

// lost puts the end of a watch that is not the job's into words.
func (a *attachment) lost(id plan.JobID, err error) error {
	if e, ok := errors.AsType[*client.Error](err); ok && e.Kind == plan.Unavailable {
		return &client.Error{Kind: e.Kind, Text: fmt.Sprintf("%s; job %s goes on when there is a master again: '%s watch %[2]s' follows it", e.Text, id, a.name)}
	}
	return err
}

// ended tells how a job has ended.
func (a *attachment) ended(j *client.Job, told bool) error {
	if a.asJSON && !told {
		if err := writeJSON(a.p, j); err != nil {
			return err
		}
	}
	if j.State == client.Succeeded && !a.quiet && !told {
		writeEnd(a.p.Stderr, j)
	}
	return endOf(j)
}

// interrupted detaches from a job; a second interrupt asks that it be cancelled.
func (a *attachment) interrupted(ctx context.Context, id plan.JobID) error {
	fmt.Fprintf(a.p.Stderr, "\ndetached: job %s goes on. '%s watch %[1]s' follows it; interrupt again now to cancel it\n", id, a.name)
	wait := time.NewTimer(again)
	defer wait.Stop()
	select {
	case <-a.in.signals:
	case <-wait.C:
		return errInterrupted
	}
	if err := a.in.during(ctx, func(ctx context.Context) error { return a.client.Cancel(ctx, id) }); err != nil {
		return errors.Join(fmt.Errorf("job %s was not cancelled: %w", id, err), errInterrupted)
	}
	fmt.Fprintf(a.p.Stderr, "the cluster was asked to cancel job %s\n", id)
	return errInterrupted
}

// progressOf returns a job's progress as that of a run is shown.
func progressOf(j *client.Job) embedded.Progress {
	now := embedded.Progress{Phase: orElse(j.Phase, string(j.State)), Retried: j.Progress.Retried, Fraction: j.Progress.Fraction,
		Bytes: j.Progress.Bytes, Shuffled: j.Progress.Shuffled, Elapsed: j.Elapsed(time.Now())}
	for _, ph := range j.Phases {
		if ph.Phase == j.Phase {
			now.Done, now.Tasks, now.Running = ph.Committed, ph.Tasks, ph.Running
		}
	}
	return now
}
