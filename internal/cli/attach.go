package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/embedded"
	"github.com/windrow-mr/windrow/internal/remote"
	"github.com/windrow-mr/windrow/plan"
)

// attaches reports whether a command follows a job that runs without it: an
// interrupt does not end such a job.
func attaches(command string) bool {
	return command == "submit" || command == "watch" || command == "retry" || command == "rerun" || command == "replay"
}

// errInterrupted ends a command that was interrupted. Its text is empty, because
// the messages were already written.
var errInterrupted = errors.New("")

// interrupts are the signals that ask this process to end. The caller must handle
// them: nothing else ends the process.
type interrupts struct{ signals chan os.Signal }

func catchInterrupts() *interrupts {
	i := &interrupts{make(chan os.Signal, 4)}
	signal.Notify(i.signals, Interrupts()...)
	return i
}

//go:noinline
func (i *interrupts) stop() { signal.Stop(i.signals) }

// during calls f with a context that ends with the first interrupt. Code that
// ignores its context, such as a constructor of a job, continues until the second
// interrupt or interruptTime: during returns then, and the process ends.
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
		case <-done: //nolint:errcheck // its result no longer matters
		case <-i.signals:
		case <-time.After(interruptTime):
		}
		return errInterrupted
	}
}

// cancelTime is how long a second interrupt, which cancels the job, is awaited.
const cancelTime = 2 * time.Second

// attachFlags say how long a command follows its job.
func attachFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, Usage: "print the job's id and end, without waiting for the job"},
		&cli.BoolFlag{Name: "wait", Usage: "wait until the job ends, and exit with its status (the default)"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print neither progress nor summary"},
		strictFlag(),
		outputFlag(),
	}
}

// attachment follows a job on behalf of a command.
type attachment struct {
	p      *Program
	name   string // of the program
	client *client.Client
	in     *interrupts
	detach bool
	quiet  bool
	strict bool
	asJSON bool
}

func newAttachment(c *cli.Context, p *Program, in *interrupts) (*attachment, error) {
	printJSON, err := asJSON(c)
	if err != nil {
		return nil, err
	}
	if c.Bool("detach") && c.Bool("wait") {
		return nil, invalidf(c, "--detach and --wait: give only one of them")
	}
	cl, err := connect(c, p, attachPatience)
	if err != nil {
		return nil, err
	}
	return &attachment{p: p, name: c.App.Name, client: cl, in: in, detach: c.Bool("detach"), quiet: c.Bool("quiet"), strict: c.Bool("strict"), asJSON: printJSON}, nil
}

// early explains an interrupt of a request that has no answer yet.
func (a *attachment) early(err error) error {
	if errors.Is(err, errInterrupted) {
		fmt.Fprintf(a.p.Stderr, "\ninterrupted before the cluster answered; '%s ls' shows what it did\n", a.name)
	}
	return err
}

// follow follows a job until it ends, or until an interrupt detaches from it. With
// --detach it only prints the id.
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

// watch follows a job's events until its end. It calls show for each event, unless
// show is nil.
func (a *attachment) watch(ctx context.Context, id plan.JobID, show func(client.Event) error) error {
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
	var received time.Time
	bar := newProgress(a.p.terminal, "", a.quiet || show != nil)
	defer bar.clear()
	var waits waiting
	tick := time.NewTicker(time.Second) // the line shows time, which passes without events
	defer tick.Stop()
	for {
		select {
		case <-a.in.signals:
			bar.clear()
			return a.interrupted(ctx, id)
		case <-tick.C:
			if last.ID != "" {
				a.note(&waits, &last, bar)
				bar.job = last.Job
				bar.show(ProgressOf(&last, time.Since(received)))
			}
		case e, ok := <-events:
			if !ok {
				return a.lost(id, <-failed)
			}
			last, received = e.Job, time.Now()
			if show != nil {
				if err := show(e); err != nil {
					return err
				}
			}
			if e.Kind == client.EndEvent {
				bar.clear()
				return a.ended(&e.Job, show != nil)
			}
			a.note(&waits, &last, bar)
			bar.job = last.Job
			bar.show(ProgressOf(&last, 0))
		}
	}
}

// waitTime is the time for which a job must wait before its reason is shown: workers
// come and go.
const waitTime = time.Second

// waiting is the reason why a job waits, as far as it was shown.
type waiting struct {
	text  string
	since time.Time
	shown bool
}

// due reports whether the reason why a job waits must be shown now: it has lasted, and
// was not shown before.
func (w *waiting) due(text string, now time.Time) bool {
	if text != w.text {
		*w = waiting{text: text, since: now}
	}
	if text == "" || w.shown || now.Sub(w.since) < waitTime {
		return false
	}
	w.shown = true
	return true
}

// note shows the user why nothing of the job runs.
func (a *attachment) note(w *waiting, j *client.Job, bar *progress) {
	if w.due(j.Waits, time.Now()) && !a.quiet {
		bar.clear()
		fmt.Fprintf(a.p.Stderr, "%s: note: job %s waits: %s\n", a.name, j.ID, j.Waits)
	}
}

// lost explains the end of a watch before the end of the job.
func (a *attachment) lost(id plan.JobID, err error) error {
	if e, ok := errors.AsType[*client.Error](err); ok && e.Kind == plan.Unavailable {
		return &client.Error{Kind: e.Kind, Text: fmt.Sprintf("%s; job %s continues when there is a master again: '%s watch %[2]s' follows it", e.Text, id, a.name)}
	}
	return err
}

// ended prints the result of a job that ended, unless its events were shown, and
// returns its error.
func (a *attachment) ended(j *client.Job, shown bool) error {
	if a.asJSON && !shown {
		if err := writeJSON(a.p, j); err != nil {
			return err
		}
	}
	if j.State == client.Succeeded && !a.quiet && !shown {
		writeEnd(a.p.Stderr, j)
	}
	if err := remote.EndOf(j); err != nil || !a.strict || j.Result == nil {
		return err
	}
	return strictly(j.Result.BadRecords)
}

// interrupted detaches from a job. A second interrupt cancels the job.
func (a *attachment) interrupted(ctx context.Context, id plan.JobID) error {
	fmt.Fprintf(a.p.Stderr, "\ndetached: job %s continues. '%s watch %[1]s' follows it; interrupt again now to cancel it\n", id, a.name)
	wait := time.NewTimer(cancelTime)
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

// ProgressOf returns a job's progress in the form of a run's progress. The answer that
// has the job came some time ago.
func ProgressOf(j *client.Job, since time.Duration) embedded.Progress {
	elapsed := j.Elapsed()
	if elapsed > 0 && j.Ended.IsZero() {
		elapsed += since
	}
	now := embedded.Progress{Phase: orElse(j.Phase, string(j.State)), Retried: j.Progress.Retried, Fraction: j.Progress.Fraction,
		Bytes: j.Progress.Bytes, Shuffled: j.Progress.Shuffled, Elapsed: elapsed}
	for _, ph := range j.Phases {
		if ph.Phase == j.Phase {
			now.Done, now.Tasks, now.Running = ph.Committed, ph.Tasks, ph.Running
		}
	}
	return now
}
